"""How sure we are that the passages found answer the question: a number 0..1 from evidence alone.

No model is asked. The evidence is one passage: of those in the best hits the one whose cosine and
keywords add up to most, whatever document it is of. Its cosine, its keyword score and the share of
the question's weight that its words cover are added as a logistic sum, whose weights are the
specialist's ``[retrieval.confidence]``. They were fitted by logistic regression to 1,037 statements
about contracts (answerable or not), the questions of the quarterly reports and of the samples, and
questions asked of the wrong archive; docs/lab.md has the figures.

Surprising: a document's prior does not count. That a question names a document says where the
answer would be, not that it is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from rag.search import keywords
from rag.search.fuse import Candidate, Ranked
from rag.search.keywords import Words
from rag.specialists import Confidence, Retrieval


def confidence(
    wanted: Words,
    candidates: Mapping[int, Candidate],
    ranked: Sequence[Ranked],
    settings: Retrieval,
) -> float:
    """Return how sure we are, 0 when nothing was found."""
    shown = [part.id for found in ranked[: settings.confidence.hits] for part in found.parts]
    best = max((candidates[number] for number in shown), key=_own(settings), default=None)
    if best is None:
        return 0.0
    weights = settings.confidence
    covered = wanted.coverage(keywords.present([best.stored.passage.text]))
    total = (
        weights.bias
        + weights.cosine * _cosine(best, weights)
        + weights.keyword * best.keyword
        + weights.coverage * covered
    )
    return round(1 / (1 + math.exp(-total)), 4)


def _own(settings: Retrieval) -> Callable[[Candidate], float]:
    """Return what orders passages by their own score, without neighbours and priors."""
    return lambda found: (
        settings.dense_weight * _cosine(found, settings.confidence)
        + settings.keyword_weight * found.keyword
    )


def _cosine(found: Candidate, weights: Confidence) -> float:
    """Return the passage's cosine, or what is assumed while it has no vector."""
    return weights.unseen_cosine if found.cosine is None else found.cosine
