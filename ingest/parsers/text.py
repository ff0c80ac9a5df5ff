r"""Plain text: one page, the file's own characters, headings guessed from the look of the lines.

The encoding is told by the mark at the beginning, else UTF-8 if the bytes are that, else Windows'
cp1252, which every byte is. The stored text is the file's, character for character, except that a
line end is always ``\n`` and a control character becomes a space; so offsets into it are offsets
into the file as a reader sees it.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from ingest.headings import headings
from ingest.parsers import Limits, Source, too_long
from rag.types import Page

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDEST = 4
_CONTROLS = {code: " " for code in range(32) if code not in (9, 10, 12)} | {127: " "}


def parse(path: Path, limits: Limits) -> Source:
    """Open a text file.

    Raises:
        TooLarge: it has more characters than the limit.
    """
    return Source("", False, 1, _pages(path, limits))


def read(path: Path, limits: Limits) -> str:
    """Return a file's text.

    Raises:
        TooLarge: it has more characters than the limit; no more than that is held in memory.
    """
    if path.stat().st_size > _WIDEST * limits.characters:
        raise too_long(limits)
    data = path.read_bytes()
    text = _decoded(data).replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)
    if len(text) > limits.characters:
        raise too_long(limits)
    return text


def _decoded(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _pages(path: Path, limits: Limits) -> Iterator[Page]:
    text = read(path, limits)
    yield Page(1, text, headings=headings(text))
