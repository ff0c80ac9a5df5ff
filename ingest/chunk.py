"""Pages to passages: the spans that are embedded and found. Pure; knows no file and no model.

A passage is about ``recipe.passages.characters`` long and is cut where a reader would cut: before
a heading, between clauses, between sentences; inside a sentence only where it is too long by
itself, then at a semicolon, a comma, a space, in this order. Never is a passage longer than what
the embedder reads, counted in the embedder's own tokens, because what is beyond its limit it drops
without a word.

Offsets are never searched for, they are what is cut with: ``page.text[start:end] ==
passage.text``, and every character that is not white space lies in exactly one passage, however
often a line repeats itself.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence

from rag.models.tokens import Tokens
from rag.specialists import IndexRecipe
from rag.text.sentences import is_item, sentences
from rag.types import Page, Passage

_STRETCH = 1.2
_ENOUGH = 0.6
_LITTLE = 0.3
_REST = 0.25
_HEADING_CHARACTERS = 120
_HEADING_SHARE = 4
_SPACES = " \n\t\xa0"
"""What parts words for every embedder; other white space, some drop and join what it parted."""

_CUTS = (
    re.compile(r"[;:]\s|\s(?=\((?:[a-z]{1,3}|[ivx]{1,5}|\d{1,2})\)\s)"),
    re.compile(r",\s"),
    re.compile(r"\s"),
)


def passages(pages: Sequence[Page], tokens: Tokens, recipe: IndexRecipe) -> list[Passage]:
    """Cut pages into passages, in order.

    Args:
        pages: the pages of one document, in order; a heading holds until the next one, also
            across pages.
        tokens: the embedder's tokens and how many it reads; asked once a page.
        recipe: how long a passage is to be, and how long a heading that is embedded with it.
    """
    found: list[Passage] = []
    heading = ""
    cutter = _Cutter(tokens, recipe)
    for page in pages:
        marks = [span for span in page.headings if page.text[span[0] : span[1]].strip()]
        for start, end in cutter.spans(page.text, marks, heading):
            above = _heading_at(page.text, marks, start, heading)
            text = page.text[start:end]
            found.append(Passage(page.number, start, end, text, cutter.shortened(above)))
        if marks:
            heading = page.text[slice(*marks[-1])].strip()
    return found


def _heading_at(text: str, marks: list[tuple[int, int]], start: int, before: str) -> str:
    """Return the nearest heading that ends above ``start``; ``before`` where this page has none.

    A passage that begins with a heading says it itself and needs none.
    """
    if any(mark[0] == start for mark in marks):
        return ""
    index = bisect_right(marks, (start, start)) - 1
    while index >= 0 and marks[index][1] > start:
        index -= 1
    return text[slice(*marks[index])].strip() if index >= 0 else before


class _Cutter:
    """Cuts one page's text; holds what is the same for all pages."""

    def __init__(self, tokens: Tokens, recipe: IndexRecipe) -> None:
        self._tokens = tokens
        self._aim = max(1, recipe.passages.characters)
        self._heading_characters = recipe.passages.heading_characters
        self._limit = max(1, tokens.limit)
        self._shortened: dict[str, tuple[str, int]] = {"": ("", 0)}

    def shortened(self, heading: str) -> str:
        """Return a heading as it is embedded: no longer than leaves room for the passage."""
        return self._heading(heading)[0]

    def _heading(self, heading: str) -> tuple[str, int]:
        """Return a heading, shortened, and its tokens."""
        if heading not in self._shortened:
            most = self._limit // _HEADING_SHARE
            spans = self._tokens.spans(heading[:_HEADING_CHARACTERS])[:most]
            text = heading[: spans[-1][1]].strip() if spans else ""
            self._shortened[heading] = (text, len(self._tokens.spans(text)))
        return self._shortened[heading]

    def spans(
        self, text: str, marks: list[tuple[int, int]], before: str
    ) -> Iterator[tuple[int, int]]:
        """Return the spans of the passages of one page."""
        starts = [start for start, _ in self._tokens.spans(text)]
        room = self._limit
        names = [before, *(text[start:end].strip() for start, end in marks)]
        embedded = [self._heading(name) for name in names]
        room -= max(
            (count for head, count in embedded if len(head) <= self._heading_characters), default=0
        )
        units = list(self._units(text, marks, starts, room))
        return self._packed(text, units, starts, room)

    def _units(
        self, text: str, marks: list[tuple[int, int]], starts: list[int], room: int
    ) -> Iterator[tuple[int, int, bool]]:
        """Return the pieces that are never cut: spans, and whether a heading begins there."""
        heads = {start for start, _ in marks}
        edges = sorted({edge for span in marks for edge in span})
        for start, end in sentences(text):
            inner = edges[bisect_right(edges, start) : bisect_left(edges, end)]
            for begin, stop in zip([start, *inner], [*inner, end], strict=True):
                for piece in self._pieces(text, *_trimmed(text, begin, stop), starts, room):
                    yield (*piece, begin in heads)

    def _pieces(
        self, text: str, start: int, end: int, starts: list[int], room: int
    ) -> Iterator[tuple[int, int]]:
        """Cut a sentence that is too long; one that is not comes back whole."""
        while start < end:
            stop = end
            if end - start > self._aim * _STRETCH:
                stop = self._best_cut(text, start, end)
            while stop - start > 1 and not self._fits(text, start, stop, starts, room):
                stop = self._shorter(text, start, stop, starts, room)
            begin, finish = _trimmed(text, start, stop)
            if begin < finish:
                yield begin, finish
            start = _trimmed(text, stop, end)[0]

    def _fits(self, text: str, start: int, end: int, starts: list[int], room: int) -> bool:
        """Say whether a span, embedded by itself, has no more tokens than there is room.

        Mostly the page's tokens tell. But a word cut in two can have more tokens than it had in
        one piece, so what begins or ends inside a word is counted again by itself.
        """
        if _count(starts, start, end) > room:
            return False
        if end - start <= room and text.isascii():
            return True  # a token has one character at least
        begins_inside = start > 0 and text[start - 1] not in _SPACES
        ends_inside = end < len(text) and text[end] not in _SPACES
        if not begins_inside and not ends_inside:
            return True
        return len(self._tokens.spans(text[start:end])) <= room

    def _shorter(self, text: str, start: int, stop: int, starts: list[int], room: int) -> int:
        """Return an earlier end for a span with too many tokens, at a space if there is one."""
        index = bisect_left(starts, start) + room - _inside(starts, start)
        limit = starts[index] if index < len(starts) else stop
        limit = max(start + 1, min(limit, start + (stop - start) * 4 // 5))
        low = start + (limit - start) // 2
        last = _last_match(_CUTS[-1], text, low, limit)
        return limit if last is None or last.start() <= start else last.start()

    def _best_cut(self, text: str, start: int, end: int) -> int:
        """Return where a long sentence is best cut: never later than a little above the aim."""
        low = start + int(self._aim * _ENOUGH)
        high = min(end, start + int(self._aim * _STRETCH))
        for pattern in _CUTS:
            last = _last_match(pattern, text, low, high)
            if last is not None:
                return last.end()
        return max(high, start + 1)

    def _packed(
        self, text: str, units: list[tuple[int, int, bool]], starts: list[int], room: int
    ) -> Iterator[tuple[int, int]]:
        """Gather pieces into passages of about the length aimed at."""
        ready: tuple[int, int] | None = None
        current: tuple[int, int] | None = None
        only_heading = False
        for start, end, is_head in units:
            if current is None:
                current, only_heading = (start, end), is_head
                continue
            joined = (current[0], end)
            length = current[1] - current[0]
            grown = end - current[0]
            full = grown > self._aim * (_STRETCH + only_heading * _LITTLE) or (
                grown > self._aim and length >= self._aim * _ENOUGH
            )
            better = not only_heading and (
                (is_head and length >= self._aim * _LITTLE)
                or (length >= self._aim * _ENOUGH and is_item(text[start : start + 24]))
            )
            if full or better or not self._fits(text, *joined, starts, room):
                if ready:
                    yield ready
                ready, current, only_heading = current, (start, end), is_head
            else:
                current, only_heading = joined, only_heading and is_head
        yield from self._last(text, ready, current, starts, room)

    def _last(
        self,
        text: str,
        ready: tuple[int, int] | None,
        current: tuple[int, int] | None,
        starts: list[int],
        room: int,
    ) -> Iterator[tuple[int, int]]:
        """Return the last two passages of a page, as one where the last is but a rest."""
        if ready and current and current[1] - current[0] < self._aim * _REST:
            joined = (ready[0], current[1])
            short = joined[1] - joined[0] <= self._aim * (_STRETCH + _REST)
            if short and self._fits(text, *joined, starts, room):
                yield joined
                return
        if ready:
            yield ready
        if current:
            yield current


def _last_match(pattern: re.Pattern[str], text: str, start: int, end: int) -> re.Match[str] | None:
    last = deque(pattern.finditer(text, start, end), maxlen=1)
    return last.pop() if last else None


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _count(starts: list[int], start: int, end: int) -> int:
    """Return how many tokens have a part in a span: those that begin there, and one begun before."""
    return bisect_left(starts, end) - bisect_left(starts, start) + _inside(starts, start)


def _inside(starts: list[int], start: int) -> int:
    """Return 1 where a token that began earlier may reach into ``start``, else 0."""
    index = bisect_left(starts, start)
    return 1 if index and not (index < len(starts) and starts[index] == start) else 0
