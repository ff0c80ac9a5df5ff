"""Numbers in a text, by value: dates, times, amounts, percentages, ordinals, numbers in words.

``thirty (30) days``, ``30 days`` and ``30-day`` are one quantity; ``$1.2 million`` is 1,200,000
dollars; ``2024-03-01``, ``1 March 2024`` and ``March 1st`` agree as far as both speak. A known
unit is part of the value: 30 days are not 30 months. Reads the form that
:func:`rag.answer.words.plain` makes. It does not know what a number counts when that is no unit
(``five awards``), and ``3/4/2024`` may be either day: both are accepted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from rag.answer.numerals import (
    CURRENCIES,
    LONGEST_NUMBER,
    MONTHS,
    NUMERIC,
    ORDINAL_ENDINGS,
    UNITS,
    Token,
    number,
    tokens,
    unit,
)

_LEAST = (
    r"(?P<least>at least|(?:no|not) (?:less|fewer|earlier|sooner) than|(?:a )?minimum(?: of)?|"
    r"more than|greater than|over|exceed(?:s|ed|ing)?|above|upwards of)"
)
_MOST = (
    r"(?P<most>at most|(?:no|not) (?:more|greater|later) than|(?:a )?maximum(?: of)?|up to|"
    r"less than|fewer than|under|below|not (?:to )?exceed(?:ing)?)"
)
_BOUND_BEFORE = re.compile(rf"\b(?:{_MOST}|{_LEAST})\b(?=[^\w.;]*$)", re.IGNORECASE)
_BOUND_AFTER = re.compile(
    r"\W*or (?:(?P<least>more|greater)|(?P<most>less|fewer))\b", re.IGNORECASE
)
_LONGEST_BOUND = 30
_MONTHS_OR_WORDS = frozenset(("may", "march", "mar", "jan", "sep", "dec"))
_MONTHS_IN_A_YEAR = 12
_TWO_DIGITS = 100
_TURN_OF_CENTURY = 50

Values = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a text and where it stands there.

    ``kind`` is number, date, time, code or ordinal. A number has one ``values`` entry; a date has
    year, month and day with 0 for what is not said, twice where day and month may be swapped.
    ``bound`` is 1 for "at least", -1 for "at most", else 0; ``lead`` is where these words start.
    """

    start: int
    end: int
    kind: str
    values: Values
    unit: str = ""
    bound: int = 0
    lead: int = -1

    @property
    def telling(self) -> bool:
        """Whether it must be in the lines as it is; "first" is often just a word."""
        return self.kind != "ordinal" or self.values[0][0] > 1

    def agrees(self, other: Quantity) -> bool:
        """Whether the two say the same, as far as both speak."""
        kinds = {self.kind, other.kind}
        if kinds == {"date"}:
            return any(_dates_agree(one, two) for one in self.values for two in other.values)
        if "date" in kinds:
            date, bare = (self, other) if self.kind == "date" else (other, self)
            year = (bare.values[0][0], 0.0, 0.0)
            return bare.kind == "number" and not bare.unit and date.values[0] == year
        if "time" in kinds:
            return _times_agree(self, other)
        if "code" in kinds and len(kinds) > 1:
            return False
        alike = self.unit == other.unit or not (self.unit and other.unit)
        if kinds == {"ordinal", "number"}:
            alike = self.unit == other.unit
        return alike and self.values == other.values


def quantities(text: str) -> list[Quantity]:
    """Return the quantities of a plain text, in order."""
    if not NUMERIC.search(text):
        return []
    pieces = tokens(text)
    found: list[Quantity] = []
    at = 0
    while at < len(pieces):
        quantity, after = _read(pieces, at)
        if quantity:
            found.append(_bounded(text, quantity))
        at = max(after, at + 1)
    return found


def _dates_agree(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    shared = [(a, b) for a, b in zip(one, two, strict=True) if a and b]
    return bool(shared) and all(a == b for a, b in shared)


def _times_agree(one: Quantity, two: Quantity) -> bool:
    """Compare times of day; a bare number without unit may be an hour ("at 7")."""
    if one.kind == two.kind:
        return bool(set(one.values) & set(two.values))
    time, bare = (one, two) if one.kind == "time" else (two, one)
    hour = bare.values[0][0]
    if bare.kind != "number" or bare.unit or not 1 <= hour <= 12:  # noqa: PLR2004 - a clock
        return False
    return bool({(hour % 12, 0.0), (hour % 12 + 12, 0.0)} & set(time.values))


def _bounded(text: str, quantity: Quantity) -> Quantity:
    """Add "at least" or "at most" when it stands before or after."""
    window = max(0, quantity.start - _LONGEST_BOUND)
    match = _BOUND_BEFORE.search(text[window : quantity.start])
    if match:
        way = 1 if match["least"] else -1
        return replace(quantity, bound=way, lead=window + match.start())
    match = _BOUND_AFTER.match(text[quantity.end : quantity.end + _LONGEST_BOUND])
    return replace(quantity, bound=1 if match["least"] else -1) if match else quantity


def _made(first: Token, last: Token, kind: str, values: Values, of: str = "") -> Quantity:
    return Quantity(first.start, last.end, kind, values, of)


def _read(  # noqa: PLR0911 - one way out a kind
    pieces: list[Token], at: int
) -> tuple[Quantity | None, int]:
    token = pieces[at]
    if token.kind == "iso":
        year, month, day = map(float, token.text.split("-"))
        return _made(token, token, "date", ((year, month, day),)), at + 1
    if token.kind == "slash":
        return _made(token, token, "date", _slash(token.text)), at + 1
    if token.kind == "time":
        return _time(pieces, at)
    if token.kind == "code":
        return _made(token, token, "code", (tuple(map(float, token.text.split("."))),)), at + 1
    if token.kind == "number" and len(token.text) > LONGEST_NUMBER and token.text.isdigit():
        parts = range(0, len(token.text), LONGEST_NUMBER)
        digits = tuple(float(token.text[part : part + LONGEST_NUMBER]) for part in parts)
        return _made(token, token, "code", (digits,)), at + 1
    if token.kind not in ("number", "word", "sign"):
        return None, at + 1
    return _date(pieces, at) or _number(pieces, at)


def _slash(text: str) -> Values:
    one, two, year = map(float, re.split(r"[/.]", text))
    if year < _TWO_DIGITS:
        year += 2000 if year < _TURN_OF_CENTURY else 1900
    both = ((one, two), (two, one))
    orders = [(year, month, day) for month, day in both if month <= _MONTHS_IN_A_YEAR]
    return tuple(dict.fromkeys(orders)) or ((year, one, two),)


def _time(pieces: list[Token], at: int) -> tuple[Quantity, int]:
    hour, minute = map(float, pieces[at].text.split(":"))
    half, last = _half_of_day(pieces, at + 1)
    values: Values = ((hour % 12, minute), (hour % 12 + 12, minute))
    if half:
        values = (values[half == "p"],)
    elif hour == 0 or hour > 12:  # noqa: PLR2004 - a clock
        values = ((hour, minute),)
    return _made(pieces[at], pieces[last - 1], "time", values), last


def _half_of_day(pieces: list[Token], at: int) -> tuple[str, int]:
    if at < len(pieces) and pieces[at].text.replace(".", "") in ("am", "pm"):
        return pieces[at].text[0], at + 1
    return "", at


def _date(pieces: list[Token], at: int) -> tuple[Quantity, int] | None:
    """Read ``March 1st, 2024``, ``1 March 2024``, ``March 2024`` or ``1st day of March``."""
    day, after = _day(pieces, at)
    if day:
        for between in (("day", "of"), ("of",)):
            if tuple(token.text for token in pieces[after : after + len(between)]) == between:
                after += len(between)
        month = MONTHS.get(pieces[after].text, 0.0) if after < len(pieces) else 0.0
        after += 1
    else:
        month, after = MONTHS.get(pieces[at].text, 0.0), at + 1
        if month and after < len(pieces) and pieces[after].text == ".":
            after += 1
        day, after = _day(pieces, after) if month else (0.0, after)
    if not month:
        return None
    year, after = _year(pieces, after)
    if not day and not year and pieces[at].text in _MONTHS_OR_WORDS:
        return None
    return _made(pieces[at], pieces[after - 1], "date", ((year, month, day),)), after


def _day(pieces: list[Token], at: int) -> tuple[float, int]:
    text = pieces[at].text if at < len(pieces) and pieces[at].kind == "number" else ""
    if not re.fullmatch(r"0?[1-9]|[12]\d|3[01]", text):
        return 0.0, at
    after = at + 1
    if after < len(pieces) and not pieces[after].spaced and pieces[after].text in ORDINAL_ENDINGS:
        after += 1
    return float(text), after


def _year(pieces: list[Token], at: int) -> tuple[float, int]:
    after = at
    if after < len(pieces) and pieces[after].text in (",", "of"):
        after += 1
    text = pieces[after].text if after < len(pieces) else ""
    return (float(text), after + 1) if re.fullmatch(r"[12]\d{3}", text) else (0.0, at)


def _number(pieces: list[Token], at: int) -> tuple[Quantity | None, int]:
    """Read a number with the sign before it and the unit after it."""
    first = at
    of = UNITS[pieces[at].text] if pieces[at].text in CURRENCIES else ""
    read = number(pieces, at + 1 if of else at)
    if read is None:
        return None, first + 1
    of, last = of or read.unit, read.after
    if read.ordinal:
        if last < len(pieces) and pieces[last].text in ("century", "quarter"):
            of, last = pieces[last].text, last + 1
        return _made(pieces[first], pieces[last - 1], "ordinal", ((read.value,),), of), last
    if not of:
        of, last = unit(pieces, last)
    if not of:
        half, last = _half_of_day(pieces, last)
        if half:
            hour = read.value % 12 + 12 * (half == "p")
            return _made(pieces[first], pieces[last - 1], "time", ((hour, 0.0),)), last
    if not of and read.value == 1 and pieces[first].kind == "word":
        return None, last  # "one" counts only with a unit: else it is a pronoun
    return _made(pieces[first], pieces[last - 1], "number", ((read.value,),), of), last
