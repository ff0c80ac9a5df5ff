"""Numbers in a text, by value: dates, times, amounts, percentages, ordinals, numbers in words.

``thirty (30) days``, ``30 days`` and ``30-day`` are one quantity; ``$1.2 million`` is 1,200,000
dollars; ``2024-03-01``, ``1 March 2024`` and ``March 1st`` agree as far as both speak. A known
unit is part of the value: 30 days are not 30 months. Reads the form that
:func:`rag.answer.words.plain` makes. It does not know what a number counts when that is no unit
(``five awards``), and ``3/4/2024`` may be either day: both are accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_SHORT = {"k": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "bn": 1e9, "b": 1e9, "tn": 1e12}
_ORDINALS = {
    name: value
    for value, name in enumerate(
        (
            "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh "
            "twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
        ).split()
    )
} | {name[:-1] + "ieth": value * 10 for value, name in enumerate(_TENS, 2)}
_VALUES = {name: float(value) for value, name in enumerate(_ONES)} | {
    name: value * 10.0 for value, name in enumerate(_TENS, 2)
}
_FIXED = {"dozen": 12.0, "half": 0.5}
_MONTHS = {
    name: value
    for value, names in enumerate(
        (
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
        ),
        1,
    )
    for name in names.split()
}
_UNITS = {
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
_CURRENCIES = frozenset("$ us$ € £ ¥ usd eur gbp".split())
_SKIPPED = frozenset("calendar full consecutive successive u.s us american".split())
_KINDS_OF_UNIT = {
    "business": "business ",
    "working": "business ",
    "banking": "business ",
    "square": "square ",
    "cubic": "cubic ",
}
_LEAST = (
    r"(?P<least>at least|(?:no|not) (?:less|fewer|earlier|sooner) than|minimum(?: of)?|"
    r"more than|greater than|over|exceed(?:s|ed|ing)?|above|upwards of)"
)
_MOST = (
    r"(?P<most>at most|(?:no|not) (?:more|greater|later) than|maximum(?: of)?|up to|"
    r"less than|fewer than|under|below|not (?:to )?exceed(?:ing)?)"
)
_BOUND_BEFORE = re.compile(rf"\b(?:{_MOST}|{_LEAST})\b(?=\W*(?:\w+\W+)?$)", re.IGNORECASE)
_BOUND_AFTER = re.compile(r"\W*or (?:(?P<least>more|greater)|(?P<most>less|fewer))\b", re.IGNORECASE)
_TOKEN = re.compile(
    r"(?P<iso>\b\d{4}-\d{1,2}-\d{1,2}\b)"
    r"|(?P<slash>\b\d{1,2}[/.]\d{1,2}[/.](?:\d{4}|\d{2})\b)"
    r"|(?P<time>\b\d{1,2}:\d{2}\b)"
    r"|(?P<code>\b\d+(?:\.\d+){2,}\b)"
    r"|(?P<number>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)"
    r"|(?P<word>[^\W\d_]+(?:\.[^\W\d_](?![^\W\d_]))*)"
    r"|(?P<sign>US\$|[$€£¥%°])"
    r"|(?P<other>[^\s])"
)
_ORDINAL_END = frozenset(("st", "nd", "rd", "th"))


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a text and where it stands there.

    ``kind`` is number, date, time, code or ordinal. A number has one ``values`` entry; a date has
    year, month and day with 0 for what is not said, twice where day and month may be swapped.
    ``bound`` is 1 for "at least", -1 for "at most", else 0.
    """

    start: int
    end: int
    kind: str
    values: tuple[tuple[float, ...], ...]
    unit: str = ""
    bound: int = 0

    @property
    def telling(self) -> bool:
        """Whether it must be in the lines as it is; "first" is often just a word."""
        return self.kind != "ordinal" or self.values[0][0] > 1

    def agrees(self, other: Quantity) -> bool:
        """Whether the two say the same, as far as both speak."""
        if self.kind == other.kind == "date":
            return any(_dates_agree(one, two) for one in self.values for two in other.values)
        if "date" in (self.kind, other.kind):
            date, number = (self, other) if self.kind == "date" else (other, self)
            return not number.unit and number.kind == "number" and date.values[0] == (
                number.values[0][0], 0.0, 0.0)
        if "time" in (self.kind, other.kind):
            return _times_agree(self, other)
        if "code" in (self.kind, other.kind) and self.kind != other.kind:
            return False
        return self.values == other.values and (
            self.unit == other.unit or not self.unit or not other.unit
        )


def _dates_agree(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    shared = [(a, b) for a, b in zip(one, two, strict=True) if a and b]
    return bool(shared) and all(a == b for a, b in shared)


def _times_agree(one: Quantity, two: Quantity) -> bool:
    """Compare times of day; a bare number without unit may be an hour ("at 7")."""
    if one.kind == two.kind:
        return bool(set(one.values) & set(two.values))
    time, number = (one, two) if one.kind == "time" else (two, one)
    hour = number.values[0][0]
    if number.kind != "number" or number.unit or not 1 <= hour <= 12:
        return False
    return bool({(hour % 12, 0.0), (hour % 12 + 12, 0.0)} & set(time.values))


@dataclass(slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int
    spaced: bool


def quantities(text: str) -> list[Quantity]:
    """Return the quantities of a plain text, in order."""
    tokens = list(_tokens(text))
    found: list[Quantity] = []
    at = 0
    while at < len(tokens):
        quantity, after = _read(text, tokens, at)
        if quantity:
            found.append(quantity)
        at = max(after, at + 1)
    return found


def _tokens(text: str) -> Iterator[_Token]:
    end = -1
    for match in _TOKEN.finditer(text):
        yield _Token(match.lastgroup or "", match.group().casefold(), match.start(), match.end(),
                     match.start() > end)
        end = match.end()


def _read(text: str, tokens: list[_Token], at: int) -> tuple[Quantity | None, int]:
    token = tokens[at]
    if token.kind == "iso":
        year, month, day = map(float, token.text.split("-"))
        return _quantity(token, token, "date", ((year, month, day),)), at + 1
    if token.kind == "slash":
        return _quantity(token, token, "date", _slash(token.text)), at + 1
    if token.kind == "time":
        return _time(tokens, at)
    if token.kind == "code":
        return _quantity(token, token, "code", (tuple(map(float, token.text.split("."))),)), at + 1
    date = _date(tokens, at)
    if date:
        return date
    return _number(text, tokens, at)


def _quantity(first: _Token, last: _Token, kind: str, values: tuple[tuple[float, ...], ...],
              unit: str = "", bound: int = 0) -> Quantity:
    return Quantity(first.start, last.end, kind, values, unit, bound)


def _slash(text: str) -> tuple[tuple[float, ...], ...]:
    one, two, year = map(float, re.split(r"[/.]", text))
    if year < 100:
        year += 2000 if year < 50 else 1900
    found = [(year, month, day) for month, day in ((one, two), (two, one)) if month <= 12]
    return tuple(dict.fromkeys(found)) or ((year, one, two),)


def _time(tokens: list[_Token], at: int) -> tuple[Quantity, int]:
    hour, minute = map(float, tokens[at].text.split(":"))
    half, last = _half_of_day(tokens, at + 1)
    values = [(hour % 12, minute), (hour % 12 + 12, minute)]
    if half or hour > 12 or hour == 0:
        values = [(hour % 12 + 12 * (half == "p" if half else hour > 12), minute)]
    return _quantity(tokens[at], tokens[last - 1], "time", tuple(values)), last


def _half_of_day(tokens: list[_Token], at: int) -> tuple[str, int]:
    if at < len(tokens) and tokens[at].text.replace(".", "") in ("am", "pm"):
        return tokens[at].text[0], at + 1
    return "", at


def _date(tokens: list[_Token], at: int) -> tuple[Quantity, int] | None:
    """Read ``March 1st, 2024``, ``1 March 2024``, ``March 2024`` or ``1st of March``."""
    day, after = _day(tokens, at)
    if day:
        of = after + 1 if after < len(tokens) and tokens[after].text == "of" else after
        if of + 1 < len(tokens) and [t.text for t in tokens[of:of + 2]] == ["day", "of"]:
            of += 2
        if of < len(tokens) and tokens[of].text.rstrip(".") in _MONTHS:
            year, last = _year(tokens, of + 1)
            month = float(_MONTHS[tokens[of].text])
            return _quantity(tokens[at], tokens[last - 1], "date", ((year, month, day),)), last
        return None
    if tokens[at].text not in _MONTHS:
        return None
    month = float(_MONTHS[tokens[at].text])
    after = at + 1
    if after < len(tokens) and tokens[after].text == ".":
        after += 1
    day, next_ = _day(tokens, after)
    year, last = _year(tokens, next_ if day else after)
    if not day and not year:
        if tokens[at].text in ("may", "march", "mar", "jan", "sep", "dec"):
            return None
        last = at + 1
    return _quantity(tokens[at], tokens[last - 1], "date", ((year, month, day),)), last


def _day(tokens: list[_Token], at: int) -> tuple[float, int]:
    if at >= len(tokens):
        return 0.0, at
    token = tokens[at]
    if token.kind == "number" and token.text.isdigit() and 1 <= int(token.text) <= 31:
        after = at + 1
        if after < len(tokens) and not tokens[after].spaced and tokens[after].text in _ORDINAL_END:
            after += 1
        return float(token.text), after
    return 0.0, at


def _year(tokens: list[_Token], at: int) -> tuple[float, int]:
    after = at
    if after < len(tokens) and tokens[after].text in (",", "of"):
        after += 1
    if after < len(tokens) and tokens[after].kind == "number":
        digits = tokens[after].text
        if digits.isdigit() and len(digits) == 4 and 1000 <= int(digits) <= 2999:
            return float(digits), after + 1
    return 0.0, at


def _number(text: str, tokens: list[_Token], at: int) -> tuple[Quantity | None, int]:
    """Read a number with its sign, scale, repetition in brackets and unit."""
    first, unit, kind = at, "", "number"
    if tokens[at].text in _CURRENCIES:
        unit, at = _UNITS[tokens[at].text], at + 1
    value, after, ordinal, inner = _value(tokens, at)
    if value is None:
        return None, first + 1
    if ordinal:
        kind = "ordinal"
    value, after = _scaled(tokens, after, value)
    after = _repeated(tokens, after, value)
    value, after = _scaled(tokens, after, value) if tokens[after - 1].text == ")" else (value, after)
    last = after
    if inner:
        unit = unit or inner
    elif not unit and kind == "number":
        unit, last = _unit(tokens, after)
    elif kind == "ordinal" and after < len(tokens) and tokens[after].text in ("century", "quarter"):
        unit, last = tokens[after].text, after + 1
    if unit in ("$", "€", "£", "¥") and last < len(tokens) and tokens[last].text == "cents":
        last += 1
    if not unit and kind == "number":
        half, last = _half_of_day(tokens, after)
        if half:
            hour = value % 12 + (12 if half == "p" else 0)
            return _quantity(tokens[first], tokens[last - 1], "time", ((hour, 0.0),)), last
    bare = tokens[at].kind == "word" and kind == "number" and not unit
    if bare and value == 1:
        return None, after  # "one" counts only with a unit: else it is a pronoun
    bound = _bound(text, tokens[first].start, tokens[last - 1].end)
    return _quantity(tokens[first], tokens[last - 1], kind, ((value,),), unit, bound), last


def _bound(text: str, start: int, end: int) -> int:
    match = _BOUND_BEFORE.search(text[max(0, start - 30) : start]) or _BOUND_AFTER.match(
        text[end : end + 12]
    )
    if not match:
        return 0
    return 1 if match["least"] else -1


def _value(tokens: list[_Token], at: int) -> tuple[float | None, int, bool, str]:
    """Return the value read, where it ends, whether it is an ordinal, and a unit written on."""
    if at >= len(tokens):
        return None, at, False, ""
    token = tokens[at]
    if token.kind == "number":
        value = _full_year(tokens, at, float(token.text.replace(",", "")))
        if at + 1 < len(tokens) and not tokens[at + 1].spaced:
            ending = tokens[at + 1].text
            if ending in _ORDINAL_END:
                return value, at + 2, True, ""
            if ending == "s":
                return value, at + 2, False, "decade"
            if ending in _SHORT:
                return value * _SHORT[ending], at + 2, False, ""
        return value, at + 1, False, ""
    if token.kind == "word":
        return _worded(tokens, at)
    return None, at, False, ""


def _full_year(tokens: list[_Token], at: int, value: float) -> float:
    """Return 2019 for the 19 of ``2018-19``."""
    if at > 1 and tokens[at - 1].text in ("-", "–") and not tokens[at].spaced:
        before = tokens[at - 2].text
        if len(before) == 4 and before.isdigit() and len(tokens[at].text) == 2:
            full = float(before[:2] + tokens[at].text)
            return full if full > float(before) else value
    return value


def _worded(tokens: list[_Token], at: int) -> tuple[float | None, int, bool, str]:
    """Read ``two hundred and thirty-five``: a run of words of numbers."""
    total, group, seen, ordinal, inner = 0.0, 0.0, False, False, ""
    first = at
    while at < len(tokens) and tokens[at].kind == "word" and not ordinal and not inner:
        parts = _parts(tokens[at].text)
        if parts is None:
            joined = seen and tokens[at].text == "and" and at + 1 < len(tokens)
            if joined and group >= 100 and _parts(tokens[at + 1].text):
                at += 1
                continue
            break
        if not seen and parts[0] in _SCALES:
            break
        if seen and len(parts) == 1 and not _continues(group, parts[0]):
            break
        for part in parts:
            if part in _SCALES:
                scale = _SCALES[part]
                if scale == 100:
                    group = (group or 1) * scale
                else:
                    total, group = total + (group or 1) * scale, 0.0
            elif part in _ORDINALS:
                group, ordinal = group + _ORDINALS[part], True
            elif part in _VALUES:
                group += _VALUES[part]
            elif part in _FIXED:
                group += _FIXED[part]
            else:
                inner = _UNITS[part]
        seen, at = True, at + 1
    if not seen or (ordinal and at == first + 1 and tokens[first].text == "second"
                    and first > 0 and tokens[first - 1].text in ("a", "per")):
        return None, first, False, ""
    return total + group, at, ordinal, inner


def _continues(group: float, part: str) -> bool:
    if part in _SCALES:
        return True
    value = _VALUES.get(part, _ORDINALS.get(part))
    if value is None:
        return False
    if group == 0 or (group >= 100 and group % 100 == 0):
        return True
    return 20 <= group % 100 and group % 10 == 0 and value < 10


_PART = "|".join(
    sorted([*_VALUES, *_ORDINALS, *_SCALES, *_FIXED], key=len, reverse=True)
)
_WORDED = re.compile(rf"((?:{_PART})+?)(days?|weeks?|months?|years?|yearold|hours?|minutes?|miles?|"
                     r"percent|acres?|dollars?|pages?)?")
_PIECE = re.compile(_PART)


def _parts(text: str) -> list[str] | None:
    """Split ``twentyfive`` or ``thirtyday`` (hyphens are gone) into its words, or None."""
    match = _WORDED.fullmatch(text)
    if not match:
        return None
    parts = _PIECE.findall(match.group(1))
    if "".join(parts) != match.group(1):
        return None
    return parts + ([match.group(2)] if match.group(2) else [])


def _scaled(tokens: list[_Token], at: int, value: float) -> tuple[float, int]:
    if at < len(tokens) and tokens[at].text in _SCALES:
        return value * _SCALES[tokens[at].text], at + 1
    if at < len(tokens) and tokens[at].text in ("bn", "mn", "tn"):
        return value * _SHORT[tokens[at].text], at + 1
    return value, at


def _repeated(tokens: list[_Token], at: int, value: float) -> int:
    """Skip ``(30)`` after ``thirty``."""
    if at + 2 < len(tokens) and tokens[at].text == "(":
        second, after, _, _ = _value(tokens, at + 1)
        if second is not None:
            second, after = _scaled(tokens, after, second)
        if second == value and after < len(tokens) and tokens[after].text == ")":
            return after + 1
    return at


def _unit(tokens: list[_Token], at: int) -> tuple[str, int]:
    """Return the unit after a number and where it ends; business days are not days."""
    here, of_kind = at, ""
    while here < len(tokens) and here < at + 3:
        text = tokens[here].text
        if text in _KINDS_OF_UNIT:
            of_kind = _KINDS_OF_UNIT[text]
        elif text in _UNITS:
            return of_kind + _UNITS[text], here + 1
        elif text not in _SKIPPED and text != "-":
            break
        here += 1
    return "", at
