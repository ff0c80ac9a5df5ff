"""Reading each format: the text, where its words stand, its headings; told by content."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from ingest.headings import headings, is_heading
from ingest.parsers import DOCX, MARKDOWN, PDF, TEXT, Limits, detect, docx, markdown, pdf, text
from ingest.parsers.numbering import Level, Numbering
from rag.errors import BadFile, TooLarge
from rag.types import Page
from tests.made_files import changed_pdf, page_with, raw_pdf, rezipped, stream, word
from tests.made_files import pdf as make_pdf

LIMITS = Limits(pages=100, characters=1_000_000)


def only(pages: list[Page]) -> Page:
    assert len(pages) == 1
    return pages[0]


# PDF


def test_a_pdf_gives_lines_paragraphs_headings_and_its_title(tmp_path: Path) -> None:
    source = pdf.parse(make_pdf(tmp_path / "lease.pdf", title="The lease"), LIMITS)
    page = only(list(source.pages))
    assert (source.title, source.paged, source.total) == ("The lease", True, 1)
    assert (page.width, page.height) == (612, 792)
    assert page.text == (
        "LEASE AGREEMENT\n\n"
        "12. Notice. The tenant must give ninety days' written\n"
        "notice before leaving the premises. The landlord shall\n"
        "return the deposit of $1,200.50 within thirty days."
    )
    assert [page.text[start:end] for start, end in page.headings] == ["LEASE AGREEMENT"]


def test_each_word_has_a_box_where_it_was_written(tmp_path: Path) -> None:
    page = only(list(pdf.parse(make_pdf(tmp_path / "lease.pdf"), LIMITS).pages))
    words = [page.text[item.start : item.end] for item in page.boxes]
    assert words == page.text.split()
    first = page.boxes[0].box
    assert first.x0 == pytest.approx(72, abs=1)
    assert first.y0 < 72 < first.y1
    assert 8 < first.y1 - first.y0 < 18
    deposit = page.boxes[words.index("$1,200.50")].box
    assert deposit.y0 < 72 + 4 * 18 < deposit.y1 + 18


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (50, 400, 500, 780)])
def test_text_is_the_same_however_the_page_is_turned_or_cropped(
    tmp_path: Path, rotation: int, crop: tuple[float, float, float, float] | None
) -> None:
    plain = make_pdf(tmp_path / "plain.pdf")
    turned = changed_pdf(plain, tmp_path / "turned.pdf", rotation=rotation, crop=crop)
    page = only(list(pdf.parse(turned, LIMITS).pages))
    assert "ninety days' written" in page.text
    width, height = (450, 380) if crop else (612, 792)
    assert (page.width, page.height) == (
        (height, width) if rotation in {90, 270} else (width, height)
    )
    for item in page.boxes:
        assert 0 <= item.box.x0 < item.box.x1 <= page.width
        assert 0 <= item.box.y0 < item.box.y1 <= page.height


def test_a_speck_of_a_letter_has_a_box_with_an_inside(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "speck.pdf"))
    canvas.drawString(72, 700, "The rent is due.")
    canvas.setFont("Helvetica", 0.2)
    canvas.drawString(300, 650, "i")  # a twentieth of a point wide
    canvas.save()
    page = only(list(pdf.parse(tmp_path / "speck.pdf", LIMITS).pages))
    speck = page.boxes[-1].box
    assert page.text.endswith("i")
    assert speck.x0 < speck.x1
    assert speck.y0 < speck.y1


def test_a_running_head_is_no_heading(tmp_path: Path) -> None:
    body = "The rent is due on the first day of each month."
    lines = ["ACME CORPORATION", "", body, "", "RENT", body, body, "2"]
    pages = list(pdf.parse(make_pdf(tmp_path / "a.pdf", [lines] * 3), LIMITS).pages)
    heads = [[page.text[start:end] for start, end in page.headings] for page in pages]
    assert heads == [["ACME CORPORATION", "RENT"], ["RENT"], ["RENT"]]


def test_an_empty_user_password_opens(tmp_path: Path) -> None:
    locked = changed_pdf(make_pdf(tmp_path / "a.pdf"), tmp_path / "b.pdf", password="")
    assert "ninety days" in only(list(pdf.parse(locked, LIMITS).pages)).text


def test_a_user_password_is_asked_for_in_words(tmp_path: Path) -> None:
    locked = changed_pdf(make_pdf(tmp_path / "a.pdf"), tmp_path / "b.pdf", password="secret")  # noqa: S106 - a test file's
    with pytest.raises(BadFile, match="protected by a password"):
        pdf.parse(locked, LIMITS)


def test_characters_outside_the_basic_plane_do_not_shift_the_boxes(tmp_path: Path) -> None:
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap"
        b" 1 begincodespacerange <00> <FF> endcodespacerange"
        b" 1 beginbfchar <41> <D83DDE00> endbfchar"
        b" 25 beginbfrange "
        + b" ".join(b"<%02X> <%02X> <%04X>" % (code, code, code) for code in range(66, 91))
        + b" endbfrange endcmap end end"
    )
    objects = page_with(stream(b"BT /F1 20 Tf 72 700 Td (AA BCD) Tj ET"))
    objects[4] = (
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R"
        b" /FirstChar 65 /LastChar 90 /Widths [" + b"600 " * 26 + b"] >>"
    )
    page = only(
        list(pdf.parse(raw_pdf(tmp_path / "a.pdf", [*objects, stream(cmap)]), LIMITS).pages)
    )
    assert page.text == "😀😀 BCD"
    assert [page.text[item.start : item.end] for item in page.boxes] == ["😀😀", "BCD"]
    assert page.boxes[1].box.x0 == pytest.approx(96, abs=0.5)


def test_limits_of_pages_and_text(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf", [["some words"]] * 5)
    with pytest.raises(TooLarge, match="5 pages"):
        pdf.parse(path, Limits(4, 1000))
    with pytest.raises(TooLarge, match="MB of text"):
        list(pdf.parse(path, Limits(10, 25)).pages)


# Word


def test_word_gives_headings_numbers_and_rows(tmp_path: Path) -> None:
    source = docx.parse(word(tmp_path / "a.docx"), LIMITS)
    page = only(list(source.pages))
    assert (source.title, source.paged, source.total) == ("Engagement letter", False, 1)
    assert page.text == (
        "Terms of engagement\n\n"
        "We act for you in the matter of the estate.\n\n"
        "Fees\n"
        "1. Our fees are billed monthly.\n"
        "2. Expenses are billed at cost.\n"
        "Partner | $400 an hour\n"
        "Associate | $250 an hour\n\n"
        "Das Gericht entscheidet. שלום עולם"
    )
    assert [page.text[start:end] for start, end in page.headings] == ["Terms of engagement", "Fees"]


def test_tracked_changes_are_read_as_accepted(tmp_path: Path) -> None:
    w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    body = (
        f"<w:document {w}><w:body><w:p><w:r><w:t>Rent is </w:t></w:r>"
        "<w:del><w:r><w:delText>$100</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>$200</w:t></w:r></w:ins>"
        "<w:moveFrom><w:r><w:t> gone</w:t></w:r></w:moveFrom>"
        "<w:hyperlink><w:r><w:t> monthly</w:t><w:tab/><w:t>here</w:t></w:r></w:hyperlink></w:p>"
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p>"
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>in</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
        "</w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
        "</w:body></w:document>"
    )
    path = rezipped(
        word(tmp_path / "a.docx"), tmp_path / "b.docx", {"word/document.xml": body.encode()}
    )
    assert only(list(docx.parse(path, LIMITS).pages)).text == (
        "Rent is $200 monthly here\na in | b"
    )


def test_clause_numbers_count_as_word_does() -> None:
    levels = {
        0: Level(1, "upperRoman", "ARTICLE %1"),
        1: Level(1, "decimal", "%1.%2"),
        2: Level(1, "lowerLetter", "(%3)"),
        3: Level(1, "bullet", ""),
    }
    numbering = Numbering({"1": levels})
    labels = [numbering.label("1", depth) for depth in (0, 1, 2, 2, 1, 2, 0, 1, 3)]
    assert labels == [
        "ARTICLE I", "I.1", "(a)", "(b)", "I.2", "(a)", "ARTICLE II", "II.1", "•",
    ]  # fmt: skip
    assert numbering.label("7", 0) == ""


# Text and Markdown


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"plain\r\nlines\rhere", "plain\nlines\nhere"),
        ("naïve – §".encode(), "naïve – §"),
        (b"\xef\xbb\xbfmarked", "marked"),
        ("breit ü".encode("utf-16"), "breit ü"),
        (b"\xfe\xff" + "gro\u00df".encode("utf-16-be"), "groß"),
        ("caf\u00e9 \u2013 \u20ac".encode("cp1252"), "café – €"),
        (b"a\x00b", "a b"),
    ],
)
def test_text_in_any_usual_encoding(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    source = text.parse(path, LIMITS)
    assert only(list(source.pages)).text == expected
    assert not source.paged


def test_markdown_headings_are_known_from_their_marks(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(
        "# Handbook #\n\nWelcome.\n\nTrips\n-----\n\n```\n# not one\n```\n## Fees\n- item\n---\n",
        encoding="utf-8",
    )
    page = only(list(markdown.parse(path, LIMITS).pages))
    assert [page.text[start:end] for start, end in page.headings] == ["Handbook", "Trips", "Fees"]


def test_headings_of_plain_text() -> None:
    page = (
        "NON-DISCLOSURE AGREEMENT\nThis Agreement is made today.\n1. Purpose\nThe purpose is to talk.\n"
        "Section 4 Term\nThis runs on. It goes\nARTICLE II\n2019 12 15\nTotal 5 6\nThree Months Ended\n"
    )
    assert [page[start:end] for start, end in headings(page)] == [
        "NON-DISCLOSURE AGREEMENT",
        "1. Purpose",
        "Section 4 Term",
        "ARTICLE II",
    ]
    assert is_heading("Earnings per share", marked=True)
    assert not is_heading("Earnings per share")


# The kind of a file


def test_the_content_tells_the_kind_not_the_name(tmp_path: Path) -> None:
    report = make_pdf(tmp_path / "a.pdf").rename(tmp_path / "a.txt")
    letter = word(tmp_path / "b.docx").rename(tmp_path / "b.pdf")
    note = tmp_path / "c.pdf"
    note.write_text("Only words.", encoding="utf-8")
    assert detect(report, "a.txt") == PDF
    assert detect(letter, "b.pdf") == DOCX
    assert detect(note, "c.pdf") == TEXT
    assert detect(note, "C.MD") == MARKDOWN


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "a picture"),
        (b"MZ" + bytes(range(32)) * 9, "a program"),
        (b"PK\x03\x04garbage", "damaged or incomplete"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 50, "old Office"),
        (bytes(range(256)) * 8, "no kind"),
    ],
)
def test_other_kinds_are_refused_with_a_sentence(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(data)
    with pytest.raises(BadFile, match=words) as caught:
        detect(path, "a.pdf")
    assert caught.value.remedy
