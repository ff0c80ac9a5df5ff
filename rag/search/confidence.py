"""How sure we are that the passages found answer the question: a number 0..1 from evidence alone.

No model is asked. What counts: how near the nearest passage is, how much of the question's weight
the best passages cover, and whether vectors and keywords agree. The weights are the specialist's
``[retrieval.confidence]``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rag.search import keywords
from rag.search.fuse import Candidate, Ranked
from rag.search.keywords import Words
from rag.specialists import Confidence

SHOWN = 3
"""So many hits are taken as the evidence."""


def evidence(
    wanted: Words, candidates: Mapping[int, Candidate], ranked: Sequence[Ranked]
) -> dict[str, float]:
    """Return the evidence by name, each about 0..1."""
    shown = [part for found in ranked[:SHOWN] for part in found.parts]
    best = [candidates[part.id] for part in shown if part.id in candidates]
    cosines = [found.cosine for found in best if found.cosine is not None]
    texts = [found.stored.passage.text for found in best]
    return {
        "cosine": max(cosines, default=0.0),
        "keyword": max((found.keyword for found in best), default=0.0),
        "coverage": wanted.coverage(keywords.present(texts)),
    }


def confidence(
    wanted: Words,
    candidates: Mapping[int, Candidate],
    ranked: Sequence[Ranked],
    weights: Confidence,
) -> float:
    """Return how sure we are, 0 when nothing was found."""
    if not ranked:
        return 0.0
    found = evidence(wanted, candidates, ranked)
    total = (
        weights.bias
        + weights.cosine * found["cosine"]
        + weights.keyword * found["keyword"]
        + weights.coverage * found["coverage"]
    )
    return round(1 / (1 + math.exp(-total)), 4)
