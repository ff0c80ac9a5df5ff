"""Token spans: in order, of the text as given, and quick."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag import config, specialists
from rag.errors import BadSetting
from rag.models import prepared
from rag.models.tokens import FakeTokens, Reading, Tokens, open_tokens
from rag.specialists import IndexRecipe
from tests.timing import done_within, grows_linearly

RECIPE = specialists.read(config.load({}).recipe, IndexRecipe)


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return open_tokens(RECIPE, config.load({}))


@given(text=st.text(st.characters(), max_size=200))
@example(text="한국어 가나")
def test_spans_are_in_order_and_within_the_text(tokens: Tokens, text: str) -> None:
    before = (0, 0)
    for start, end in tokens.spans(text):
        assert 0 <= start < end <= len(text)
        assert before[0] <= start
        assert before[1] <= end
        before = (start, end)


@given(
    text=st.text(
        st.characters() | st.sampled_from(" \n\t\xa0\u3000\u0301\u200bé中1,.[]"), max_size=60
    )
)
@example(text="e \u0301 x\u0301\x00y [SEP] 中文 \u2028a\u3000b " + "w" * 120)
def test_words_read_one_by_one_are_what_the_whole_text_is(text: str) -> None:
    path = prepared.open_model(config.load({})).tokenizer
    by_word, whole = Reading(path), Reading(path)
    assert by_word.word_by_word
    whole.word_by_word = False
    assert by_word.ids(text) == whole.ids(text)
    assert by_word.spans(text) == whole.spans(text)


def test_a_character_taken_apart_counts_as_often_as_the_model_reads_it(tokens: Tokens) -> None:
    assert tokens.spans("각 x") == [(0, 1), (0, 1), (0, 1), (2, 3)]


def test_spans_are_of_the_text_as_given(tokens: Tokens) -> None:
    text = "Café § 12(b)\x00 🙂 unaffordable, שלום"
    words = [text[start:end] for start, end in tokens.spans(text)]
    assert words[0] == "Café"
    assert "".join(words).startswith("Café§12(b)")
    assert "🙂" in words
    assert "".join(words[words.index("🙂") + 1 :]) == "unaffordable,שלום"
    assert tokens.spans("") == []
    assert tokens.spans(" \n\t\x00\x07") == []


def test_half_a_character_does_not_move_the_rest(tokens: Tokens) -> None:
    text = "one \ud83d two"
    assert [text[start:end] for start, end in tokens.spans(text)] == ["one", "\ud83d", "two"]


def test_the_limit_leaves_room_for_the_marks_and_the_prompt(tokens: Tokens) -> None:
    assert tokens.limit == RECIPE.embedding.max_tokens - 2
    prompted = replace(RECIPE, embedding=replace(RECIPE.embedding, passage_prompt="passage: "))
    assert open_tokens(prompted, config.load({})).limit == tokens.limit - 2


def test_whole_pages_are_quick(tokens: Tokens) -> None:
    page = ("Net sales of the quarter ended 30 June 2023 rose to $81,797 million. " * 50)[:3000]
    # About 0.04 s; ten times that is a fault.
    assert done_within(0.4, lambda: [tokens.spans(page) for _ in range(20)])


def test_a_long_page_of_one_character_is_quick(tokens: Tokens) -> None:
    assert tokens.spans("a" * 2_000_000) == [(0, 2_000_000)]
    assert grows_linearly(lambda size: tokens.spans("a" * size), 100_000, 800_000)


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    recipe = replace(RECIPE, embedding=replace(RECIPE.embedding, model=str(tmp_path)))
    with pytest.raises(BadSetting, match=r"no tokenizer\.json"):
        open_tokens(recipe, config.load({}))


def test_the_fake_counts_words_and_marks() -> None:
    text = "Pay $5, now."
    spans = FakeTokens().spans(text)
    assert [text[start:end] for start, end in spans] == ["Pay", "$", "5", ",", "now", "."]
