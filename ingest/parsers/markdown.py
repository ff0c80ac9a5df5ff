"""Markdown: the text as it is written, its headings known from ``#`` and underlines.

The marks are left in the text, so that a quote is what stands in the file; only where the headings
are is taken from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ingest.parsers import Limits, Source
from ingest.parsers.text import read
from rag.types import Page

_HASHED = re.compile(r"^ {0,3}#{1,6}[ \t]+(?P<title>[^\n]*?)[ \t]*#*[ \t]*$")
_UNDERLINE = re.compile(r"^ {0,3}(?:=+|-{2,})[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)")
_LONGEST = 300


def parse(path: Path, limits: Limits) -> Source:
    """Open a Markdown file.

    Raises:
        TooLarge: it has more characters than the limit.
    """
    return Source("", False, 1, _pages(path, limits))


def headings(text: str) -> tuple[tuple[int, int], ...]:
    """Return the spans of the headings' words, without their marks; none inside code."""
    found: list[tuple[int, int]] = []
    start = 0
    before: tuple[int, int] | None = None
    in_code = False
    for line in text.split("\n"):
        short = line[:_LONGEST]
        if _FENCE.match(short):
            in_code = not in_code
            before = None
        elif not in_code:
            hashed = _HASHED.match(short) if len(line) <= _LONGEST else None
            if hashed and hashed["title"]:
                found.append((start + hashed.start("title"), start + hashed.end("title")))
                before = None
            elif before and _UNDERLINE.match(short):
                found.append(before)
                before = None
            else:
                before = _words(short, start) if len(line) <= _LONGEST else None
        start += len(line) + 1
    return tuple(found)


def _words(line: str, start: int) -> tuple[int, int] | None:
    words = line.strip()
    if not words or words[0] in "|>-*#":
        return None
    indent = line.index(words[0])
    return start + indent, start + indent + len(words)


def _pages(path: Path, limits: Limits) -> Iterator[Page]:
    text = read(path, limits)
    yield Page(1, text, headings=headings(text))
