"""Which lines of a text are headings, where the format does not say so: by the look of the line.

Serves plain text and PDF. A guess, made to be cheap and to err towards "no": a heading helps a
passage to be found and decides where passages are cut, nothing more. What the letters look like
(larger, bold) is told by whoever knows, and weighs more than the words.
"""

from __future__ import annotations

import re

from rag.text.sentences import is_row

LONGEST = 100
"""A longer line is no heading, in characters."""

_MOST_WORDS = 12
_MOST_TOGETHER = 3
_LEAST_LETTERS = 3

_NAMED = re.compile(
    r"(?:item|article|section|part|note|chapter|schedule|exhibit|annex|appendix|lesson|unit|week)"
    r"\s[\dIVXLA-Z]{1,5}(?:\.\d{1,2})*(?=$|\s?[.:—–-]|\s[A-Z“\"(])",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\d{1,2}(?:\.\d{1,2}){0,3}\.?\s{1,4}[\"“A-Z]")
_NONE = re.compile(
    r"[a-z]{3}[.;]\s+\S"  # a sentence ends inside
    r"|(?:\.\s?){4}"  # dot leaders
    r"|\b(?:months|weeks|year|years|quarter|period|days) ended\b"  # the head of a table
    r"|^\(?in (?:millions|thousands)",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[^\W\d_]")


def is_heading(line: str, *, marked: bool = False) -> bool:
    """Say whether a line is a heading; ``marked`` where its letters are bold or larger."""
    words = line[: LONGEST + 1].split()
    if _is_no_heading(line, words):
        return False
    if _NAMED.match(line):
        return True
    if _NUMBERED.match(line):
        return marked or line[-1] not in ".:" or len(words) <= 5  # noqa: PLR2004
    if line[-1] in ".:":
        return marked and len(words) <= 6 and line[0].isupper()  # noqa: PLR2004
    return line.isupper() or (marked and (line[0].isupper() or line[0].isdigit()))


def _is_no_heading(line: str, words: list[str]) -> bool:
    """Say whether something about a line rules a heading out."""
    return (
        not 0 < len(line) <= LONGEST
        or len(words) > _MOST_WORDS
        or line[-1] in ",;"
        or (line[-1].isdigit() and len(words) > 3)  # noqa: PLR2004 - a table of contents
        or is_row(line)
        or len(_LETTER.findall(line)) < _LEAST_LETTERS
        or _NONE.search(line) is not None
    )


def headings(text: str) -> tuple[tuple[int, int], ...]:
    """Return the spans of the lines of a plain text that look like headings."""
    found: list[tuple[int, int]] = []
    start = 0
    run: list[tuple[int, int]] = []
    for line in text.split("\n"):
        trimmed = line.strip()
        if trimmed:
            if is_heading(trimmed):
                begin = start + line.index(trimmed[0])
                run.append((begin, begin + len(trimmed)))
            else:
                found += settled(run)
                run = []
        start += len(line) + 1
    return tuple(found + settled(run))


def settled(run: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the headings of a run of lines in a row; a longer one is text in capitals."""
    return run if len(run) <= _MOST_TOGETHER else []
