"""The numbers that Word puts before paragraphs: “4.3.1”, “(a)”, “ARTICLE IV”.

They stand nowhere in a document's text: Word counts them when it shows the page. A contract without
them cannot be cited by clause, so they are counted here in the same way, from the levels that
``word/numbering.xml`` declares.
"""

from __future__ import annotations

from dataclasses import dataclass, field

BULLET = "•"

_LEVELS = 9
_LETTERS = 26
_MOST = 3999
_ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"),
    (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip


@dataclass(slots=True)
class Level:
    """One level of a list: where it starts, how it counts, and its text, such as “%1.%2”."""

    start: int = 1
    kind: str = "decimal"
    text: str = ""


@dataclass(slots=True)
class Numbering:
    """The lists of one document, and how far each has counted.

    ``lists`` gives the levels of each list by its number in the document; lists that share their
    levels (the same object) count on together, as Word does.
    """

    lists: dict[str, dict[int, Level]] = field(default_factory=dict)
    _counts: dict[int, list[int | None]] = field(default_factory=dict)

    def label(self, number: str, depth: int) -> str:
        """Count one paragraph of a list at a level, from 0, and return what stands before it."""
        levels = self.lists.get(number)
        if levels is None or depth not in levels or not 0 <= depth < _LEVELS:
            return ""
        counts = self._counts.setdefault(id(levels), [None] * _LEVELS)
        before = counts[depth]
        counts[depth] = levels[depth].start if before is None else before + 1
        counts[depth + 1 :] = [None] * (_LEVELS - depth - 1)
        if levels[depth].kind == "bullet":
            return BULLET
        if levels[depth].kind == "none":
            return ""
        text = levels[depth].text
        for level in range(depth + 1):
            described = levels.get(level, Level())
            count = counts[level]
            value = _written(described.start if count is None else count, described.kind)
            text = text.replace(f"%{level + 1}", value)
        return text.strip()


def _written(count: int, kind: str) -> str:
    if kind in {"lowerLetter", "upperLetter"} and count > 0:
        letter = chr(ord("a") + (count - 1) % _LETTERS) * min(9, 1 + (count - 1) // _LETTERS)
        return letter.upper() if kind == "upperLetter" else letter
    if kind in {"lowerRoman", "upperRoman"} and 0 < count <= _MOST:
        roman = _roman(count)
        return roman if kind == "upperRoman" else roman.lower()
    if kind == "decimalZero":
        return f"{count:02d}"
    return str(count)


def _roman(count: int) -> str:
    written = ""
    for value, letters in _ROMAN:
        written += letters * (count // value)
        count %= value
    return written
