r"""Text made comparable: one plain form of it, its words, and their stems.

``plain`` undoes what a page's layout does to words (ligatures, line ends, hyphens at line ends,
typographic quotes) and writes contractions out; it keeps the case, because reasons are quoted from
it. ``words`` are what checking compares. Nothing here knows numbers or sentences. Surprising: a
hyphen between letters is dropped everywhere, since at a line end nobody can tell whether it
belongs to the word; ``long-term`` and ``long-\nterm`` must read the same.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import snowballstemmer

_STEMMER = snowballstemmer.stemmer("english")
_STEMMER_LOCK = Lock()  # the stemmer keeps the word it works on in itself

_QUOTES = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201a": "'",
        "\u02bc": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u201e": '"',
        "\u00ab": '"',
        "\u00bb": '"',
        "\u2010": "-",
        "\u2011": "-",
        "\u2212": "-",
        "\u00ad": "-",
        "\u200b": None,
        "\ufeff": None,
    }
)
_SOFT = re.compile("\u00ad(?![ \t]*[\r\n])")
_LINE_END = re.compile(r"(?<=\w)-[ \t]*[\r\n]+\s*(?=\w)")
_INNER = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])")
_SPACE = re.compile(r"\s+")
_CONTRACTIONS = (
    (re.compile(r"\b(wo)n't\b", re.IGNORECASE), "will not"),
    (re.compile(r"\b(sha)n't\b", re.IGNORECASE), "shall not"),
    (re.compile(r"\b(ca)n(?:'t|not)\b", re.IGNORECASE), r"\1n not"),
    (re.compile(r"(?<=\w)n't\b", re.IGNORECASE), " not"),
    (re.compile(r"\bper cent\b", re.IGNORECASE), "percent"),
)
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0dff\u0e00-\u0eff"
_LETTER = rf"(?:[^\W_]|[{_MARKS}])"
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"  # scripts without spaces: a word a character
    r"|(?<![\w)])-(?=[$€£¥]?\d)"  # a minus sign
    r"|\d+(?:[.,:/-]\d+)+"
    rf"|(?:(?![\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]){_LETTER})+"
    rf"(?:['&](?=[^\W_]){_LETTER}+)*"
    r"|[%$€£¥§°<>≤≥=±+]"
)
_SHORTEST_STEMMED = 3
_POSSESSIVE = re.compile(r"'s?$")

# What says nothing by itself. Negation, modality and bounds are not here: they carry meaning.
STOP_WORDS = frozenset(
    """a an the and or but if then than that this these those there here he she it they we you i
    him her his hers its their theirs them us our ours your yours me my mine who whom whose
    which what when where why how is are was were be been being am do does did doing done have
    has had having of in on at by for with from to into onto as about over under between among
    through during again further so such too very just also both each other another own same
    some any would could should will shall can may might must ought up down out off per via upon
    while because until against s t d ll re ve m said says say according one two's himself
    herself itself themselves whether however although though since within across along around
    later still yet became become becomes""".split()  # noqa: SIM905 - a wall of quotation marks helps nobody
)
FILLERS = frozenset(("a", "an", "the", "such", "said"))
"""Words that may come and go in a quote."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a plain text: where it stands, casefolded, and its stem."""

    start: int
    end: int
    key: str
    stem: str

    @property
    def content(self) -> bool:
        """Whether the word says something by itself."""
        return self.key not in STOP_WORDS


def plain(text: str) -> str:
    """Return the text on one line, with layout, ligatures and contractions undone."""
    text = unicodedata.normalize("NFKC", _SOFT.sub("", text)).translate(_QUOTES)
    text = _INNER.sub("", _LINE_END.sub("-", text))
    for pattern, written in _CONTRACTIONS:
        text = pattern.sub(written, text)
    return _SPACE.sub(" ", text).strip()


@lru_cache(maxsize=100_000)
def stem(key: str) -> str:
    """Return the stem of a casefolded word; numbers and codes stay as they are."""
    if not key.isalpha() or len(key) < _SHORTEST_STEMMED:
        return key
    with _STEMMER_LOCK:
        return str(_STEMMER.stemWord(key))


def words(text: str) -> list[Word]:
    """Return the words of a plain text, in order."""
    found = []
    for match in _WORD.finditer(text):
        key = _POSSESSIVE.sub("", match.group().casefold())
        if key:
            found.append(Word(match.start(), match.end(), key, stem(key)))
    return found
