"""Files made to harm, and files merely broken: each becomes a state and a sentence, in time.

Everything here goes through the real sandbox; what the server itself is made of is not touched.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.sandbox import Parsed, read_document
from rag.config import Settings
from rag.errors import BadFile, TooLarge
from tests.made_files import changed_pdf, page_with, raw_pdf, rezipped, stream, word
from tests.made_files import pdf as make_pdf

TEXT = b"BT /F1 12 Tf 72 700 Td (some words) Tj ET"


def read(path: Path, settings: Settings) -> Parsed:
    return read_document(path, path.name, settings, lambda _done, _total: None, lambda: False)


@pytest.fixture
def strict(settings: Settings) -> Settings:
    """Return settings with which nothing takes long."""
    return replace(settings, parse_cpu_seconds=5, parse_wall_seconds=60, parse_memory_mb=400)


def refused(path: Path, settings: Settings, words: str) -> None:
    """Expect a sentence with these words and a remedy, soon."""
    began = time.monotonic()
    with pytest.raises((BadFile, TooLarge), match=words) as caught:
        read(path, settings)
    assert caught.value.remedy.endswith((".", "CPU_SECONDS."))
    assert time.monotonic() - began < settings.parse_wall_seconds + 30


# Broken


def test_an_empty_file(strict: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.touch()
    refused(path, strict, "is empty")


def test_a_truncated_pdf(strict: Settings, tmp_path: Path) -> None:
    whole = make_pdf(tmp_path / "a.pdf", [["some words"] * 30] * 20).read_bytes()
    for part in (0.1, 0.5, 0.9, 0.99):
        path = tmp_path / "b.pdf"
        path.write_bytes(whole[: int(len(whole) * part)])
        refused(path, strict, "cut off")


def test_an_update_that_was_cut_off(strict: Settings, tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf")
    path.write_bytes(path.read_bytes() + b"\n9 0 obj\n<< /Type /Pa")
    refused(path, strict, "cut off")


def test_a_truncated_word_document(strict: Settings, tmp_path: Path) -> None:
    path = word(tmp_path / "a.docx")
    path.write_bytes(path.read_bytes()[:-500])
    refused(path, strict, "damaged or incomplete")


def test_a_wrong_extension_does_not_matter(strict: Settings, tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf").rename(tmp_path / "a.docx")
    assert "ninety days" in read(path, strict).pages[0].text


def test_what_only_says_it_is_a_pdf(strict: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 40 + b"\n%%EOF")
    refused(path, strict, "damaged")


def test_an_encrypted_pdf(strict: Settings, tmp_path: Path) -> None:
    plain = make_pdf(tmp_path / "a.pdf")
    refused(
        changed_pdf(plain, tmp_path / "b.pdf", password="x" * 9), strict, "protected by a password"
    )
    opened = read(changed_pdf(plain, tmp_path / "c.pdf", password=""), strict)
    assert "ninety days" in opened.pages[0].text


def test_a_scan_says_that_scans_come_later(strict: Settings, tmp_path: Path) -> None:
    refused(make_pdf(tmp_path / "a.pdf", [[], []]), strict, "pictures of pages only")


def test_a_pdf_with_some_text_pages_is_read(strict: Settings, tmp_path: Path) -> None:
    pages = read(make_pdf(tmp_path / "a.pdf", [[], ["some words"], []]), strict).pages
    assert [page.text for page in pages] == ["", "some words", ""]


def test_a_file_without_words(strict: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(" \n\n ", encoding="utf-8")
    refused(path, strict, "holds no text")


def test_other_kinds(strict: Settings, tmp_path: Path) -> None:
    picture = tmp_path / "a.pdf"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 99)
    refused(picture, strict, "a picture")
    archive = tmp_path / "a.docx"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("a.txt", "some words")
    refused(archive, strict, "an archive")


# Large


@pytest.mark.parametrize("count", [1000, pytest.param(5000, marks=pytest.mark.slow)])
def test_thousands_of_pages_are_read(settings: Settings, tmp_path: Path, count: int) -> None:
    path = make_pdf(tmp_path / "a.pdf", [[f"page {n}"] for n in range(count)])
    parsed = read(path, settings)
    assert [page.text for page in parsed.pages] == [f"page {n}" for n in range(count)]


def test_more_pages_than_allowed(strict: Settings, tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf", [["words"]] * 30)
    refused(path, replace(strict, max_pages=20), "30 pages; at most 20")


def test_a_page_of_two_megabytes_of_one_character(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 2_000_000)
    assert len(read(path, settings).pages[0].text) == 2_000_000
    content = stream(b"BT /F1 12 Tf 72 700 Td (" + b"x" * 2_000_000 + b") Tj ET")
    pages = read(raw_pdf(tmp_path / "b.pdf", page_with(content)), settings).pages
    assert set(pages[0].text) <= {"x", "\n"}
    assert len(pages[0].text) > 30_000


def test_a_text_file_far_above_the_limit(strict: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        for _ in range(90):
            file.write(b"wordswords" * 100_000)
    refused(path, strict, "more than 20 MB of text")


def test_much_text_in_a_small_pdf(strict: Settings, tmp_path: Path) -> None:
    line = b"(" + b"x" * 9000 + b") Tj "
    content = stream(b"BT /F1 1 Tf 1 700 Td " + (line + b"0 -2 Td ") * 30 + b"ET")
    objects = page_with(content)
    objects[1] = b"<< /Type /Pages /Kids [" + b"3 0 R " * 9 + b"] /Count 9 >>"
    refused(raw_pdf(tmp_path / "a.pdf", objects), replace(strict, max_text_mb=1), "1 MB of text")


# Bombs


def test_a_pdf_bomb(strict: Settings, tmp_path: Path) -> None:
    bomb = TEXT + b" " * 200_000_000
    settled(raw_pdf(tmp_path / "a.pdf", page_with(stream(bomb, times=2))), strict)


def test_a_picture_bomb(strict: Settings, tmp_path: Path) -> None:
    image = stream(
        b"\0" * 50_000_000,
        b"/Type /XObject /Subtype /Image /Width 60000 /Height 60000 /BitsPerComponent 8"
        b" /ColorSpace /DeviceRGB",
    )
    content = stream(TEXT + b" q 600 0 0 700 0 0 cm /I Do Q")
    objects = [*page_with(content, b"/XObject << /I 6 0 R >>"), image]
    assert read(raw_pdf(tmp_path / "a.pdf", objects), strict).pages[0].text == "some words"


def test_a_word_bomb(strict: Settings, tmp_path: Path) -> None:
    huge = b"<w:document>" + b" " * 300_000_000 + b"</w:document>"
    path = rezipped(word(tmp_path / "a.docx"), tmp_path / "b.docx", {"word/document.xml": huge})
    assert path.stat().st_size < 1_000_000
    refused(path, strict, "unpacks to a size")


def test_a_word_bomb_that_lies_about_its_size(strict: Settings, tmp_path: Path) -> None:
    huge = b"<a>" + b" " * 100_000_000
    path = rezipped(word(tmp_path / "a.docx"), tmp_path / "b.docx", {"word/document.xml": huge})
    data = path.read_bytes().replace(len(huge).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    path.write_bytes(data)
    refused(path, strict, "damaged")


def test_entities_are_never_resolved(strict: Settings, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret", encoding="utf-8")
    entities = "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha" * 50}">' for n in range(12)
    )
    body = (
        f'<!DOCTYPE a [{entities}<!ENTITY file SYSTEM "{secret.as_uri()}">]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:body><w:p><w:r><w:t>before &e11; &file; after</w:t></w:r></w:p>"
        "<w:p><w:r><w:t>some words</w:t></w:r></w:p></w:body></w:document>"
    )
    path = rezipped(
        word(tmp_path / "a.docx"), tmp_path / "b.docx", {"word/document.xml": body.encode()}
    )
    text = outcome(path, strict)
    assert "haha" not in text
    assert "secret" not in text


def test_xml_nested_without_end(strict: Settings, tmp_path: Path) -> None:
    body = b"<a>" * 500_000
    path = rezipped(word(tmp_path / "a.docx"), tmp_path / "b.docx", {"word/document.xml": body})
    refused(path, strict, "damaged")


# Loops


def cycle_of_pages(path: Path) -> Path:
    return raw_pdf(
        path,
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 3 >>",
            b"<< /Type /Pages /Parent 2 0 R /Kids [2 0 R 3 0 R] /Count 3 >>",
        ],
    )


def previous_table_is_itself(path: Path) -> Path:
    raw_pdf(path, page_with(stream(TEXT)))
    data = path.read_bytes()
    table = data.rindex(b"xref\n0")
    path.write_bytes(data.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % table))
    return path


def form_draws_itself(path: Path) -> Path:
    form = stream(
        TEXT + b" /X Do /X Do",
        b"/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /XObject << /X 6 0 R >>"
        b" /Font << /F1 5 0 R >> >>",
    )
    return raw_pdf(path, [*page_with(stream(b"/X Do"), b"/XObject << /X 6 0 R >>"), form])


def forms_double_each_other(path: Path) -> Path:
    """Thirty forms, each drawing the next one twice: a thousand million words."""
    forms = [
        stream(
            b"/X Do /X Do" if n < 29 else TEXT,
            b"/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /XObject"
            b" << /X %d 0 R >> /Font << /F1 5 0 R >> >>" % (7 + n),
        )
        for n in range(30)
    ]
    return raw_pdf(path, [*page_with(stream(b"/X Do"), b"/XObject << /X 6 0 R >>"), *forms])


def length_of_a_stream_is_the_stream(path: Path) -> Path:
    objects = page_with(stream(TEXT))
    objects[3] = b"<< /Length 4 0 R >>\nstream\n" + TEXT + b"\nendstream"
    return raw_pdf(path, objects)


def a_hundred_thousand_levels(path: Path) -> Path:
    objects = page_with(stream(TEXT))
    objects[2] = b"<< /Type /Page /Parent 2 0 R /A " + b"[" * 100_000 + b"]" * 100_000 + b" >>"
    return raw_pdf(path, objects)


def a_count_that_lies(path: Path) -> Path:
    objects = page_with(stream(TEXT))
    objects[1] = b"<< /Type /Pages /Kids [3 0 R] /Count 2000000000 >>"
    return raw_pdf(path, objects)


@pytest.mark.parametrize(
    "make",
    [
        cycle_of_pages,
        previous_table_is_itself,
        form_draws_itself,
        forms_double_each_other,
        length_of_a_stream_is_the_stream,
        a_hundred_thousand_levels,
        a_count_that_lies,
    ],
)
def test_loops_come_to_an_end(
    strict: Settings, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    settled(make(tmp_path / "a.pdf"), strict)


def outcome(path: Path, settings: Settings) -> str:
    """Return what was read, else the sentence that says why not."""
    try:
        return "\n".join(page.text for page in read(path, settings).pages)
    except (BadFile, TooLarge) as error:
        return str(error)


def settled(path: Path, settings: Settings) -> None:
    """Expect pages or a sentence, soon, and that the next document is read."""
    began = time.monotonic()
    said = outcome(path, settings)
    assert "some words" in said or said.endswith(
        (
            "upload that.",
            "upload it again.",
            "OCR.",
            "_PAGES.",
            "_MB.",
            "CPU_SECONDS.",
            "file again.",
        )
    )
    assert time.monotonic() - began < settings.parse_wall_seconds + 30
    assert read(make_pdf(path.with_name("next.pdf")), settings).pages[0].text


def test_nul_bytes_and_control_characters_do_not_reach_the_store(
    strict: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"words\x00 and\x07 " * 9 + b"more of them" * 99)
    assert "\0" not in read(path, strict).pages[0].text
    content = stream(b"BT /F1 12 Tf 72 700 Td (a\\000b\\007c words) Tj ET")
    text = read(raw_pdf(tmp_path / "b.pdf", page_with(content)), strict).pages[0].text
    assert not any(ord(char) < 32 and char != "\n" for char in text)
