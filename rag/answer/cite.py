"""Does a claim follow from the lines it cites: a verdict, how much of it, and why.

Pure and deterministic: text in, verdict out; no model, no store, no statistics from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag import specialists
from rag.answer.quantities import quantities
from rag.answer.words import plain, words
from rag.types import Check, Verdict

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[\"'(\[]?[A-Z0-9])|\n\s*\n")


def check(claim: str, sources: Sequence[str], checking: specialists.Checking) -> Check:
    """Hold a claim against the lines it cites; see the module's docstring."""
    lines = [plain(line) for source in sources for line in _SENTENCE.split(source) if line.strip()]
    if not words(plain(claim)):
        return Check(Verdict.UNSUPPORTED, 0.0, ("There is nothing to check.",))
    if not lines:
        return Check(Verdict.UNSUPPORTED, 0.0, ("No lines are cited.",))
    said = {word.stem for word in words(plain(claim)) if word.content}
    there = [{word.stem for word in words(line)} for line in lines]
    best = max((len(said & line) for line in there), default=0)
    overall = len(said & set().union(*there))
    share = (best + overall) / (2 * len(said)) if said else 1.0
    known = [quantity for line in lines for quantity in quantities(line)]
    text = plain(claim)
    reasons = tuple(
        f"“{text[q.start : q.end]}” is not in the cited lines."
        for q in quantities(text)
        if not any(q.agrees(other) for other in known)
    )
    support = round(min(share, 0.6 if reasons else 1.0), 4)
    if support >= checking.supported:
        return Check(Verdict.SUPPORTED, support)
    verdict = Verdict.PARTLY if support >= checking.partly else Verdict.UNSUPPORTED
    return Check(verdict, support, reasons or ("Too few of its words are in the cited lines.",))
