"""Find a quote in a page's text whatever the layout did to it.

White space, line ends, hyphens, soft hyphens, ligatures, typographic quotation marks and case do
not count; every letter and digit does. The answer is a span of the page's own text, so that what
is shown is always the store's words. Linear in the length of the text.
"""

from __future__ import annotations

import unicodedata

_SAME = {
    "\u2018": "'",
    "\u2019": "'",
    "\u02bc": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u201e": '"',
    "\u2013": "",
    "\u2014": "",
}
_UNSPACED_SCRIPTS = "\u0e00"
"""From here on in Unicode come, roughly, the scripts written without spaces."""

_DROPPED = frozenset("-\u00ad\u2010\u2011\u2012\u2212\u200b\u200c\u200d\ufeff\u0002\ufffe")


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """Return ``(start, end)`` of the first place in ``text`` that reads like ``quote``, or None."""
    needle, _ = _folded(quote)
    haystack, offsets = _folded(text)
    at = haystack.find(needle) if needle else -1
    while at >= 0:
        start, end = offsets[at], offsets[at + len(needle) - 1] + 1
        if _on_edges(text, start, end):
            return start, end
        at = haystack.find(needle, at + 1)
    return None


def _folded(text: str) -> tuple[str, list[int]]:
    """Return the characters that count, and for each its offset in ``text``."""
    kept: list[str] = []
    offsets: list[int] = []
    for offset, character in enumerate(text):
        if character.isspace() or character in _DROPPED:
            continue
        if character.isascii():
            folded = character.lower()
        else:
            plain = unicodedata.normalize("NFKD", _SAME.get(character, character))
            folded = "".join(c for c in plain.casefold() if not c.isspace() and c not in _DROPPED)
        kept.append(folded)
        offsets.extend([offset] * len(folded))
    return "".join(kept), offsets


def _on_edges(text: str, start: int, end: int) -> bool:
    """Whether a span does not begin or end inside a word: "rent" is not in "apparent"."""
    left, right = text[max(0, start - 1) : start + 1], text[end - 1 : end + 1]
    return not (_within_word(left) or _within_word(right))


def _within_word(pair: str) -> bool:
    """Whether two neighbouring characters are of one word, in a script that spaces its words."""
    return len(pair) > 1 and all(c.isalnum() and c < _UNSPACED_SCRIPTS for c in pair)
