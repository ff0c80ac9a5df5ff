"""Years, quarters, months and days, as questions and file names write them.

``Q1 2023``, ``2023_q1``, ``1Q23``, ``FY18``, ``the third quarter of fiscal 2022``, ``March 2021``,
``2019-03-31``. Pure; knows no documents. Surprising: a quarter is taken as it is written, fiscal or
not, since the file and the question of one office usually mean the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMES = (
    ("january", "jan"),
    ("february", "feb"),
    ("march", "mar"),
    ("april", "apr"),
    ("may",),
    ("june", "jun"),
    ("july", "jul"),
    ("august", "aug"),
    ("september", "sept", "sep"),
    ("october", "oct"),
    ("november", "nov"),
    ("december", "dec"),
)
_MONTHS = {name: number for number, names in enumerate(_NAMES, start=1) for name in names}
_ORDINALS = {"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4}
_ORDINALS |= {"4th": 4, "one": 1, "two": 2, "three": 3, "four": 4}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_YEAR = r"(?:19|20)\d\d"

_YEARS = re.compile(rf"(?<!\d)(?:fy|cy)?\s?({_YEAR})(?!\d)")
_SHORT_YEARS = re.compile(r"\b(?:(?:fy|cy|fiscal(?: year)?)\s?'?|[1-4]q\s?'?|q[1-4]\s?')(\d\d)\b")
_QUARTERS = re.compile(
    r"(?:(?<![a-z\d])|(?<=\d{4}))(?:q\s?([1-4])|(?<!\d)([1-4])q(?:\s?'?\d\d)?)(?!\d)"
    r"|\b(first|second|third|fourth|1st|2nd|3rd|4th)\s(?:fiscal |calendar )?quarter"
    r"|\bquarter (one|two|three|four|[1-4])\b"
)
_WRITTEN = re.compile(
    rf"\b({_MONTH})\.? (?:({_DAY}),? )?({_YEAR})\b|\b({_DAY})(?: of)? ({_MONTH})\.?,? ({_YEAR})\b"
)
_DIGITS = re.compile(
    rf"(?<!\d)({_YEAR})([-._/ ]?)(0[1-9]|1[0-2])(?:\2(0[1-9]|[12]\d|3[01]))?(?![\da-z])"
)
_MONTH_ALONE = re.compile(rf"\b({_MONTH.replace('may|', '')}|may(?= \d)|(?<=in )may)\b")
_LATEST = re.compile(
    r"\b(?:latest|newest|most recent|most recently|last|recent|current|up[- ]to[- ]date)\b"
)
_OLDEST = re.compile(r"\b(?:oldest|earliest|original|initial)\b")


@dataclass(frozen=True, slots=True)
class Periods:
    """What of time a text names. ``dates`` are (year, month, day), 0 where not said."""

    years: frozenset[int]
    quarters: frozenset[int]
    months: frozenset[int]
    dates: tuple[tuple[int, int, int], ...]
    latest: bool
    oldest: bool

    def __bool__(self) -> bool:
        return bool(self.years or self.quarters or self.months or self.latest or self.oldest)


def periods(text: str) -> Periods:
    """Return every period that ``text`` names."""
    text = re.sub(r"[\s_]+", " ", text.casefold().replace("\u2019", "'"))
    dates = tuple(_dates(text))
    years = {int(found) for found in _YEARS.findall(text)} | {date[0] for date in dates}
    years |= {2000 + int(found) for found in _SHORT_YEARS.findall(text)}
    months = {date[1] for date in dates if date[1]}
    months |= {_MONTHS[found] for found in _MONTH_ALONE.findall(text)}
    return Periods(
        frozenset(years),
        frozenset(_quarter(*found) for found in _QUARTERS.findall(text)),
        frozenset(months),
        dates,
        bool(_LATEST.search(text)),
        bool(_OLDEST.search(text)),
    )


def _quarter(*found: str) -> int:
    said = next(part for part in found if part)
    return int(said) if said.isdigit() else _ORDINALS[said]


def _dates(text: str) -> list[tuple[int, int, int]]:
    """Return the dates in the order they stand."""
    found: list[tuple[int, tuple[int, int, int]]] = []
    for match in _WRITTEN.finditer(text):
        month, day, year, day_first, month_second, year_last = match.groups()
        number = _MONTHS[month or month_second]
        found.append((match.start(), (int(year or year_last), number, _day(day or day_first))))
    for match in _DIGITS.finditer(text):
        year, _, month, day = match.groups()
        found.append((match.start(), (int(year), int(month), _day(day))))
    return [date for _, date in sorted(found)]


def _day(said: str | None) -> int:
    return int(re.sub(r"\D", "", said)) if said else 0
