"""What kind of answer a question asks for, and whether a sentence holds one of that kind.

"Who …?" wants a name, "how much …?" a sum, "when …?" a date or a time. A passage may speak of the
very thing and still not answer: that the school has a nurse does not tell who it is. Plain rules
over words, for English; where the question names no kind, every sentence will do. Pure.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Kind(StrEnum):
    """What an answer must hold."""

    MONEY = "money"
    DURATION = "duration"
    TIME = "time"
    NUMBER = "number"
    NAME = "name"
    IDENTIFIER = "identifier"


_NUMERALS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    "sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|"
    "hundred|thousand|million|once|twice|half|dozen|none|no"
)
_UNITS = "second|minute|hour|day|week|fortnight|month|quarter|term|year|decade"
_CALENDAR = (
    "January|February|March|April|May|June|July|August|September|October|November|December|"
    "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
)
_CURRENCIES = "dollars?|pounds?|euros?|francs?|cents?|pence|USD|GBP|EUR|CHF"
_AMOUNT_WORDS = (
    "price|cost|costs|salary|salaries|wages?|rent|deposit|fees?|tuition|fine|budget|revenue|"
    "income|profit|premium|sum|amount|rate"
)

_WORDS_BETWEEN = r"(?:[\w’'-]+ ){0,4}"
"""Few enough words that what stands behind them is still what is asked for."""

_DURATION_ASKED = (
    r"\bhow (?:much (?:notice|time|warning|longer)|long|soon|quickly|early|late)\b"
    rf"|\bhow many (?:[\w’'-]+ )?(?:{_UNITS})s?\b"
    rf"|\bwhat (?:is|was) the {_WORDS_BETWEEN}(?:period|duration)\b"
)
_IDENTIFIER_ASKED = (
    r"\b(?:account|telephone|phone|mobile|fax|reference|registration|serial|passport|policy|"
    r"invoice|case|extension) number\b|\bsort code\b|\bpost ?code\b"
)
_MONEY_ASKED = (
    r"\bhow much (?!notice|time|warning|longer|of )"
    rf"|\bwhat (?:is|was|are|were) {_WORDS_BETWEEN}(?:{_AMOUNT_WORDS})\b"
    rf"|\bwhat (?:does|do|did|will|would|must|shall) {_WORDS_BETWEEN}(?:pay|cost|charge|earn)\b"
    rf"|\bwhat (?:{_AMOUNT_WORDS})\b"
)
_TIME_ASKED = (
    r"(?:^|[.,;?!]\s*)(?:and |but )?when (?:is|are|was|were|do|does|did|will|would|may|can|must|"
    r"shall|should|has|have|had)\b|\b(?:what|which) (?:date|day|time|hour|month|year)\b"
)
_NUMBER_ASKED = (
    r"\bhow (?:many|high|low|old|large|big|far|often|fast|heavy|deep|wide)\b"
    rf"|\bwhat (?:is|was) the {_WORDS_BETWEEN}(?:maximum|minimum|number|percentage)\b"
)
_NAME_ASKED = r"\b(?:who|whose|whom)\b(?! (?:may|can|must|shall|should|pays?|bears?|has to)\b)"

_QUESTIONS = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (Kind.DURATION, _DURATION_ASKED),
        (Kind.IDENTIFIER, _IDENTIFIER_ASKED),
        (Kind.MONEY, _MONEY_ASKED),
        (Kind.TIME, _TIME_ASKED),
        (Kind.NUMBER, _NUMBER_ASKED),
        (Kind.NAME, _NAME_ASKED),
    )
)

_DURATION = rf"(?:\d|\b(?:{_NUMERALS})\b)[\w\s()’'-]{{0,24}}\b(?:{_UNITS})s?\b"
_MONEY = (
    rf"[$£€¥]\s?\d|\b\d[\d.,]*\s?(?:{_CURRENCIES})\b|\b(?:{_CURRENCIES})\s?\d"
    rf"|\b(?:{_NUMERALS})\s(?:{_CURRENCIES})\b|%|\bper ?cent\b"
)
_HELD = {
    Kind.MONEY: re.compile(_MONEY, re.IGNORECASE),
    Kind.DURATION: re.compile(_DURATION, re.IGNORECASE),
    Kind.TIME: re.compile(
        rf"\b(?:{_CALENDAR})\b|\b(?:19|20)\d\d\b|\b\d{{1,2}}[:.]\d\d\b|\b\d{{1,2}}\s?[ap]\.?m\b"
        rf"|\b(?:noon|midday|midnight)\b|{_DURATION}",
        re.IGNORECASE,
    ),
    Kind.NUMBER: re.compile(rf"\d|\b(?:{_NUMERALS})\b", re.IGNORECASE),
    Kind.NAME: re.compile(
        r"\b(?:Mr|Mrs|Ms|Dr|Prof)\.? [A-Z]|\b[A-Z][a-z’'-]+ (?:[A-Z]\. )?[A-Z][a-z]+"
    ),
    Kind.IDENTIFIER: re.compile(
        r"\d(?:[ -]?\d){4,}|\b(?=[A-Z0-9/-]*\d)[A-Z0-9]+[/-][A-Z0-9/-]{2,}"
    ),
}


def asked_for(question: str) -> Kind | None:
    """Return the kind of answer a question wants, None where any sentence may answer it."""
    for kind, pattern in _QUESTIONS:
        if pattern.search(question):
            return kind
    return None


def holds(kind: Kind | None, text: str) -> bool:
    """Tell whether text holds something of this kind."""
    return kind is None or bool(_HELD[kind].search(text))
