"""Search: from a question and a scope to the passages that answer it, and how sure we are.

The way of a question: routing says which documents are meant; the keyword index and the vectors
each give candidates, from the whole scope and from the documents meant; every candidate gets one
score; neighbours and repeats are seen to; the best become hits. Nothing leaves the scope: vectors
know no scope, so what they give is looked up in SQL, and more is asked for until enough is left.

The score of a passage, all its weights from the specialist's ``[retrieval]``:

    own   = dense_weight · cosine + keyword_weight · (BM25 / the most this question can reach)
    score = own + neighbour_weight · mean(own of both neighbours)
                + routing_weight · prior of its document + Query.priors

``candidates`` is how many passages each way of finding gives; ``passages`` how many hits an answer
is written from; ``merge_characters`` how long a hit of joined neighbours may be, and ``merge_near``
from which share of the best one's score a neighbour joins.

Surprising: a small scope (a contract, a few letters) is scored whole, with no candidates picked;
and without vectors, or when the embedder fails, keywords answer alone.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from rag.access import narrowed
from rag.errors import MunimentError
from rag.models.embed import Embedder
from rag.search import fuse, keywords
from rag.search.confidence import confidence
from rag.search.fuse import Candidate, Ranked
from rag.search.keywords import Words
from rag.search.routing import Directory, Route, route
from rag.search.vectors import VectorStore
from rag.specialists import Retrieval, Routing
from rag.store.passages import Passages
from rag.types import Found, Hit, Query, Scope, StoredPassage, Vector

WHOLE = 300
"""A scope with at most so many passages is scored whole."""

EXACT = 4000
"""A scope with at most so many passages is compared vector by vector, without Chroma."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question understood: where to look, its vector, its words."""

    query: Query
    route: Route
    vector: Vector | None
    words: Words

    def scopes(self) -> list[Scope]:
        """Return the whole scope and, narrower, each set of documents that is meant."""
        scope, meant = self.query.scope, self.route.meant
        liked = [number for number, prior in self.query.priors.items() if prior > 0]
        sets = [*(group & frozenset(meant) for group in self.route.groups)] or [frozenset(meant)]
        sets.append(frozenset(liked))
        narrower = [narrowed(scope, found) for found in sets]
        return [scope, *(found for found in narrower if found.documents)]

    def prior(self, document_id: int, weight: float) -> float:
        """Return what a document adds to the scores of its passages."""
        learned = self.query.priors.get(document_id, 0.0)
        return weight * self.route.priors.get(document_id, 0.0) + learned


class Retriever:
    """Finds passages. Safe in threads; holds nothing but what it can read again."""

    def __init__(
        self,
        passages: Passages,
        vectors: VectorStore,
        embedder: Embedder,
        retrieval: Retrieval,
        recipe_hash: str,
    ) -> None:
        self._passages = passages
        self._vectors = vectors
        self._embedder = embedder
        self._retrieval = retrieval
        self._recipe_hash = recipe_hash
        self._directories = _Directories(passages, retrieval.routing)

    def search(self, query: Query, limit: int) -> Found:
        """Return the best ``limit`` hits in the query's scope, and how sure we are of them."""
        began = time.perf_counter()
        if not query.text.strip() and query.vector is None and not query.terms:
            return Found((), 0.0, time.perf_counter() - began)
        asked = self._understand(query)
        candidates = self._candidates(asked)
        ranked = self._rank(asked, candidates)
        best = ranked[: max(0, limit)]
        hits = tuple(self._hit(rank, found) for rank, found in enumerate(best, start=1))
        sure = confidence(asked.words, candidates, ranked, self._retrieval)
        return Found(hits, sure, time.perf_counter() - began)

    def _understand(self, query: Query) -> _Asked:
        directory, counts = self._directories.of(query.scope)
        meant = route(query.text, directory, counts)
        vector = query.vector
        if vector is None:
            least = self._retrieval.routing.least_left
            vector = self._vector(meant.left_of(query.text, least))
        words = keywords.words(self._passages, query, meant, self._retrieval.keywords)
        return _Asked(query, meant, vector, words)

    def _vector(self, text: str) -> Vector | None:
        """Return the question's vector; None when the embedder fails, and keywords go on alone."""
        if not text.strip():
            return None
        try:
            vector: Vector = self._embedder.embed([text], question=True)[0]
        except (MunimentError, RuntimeError, OSError) as error:
            _log.warning("The question was not embedded, only keywords are searched: %s", error)
            return None
        return vector

    def _candidates(self, asked: _Asked) -> dict[int, Candidate]:
        """Score what may be a hit, and what stands beside it."""
        ids: set[int] = set()
        for scope in asked.scopes():
            ids.update(self._found(asked, scope))
        first = self._scored(asked, ids)
        own = self._own(first.values())
        best = sorted(own, key=lambda number: -own[number])[: 2 * self._retrieval.candidates]
        beside = {other for number in best for other in (number - 1, number + 1)} - first.keys()
        return first | self._scored(asked, beside)

    def _found(self, asked: _Asked, scope: Scope) -> Iterable[int]:
        count = self._retrieval.candidates
        inside = self._inside(scope)
        if inside is not None and len(inside) <= WHOLE:
            return inside
        by_words = keywords.search(self._passages, asked.words, scope, count)
        return [*(number for number, _ in by_words), *self._nearest(asked, scope, inside, count)]

    def _inside(self, scope: Scope) -> list[int] | None:
        """List the passages in a scope, None for a workspace with too many to be listed."""
        if scope.documents is None and self._passages.passage_count(scope.workspace_id) > EXACT:
            return None
        return self._passages.ids(scope)

    def _nearest(
        self, asked: _Asked, scope: Scope, inside: Sequence[int] | None, count: int
    ) -> list[int]:
        """Return the passages of the scope nearest to the question's vector."""
        if asked.vector is None:
            return []
        if inside is not None and len(inside) <= EXACT:
            known = self._passages.vectors(inside, self._recipe_hash)
            if not known:
                return []
            cosines = np.stack(list(known.values())) @ asked.vector
            return [list(known)[at] for at in np.argsort(-cosines, kind="stable")[:count]]
        try:
            return self._nearest_by_index(asked.vector, scope, inside, count)
        except MunimentError as error:
            _log.warning("The vectors cannot be searched, only keywords are: %s", error)
            return []

    def _nearest_by_index(
        self, vector: Vector, scope: Scope, inside: Sequence[int] | None, count: int
    ) -> list[int]:
        """Ask the index for more until enough of what it gives lies in the scope."""
        wanted = 2 * count
        while True:
            found = [n for n, _ in self._vectors.query(scope.workspace_id, vector, wanted)]
            seen = self._passages.by_ids(found, scope) if inside is None else set(inside)
            good = [number for number in found if number in seen]
            if len(good) >= count or len(found) < wanted:
                return good[:count]
            wanted *= 4

    def _scored(self, asked: _Asked, ids: Iterable[int]) -> dict[int, Candidate]:
        stored = self._passages.by_ids(ids, asked.query.scope)
        cosines = self._cosines(asked.vector, stored)
        weight = self._retrieval.routing_weight
        found = {}
        for number, passage in stored.items():
            counts, length = keywords.counted(_searched(passage))
            found[number] = Candidate(
                passage,
                cosines.get(number),
                asked.words.score(counts, length, passage.document_id),
                asked.prior(passage.document_id, weight),
            )
        return found

    def _cosines(self, vector: Vector | None, ids: Iterable[int]) -> dict[int, float]:
        if vector is None:
            return {}
        known = self._passages.vectors(ids, self._recipe_hash)
        return {n: float(row @ vector) for n, row in known.items() if row.shape == vector.shape}

    def _own(self, candidates: Iterable[Candidate]) -> dict[int, float]:
        """Return scores with the document's prior but without the neighbours, by id."""
        some = list(candidates)
        own = fuse.own_scores(some, self._retrieval.dense_weight, self._retrieval.keyword_weight)
        return {c.stored.id: own[c.stored.id] + c.prior for c in some}

    def _rank(self, asked: _Asked, candidates: Mapping[int, Candidate]) -> list[Ranked]:
        settings = self._retrieval
        stored = {number: candidate.stored for number, candidate in candidates.items()}
        own = fuse.own_scores(candidates.values(), settings.dense_weight, settings.keyword_weight)
        near = fuse.with_neighbours(own, stored, settings.neighbour_weight)
        scores = {number: near[number] + candidates[number].prior for number in stored}
        ranked = sorted(stored.values(), key=lambda found: (-scores[found.id], found.id))
        ranked = fuse.without_repeats(ranked, asked.route.groups)
        ranked = fuse.shared(ranked, asked.route.groups)
        hits = fuse.merged(ranked, scores, settings.merge_characters, settings.merge_near)
        if not asked.route.priors or asked.route.groups:
            return hits
        return fuse.with_open_places(
            hits, lambda hit: max(near[part.id] for part in hit.parts), settings.open_place
        )

    def _hit(self, rank: int, found: Ranked) -> Hit:
        first = found.first
        start, end = first.passage.start, found.end
        text = first.passage.text
        if len(found.parts) > 1:
            text = self._passages.page_text(first.version_id, first.passage.page)[start:end]
        return Hit(
            rank=rank,
            document=first.document,
            document_id=first.document_id,
            version_id=first.version_id,
            page=first.passage.page if first.paged else None,
            page_number=first.passage.page,
            start=start,
            end=end,
            text=text,
            score=round(found.score, 6),
            heading=first.passage.heading,
        )


class _Directories:
    """The directories of the scopes searched lately, made anew when other versions are seen."""

    def __init__(self, passages: Passages, rules: Routing, most: int = 8) -> None:
        self._passages = passages
        self._rules = rules
        self._most = most
        self._known: OrderedDict[tuple[int, ...], tuple[Directory, dict[str, dict[int, int]]]] = (
            OrderedDict()
        )
        self._lock = Lock()

    def of(self, scope: Scope) -> tuple[Directory, _Counts]:
        """Return the directory of a scope, and how often terms stand in its documents."""
        seen = (scope.workspace_id, *self._passages.versions(scope))
        with self._lock:
            known = self._known.get(seen)
            if known is not None:
                self._known.move_to_end(seen)
        if known is None:
            known = (Directory(self._passages.profiles(scope), self._rules), {})
            with self._lock:
                self._known[seen] = known
                while len(self._known) > self._most:
                    self._known.popitem(last=False)
        return known[0], _Counts(self._passages, scope, known[1])


class _Counts:
    """Counts of a term's passages by document, each asked for once."""

    def __init__(self, passages: Passages, scope: Scope, known: dict[str, dict[int, int]]) -> None:
        self._passages = passages
        self._scope = scope
        self._known = known

    def __call__(self, term: str) -> Mapping[int, int]:
        if term not in self._known:
            self._known[term] = self._passages.document_counts(term, self._scope)
        return self._known[term]


def _searched(passage: StoredPassage) -> str:
    """Return what the keyword index has of a passage: its heading and its text."""
    heading, text = passage.passage.heading, passage.passage.text
    return f"{heading}\n{text}" if heading else text
