"""Answers without a chat model: the sentences that answer best, quoted, each with its citation.

A sentence is judged by how near its meaning is to the question (cosine of the embeddings), by how
many of the question's rarer terms it holds, and by the rank of the passage it stands in. The
weights were set on the sample questions and the open contracts together (docs/lab.md).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from rag.models.embed import Embedder
from rag.text.terms import content_terms
from rag.types import Source

MEANING, TERMS, RANK = 1.0, 0.6, 0.25
SHORTEST = 4
"""A sentence of fewer words is a heading or a number: it answers nothing by itself."""
NEAR_BEST = 0.72
"""A further sentence is quoted when its score reaches this share of the best one's."""


def best_sentences(
    question: str, sources: Sequence[Source], embedder: Embedder, limit: int
) -> list[Source]:
    """Return at most ``limit`` sentences that answer the question, best first.

    Sentences that say the same thing word for word are quoted once.
    """
    candidates = _candidates(sources)
    if not candidates:
        return []
    scores = _scores(question, candidates, embedder)
    order = sorted(range(len(candidates)), key=lambda item: -scores[item])
    best = scores[order[0]]
    return [candidates[item] for item in order[:limit] if scores[item] >= NEAR_BEST * best]


def _candidates(sources: Sequence[Source]) -> list[Source]:
    seen: set[str] = set()
    kept: list[Source] = []
    for source in sources:
        words = source.text.split()
        key = " ".join(words).casefold()
        if len(words) >= SHORTEST and key not in seen:
            seen.add(key)
            kept.append(source)
    return kept


def _scores(question: str, sources: Sequence[Source], embedder: Embedder) -> list[float]:
    vectors = embedder.embed([source.text for source in sources])
    meaning = vectors @ embedder.embed([question], question=True)[0]
    terms = _term_shares(question, sources)
    ranks = 1.0 - np.arange(len(sources)) / len(sources)
    return [
        float(MEANING * near + TERMS * share + RANK * rank)
        for near, share, rank in zip(meaning, terms, ranks, strict=True)
    ]


def _term_shares(question: str, sources: Sequence[Source]) -> list[float]:
    """Share of the question's terms in each sentence, a term weighing more the rarer it is here."""
    wanted = set(content_terms(question))
    held = [set(content_terms(source.text)) & wanted for source in sources]
    counts = Counter(term for terms in held for term in terms)
    weights = {term: math.log(1 + len(sources) / (1 + counts[term])) for term in wanted}
    total = sum(weights.values()) or 1.0
    return [sum(weights[term] for term in terms) / total for terms in held]
