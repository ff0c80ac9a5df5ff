"""PDF pages: their text in reading order, where each word stands, and which lines are headings.

PDFium reads; pypdf is the second opinion where PDFium cannot open a file. The text of a page is
PDFium's, line by line, with a blank line where the page shows a gap between paragraphs; the boxes
are taken from the same characters, so text and boxes cannot disagree.

Surprising here: PDFium counts upwards from the bottom left of the *unrotated, uncropped* page; we
give points from the top left of the page as it is shown. It joins a word hyphenated at a line's
end with U+FFFE; we keep hyphen and line end. And it opens a file cut off in the middle without a
word, which is why :func:`_refuse_truncated` looks at the end of the bytes first.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from ingest.headings import is_heading, settled
from ingest.parsers import Limits, Source, too_long, too_many_pages
from rag.errors import BadFile
from rag.types import Box, Page, TextBox

SCANNED = (
    (
        "No text was found in this PDF: it holds pictures of pages only, and reading scans is not "
        "built yet."
    ),
    "Upload a version with text, for example one saved from Word or run through OCR.",
)

_TAIL = 65536
_GAP = 0.35
_COLUMN = 2.0
_LARGER = 1.15
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|[^\s\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_LINE = re.compile(r"[^\r\n\ufffe]*(?:\ufffe|\r\n|\r|\n|$)")
_CONTROLS = {code: " " for code in range(32) if code not in (9, 10)} | {
    0xFFFE: "-", 0xFFFF: " ", 0x85: " ", 0x2028: " ", 0x2029: " ", 0xAD: "-",
}  # fmt: skip
_PLACEHOLDERS = re.compile(
    r"^(?:untitled|microsoft word - .*|.*\.(?:docx?|indd|qxd|pdf))$", re.IGNORECASE
)


class _Line(NamedTuple):
    text: str
    words: list[tuple[int, int, Box]]
    """Offsets inside the line, and where the word stands."""
    bold: bool


def parse(path: Path, limits: Limits) -> Source:
    """Open a PDF.

    Raises:
        BadFile: damaged, cut off, protected by a password, or without pages.
        TooLarge: more pages than the limit.
    """
    _refuse_truncated(path)
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD:
            raise _protected() from error
        return _second_opinion(path, limits)
    total = len(document)
    if total > limits.pages:
        raise too_many_pages(total, limits)
    if not total:
        raise _damaged()
    title = document.get_metadata_value("Title").translate(_CONTROLS).strip()
    if _PLACEHOLDERS.match(title) or not re.search(r"[^\W\d_]{3}", title):
        title = ""
    return Source(title, True, total, _pages(document, total, limits))


def _refuse_truncated(path: Path) -> None:
    """Refuse a file whose last revision does not end: PDFium would read the half it has."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _TAIL))
        tail = stream.read()
    last = tail.rfind(b"%%EOF")
    if last < 0 or re.search(rb"\d\s+obj\b", tail[last:]):
        raise BadFile(
            "This PDF ends in the middle: it was cut off while being copied or downloaded.",
            "Get the file again from where it came from and upload that.",
        )


def _protected() -> BadFile:
    return BadFile(
        "This PDF is protected by a password.",
        "Open it with its password, save a copy without one and upload the copy.",
    )


def _damaged() -> BadFile:
    return BadFile(
        "This PDF is damaged and cannot be read.",
        "Open it in a PDF viewer and print it to a new PDF, or get the file again.",
    )


def _pages(document: Any, total: int, limits: Limits) -> Iterator[Page]:  # noqa: ANN401 - untyped
    running: set[str] = set()
    characters = 0
    for index in range(total):
        page = pdfium.FPDF_LoadPage(document.raw, index)
        if not page:
            raise BadFile(
                f"Page {index + 1} of this PDF is damaged and cannot be read.",
                "Open it in a PDF viewer and print it to a new PDF, or get the file again.",
            )
        try:
            result = _page(page, index + 1, limits.characters - characters, limits, running)
        finally:
            pdfium.FPDF_ClosePage(page)
        characters += len(result.text)
        yield result


def _page(page: Any, number: int, left: int, limits: Limits, running: set[str]) -> Page:  # noqa: ANN401
    text_page = pdfium.FPDFText_LoadPage(page)
    if not text_page:
        return Page(number, "")
    try:
        count = pdfium.FPDFText_CountChars(text_page)
        if count > left:
            raise too_long(limits)
        place = _Place(page, text_page, count)
        lines = place.lines()
    finally:
        pdfium.FPDFText_ClosePage(text_page)
    text, boxes, headings = _compose(lines, running)
    return Page(
        number,
        text,
        width=round(place.width, 2),
        height=round(place.height, 2),
        boxes=tuple(boxes),
        headings=tuple(headings),
    )


class _Place:
    """The characters of one page and where they stand on the page as it is shown."""

    def __init__(self, page: Any, text_page: Any, count: int) -> None:  # noqa: ANN401 - untyped
        self._text_page = text_page
        self._count = count
        self.width = float(pdfium.FPDF_GetPageWidthF(page))
        self.height = float(pdfium.FPDF_GetPageHeightF(page))
        crop = pdfium.FS_RECTF()
        pdfium.FPDF_GetPageBoundingBox(page, crop)
        self._crop = (crop.left, crop.bottom, crop.right, crop.top)
        self._turn = int(pdfium.FPDFPage_GetRotation(page))
        self._rectangle = pdfium.FS_RECTF()
        self._loose = ctypes.byref(self._rectangle)
        self._tight = [ctypes.c_double() for _ in range(4)]

    def lines(self) -> list[_Line]:
        """Return the page's lines, in PDFium's order, without empty ones."""
        buffer = (ctypes.c_ushort * (2 * self._count + 2))()
        written = pdfium.FPDFText_GetText(self._text_page, 0, self._count, buffer)
        raw = bytes(buffer)[: 2 * max(0, written - 1)]
        text = raw.decode("utf-16-le", "replace")
        index = _Index(self._text_page, text, len(raw) // 2, self._count)
        lines = []
        for match in _LINE.finditer(text):
            line = match.group().translate(_CONTROLS).rstrip()
            if line.strip():
                lines.append(self._line(line, match.start(), index))
        return lines

    def _line(self, line: str, offset: int, index: _Index) -> _Line:
        indent = len(line) - len(line.lstrip())
        words = [
            (match.start() - indent, match.end() - indent, box)
            for match in _WORD.finditer(line)
            if (box := self._box(index[offset + match.start()], index[offset + match.end() - 1]))
        ]
        bold = self._is_bold(index[offset + indent]) and self._is_bold(
            index[offset + len(line) - 1]
        )
        return _Line(line[indent:], words, bold)

    def _box(self, first: int, last: int) -> Box | None:
        """Return the box around two characters of a word, None where they stand nowhere."""
        left, bottom, right, top = self._character(first)
        if last != first:
            other = self._character(last)
            left, bottom = min(left, other[0]), min(bottom, other[1])
            right, top = max(right, other[2]), max(top, other[3])
        x0, y0, x1, y1 = self._shown(left, bottom, right, top)
        x0, x1 = max(0.0, x0), min(self.width, x1)
        y0, y1 = max(0.0, y0), min(self.height, y1)
        if x0 >= x1 or y0 >= y1:
            return None
        return Box(round(x0, 1), round(y0, 1), round(x1, 1), round(y1, 1))

    def _character(self, index: int) -> tuple[float, float, float, float]:
        rectangle = self._rectangle
        if pdfium.FPDFText_GetLooseCharBox(self._text_page, index, self._loose):
            box = rectangle.left, rectangle.bottom, rectangle.right, rectangle.top
            if box[0] < box[2] and box[1] < box[3]:
                return box
        left, right, bottom, top = self._tight
        pdfium.FPDFText_GetCharBox(self._text_page, index, left, right, bottom, top)
        return left.value, bottom.value, right.value, top.value

    def _shown(
        self, left: float, bottom: float, right: float, top: float
    ) -> tuple[float, float, float, float]:
        """Turn a rectangle of the page's own space into the page as shown, origin top left."""
        x, y, end_x, end_y = self._crop
        if self._turn == 1:
            return bottom - y, left - x, top - y, right - x
        if self._turn == 2:  # noqa: PLR2004 - quarter turns clockwise
            return end_x - right, bottom - y, end_x - left, top - y
        if self._turn == 3:  # noqa: PLR2004
            return end_y - top, end_x - right, end_y - bottom, end_x - left
        return left - x, end_y - top, right - x, end_y - bottom

    def _is_bold(self, index: int) -> bool:
        buffer = ctypes.create_string_buffer(96)
        pdfium.FPDFText_GetFontInfo(self._text_page, index, buffer, 96, None)
        name = buffer.value.lower()
        return b"bold" in name or b"black" in name or b"heavy" in name


class _Index:
    """From an offset in the text to PDFium's number of the character.

    PDFium counts in units of UTF-16, so emoji count twice; and it may leave characters out of the
    text. On most pages there is neither, and the two are the same.
    """

    def __init__(self, text_page: Any, text: str, units: int, count: int) -> None:  # noqa: ANN401
        self._text_page = text_page
        self._whole = units == count
        self._units: list[int] | None = None
        if len(text) != units:
            self._units = list(accumulate((1 + (char > "\uffff") for char in text), initial=0))

    def __getitem__(self, offset: int) -> int:
        unit = offset if self._units is None else self._units[offset]
        if self._whole:
            return unit
        return int(pdfium.FPDFText_GetCharIndexFromTextIndex(self._text_page, unit))


def _compose(
    lines: list[_Line], running: set[str]
) -> tuple[str, list[TextBox], list[tuple[int, int]]]:
    """Join lines into the page's text; return it with its boxes and headings.

    ``running`` holds the first and last lines of the pages before: such a line, seen again, is
    printed on every page and heads nothing. It is added to.
    """
    gaps = [_gap(above, below) for above, below in pairwise(lines)]
    usual = median([gap for gap in gaps if abs(gap) <= 1] or [0.0])
    body = median([_height(line) for line in lines if line.words] or [0.0])
    edge = {line.text for line in (*lines[:2], *lines[-2:])}
    pieces: list[str] = []
    boxes: list[TextBox] = []
    headings: list[tuple[int, int]] = []
    run: list[tuple[int, int]] = []
    length = 0
    for number, line in enumerate(lines):
        if number:
            apart = not -_COLUMN < gaps[number - 1] <= usual + _GAP
            pieces.append("\n\n" if apart else "\n")
            length += 2 if apart else 1
        pieces.append(line.text)
        boxes += [TextBox(length + start, length + end, box) for start, end, box in line.words]
        marked = line.bold or _height(line) > _LARGER * body
        if is_heading(line.text, marked=marked) and line.text not in running:
            run.append((length, length + len(line.text)))
        else:
            headings += settled(run)
            run = []
        length += len(line.text)
    running |= edge
    return "".join(pieces), boxes, headings + settled(run)


def _height(line: _Line) -> float:
    box = line.words[0][2] if line.words else None
    return box.y1 - box.y0 if box else 0.0


def _gap(above: _Line, below: _Line) -> float:
    """Return the space between two lines in heights of the upper one, negative where they overlap."""
    if not above.words or not below.words:
        return 0.0
    first, second = above.words[0][2], below.words[0][2]
    return (second.y0 - first.y1) / max(1.0, first.y1 - first.y0)


def _second_opinion(path: Path, limits: Limits) -> Source:
    """Read with pypdf what PDFium refuses: text without boxes."""
    from pypdf import PdfReader  # noqa: PLC0415 - slow to import and seldom needed

    try:
        reader = PdfReader(path, strict=False)
        locked = reader.is_encrypted and not reader.decrypt("")
        total = 0 if locked else len(reader.pages)
    except MemoryError:
        raise
    except Exception as error:  # pypdf fails in many ways on broken files; all mean "damaged"
        raise _damaged() from error
    if locked:
        raise _protected()
    if total > limits.pages:
        raise too_many_pages(total, limits)
    if not total:
        raise _damaged()
    return Source("", True, total, _pypdf_pages(reader, total, limits))


def _pypdf_pages(reader: Any, total: int, limits: Limits) -> Iterator[Page]:  # noqa: ANN401 - lazy
    characters = 0
    for index in range(total):
        page = reader.pages[index]
        text = page.extract_text().replace("\r\n", "\n").translate(_CONTROLS)
        characters += len(text)
        if characters > limits.characters:
            raise too_long(limits)
        yield Page(
            index + 1, text, width=float(page.mediabox.width), height=float(page.mediabox.height)
        )
