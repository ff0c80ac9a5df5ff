"""Sentences weighed against a question: which answer it best, and whether any can.

A sentence is judged by how near its meaning is to the question (cosine of the embeddings, with and
without the heading above it), by how many of the question's rarer terms it holds, by the passage it
stands in, and by whether it holds the kind of answer asked for (:mod:`rag.answer.kinds`). The
weights are the specialist's ``[sentences]``; how they were found is told in docs/lab.md.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.answer.kinds import asked_for, holds
from rag.errors import ModelOverflow
from rag.models.embed import Embedder
from rag.specialists import Sentences
from rag.text.terms import content_terms
from rag.types import Source, Vector

SHORTEST = 4
"""A sentence of fewer words is a heading or a number: it answers nothing by itself."""
NUMBERING = re.compile(r"^\s*(?:\(?\w{1,3}[.)]|\d+(?:\.\d+)+\.?)\s")
"""A clause's own number, which is no word of it."""
LONG_WORDS = 40
"""From this many words on a sentence's length counts no more."""
SURE_TO_FIT = 240
"""Characters that no embedding model here cuts off; a longer sentence may be judged by its start."""

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weighed:
    """Sentences with their scores, best first, and how well the kind asked for was found.

    ``fitness`` is 0..1: how near the best sentence that holds the kind of answer asked for comes to
    the best sentence of all; 1 where the question asks for no kind.
    """

    sources: tuple[Source, ...]
    scores: tuple[float, ...]
    fitness: float

    def best(self, limit: int, near_best: float) -> list[Source]:
        """Return at most ``limit`` sentences that reach a share of the best one's score."""
        enough = near_best * max(self.scores, default=0.0)
        pairs = zip(self.sources[:limit], self.scores[:limit], strict=True)
        return [source for source, score in pairs if score >= enough]


def weigh(
    question: str, sources: Sequence[Source], embedder: Embedder, weights: Sentences
) -> Weighed:
    """Weigh sentences against a question; those that say the same word for word count once."""
    candidates = _candidates(sources)
    if not candidates:
        return Weighed((), (), 0.0)
    kind = asked_for(question)
    meaning = _meaning(question, candidates, embedder)
    terms = _term_shares(question, candidates)
    fitting = np.array([holds(kind, source.text) for source in candidates], dtype=float)
    lengths = np.array([min(len(s.text.split()), LONG_WORDS) / LONG_WORDS for s in candidates])
    scores = (
        weights.meaning * meaning
        + weights.terms * terms
        + weights.passage * _spread(np.array([source.score for source in candidates]))
        + weights.length * lengths
        + (weights.kind * fitting if kind is not None else 0.0)
    )
    strength = np.clip(meaning, 0.0, None) + terms
    order = np.argsort(-scores, kind="stable")
    return Weighed(
        sources=tuple(candidates[item] for item in order),
        scores=tuple(float(scores[item]) for item in order),
        fitness=float((strength * fitting).max() / max(strength.max(), 1e-9)),
    )


def _candidates(sources: Sequence[Source]) -> list[Source]:
    seen: set[str] = set()
    kept: list[Source] = []
    for source in sources:
        words = source.text.split()
        key = " ".join(words).casefold()
        if len(NUMBERING.sub("", source.text).split()) >= SHORTEST and key not in seen:
            seen.add(key)
            kept.append(source)
    return kept


def _meaning(question: str, sources: Sequence[Source], embedder: Embedder) -> Scores:
    """Mean cosine to the question of each sentence alone and under its heading."""
    asked = _vector(question, embedder, question=True)
    alone = np.stack([_vector(source.text, embedder) for source in sources])
    headed = np.stack([_vector(_headed(source), embedder) for source in sources])
    return np.asarray((alone @ asked + headed @ asked) / 2, dtype=np.float64)


def _headed(source: Source) -> str:
    return f"{source.heading}\n{source.text}" if source.heading else source.text


def _vector(text: str, embedder: Embedder, *, question: bool = False) -> Vector:
    try:
        found: Vector = embedder.embed([text], question=question)[0]
    except ModelOverflow:
        found = embedder.embed([text[:SURE_TO_FIT]], question=question)[0]
    return found


def _term_shares(question: str, sources: Sequence[Source]) -> Scores:
    """Share of the question's terms in each sentence, a term weighing more the rarer it is here."""
    wanted = set(content_terms(question))
    held = [set(content_terms(source.text)) & wanted for source in sources]
    counts = Counter(term for terms in held for term in terms)
    rarity = {term: math.log(1 + len(sources) / (1 + counts[term])) for term in wanted}
    total = sum(rarity.values()) or 1.0
    return np.array([sum(rarity[term] for term in terms) / total for terms in held])


def _spread(values: Scores) -> Scores:
    """Return values moved to 0..1, least to greatest."""
    reach = float(values.max() - values.min())
    return (values - values.min()) / reach if reach > 0 else np.ones_like(values)
