"""Numbers as they are written: digits, words, scales, and the units that follow them.

The tables and the smallest reading steps under :mod:`rag.answer.quantities`, in the form that
:func:`rag.answer.words.plain` makes, where hyphens between letters are gone: ``twentyfive`` is a
number, ``thirtyday`` a number with its unit. Knows English only; digits of any script are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

_ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
    fifteen sixteen seventeen eighteen nineteen""".split()  # noqa: SIM905 - a wall of quotation marks helps nobody
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_FIRST = """zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth
    thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth""".split()  # noqa: SIM905 - a wall of quotation marks helps nobody
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_SHORT_SCALES = {"k": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "bn": 1e9, "b": 1e9, "tn": 1e12}
_ORDINALS = {name: float(value) for value, name in enumerate(_FIRST)} | {
    name[:-1] + "ieth": value * 10.0 for value, name in enumerate(_TENS, 2)
}
_VALUES = (
    {name: float(value) for value, name in enumerate(_ONES)}
    | {name: value * 10.0 for value, name in enumerate(_TENS, 2)}
    | {"dozen": 12.0, "half": 0.5}
)
ORDINAL_ENDINGS = frozenset(("st", "nd", "rd", "th"))
_TEN = 10
HUNDRED = 100
LONGEST_NUMBER = 15
"""Digits that a float keeps exactly; a longer number is a code, compared digit by digit."""

MONTHS = {
    name: float(value)
    for value, names in enumerate(
        [
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ],
        1,
    )
    for name in names.split()
}
UNITS = {
    form: unit
    for unit, forms in {
        "second": "seconds sec secs",
        "minute": "minute minutes min mins",
        "hour": "hour hours hr hrs",
        "day": "day days",
        "week": "week weeks wk wks",
        "month": "month months",
        "quarter": "quarter quarters",
        "year": "year years yr yrs yearold",
        "decade": "decade decades",
        "century": "century centuries",
        "percent": "% percent percentage pct",
        "basis point": "bps",
        "$": "$ dollar dollars usd us$",
        "€": "€ euro euros eur",
        "£": "£ pound pounds gbp",
        "¥": "¥ yen jpy",
        "cent": "cent cents",
        "mm": "mm millimetre millimetres millimeter millimeters",
        "cm": "cm centimetre centimetres centimeter centimeters",
        "m": "metre metres meter meters",
        "km": "km kilometre kilometres kilometer kilometers kms",
        "mile": "mile miles mi",
        "foot": "foot feet ft",
        "inch": "inch inches",
        "yard": "yard yards",
        "acre": "acre acres",
        "hectare": "hectare hectares ha",
        "kg": "kg kilogram kilograms kilo kilos",
        "gram": "gram grams",
        "lb": "lb lbs",
        "ounce": "ounce ounces oz",
        "ton": "ton tons tonne tonnes",
        "litre": "litre litres liter liters",
        "gallon": "gallon gallons",
        "degree": "degree degrees °",
        "copy": "copy copies",
        "page": "page pages",
        "person": "people persons",
        "time": "times",
        "share": "share shares",
        "mph": "mph",
        "kmh": "kmh",
        "mb": "mb",
        "gb": "gb",
    }.items()
    for form in forms.split()
}
CURRENCIES = frozenset(("$", "us$", "€", "£", "¥", "usd", "eur", "gbp"))
_SKIPPED = frozenset(
    ("calendar", "full", "consecutive", "successive", "u.s", "us", "american", "-")
)
_KINDS_OF_UNIT = {
    "business": "business ",
    "working": "business ",
    "banking": "business ",
    "square": "square ",
    "cubic": "cubic ",
}
_MOST_WORDS_OF_A_UNIT = 3

_PART = "|".join(sorted([*_VALUES, *_ORDINALS, *_SCALES], key=len, reverse=True))
_PIECE = re.compile(_PART)
_WORDED = re.compile(
    rf"((?:{_PART})+?)(days?|weeks?|months?|years?|yearold|hours?|minutes?|miles?|percent|acres?"
    r"|dollars?|pages?)?"
)
NUMERIC = re.compile(rf"\d|\b(?:{_PART}|{'|'.join(MONTHS)})", re.IGNORECASE)
"""Found in every text that has a quantity (and in others)."""

_TOKEN = re.compile(
    r"(?P<iso>\b\d{4}-\d{1,2}-\d{1,2}\b)"
    r"|(?P<slash>\b\d{1,2}[/.]\d{1,2}[/.](?:\d{4}|\d{2})\b)"
    r"|(?P<time>\b\d{1,2}:\d{2}\b)"
    r"|(?P<code>\b\d+(?:\.\d+){2,}\b)"
    r"|(?P<number>(?:(?<![^\s(])-)?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?)"
    r"|(?P<word>[^\W\d_]+(?:\.[^\W\d_](?![^\W\d_]))*)"
    r"|(?P<sign>US\$|[$€£¥%°])"
    r"|(?P<other>\S)"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a text; ``spaced`` says whether white space stands before it."""

    kind: str
    text: str
    start: int
    end: int
    spaced: bool


class Number(NamedTuple):
    """A value read from tokens, where it ends, and what its own word says of it."""

    value: float
    after: int
    ordinal: bool = False
    unit: str = ""


def tokens(text: str) -> list[Token]:
    """Cut a plain text into the pieces that numbers are made of."""
    found, end = [], -1
    for match in _TOKEN.finditer(text):
        start = match.start()
        found.append(
            Token(match.lastgroup or "", match[0].casefold(), start, match.end(), start > end)
        )
        end = match.end()
    return found


def number(found: list[Token], at: int) -> Number | None:
    """Read the number at a token, in digits or words, with its scale and repetition."""
    if at >= len(found):
        return None
    read = _digits(found, at) if found[at].kind == "number" else _worded(found, at)
    if read is None:
        return None
    value, after = scaled(found, read.after, read.value)
    repeated = _repeated(found, after, value)
    if repeated > after:
        value, after = scaled(found, repeated, value)
    return Number(round(value, 6), after, read.ordinal, read.unit)


def _digits(found: list[Token], at: int) -> Number:
    value = _full_year(found, at, float(found[at].text.replace(",", "")))
    if at + 1 < len(found) and not found[at + 1].spaced:
        ending = found[at + 1].text
        if ending in ORDINAL_ENDINGS:
            return Number(value, at + 2, ordinal=True)
        if ending == "s":
            return Number(value, at + 2, unit="decade")
        if ending in _SHORT_SCALES:
            return Number(value * _SHORT_SCALES[ending], at + 2)
    return Number(value, at + 1)


def _full_year(found: list[Token], at: int, value: float) -> float:
    """Return 2019 for the 19 of ``2018-19``."""
    if at > 1 and found[at - 1].text in ("-", "–") and not found[at].spaced:
        before, ending = found[at - 2].text, found[at].text
        if re.fullmatch(r"\d{4}", before) and re.fullmatch(r"\d{2}", ending):
            return max(value, float(before[:2] + ending)) if ending > before[2:] else value
    return value


def _worded(found: list[Token], first: int) -> Number | None:
    """Read ``two hundred and thirtyfive``: a run of words of numbers."""
    sum_ = _Sum()
    at = first
    while at < len(found) and found[at].kind == "word" and not sum_.ended:
        pieces = _pieces(found[at].text)
        if pieces is None:
            following = _pieces(found[at + 1].text) if at + 1 < len(found) else None
            if found[at].text == "and" and following and sum_.group >= HUNDRED:
                at += 1
                continue
            break
        if not sum_.takes(pieces):
            break
        sum_.add(pieces)
        at += 1
    of_time = at == first + 1 and found[first].text == "second" and first > 0
    if not sum_.seen or (of_time and found[first - 1].text in ("a", "per")):
        return None
    return Number(sum_.total + sum_.group, at, sum_.ordinal, sum_.unit)


class _Sum:
    """Adds up the words of a number: ``total`` before the last scale, ``group`` after it."""

    def __init__(self) -> None:
        self.total = self.group = 0.0
        self.seen = self.ordinal = False
        self.unit = ""

    @property
    def ended(self) -> bool:
        return self.ordinal or bool(self.unit)

    def takes(self, pieces: tuple[str, ...]) -> bool:
        """Whether these words go on with the number: "twenty five", not "five three"."""
        if pieces[0] in _SCALES:
            return self.seen
        if not self.seen:
            return True
        value = _VALUES.get(pieces[0], _ORDINALS.get(pieces[0], 0.0))
        if self.group % HUNDRED == 0:
            return True
        tens = self.group % HUNDRED
        return len(pieces) == 1 and tens > value >= 1 and tens % _TEN == 0 and value < _TEN < tens

    def add(self, pieces: tuple[str, ...]) -> None:
        self.seen = True
        for piece in pieces:
            scale = _SCALES.get(piece)
            if scale == HUNDRED:
                self.group = (self.group or 1) * scale
            elif scale:
                self.total, self.group = self.total + (self.group or 1) * scale, 0.0
            elif piece in _ORDINALS:
                self.group, self.ordinal = self.group + _ORDINALS[piece], True
            elif piece in _VALUES:
                self.group += _VALUES[piece]
            else:
                self.unit = UNITS[piece]


@lru_cache(maxsize=50_000)
def _pieces(text: str) -> tuple[str, ...] | None:
    """Split ``twentyfive`` or ``thirtyday`` into its words; None when it is no number."""
    match = _WORDED.fullmatch(text)
    if not match or len(text) > len("seventyseventhousand"):
        return None
    found = _PIECE.findall(match[1])
    if "".join(found) != match[1]:
        return None
    return (*found, match[2]) if match[2] else tuple(found)


def scaled(found: list[Token], at: int, value: float) -> tuple[float, int]:
    """Multiply a value by the scale that follows it, if one does."""
    scale = _SCALES.get(found[at].text) if at < len(found) else None
    if scale is None and at < len(found) and found[at].text in ("bn", "mn", "tn"):
        scale = _SHORT_SCALES[found[at].text]
    return (value * scale, at + 1) if scale else (value, at)


def _repeated(found: list[Token], at: int, value: float) -> int:
    """Skip ``(30)`` after ``thirty``."""
    if at + 2 >= len(found) or found[at].text != "(" or found[at + 1].kind != "number":
        return at
    second = _digits(found, at + 1)
    again, after = scaled(found, second.after, second.value)
    closed = after < len(found) and found[after].text == ")"
    return after + 1 if closed and again == value else at


def unit(found: list[Token], at: int) -> tuple[str, int]:
    """Return the unit after a number and where it ends; business days are not days."""
    of_kind = ""
    for here in range(at, min(len(found), at + _MOST_WORDS_OF_A_UNIT)):
        text = found[here].text
        if text in _KINDS_OF_UNIT:
            of_kind = _KINDS_OF_UNIT[text]
        elif text in UNITS:
            return of_kind + UNITS[text], here + 1
        elif text not in _SKIPPED:
            break
    return "", at
