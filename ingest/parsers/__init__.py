"""One file a format; which one reads a file is told by its content, never by its name.

The one exception is Markdown: its content cannot be told from plain text, so the name decides
there, where a wrong guess does no harm. Everything in this folder runs inside the sandbox's child
(:mod:`ingest.sandbox`): it may be killed at any moment, and what it returns is checked again.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rag.errors import BadFile, TooLarge
from rag.types import Page

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
TEXT = "text/plain"
MARKDOWN = "text/markdown"

READABLE = "Muniment reads PDF, Word (.docx), text and Markdown files."

_HEAD = 4096
_MARKDOWN_NAMES = (".md", ".markdown", ".mdown", ".mkd")
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_FEW_CONTROLS = 0.02

_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89PNG", "a picture (PNG)", "Reading pictures is not built yet."),
    (b"\xff\xd8\xff", "a picture (JPEG)", "Reading pictures is not built yet."),
    (b"GIF8", "a picture (GIF)", "Reading pictures is not built yet."),
    (b"BM", "a picture (BMP)", "Reading pictures is not built yet."),
    (b"II*\x00", "a picture (TIFF)", "Reading pictures is not built yet."),
    (b"MM\x00*", "a picture (TIFF)", "Reading pictures is not built yet."),
    (b"MZ", "a program", READABLE),
    (b"\x7fELF", "a program", READABLE),
    (b"\xd0\xcf\x11\xe0", "an old Office file or a password-protected one",
     "Open it in Word, remove its password and save it as .docx, or save it as PDF."),
    (b"{\\rtf", "an RTF file", "Open it in Word and save it as .docx, or save it as PDF."),
    (b"Rar!", "an archive (RAR)", "Unpack it and upload the documents inside."),
    (b"7z\xbc\xaf", "an archive (7-Zip)", "Unpack it and upload the documents inside."),
    (b"\x1f\x8b", "an archive (gzip)", "Unpack it and upload the documents inside."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is taken from one document: pages, and characters over all pages."""

    pages: int
    characters: int


@dataclass(frozen=True, slots=True)
class Source:
    """An opened document: ``total`` pages, read one by one while ``pages`` is gone through.

    ``title`` is what the format itself says, empty where it says nothing.
    """

    title: str
    paged: bool
    total: int
    pages: Iterator[Page]


def detect(path: Path, name: str) -> str:
    """Return the media type of a file by its content; ``name`` only tells Markdown from text.

    Raises:
        BadFile: the file is empty, or of no kind that is read.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if not head:
        raise BadFile("This file is empty.", "Check the original and upload it again.")
    if b"%PDF-" in head[:1024]:
        return PDF
    if head.startswith(b"PK"):
        return _detect_zip(path)
    for magic, kind, remedy in _OTHERS:
        if head.startswith(magic) and not (magic == b"BM" and _is_text(head)):
            raise BadFile(f"This is {kind}, which Muniment does not read.", remedy)
    if not _is_text(head):
        raise BadFile("This file is of no kind that Muniment reads.", READABLE)
    return MARKDOWN if name.casefold().endswith(_MARKDOWN_NAMES) else TEXT


def too_long(limits: Limits) -> TooLarge:
    """Return the error for more text than is taken from one document."""
    megabytes = max(1, limits.characters // 1_000_000)
    return TooLarge(
        f"This document holds more than {megabytes} MB of text, the most taken from one.",
        "Split it into parts, or raise MUNIMENT_MAX_TEXT_MB.",
    )


def too_many_pages(count: int, limits: Limits) -> TooLarge:
    """Return the error for more pages than are read from one document."""
    return TooLarge(
        f"This document says it has {count:,} pages; at most {limits.pages:,} are read.",
        "Split it into parts, or raise MUNIMENT_MAX_PAGES.",
    )


def _detect_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BadFile(
            "This file begins like a Word document or an archive, but is damaged or incomplete.",
            "Open the original, save it again and upload that.",
        ) from error
    if "word/document.xml" in names:
        return DOCX
    if "xl/workbook.xml" in names:
        raise BadFile("This is an Excel file, which Muniment does not read yet.", "Save it as PDF.")
    if "ppt/presentation.xml" in names:
        raise BadFile(
            "This is a PowerPoint file, which Muniment does not read yet.", "Save it as PDF."
        )
    if "content.xml" in names:
        raise BadFile(
            "This is an OpenDocument file, which Muniment does not read yet.",
            "Save it as .docx or PDF.",
        )
    raise BadFile(
        "This is an archive (ZIP), which Muniment does not read.",
        "Unpack it and upload the documents inside.",
    )


def _is_text(head: bytes) -> bool:
    """Say whether the first bytes of a file read as text: hardly any control characters."""
    if head.startswith(_BOMS):
        return True
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)  # noqa: PLR2004
    return controls <= len(head) * _FEW_CONTROLS
