"""From scored passages to hits: neighbours help each other, join, and nothing is said twice.

Pure: no store, no model. A passage's neighbours are the ones beside it on the same page, whose ids
are next to its own. Surprising: a hit of several passages stands where the best of them stood, and
its text is a slice of the page, so what lies between them (white space) is part of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rag.types import StoredPassage


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that may be a hit: its cosine (None without a vector), its keywords' 0..1."""

    stored: StoredPassage
    cosine: float | None
    keyword: float
    prior: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """Passages of one page next to each other, in reading order, that make one hit."""

    parts: tuple[StoredPassage, ...]
    score: float

    @property
    def first(self) -> StoredPassage:
        """The passage it begins with."""
        return self.parts[0]

    @property
    def end(self) -> int:
        """Where it ends on its page."""
        return self.parts[-1].passage.end


def own_scores(
    candidates: Iterable[Candidate], dense_weight: float, keyword_weight: float
) -> dict[int, float]:
    """Return each passage's own score by id: weighted cosine and keywords.

    A passage whose vector is not there yet gets the mean cosine of the others.
    """
    some = list(candidates)
    cosines = [candidate.cosine for candidate in some if candidate.cosine is not None]
    usual = sum(cosines) / len(cosines) if cosines else 0.0
    return {
        candidate.stored.id: dense_weight
        * (usual if candidate.cosine is None else candidate.cosine)
        + keyword_weight * candidate.keyword
        for candidate in some
    }


def with_neighbours(
    own: Mapping[int, float], stored: Mapping[int, StoredPassage], weight: float
) -> dict[int, float]:
    """Add to each score ``weight`` times the mean of its two neighbours' scores.

    Where there is no neighbour (the page's edge), the mean of all scores stands for it.
    """
    usual = sum(own.values()) / len(own) if own else 0.0

    def beside(number: int, other: int) -> float:
        return own[other] if other in own and _same_page(stored[number], stored[other]) else usual

    return {
        number: score + weight * (beside(number, number - 1) + beside(number, number + 1)) / 2
        for number, score in own.items()
    }


def without_repeats(
    ranked: Sequence[StoredPassage], groups: Sequence[frozenset[int]] = ()
) -> list[StoredPassage]:
    """Put a passage whose text stood higher already behind all others.

    A text that stands in two documents of different ``groups`` counts as two.
    """
    seen: set[tuple[str, int]] = set()
    fresh: list[StoredPassage] = []
    repeats: list[StoredPassage] = []
    for stored in ranked:
        key = (re.sub(r"\W+", " ", stored.passage.text).casefold().strip(), _group(stored, groups))
        (repeats if key in seen else fresh).append(stored)
        seen.add(key)
    return fresh + repeats


def shared(
    ranked: Sequence[StoredPassage], groups: Sequence[frozenset[int]]
) -> list[StoredPassage]:
    """Let the groups of documents that a question compares take turns, each in its own order."""
    if not groups:
        return list(ranked)
    taken: Counter[int] = Counter()
    turns = []
    for place, stored in enumerate(ranked):
        group = _group(stored, groups)
        turns.append((taken[group] if group >= 0 else place, place, stored))
        taken[group] += 1
    return [stored for _, _, stored in sorted(turns, key=lambda turn: turn[:2])]


def merged(
    ranked: Sequence[StoredPassage], scores: Mapping[int, float], characters: int, near: float
) -> list[Ranked]:
    """Join passages next to each other into one hit while it has at most ``characters``.

    A neighbour joins when its score is at least ``near`` times that of the best one of the hit.
    """
    place = {stored.id: stored for stored in ranked}
    used: set[int] = set()
    hits: list[Ranked] = []
    for stored in ranked:
        if stored.id in used:
            continue
        parts = [stored]
        least = near * scores[stored.id]
        while True:
            beside = [place.get(parts[-1].id + 1), place.get(parts[0].id - 1)]
            fitting = [
                other
                for other in beside
                if other is not None
                and other.id not in used
                and scores[other.id] >= least
                and _same_page(other, stored)
                and max(other.passage.end, parts[-1].passage.end)
                - min(other.passage.start, parts[0].passage.start)
                <= characters
            ]
            if not fitting:
                break
            best = max(fitting, key=lambda other: scores[other.id])
            parts = [*parts, best] if best.id > parts[-1].id else [best, *parts]
        used.update(part.id for part in parts)
        hits.append(Ranked(tuple(parts), scores[stored.id]))
    return hits


def with_open_places(
    hits: Sequence[Ranked], unrouted: Callable[[Ranked], float], every: int
) -> list[Ranked]:
    """Give each ``every``-th place to the best hit that was kept down by the documents named.

    A word may name a document and mean something else ("the lease of our own offices"), so what
    fits best whatever its document is called is always among the hits. ``unrouted`` is a hit's
    score without any prior; 0 leaves no place open.
    """
    if every <= 0:
        return list(hits)
    waiting = sorted(range(len(hits)), key=lambda place: (-unrouted(hits[place]), place))
    taken: set[int] = set()
    order: list[int] = []
    routed = iter(range(len(hits)))
    free = iter(waiting)
    while len(order) < len(hits):
        source = free if (len(order) + 1) % every == 0 else routed
        place = next((number for number in source if number not in taken), None)
        if place is not None:
            taken.add(place)
            order.append(place)
    return [hits[place] for place in order]


def _same_page(one: StoredPassage, other: StoredPassage) -> bool:
    return one.version_id == other.version_id and one.passage.page == other.passage.page


def _group(stored: StoredPassage, groups: Sequence[frozenset[int]]) -> int:
    for number, group in enumerate(groups):
        if stored.document_id in group:
            return number
    return -1
