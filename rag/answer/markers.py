"""Citation markers in a model's text: ``[3]``, ``[1, 4]``, ``[1][2]``, ``[1-3]``, ``【1】``.

Also ``(source 2)`` and ``(sources 1 and 3)``, but never a bare ``(2)``, which is a clause. A number
that was not shown to the model cites nothing: it is reported, so that the page can say so.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import NamedTuple

WIDEST_RANGE = 20
"""``[1-400]`` is no citation: of a wider range only the two ends count."""

_LIST = r"\d{1,4}(?:\s*(?:,|;|and|&|[-\u2013\u2014])\s*\d{1,4})*"
_WORD = r"(?:sources?|sentences?|lines?|passages?)"
_MARKER = re.compile(
    rf"\s*(?:\[\s*(?:{_WORD}\s*)?(?P<square>{_LIST})\s*\]"
    rf"|【\s*(?:{_WORD}\s*)?(?P<wide>{_LIST})\s*(?:†[^】]{{0,40}})?】"
    rf"|\(\s*{_WORD}\s+(?P<round>{_LIST})\s*\))",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(\d+)(?:\s*[-\u2013\u2014]\s*(\d+))?")


class Marked(NamedTuple):
    """A text without its markers, the numbers it cites in order, and those never shown."""

    text: str
    numbers: tuple[int, ...]
    unknown: tuple[int, ...]


def split_markers(text: str, known: Container[int] | None = None) -> Marked:
    """Take the citation markers out of a text.

    Args:
        text: one or more sentences as the model wrote them.
        known: the numbers the model was shown; None takes every number for known.
    """
    cited: list[int] = []
    for match in _MARKER.finditer(text):
        cited.extend(_numbers(match["square"] or match["wide"] or match["round"]))
    found = tuple(dict.fromkeys(cited))
    clean = _MARKER.sub("", text).strip() if found else text.strip()
    if known is None:
        return Marked(clean, found, ())
    return Marked(
        clean,
        tuple(number for number in found if number in known),
        tuple(number for number in found if number not in known),
    )


def _numbers(listed: str) -> Iterator[int]:
    for first, last in _NUMBER.findall(listed):
        start, end = int(first), int(last or first)
        if start <= end <= start + WIDEST_RANGE:
            yield from range(start, end + 1)
        else:
            yield from (start, end)
