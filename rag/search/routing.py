"""Which documents a question means, by what each says of itself: document routing.

A document is known by its file's name, its title, the names on its first page and its period.
A question that says "Apple's second quarter of 2023" or "the 2019 lease" should look there first.
Nothing is listed in advance: a word is a name if it stands in the name of few documents, or on
the first page of few and hardly anywhere in the others. The result is a prior per document, 0..1,
empty when the question names nothing. Pure but for ``counts``, which asks the keyword index.

Surprising: a word that every document has on it names none; and "latest" means the newest among
the documents that are named, so that it does nothing when none is.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from rag.search.periods import Periods, periods
from rag.specialists import Routing
from rag.text.terms import STOP_WORDS, content_terms

Counts = Callable[[str], Mapping[int, int]]
"""From a term to the number of passages that have it, by document."""

_Weights = dict[str, dict[int, float]]

_TIMES = re.compile(
    r"(?:19|20)\d\d|(?:fy|cy)'?\d*|q[1-4]|[1-4]q\d*|quarter|quarterli|year|annual|fiscal|month"
    r"|latest|newest|recent|current|last|oldest|earliest|first|second|third|fourth|[1-4](?:st|nd|rd|th)"
)
_CAPITALS = re.compile(r"(?<=[^\s.?!:]\s)[\"'(“‘]?([A-Z][\w&'’.\-]*)")
_WHOLE = re.compile(r"[^\W_]+(?:['’&.\-][^\W_]+)*")
_PIECES = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LETTERS = re.compile(r"[^\W\d_]{3,}")


class Profile(Protocol):
    """What a document says of itself, as the store gives it."""

    @property
    def document_id(self) -> int:
        """Its number."""

    @property
    def name(self) -> str:
        """Its file's name, with folders."""

    @property
    def title(self) -> str:
        """Its title, empty if it has none."""

    @property
    def first_text(self) -> str:
        """Its beginning."""


@dataclass(frozen=True, slots=True)
class Route:
    """What a question means.

    ``priors`` are 0..1 by document. ``names`` are the terms of the question that name documents,
    with those they name, and ``said`` the terms that say when, or of what kind all documents are:
    both have said what they had to say by routing. ``meant`` are the documents meant above all, the
    surest first, and ``groups`` the disjoint sets of documents that the question compares.
    """

    priors: Mapping[int, float] = field(default_factory=dict)
    names: Mapping[str, frozenset[int]] = field(default_factory=dict)
    said: frozenset[str] = frozenset()
    meant: tuple[int, ...] = ()
    groups: tuple[frozenset[int], ...] = ()

    def left_of(self, question: str, least: int) -> str:
        """Return the question without what routing has had: what to look for in the documents.

        It stays whole when documents are compared, for then a name may be what is looked for in
        the other document, and when fewer than ``least`` terms would be left.
        """
        if self.groups or not self.names:
            return question
        had = self.names.keys() | self.said
        kept = [word for word in question.split() if not _all_in(content_terms(word), had)]
        left = " ".join(kept)
        return left if len(content_terms(left)) >= least else question


class Directory:
    """The documents of one scope by what they say of themselves; made once per state of them."""

    def __init__(self, profiles: Iterable[Profile], rules: Routing) -> None:
        self.rules = rules
        self.names: dict[str, set[int]] = defaultdict(set)
        self.first: dict[str, set[int]] = defaultdict(set)
        self.when: dict[int, Periods] = {}
        self.dated: dict[int, tuple[int, int, int]] = {}
        told: Counter[str] = Counter()
        for profile in profiles:
            told.update(self._add(profile))
        self.size = len(self.when)
        many = rules.kind_share * self.size
        self.kind = frozenset(term for term, count in told.items() if count >= many)

    def _add(self, profile: Profile) -> set[str]:
        """Take a document in; return the words that may say of what kind it is."""
        number = profile.document_id
        stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", profile.name)
        first = profile.first_text[: self.rules.first_page]
        for word in {*name_terms(stem), *_joined(profile.title)}:
            self.names[word].add(number)
        for word in content_terms(f"{profile.title}\n{first}"):
            self.first[word].add(number)
        when, on_page = periods(" ".join(_PIECES.findall(stem))), periods(first)
        if not when.years:
            when = periods(profile.title)
        if not when.years and on_page.dates:
            year, month, _ = on_page.dates[0]
            when = Periods(
                frozenset({year}),
                when.quarters,
                frozenset({month}),
                on_page.dates[:1],
                False,
                False,
            )
        self.when[number] = when
        self.dated[number] = _date(when, on_page)
        beginning = content_terms(first[: self.rules.kind_characters])
        return {*name_terms(stem), *name_terms(profile.title), *beginning}


def name_terms(name: str) -> set[str]:
    """Return the words of a file's name or a title, alone and joined with the next."""
    found: set[str] = set()
    for part in _PIECES.findall(name):
        pieces = _CAMEL.sub(" ", part)
        for form in (part, pieces, *_LETTERS.findall(part)):
            found.update(word for word in content_terms(form) if len(word) > 1)
    found.update(_joined(" ".join(_PIECES.findall(name))))
    return found


def route(question: str, directory: Directory, counts: Counts) -> Route:
    """Return which documents ``question`` means, and which of them it sets side by side."""
    if directory.size <= 1:
        return Route()
    rules = directory.rules
    asked = periods(question)
    times = frozenset(filter(_is_time, content_terms(question))) if asked else frozenset()
    weights = _names(question, directory, counts)
    scores: dict[int, float] = defaultdict(float)
    for found in weights.values():
        for number, weight in found.items():
            scores[number] += weight
    if not scores:
        return _by_period_only(asked, times, question, directory)
    best = max(scores.values())
    sure = min(1.0, best / rules.sure)
    priors = {number: sure * score / best for number, score in scores.items()}
    if asked:
        near = {number for number, prior in priors.items() if prior >= rules.near * sure}
        fits = _fits(asked, directory, near)
        for number in priors:
            priors[number] *= 1 - rules.period_share * (1 - fits.get(number, 0.0))
    spoken = _spoken(question)
    names = {
        word: frozenset(found)
        for word, found in weights.items()
        if word in spoken or word in directory.names
    }
    groups = _groups(names, priors, rules.near)
    return Route(priors, names, times | directory.kind, _meant(priors, rules.near), groups)


def _meant(priors: Mapping[int, float], near: float) -> tuple[int, ...]:
    """Return the documents with nearly the best prior, the surest first."""
    best = max(priors.values(), default=0.0)
    meant = [number for number, prior in priors.items() if prior >= near * best > 0]
    return tuple(sorted(meant, key=lambda number: (-priors[number], number)))


def _names(question: str, directory: Directory, counts: Counts) -> _Weights:
    """Return what each word of the question weighs as a name of which documents.

    A word of a file's name, or two joined, weighs by its rarity, and half of that hangs on its
    keeping to those documents. A word of a title or a first page must keep to them, and weighs
    little unless the question writes it like a name, with a capital.
    """
    words = list(filter(_may_name, content_terms(question)))
    rules, spoken, dated = directory.rules, _spoken(question), bool(periods(question))
    found: _Weights = {}
    for word in dict.fromkeys([*words, *_joined(question, directory.kind)]):
        numbers = directory.names.get(word, set())
        rarity = _rarity(len(numbers), directory.size)
        if rarity:
            likeness = _likeness(numbers, counts(word), directory.size)
            said = 1.0 if word in spoken or dated else rules.common_noun
            found[word] = dict.fromkeys(numbers, said * rarity * (0.5 + 0.5 * likeness))
    for word in dict.fromkeys(words):
        numbers = set() if word in directory.kind else directory.first.get(word, set())
        rarity = _rarity(len(numbers), directory.size)
        likeness = _likeness(numbers, counts(word), directory.size) if rarity else 0.0
        weight = rarity * likeness * (1.0 if word in spoken else rules.unspoken)
        if likeness >= rules.likeness:
            known = found.setdefault(word, {})
            known.update({number: max(known.get(number, 0.0), weight) for number in numbers})
    return found


def _all_in(found: Collection[str], known: Collection[str]) -> bool:
    return bool(found) and all(term in known for term in found)


def _spoken(question: str) -> set[str]:
    """Return the terms that a question writes with a capital though no sentence begins there."""
    return {term for word in _CAPITALS.findall(question) for term in content_terms(word)}


def _joined(text: str, kind: frozenset[str] = frozenset()) -> list[str]:
    """Return each two neighbouring words as one: file names often leave out the space."""
    words = [word for word in _WHOLE.findall(text.casefold()) if word not in STOP_WORDS]
    found = []
    for one, other in pairwise(words):
        if not any(_is_time(word) or word in kind for word in (one, other)):
            found += content_terms(re.sub(r"\W", "", one + other))[:1]
    return found


def _may_name(word: str) -> bool:
    """A number alone names nothing: the 10 of a "10-Q" is not that of a date in a title."""
    return len(word) > 1 and not word.isdigit() and not _is_time(word)


def _rarity(count: int, size: int) -> float:
    """Return 1 for a word of one document, 0 for one of all or none, by logarithm between."""
    return math.log(size / count) / math.log(size) if 0 < count < size else 0.0


def _likeness(numbers: set[int], by_document: Mapping[int, int], size: int) -> float:
    """Return how far a word keeps to the documents that have it on their first page, 0..1."""
    total = sum(by_document.values())
    if not total:  # a file's name for something, which no text uses: nothing speaks against it
        return 1.0
    share = sum(by_document.get(number, 0) for number in numbers) / total
    chance = len(numbers) / size
    return max(0.0, (share - chance) / (1 - chance))


def _is_time(word: str) -> bool:
    return bool(_TIMES.fullmatch(word))


def _fits(asked: Periods, directory: Directory, named: set[int]) -> dict[int, float]:
    """Return how well each document's period fits the question's, 0..1."""
    if asked.years or asked.quarters or asked.months:
        return {number: _fit(asked, when) for number, when in directory.when.items()}
    dates = [directory.dated[number] for number in named if directory.dated[number][0]]
    if not dates:
        return dict.fromkeys(named, 1.0)
    wanted = min(dates) if asked.oldest else max(dates)
    return {number: float(directory.dated[number] == wanted) for number in named}


def _fit(asked: Periods, when: Periods) -> float:
    parts = []
    if asked.years:
        latest = max(asked.years)
        if latest in when.years:
            parts.append(1.0)
        elif asked.years & when.years:
            parts.append(0.6)
        else:
            parts.append(0.25 if any(year - 1 == latest for year in when.years) else 0.0)
    if asked.quarters and when.quarters:
        parts.append(float(bool(asked.quarters & when.quarters)))
    elif asked.quarters:
        by_month = {(month + 2) // 3 for month in when.months}
        parts.append(0.7 if asked.quarters & by_month else 0.3)
    elif asked.months:
        parts.append(float(bool(asked.months & when.months)))
    if not parts:
        return 0.0
    return math.prod(parts) * 0.7 + sum(parts) / len(parts) * 0.3


def _by_period_only(
    asked: Periods, times: frozenset[str], question: str, directory: Directory
) -> Route:
    """Return the documents of a period that a question names without any other name.

    "The latest lease" means one of all documents when all of them are leases.
    """
    if asked.years or asked.quarters or asked.months:
        near = directory.rules.near
        fits = {n: fit for n, when in directory.when.items() if (fit := _fit(asked, when)) >= near}
    elif asked and directory.kind & set(content_terms(question)):
        fits = {n: fit for n, fit in _fits(asked, directory, set(directory.when)).items() if fit}
    else:
        return Route()
    rarity = _rarity(len(fits), directory.size)
    priors = {number: fit * rarity for number, fit in fits.items() if rarity}
    return Route(priors, said=times, meant=_meant(priors, directory.rules.near))


def _groups(
    names: Mapping[str, frozenset[int]], priors: Mapping[int, float], near: float
) -> tuple[frozenset[int], ...]:
    """Return the disjoint sets of documents that different words of the question name."""
    best = max(priors.values(), default=0.0)
    groups: list[set[int]] = []
    for found in names.values():
        meant = {number for number in found if priors[number] >= near * best}
        if not meant:
            continue
        touching = [group for group in groups if group & meant]
        groups = [group for group in groups if not group & meant]
        groups.append(meant.union(*touching))
    return tuple(frozenset(group) for group in groups) if len(groups) > 1 else ()


def _date(when: Periods, on_page: Periods) -> tuple[int, int, int]:
    """Return (year, month or last month of the quarter, day) of a document, 0 where not known."""
    if when.dates:
        return max(when.dates)
    if when.years:
        quarter = max(when.quarters, default=0)
        return max(when.years), 3 * quarter or max(when.months, default=0), 0
    return on_page.dates[0] if on_page.dates else (0, 0, 0)
