"""Fusing: what neighbours, repeats, comparisons and merging do to an order. Pure values."""

from __future__ import annotations

import pytest

from rag.search.fuse import (
    Candidate,
    merged,
    own_scores,
    shared,
    with_neighbours,
    without_repeats,
)
from rag.types import Passage, StoredPassage


def stored(number: int, *, document: int = 1, page: int = 1, text: str = "") -> StoredPassage:
    start = number * 100
    text = text or f"text {number}"
    return StoredPassage(
        id=number,
        document_id=document,
        version_id=document,
        document=f"{document}.txt",
        paged=True,
        passage=Passage(page, start, start + 90, text),
    )


def test_own_scores_weigh_cosine_and_keywords() -> None:
    own = own_scores([Candidate(stored(1), 0.5, 0.2, 9.0)], dense_weight=2.0, keyword_weight=3.0)
    assert own == {1: pytest.approx(1.6)}


def test_a_passage_without_a_vector_gets_the_usual_cosine() -> None:
    some = [
        Candidate(stored(1), 0.6, 0.0, 0.0),
        Candidate(stored(2), 0.2, 0.0, 0.0),
        Candidate(stored(3), None, 0.0, 0.0),
    ]
    assert own_scores(some, 1.0, 1.0)[3] == pytest.approx(0.4)
    assert own_scores(some[2:], 1.0, 1.0)[3] == 0


def test_neighbours_on_the_same_page_help_and_others_do_not() -> None:
    places = {n: stored(n, page=1 if n < 4 else 2) for n in range(1, 6)}
    own = {1: 0.0, 2: 1.0, 3: 0.0, 4: 1.0, 5: 0.0}
    near = with_neighbours(own, places, weight=1.0)
    assert near[1] == pytest.approx((0.4 + 1.0) / 2)
    assert near[3] == pytest.approx((1.0 + 0.4) / 2)
    assert near[2] == 1.0
    assert with_neighbours(own, places, weight=0.0) == own


def test_repeats_go_behind_everything_else_and_none_is_lost() -> None:
    ranked = [stored(1, text="Page header"), stored(2, text="page  HEADER."), stored(3)]
    assert [found.id for found in without_repeats(ranked)] == [1, 3, 2]


def test_the_same_text_in_two_compared_documents_is_no_repeat() -> None:
    ranked = [stored(1, text="Same"), stored(2, text="Same", document=2), stored(3)]
    groups = (frozenset({1}), frozenset({2}))
    assert [found.id for found in without_repeats(ranked, groups)] == [1, 2, 3]


def test_compared_documents_take_turns() -> None:
    ranked = [stored(n, document=1) for n in (1, 2, 3)] + [stored(4, document=2)]
    groups = (frozenset({1}), frozenset({2}))
    assert [found.id for found in shared(ranked, groups)] == [1, 4, 2, 3]
    assert shared(ranked, ()) == ranked


def test_neighbours_that_score_alike_become_one_hit() -> None:
    ranked = [stored(2), stored(3), stored(9), stored(1)]
    scores = {2: 1.0, 3: 0.95, 9: 0.9, 1: 0.1}
    hits = merged(ranked, scores, characters=500, near=0.9)
    assert [[part.id for part in hit.parts] for hit in hits] == [[2, 3], [9], [1]]
    assert hits[0].first.id == 2
    assert hits[0].end == 390
    assert hits[0].score == 1.0


def test_a_merged_hit_keeps_to_its_length_and_page() -> None:
    ranked = [stored(n) for n in range(1, 8)]
    scores = {found.id: 1.0 for found in ranked}
    assert max(len(hit.parts) for hit in merged(ranked, scores, 200, 0.9)) == 2
    assert all(len(hit.parts) == 1 for hit in merged(ranked, scores, 0, 0.9))
    pages = [stored(1, page=1), stored(2, page=2)]
    assert len(merged(pages, scores, 1000, 0.5)) == 2


def test_every_passage_is_in_exactly_one_hit() -> None:
    ranked = [stored(n) for n in (5, 3, 1, 4, 2, 9)]
    hits = merged(ranked, {found.id: 1.0 for found in ranked}, 10_000, 0.5)
    assert sorted(part.id for hit in hits for part in hit.parts) == [1, 2, 3, 4, 5, 9]
    for hit in hits:
        assert [part.id for part in hit.parts] == sorted(part.id for part in hit.parts)
