"""Read a source of the sample documents into blocks; make_samples.py describes how it is written.

Knows nothing of PDF or DOCX.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

CLAUSE = re.compile(r"(\d+\.\d+)\s+(.*)", re.DOTALL)
PART = re.compile(r"(\([a-zA-Z0-9]\))\s+(.*)", re.DOTALL)
MARKS = {"# ": "title", "## ": "heading", "^ ": "centred", "- ": "point"}


@dataclass(frozen=True)
class Block:
    """One block of a source: its kind, its number if it has one, and its text or table rows."""

    kind: str
    text: str = ""
    number: str = ""
    rows: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """A source file as read: what its head says, its body, and the blocks of the body."""

    head: dict[str, str]
    body: str

    @property
    def date(self) -> datetime:
        """The day written into the made file, at noon UTC."""
        return datetime.fromisoformat(self.head["date"]).replace(hour=12, tzinfo=UTC)

    def blocks(self) -> Iterator[Block]:
        """The body's blocks in order."""
        for piece in re.split(r"\n\s*\n", self.body.strip()):
            yield _block(piece)


def read_source(path: Path) -> Source:
    """Read a source file; a head line without a colon raises ValueError."""
    head, _, body = path.read_text(encoding="utf-8").partition("\n---\n")
    pairs = (line.split(":", 1) for line in head.splitlines())
    return Source({key.strip(): value.strip() for key, value in pairs}, body)


def _block(piece: str) -> Block:
    lines = piece.splitlines()
    if lines[0].startswith(("| ", "~ ")):
        kind = "table" if lines[0].startswith("|") else "sign"
        return Block(kind, rows=[_cells(line[1:]) for line in lines])
    text = " ".join(lines).replace("\\ ", "\n")
    for mark, kind in MARKS.items():
        if text.startswith(mark):
            return Block(kind, text.removeprefix(mark))
    for kind, pattern in (("clause", CLAUSE), ("part", PART)):
        if numbered := pattern.fullmatch(text):
            return Block(kind, numbered[2], numbered[1])
    return Block("paragraph", text)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
