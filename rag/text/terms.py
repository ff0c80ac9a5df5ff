"""Text to terms: the words that keyword search, routing and checking compare.

A term is a casefolded, stemmed word, or a number, reference or amount kept whole: ``4.3.1``,
``ax-12``, ``12(b)``, ``$1,200.50``. What is commonly written in more than one way gives several
terms: ``$1,200.50`` also gives ``1200.50``, ``ax-12`` also ``ax`` and ``12``, ``long-term`` gives
``long``, ``term`` and ``longterm`` (which is also what the two halves at a line's end give).
Scripts written without spaces (Chinese, Japanese, Thai) give overlapping pairs of characters.

This module knows nothing of queries, indexes or documents. Surprising: the order of the text is
kept, but there are more terms than words, and nothing maps a term back to its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from threading import Lock

import snowballstemmer

LONGEST = 64
"""Characters of a word that count; what is longer is no word and must not cost time."""

STOP_WORDS = frozenset(
    """a about above after again against all also although am among an and any anybody anyone
    anything are aren't around as at be because been before being below between both but by can
    can't cannot could couldn't did didn't do does doesn't doing don't done down during each either
    else etc ever every everyone everything few for from further get gets give given gives go goes
    had hadn't has hasn't have haven't having he her here hers herself him himself his how however
    i i'd i'll i'm i've if in into is isn't it it's its itself just let let's like made make makes
    many may me might mine more most much must my myself neither no nor not of off often on once one
    only or other others otherwise ought our ours ourselves out over own per perhaps please rather
    said same say says shall shan't she should shouldn't since so some somebody someone something
    such tell than that that's the their theirs them themselves then there there's thereby therein
    thereof these they this those though through thus to together too toward towards under until up
    upon us very was wasn't we well were weren't what what's whatever when whenever where whereas
    whereby wherever whether which while who who's whoever whom whose why will with within without
    won't would wouldn't yes yet you your yours yourself yourselves""".split()  # noqa: SIM905 - two hundred quotation marks help nobody
)
"""Raw casefolded words that say nothing about what a text is about."""

_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0dff\u0e00-\u0eff"
_LETTER = rf"(?:[^\W_]|[{_MARKS}])"
_WORD = re.compile(
    r"[$€£¥]?\d+(?:[.,]\d+)+(?![^\W_])%?"  # amounts, decimals, 4.3.1
    rf"|[$€£¥]?[^\W_]{_LETTER}*(?:['&.\-](?:(?<!\.){_LETTER}+|(?<=\.){_LETTER}(?!{_LETTER})))*"
    r"(?:(?<=[0-9)])\([a-z0-9]{1,4}\))*%?"
)
_UNSPACED = re.compile("[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_BROKEN = re.compile(r"(?<=[^\W\d_])[\-\u2010][ \t]*\r?\n[ \t]*(?=[^\W\d_A-Z])")
_SOFT = re.compile("[\u00ad\u0002\ufffe][ \t]*(?:\r?\n[ \t]*)?")
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u2010": "-"})
_ACCENTS = re.compile("[\u0300-\u036f]")

_stemmer = snowballstemmer.stemmer("english")
_stemmer_lock = Lock()  # the stemmer keeps the word it works on in itself


def terms(text: str) -> list[str]:
    """Return every term of ``text`` in order."""
    return [term for word in _words(text) for term in _terms_of(word)]


def content_terms(text: str) -> list[str]:
    """Return the terms of ``text`` in order, those of stop words left out."""
    return [term for word in _words(text) if word not in STOP_WORDS for term in _terms_of(word)]


def _words(text: str) -> list[str]:
    """Return the raw casefolded words of ``text``, hyphens at line ends and ligatures mended."""
    text = _SOFT.sub("", text)
    text = _BROKEN.sub("", text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    words = _WORD.findall(text.casefold())
    if max(map(len, words), default=0) <= LONGEST:
        return words
    return [piece for word in words for piece in _shortened(word)]


def _shortened(word: str) -> list[str]:
    """Return a word cut at its limit; what is written without spaces loses nothing by it."""
    if len(word) > LONGEST and not word.isascii() and _UNSPACED.search(word):
        return [word[at : at + LONGEST] for at in range(0, len(word), LONGEST - 1)]
    return [word[:LONGEST]]


@lru_cache(maxsize=200_000)
def _terms_of(word: str) -> tuple[str, ...]:
    if not word.isascii():
        word = _without_accents(word)
        if _UNSPACED.search(word):
            return tuple(_pairs(word))
    if word.isalpha() and word.isascii():
        return (_stem(word),)
    if any(character.isdigit() for character in word):
        return _reference(word)
    return _compound(word)


def _without_accents(word: str) -> str:
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", word)))


def _reference(word: str) -> tuple[str, ...]:
    """Return a word with digits whole, then its amount without signs or its parts."""
    plain = word.strip("$€£¥%").replace(",", "")
    found = [word, plain]
    found += [part for part in re.split(r"[-'&()]+", plain) if part] if "." not in plain else []
    return tuple(dict.fromkeys(found))


def _compound(word: str) -> tuple[str, ...]:
    """Return the parts of ``long-term`` or ``r&d`` and the whole; ``tenant's`` is stemmed."""
    word = word.strip("$€£¥%")
    if "-" in word or "&" in word:
        parts = [part for part in re.split(r"[-&]+", word) if part]
        return tuple(dict.fromkeys([*map(_stem, parts), _stem(word.replace("-", ""))]))
    return (word,) if "." in word else (_stem(word),)


def _stem(word: str) -> str:
    if not word.isascii():
        return word
    with _stemmer_lock:
        return str(_stemmer.stemWord(word))


def _pairs(word: str) -> Iterator[str]:
    """Yield pairs of neighbouring characters of unspaced scripts, and other pieces whole."""
    end = 0
    for match in _UNSPACED.finditer(word):
        if match.start() > end:
            yield word[end : match.start()]
        run = match.group()
        if len(run) == 1:
            yield run
        yield from (run[at : at + 2] for at in range(len(run) - 1))
        end = match.end()
    if end < len(word):
        yield word[end:]
