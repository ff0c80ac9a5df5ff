"""Remembered vectors: found by text, bounded, and forgotten oldest first."""

from __future__ import annotations

import numpy as np

from rag.models.embed import FakeEmbedder
from rag.models.remembered import Remembered


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    remembered = Remembered(most=3)
    vectors = FakeEmbedder().embed(["one", "two", "three", "four"])
    remembered.keep(["one", "two", "three"], vectors[:3])
    assert remembered.find(["one"])[0] == ["one"]
    remembered.keep(["four"], vectors[3:])
    known, rows = remembered.find(["four", "two", "one", "three", "\ud800"])
    assert known == ["four", "one", "three"]
    np.testing.assert_array_equal(rows, vectors[[3, 0, 2]])
    remembered.clear()
    known, rows = remembered.find(["one"])
    assert known == []
    assert rows.shape == (0, 0)
