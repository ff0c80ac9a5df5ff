"""Passages: spans of their page that leave nothing out and are never too long to be embedded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.chunk import passages
from rag import config, specialists
from rag.models.tokens import FakeTokens, Tokens, open_tokens
from rag.specialists import IndexRecipe
from rag.types import Page, Passage
from tests.timing import grows_linearly

_SHIPPED = specialists.read(config.load({}).recipe, IndexRecipe)
RECIPE = replace(_SHIPPED, passages=replace(_SHIPPED.passages, heading_characters=10_000))
"""With headings, which is the harder case: they take some of the room."""
REAL = open_tokens(RECIPE, config.load({}))

PIECES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "Total assets 5 6\n" * 40, "a" * 700, "ab1.2" * 150, "你好" * 300, "😀" * 200, "שלום" * 120, "\n\n",
            "1. Rent. ", "The tenant shall pay; the landlord shall not; " * 12, "\n", " " * 900, "word " * 300,
            "HEADING\n", "1,234.56 " * 90, "é" * 120, "ﬁ" * 90, "\x00\u200b", "(a) " * 200,
        ]
    ),
)  # fmt: skip


@st.composite
def pages_of_anything(draw: st.DrawFn) -> list[Page]:
    found = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        text = "".join(draw(st.lists(PIECES, max_size=8)))
        spans = []
        if text:
            places = draw(st.lists(st.integers(0, len(text)), max_size=6))
            edges = sorted(set(places))
            spans = list(zip(edges[::2], edges[1::2], strict=False))
        found.append(Page(number, text, headings=tuple(spans)))
    return found


def check(pages: Sequence[Page], found: Sequence[Passage], tokens: Tokens) -> None:
    assert [passage.page for passage in found] == sorted(passage.page for passage in found)
    for page in pages:
        end = 0
        for passage in found:
            if passage.page != page.number:
                continue
            assert end <= passage.start < passage.end
            assert page.text[passage.start : passage.end] == passage.text
            assert passage.text == passage.text.strip()
            assert not page.text[end : passage.start].strip()
            whole = f"{passage.heading}\n{passage.text}" if passage.heading else passage.text
            assert len(tokens.spans(whole)) <= tokens.limit
            end = passage.end
        assert not page.text[end:].strip()


@settings(max_examples=60, deadline=None)
@given(pages_of_anything(), st.sampled_from([8, 40, 254]), st.sampled_from([50, 500]))
def test_every_character_is_in_one_passage_that_fits(
    pages: list[Page], limit: int, characters: int
) -> None:
    tokens = FakeTokens(limit)
    recipe = replace(RECIPE, passages=replace(RECIPE.passages, characters=characters))
    check(pages, passages(pages, tokens, recipe), tokens)


@settings(max_examples=25, deadline=None)
@given(pages_of_anything())
def test_the_same_with_the_tokens_of_the_bundled_model(pages: list[Page]) -> None:
    check(pages, passages(pages, REAL, RECIPE), REAL)


def test_a_passage_is_cut_between_sentences_and_about_as_long_as_asked() -> None:
    sentence = "The landlord shall return the deposit within thirty days of the end of the term. "
    page = Page(1, sentence * 40)
    found = passages([page], REAL, RECIPE)
    assert all(passage.text.endswith("term.") for passage in found)
    assert all(300 <= len(passage.text) <= 650 for passage in found)


def test_a_heading_begins_a_passage_and_is_known_to_those_below() -> None:
    body = "The tenant shall pay the rent on the first day of each month to the landlord. " * 12
    text = f"Parties\n{body}\nRent\n{body}"
    heads = tuple((text.index(head), text.index(head) + len(head)) for head in ("Parties", "Rent"))
    found = passages([Page(1, text, headings=heads), Page(2, "More of it.")], REAL, RECIPE)
    rent = next(passage for passage in found if passage.text.startswith("Rent"))
    assert rent.heading == ""
    assert found[1].heading == "Parties"
    assert found[-1].heading == "Rent"
    assert not any("\nRent" in passage.text for passage in found)


def test_a_long_sentence_is_cut_at_its_semicolons() -> None:
    text = "; ".join(f"the tenant shall keep room {number} clean and tidy" for number in range(40))
    found = passages([Page(1, text)], REAL, RECIPE)
    assert len(found) == 3
    assert all(passage.text.endswith(";") for passage in found[:-1])


def test_repeated_rows_keep_their_own_offsets() -> None:
    text = "Total assets 5 6\n" * 200
    found = passages([Page(1, text)], REAL, RECIPE)
    assert "".join(passage.text for passage in found).count("Total") == 200
    check([Page(1, text)], found, REAL)


def test_a_heading_too_long_to_embed_is_shortened() -> None:
    head = "very " * 400
    page = Page(1, head + "\n\n" + "Some words. " * 200, headings=((0, len(head)),))
    found = passages([page], FakeTokens(40), RECIPE)
    assert found[-1].heading.startswith("very")
    check([page], found, FakeTokens(40))


@pytest.mark.parametrize("unit", ["a", "a\n", "好", "a b ", "😀", "(a) ", " "])
def test_a_page_of_one_thing_is_cut_in_linear_time(unit: str) -> None:
    def page(size: int) -> Page:
        return Page(1, unit * (size // len(unit.encode())))

    large = page(100_000)
    check([large], passages([large], REAL, RECIPE), REAL)
    assert grows_linearly(lambda size: passages([page(size)], REAL, RECIPE), 12_500, 100_000)
