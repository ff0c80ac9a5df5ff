"""Word documents: paragraphs with their numbers, headings by style, tables row by row, footnotes.

The XML is read as a stream and forgotten as it goes, so a document's size in memory is its text.
What Word shows is what is read: numbers of clauses are counted (:mod:`ingest.parsers.numbering`),
inserted text of tracked changes is in, deleted text is out. The document has no pages here: where
a page ends, Word decides anew on every machine. The cells of a table's row are joined with
“ | ” on one line.

Hostile files: entities are never resolved, nothing is fetched, and an archive that claims to
unpack to far more than it holds is refused before it is opened.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from lxml import etree  # type: ignore[import-untyped]

from ingest.parsers import Limits, Source, too_long
from ingest.parsers.numbering import Level, Numbering
from rag.errors import BadFile
from rag.types import Page

CELLS = " | "

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/wordprocessingml/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_MOST_UNPACKED = 1_000_000_000
_SUSPICIOUS = 50_000_000
_RATIO = 200
_SMALL_PART = 20_000_000
_HEADING_LENGTH = 200
_LEVELS = 9
_SPACES = str.maketrans({code: " " for code in range(32) if chr(code) != "\n"} | {0xAD: None})


@dataclass(slots=True)
class _Style:
    based_on: str = ""
    heading: bool = False
    number: str | None = None
    depth: int = 0


@dataclass(slots=True)
class _Paragraph:
    pieces: list[str] = field(default_factory=list)
    style: str = ""
    heading: bool | None = None
    number: str | None = None
    depth: int | None = None


def parse(path: Path, limits: Limits) -> Source:
    """Open a Word document.

    Raises:
        BadFile: it is damaged, protected, or made to harm.
    """
    try:
        archive = zipfile.ZipFile(path)
        _refuse_bomb(archive)
        title = _title(archive)
    except (zipfile.BadZipFile, etree.XMLSyntaxError, OSError, ValueError, KeyError) as error:
        raise _damaged() from error
    return Source(title, False, 1, _pages(archive, limits))


def _refuse_bomb(archive: zipfile.ZipFile) -> None:
    for part in archive.infolist():
        if part.flag_bits & 1:
            raise BadFile(
                "This Word document is protected by a password.",
                "Open it in Word, remove the password and upload it again.",
            )
        unpacked, packed = part.file_size, max(1, part.compress_size)
        absurd = unpacked > _SUSPICIOUS and unpacked > packed * _RATIO
        if absurd or unpacked > _MOST_UNPACKED:
            raise BadFile(
                "This Word document unpacks to a size no real document has, so it was not opened.",
                "Open the original in Word, save it as a new file and upload that.",
            )


def _damaged() -> BadFile:
    return BadFile(
        "This Word document is damaged and cannot be read.",
        "Open it in Word, let Word repair it, save it and upload it again.",
    )


def _title(archive: zipfile.ZipFile) -> str:
    root = _small_part(archive, "docProps/core.xml")
    return (root.findtext(f".//{_TITLE}") or "").strip() if root is not None else ""


def _small_part(archive: zipfile.ZipFile, name: str) -> Any:  # noqa: ANN401 - lxml is untyped
    """Return the root of a part that is read whole, None where there is none."""
    try:
        information = archive.getinfo(name)
    except KeyError:
        return None
    if information.file_size > _SMALL_PART:
        raise _damaged()
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    return etree.fromstring(archive.read(information), parser)


def _pages(archive: zipfile.ZipFile, limits: Limits) -> Iterator[Page]:
    try:
        text = _Text(_styles(archive), _numbering(archive), limits)
        for name in ("word/document.xml", "word/footnotes.xml", "word/endnotes.xml"):
            if name in archive.NameToInfo:
                with archive.open(name) as stream:
                    text.read(stream)
    except (zipfile.BadZipFile, etree.XMLSyntaxError, OSError, ValueError, EOFError) as error:
        raise _damaged() from error
    yield Page(1, "".join(text.pieces), headings=tuple(text.headings))


def _value(element: Any, name: str) -> str | None:  # noqa: ANN401 - lxml is untyped
    child = element.find(_W + name) if element is not None else None
    return None if child is None else child.get(_W + "val")


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


def _styles(archive: zipfile.ZipFile) -> dict[str, _Style]:
    root = _small_part(archive, "word/styles.xml")
    found: dict[str, _Style] = {}
    for element in () if root is None else root.iterfind(f"{_W}style"):
        name = (_value(element, "name") or "").casefold()
        properties = element.find(_W + "pPr")
        level = _value(properties, "outlineLvl")
        numbered = properties.find(_W + "numPr") if properties is not None else None
        found[element.get(_W + "styleId", "")] = _Style(
            based_on=_value(element, "basedOn") or "",
            heading=name.startswith("heading ")
            or name == "title"
            or (level is not None and _number(level) < _LEVELS),
            number=_value(numbered, "numId"),
            depth=_number(_value(numbered, "ilvl")),
        )
    return found


def _numbering(archive: zipfile.ZipFile) -> Numbering:
    root = _small_part(archive, "word/numbering.xml")
    numbering = Numbering()
    if root is None:
        return numbering
    shared: dict[str, dict[int, Level]] = {}
    for element in root.iterfind(f"{_W}abstractNum"):
        shared[element.get(_W + "abstractNumId", "")] = {
            _number(level.get(_W + "ilvl")): Level(
                start=_number(_value(level, "start") or "1"),
                kind=_value(level, "numFmt") or "decimal",
                text=_value(level, "lvlText") or "",
            )
            for level in element.iterfind(f"{_W}lvl")
        }
    for element in root.iterfind(f"{_W}num"):
        levels = shared.get(_value(element, "abstractNumId") or "", {})
        if element.find(f"{_W}lvlOverride/{_W}startOverride") is not None:
            levels = dict(levels)  # counts by itself
        numbering.lists[element.get(_W + "numId", "")] = levels
    return numbering


class _Text:
    """Gathers a document's text while its XML streams by."""

    def __init__(self, styles: dict[str, _Style], numbering: Numbering, limits: Limits) -> None:
        self.pieces: list[str] = []
        self.headings: list[tuple[int, int]] = []
        self._styles = styles
        self._numbering = numbering
        self._limits = limits
        self._length = 0
        self._open: list[_Paragraph] = []
        self._rows: list[list[list[str]]] = []
        self._hidden = 0
        self._held = 0

    def read(self, stream: IO[bytes]) -> None:
        """Read one part of the document, to its end."""
        events = etree.iterparse(
            stream,
            events=("start", "end"),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            remove_comments=True,
            remove_pis=True,
        )
        for event, element in events:
            name = element.tag.replace(_STRICT, _W)
            if name in {_FALLBACK, _W + "moveFrom", _W + "del"}:
                self._hidden += 1 if event == "start" else -1
            elif event == "start":
                self._start(name)
            else:
                self._end(name, element)
                if name not in _KEPT:
                    element.clear()
                    while element.getprevious() is not None:
                        del element.getparent()[0]

    def _start(self, name: str) -> None:
        if name == _W + "p":
            self._open.append(_Paragraph())
        elif name == _W + "tr":
            self._rows.append([])
        elif name == _W + "tc" and self._rows:
            self._rows[-1].append([])

    def _end(self, name: str, element: Any) -> None:  # noqa: ANN401 - lxml is untyped
        if name == _W + "p":
            self._paragraph(self._open.pop())
        elif name == _W + "tr":
            cells = [" ".join(cell) for cell in self._rows.pop()]
            if self._rows and self._rows[-1]:  # a table inside a cell
                self._rows[-1][-1].extend(cells)
            elif any(cells):
                self._write(CELLS.join(cells), "\n", heading=False)
        elif self._open and not self._hidden:
            self._inside(name, element, self._open[-1])

    def _inside(self, name: str, element: Any, paragraph: _Paragraph) -> None:  # noqa: ANN401
        if name == _W + "t":
            self._hold(element.text or "", paragraph)
        elif name in {_W + "tab", _W + "ptab"}:
            if element.getparent().tag == _W + "r":  # else it declares a tab stop
                self._hold(" ", paragraph)
        elif name in {_W + "br", _W + "cr"}:
            self._hold(
                "\n" if element.get(_W + "type") in {None, "textWrapping"} else " ", paragraph
            )
        elif name == _W + "noBreakHyphen":
            self._hold("-", paragraph)
        elif name == _W + "pPr":
            paragraph.style = _value(element, "pStyle") or ""
            level = _value(element, "outlineLvl")
            paragraph.heading = None if level is None else _number(level) < _LEVELS
            numbered = element.find(_W + "numPr")
            paragraph.number = _value(numbered, "numId")
            depth = _value(numbered, "ilvl")
            paragraph.depth = None if depth is None else _number(depth)

    def _hold(self, text: str, paragraph: _Paragraph) -> None:
        """Add text to a paragraph, within the limit over the whole document."""
        self._held += len(text)
        if self._held > self._limits.characters:
            raise too_long(self._limits)
        paragraph.pieces.append(text)

    def _paragraph(self, paragraph: _Paragraph) -> None:
        text = "".join(paragraph.pieces).translate(_SPACES).strip()
        number, depth, heading = self._style(paragraph)
        label = self._numbering.label(number, depth) if number and text else ""
        if label:
            text = f"{label} {text}"
        if not text:
            return
        if self._rows and self._rows[-1]:
            self._rows[-1][-1].append(" ".join(text.split()))
            return
        self._write(text, "\n" if label else "\n\n", heading=heading)

    def _style(self, paragraph: _Paragraph) -> tuple[str | None, int, bool]:
        """Return list, level and whether it is a heading: its own word, else its style's."""
        number, depth, heading = paragraph.number, paragraph.depth, paragraph.heading
        name = paragraph.style
        for _ in range(len(self._styles)):
            style = self._styles.get(name)
            if style is None:
                break
            if number is None and style.number is not None:
                number = style.number
                depth = style.depth if depth is None else depth
            if heading is None and style.heading:
                heading = True
            name = style.based_on
        return number, depth or 0, bool(heading)

    def _write(self, text: str, gap: str, *, heading: bool) -> None:
        if self.pieces:
            self.pieces.append(gap)
            self._length += len(gap)
        if heading and len(text) <= _HEADING_LENGTH:
            self.headings.append((self._length, self._length + len(text)))
        self.pieces.append(text)
        self._length += len(text)


_KEPT = frozenset(
    _W + name for name in ("pPr", "pStyle", "numPr", "numId", "ilvl", "outlineLvl", "rPr", "lvl")
)  # read when the paragraph's properties end
