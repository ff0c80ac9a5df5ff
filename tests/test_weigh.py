"""Sentences weighed against a question, with the shipped weights and the deterministic embedder."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.engine import Engine
from rag import config
from rag.answer.weigh import SHORTEST, weigh
from rag.models.embed import FakeEmbedder
from rag.specialists import Specialist, read
from rag.types import Source

WEIGHTS = read(config.Settings().specialist, Specialist).sentences
EMBEDDER = FakeEmbedder()
QUESTION = "How much notice must the tenant give?"


def _source(number: int, text: str, heading: str = "", score: float = 0.0) -> Source:
    return Source(number, "a.txt", 1, 1, None, 1, 0, len(text), text, heading, score)


def _sources(*texts: str) -> list[Source]:
    return [_source(number, text) for number, text in enumerate(texts, 1)]


words = st.sampled_from(
    ["tenant", "notice", "six", "months", "give", "$900", "Mrs Adair", "2024", "must", "roof", "№"]
)
texts = st.lists(words, max_size=12).map(" ".join)
questions = st.sampled_from([QUESTION, "Who mends the roof?", "What is the rent?", "And then?"])
many = st.lists(st.tuples(texts, texts, st.floats(-3, 3)), max_size=12)


@settings(max_examples=60)
@given(questions, many)
def test_fitness_is_a_share_and_the_best_come_first(
    question: str, rows: list[tuple[str, str, float]]
) -> None:
    sources = [_source(number, *row) for number, row in enumerate(rows, 1)]
    weighed = weigh(question, sources, EMBEDDER, WEIGHTS)
    assert 0.0 <= weighed.fitness <= 1.0
    assert list(weighed.scores) == sorted(weighed.scores, reverse=True)
    assert all(math.isfinite(score) for score in weighed.scores)
    assert set(weighed.sources) <= set(sources)
    said = [" ".join(source.text.split()).casefold() for source in weighed.sources]
    assert len(said) == len(set(said)), "what is said twice counts once"
    assert all(len(source.text.split()) >= SHORTEST for source in weighed.sources)


@given(many, st.integers(0, 5), st.floats(0, 1))
def test_the_best_are_few_and_near_the_first(
    rows: list[tuple[str, str, float]], limit: int, near: float
) -> None:
    sources = [_source(number, *row) for number, row in enumerate(rows, 1)]
    weighed = weigh(QUESTION, sources, EMBEDDER, WEIGHTS)
    best = weighed.best(limit, near)
    assert len(best) <= limit
    assert best == list(weighed.sources[: len(best)])
    assert best or not limit or not weighed.sources or weighed.scores[0] < 0


def test_nothing_to_weigh_is_no_answer() -> None:
    assert weigh(QUESTION, [], EMBEDDER, WEIGHTS).fitness == 0.0
    assert weigh(QUESTION, _sources("Notice.", "12."), EMBEDDER, WEIGHTS).sources == ()


def test_the_same_words_count_once_whatever_their_spaces_and_case() -> None:
    sources = _sources("The tenant gives notice.", "THE  TENANT\ngives notice.")
    assert weigh(QUESTION, sources, EMBEDDER, WEIGHTS).sources == (sources[0],)


def test_a_sentence_of_the_kind_asked_for_beats_one_without() -> None:
    without, fitting = _sources(
        "The tenant must give notice in writing.", "The tenant must give six months notice."
    )
    weighed = weigh(QUESTION, [without, fitting], EMBEDDER, WEIGHTS)
    assert weighed.sources[0] == fitting
    alone = weigh(QUESTION, [without], EMBEDDER, WEIGHTS)
    assert alone.fitness == 0.0, "that notice is given does not tell how much"


def test_no_kind_asked_is_wholly_fit() -> None:
    sources = _sources("The landlord mends the roof.", "The tenant paints the walls inside.")
    assert weigh("What is done about the roof?", sources, EMBEDDER, WEIGHTS).fitness == 1.0


@pytest.mark.parametrize("length", [240, 2_000, 100_000])
@pytest.mark.parametrize("piece", ["notice ", "x", "通知", "🏠", "a.b-"])
def test_an_overlong_sentence_question_or_heading_does_not_raise(
    samples: Engine, piece: str, length: int
) -> None:
    """The real embedder refuses what it cannot read whole; here its beginning must do."""
    text = piece * (length // len(piece))
    source = replace(_source(1, f"The tenant gives {text}"), heading=text[:500])
    embedder = samples.assistant.archive.embedder
    weighed = weigh(f"{QUESTION} {text[:4000]}", [source], embedder, WEIGHTS)
    assert weighed.sources == (source,)
