"""PDF pages: their text in reading order, where each word stands, and which lines are headings.

PDFium reads; pypdf is the second opinion where PDFium cannot open a file. The text of a page is
PDFium's, line by line, with a blank line where the page shows a gap between paragraphs; the boxes
are taken from the same characters, so text and boxes cannot disagree.

Where characters stand is asked in :mod:`ingest.parsers.pdf_place`. Surprising here: PDFium joins a
word hyphenated at a line's end with U+FFFE; we keep hyphen and line end. And it opens a file cut
off in the middle without a word, which is why :func:`_refuse_truncated` looks at the end of the
bytes first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from ingest.headings import is_heading, settled
from ingest.parsers import Limits, Source, too_long, too_many_pages
from ingest.parsers.pdf_place import Place, Table
from rag.errors import BadFile
from rag.types import HUNDREDTHS, Box, Boxes, Page

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
    bold: bool
    words: int
    """How many rows of the page's table of boxes are its words."""
    first: Box | None
    """Where its first word stands."""


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
        place = Place(page, text_page, count)
        lines, table = _lines(place)
    finally:
        pdfium.FPDFText_ClosePage(text_page)
    text, starts, headings = _compose(lines, running)
    table[:, :2] += np.repeat(
        np.array(starts, np.int32), np.array([line.words for line in lines], np.int64)
    )[:, None]
    return Page(
        number,
        text,
        width=round(place.width, 2),
        height=round(place.height, 2),
        boxes=Boxes(table),
        headings=tuple(headings),
    )


def _lines(place: Place) -> tuple[list[_Line], Table]:
    """Return a page's lines, without empty ones, and its words as a table like that of ``Boxes``.

    Lines are in PDFium's order, words in that of the lines; a word's offsets count from the start
    of its line's text.
    """
    texts: list[str] = []
    offsets: list[int] = []
    spans: list[tuple[int, int]] = []
    counts: list[int] = []
    for match in _LINE.finditer(place.text):
        line = match.group().translate(_CONTROLS).rstrip()
        if text := line.lstrip():
            texts.append(text)
            offsets.append(match.start() + len(line) - len(text))
            words = [word.span() for word in _WORD.finditer(text)]
            spans += words
            counts.append(len(words))
    owners = np.repeat(np.arange(len(texts)), np.array(counts, np.int64))
    inside = np.array(spans, np.int64).reshape(-1, 2)
    rows, shown = place.boxes(inside + np.array(offsets, np.int64)[owners, None])
    kept = np.bincount(owners[shown], minlength=len(texts))
    table = np.hstack([inside[shown].astype(np.int32), rows[shown]])
    bold = place.bold(
        offsets, [at + len(text) - 1 for at, text in zip(offsets, texts, strict=True)]
    )
    starts = np.cumsum(kept) - kept
    places = iter((table[starts[kept > 0], 2:] / HUNDREDTHS).tolist())
    lines = [
        _Line(text, heavy, words, Box(*next(places)) if words else None)
        for text, heavy, words in zip(texts, bold, kept.tolist(), strict=True)
    ]
    return lines, table


def _compose(lines: list[_Line], running: set[str]) -> tuple[str, list[int], list[tuple[int, int]]]:
    """Join lines into the page's text; return it with where each line starts, and its headings.

    ``running`` holds the first and last lines of the pages before: such a line, seen again, is
    printed on every page and heads nothing. It is added to.
    """
    gaps = [_gap(above, below) for above, below in pairwise(lines)]
    usual = median([gap for gap in gaps if abs(gap) <= 1] or [0.0])
    body = median([_height(line) for line in lines if line.first] or [0.0])
    edge = {line.text for line in (*lines[:2], *lines[-2:])}
    pieces: list[str] = []
    starts: list[int] = []
    headings: list[tuple[int, int]] = []
    run: list[tuple[int, int]] = []
    length = 0
    for number, line in enumerate(lines):
        if number:
            apart = not -_COLUMN < gaps[number - 1] <= usual + _GAP
            pieces.append("\n\n" if apart else "\n")
            length += 2 if apart else 1
        pieces.append(line.text)
        starts.append(length)
        marked = line.bold or _height(line) > _LARGER * body
        if is_heading(line.text, marked=marked) and line.text not in running:
            run.append((length, length + len(line.text)))
        else:
            headings += settled(run)
            run = []
        length += len(line.text)
    running |= edge
    return "".join(pieces), starts, headings + settled(run)


def _height(line: _Line) -> float:
    return line.first.y1 - line.first.y0 if line.first else 0.0


def _gap(above: _Line, below: _Line) -> float:
    """Return the space between two lines in heights of the upper one, negative where they overlap."""
    first, second = above.first, below.first
    if not first or not second:
        return 0.0
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
