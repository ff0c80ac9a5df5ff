"""Keyword search: which passages have the question's words, and how well they cover them.

The index (FTS5) gives candidates; how well a passage covers the question is then reckoned here, by
BM25 over the terms of :mod:`rag.text.terms` divided by what a passage with every word, often,
could reach. So a score is 0..1, means the same in a lease of ten passages and in an archive of
fifty thousand, and can be added to a cosine. Knows no vectors.

Surprising: the words that a question names documents by do not count in those documents, for
routing has had them, but they do in the others. BM25: Robertson and Zaragoza (2009), "The
Probabilistic Relevance Framework".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.search.routing import Route
from rag.specialists import Keywords
from rag.store.fulltext import quote
from rag.store.passages import Passages
from rag.text.terms import content_terms, terms
from rag.types import Query, Scope


@dataclass(frozen=True, slots=True)
class Words:
    """A question's terms: what each weighs (its rarity times its weight), and which find."""

    weights: Mapping[str, float]
    names: Mapping[str, frozenset[int]]
    rare: tuple[str, ...]
    ideal: float
    rules: Keywords

    def score(self, counts: Mapping[str, int], length: int, document_id: int) -> float:
        """Return how well a passage with these terms covers the question, 0..1."""
        found = 0.0
        k1, b = self.rules.k1, self.rules.b
        damping = k1 * (1 - b + b * length / self.rules.average_terms)
        for term, weight in self.weights.items():
            times = counts.get(term, 0)
            if times and document_id not in self.names.get(term, ()):
                found += weight * times * (k1 + 1) / (times + damping)
        return min(1.0, found / self.ideal) if self.ideal else 0.0

    def coverage(self, present: frozenset[str]) -> float:
        """Return which share of the question's weight is of terms that are ``present``, 0..1."""
        counted = {t: weight for t, weight in self.weights.items() if t not in self.names}
        total = sum(counted.values())
        return sum(w for t, w in counted.items() if t in present) / total if total else 0.0


def words(passages: Passages, query: Query, route: Route, rules: Keywords) -> Words:
    """Weigh the terms of a question by their rarity in its workspace."""
    asked = dict.fromkeys(content_terms(query.text), 1.0)
    left = {term: weight for term, weight in asked.items() if term not in route.said}
    if left.keys() - route.names.keys():
        asked = left
    for term, weight in query.terms.items():
        asked[term] = asked.get(term, 0.0) + weight
    size = passages.passage_count(query.scope.workspace_id)
    known = passages.term_counts(asked, query.scope.workspace_id)
    least = rules.least_rarity
    weights = {term: weight * _rarity(known[term], size, least) for term, weight in asked.items()}
    names = {term: found for term, found in route.names.items() if term in weights}
    if not weights.keys() - names.keys():
        names = {}
    ideal = (rules.k1 + 1) * sum(weight for term, weight in weights.items() if term not in names)
    common = rules.common * size if size >= rules.large else size
    rare = [term for term in weights if known[term] <= common]
    return Words(weights, names, tuple(rare or weights), ideal, rules)


def search(passages: Passages, wanted: Words, scope: Scope, limit: int) -> list[tuple[int, float]]:
    """Return passages of the scope that have one of the terms, with FTS5's score, best first."""
    return passages.match(" OR ".join(quote(term) for term in wanted.rare), scope, limit)


@lru_cache(maxsize=20_000)
def counted(text: str) -> tuple[Counter[str], int]:
    """Return how often each term stands in a text, and how many terms it has."""
    found = terms(text)
    return Counter(found), len(found)


def _rarity(count: int, size: int, least: float) -> float:
    """Return BM25's idf; where that is next to nothing or negative, a little all the same."""
    odds = (max(size, count) - count + 0.5) / (count + 0.5)
    return max(math.log(odds), least * math.log(1 + odds))


def present(texts: Sequence[str]) -> frozenset[str]:
    """Return every term of the texts."""
    return frozenset(term for text in texts for term in counted(text)[0])
