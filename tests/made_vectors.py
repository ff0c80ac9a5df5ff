"""Vectors for the tests."""

from __future__ import annotations

from rag.models.embed import FakeEmbedder
from rag.types import Vectors

WORDS = ["notice", "rent", "lease", "tenant", "landlord", "repair", "heat", "roof", "key", "pupil"]


def rows(count: int) -> Vectors:
    """Vectors that lie like those of texts do, each row different."""
    texts = [
        f"{WORDS[n % 10]} {WORDS[n // 10 % 10]} {WORDS[n // 100 % 10]} {n}" for n in range(count)
    ]
    return FakeEmbedder(dimension=64).embed(texts)
