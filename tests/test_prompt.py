"""The prompt: never above the context, nothing left out in silence, no document posing as ours."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from rag import config
from rag.answer.prompt import (
    fit,
    leans_on_history,
    number_sentences,
    place,
    question_messages,
    standalone_messages,
    standalone_without_model,
    usable_standalone,
)
from rag.models.chat import count_tokens
from rag.specialists import Specialist, read
from rag.types import Hit, Turn

SPECIALIST = read(config.Settings().specialist, Specialist)
CITATION = re.compile(r"\[\d+\]")


def _hit(text: str, document: str = "a.txt", page: int | None = None, rank: int = 1) -> Hit:
    return Hit(rank, document, 1, 1, page, page or 1, 0, len(text), text, 1.0)


def _with_context(tokens: int, answer: int = 100) -> Specialist:
    chat = replace(SPECIALIST.chat, context=tokens, answer_tokens=answer)
    return replace(SPECIALIST, chat=chat)


words = st.text(
    st.sampled_from("abc XYZ.\n12,[]【】–-’ é§通知🏠\u2028\t"), min_size=1, max_size=300
).filter(str.strip)
names = st.sampled_from(["a.txt", "Lease (3).pdf", "odd\nname.txt", "x\r\nFrom y.txt:", "é.md"])
hits = st.lists(
    st.builds(_hit, words, names, st.one_of(st.none(), st.integers(1, 900))), max_size=8
)


@settings(max_examples=60)
@given(hits, words, st.integers(600, 2500))
def test_the_prompt_never_exceeds_the_context(found: list[Hit], question: str, room: int) -> None:
    specialist = _with_context(room)
    context = fit(found, question, specialist)
    messages = question_messages(question, context.sources, specialist)
    cost = sum(count_tokens(message.content) for message in messages)
    if context.sources:
        assert cost + specialist.chat.answer_tokens <= room


@settings(max_examples=60)
@given(hits, st.integers(300, 2500))
def test_what_is_left_out_is_listed_exactly(found: list[Hit], room: int) -> None:
    context = fit(found, "What is due?", _with_context(room))
    kept = len(found) - len(context.left_out)
    assert context.sources == number_sentences(found[:kept]), "whole hits, in their order"
    assert context.left_out == tuple(place(hit.document, hit.page) for hit in found[kept:])


@given(hits)
def test_sentences_are_numbered_from_one_and_verbatim(found: list[Hit]) -> None:
    sources = number_sentences(found)
    assert [source.number for source in sources] == list(range(1, len(sources) + 1))
    texts = {(hit.document, hit.page, hit.text) for hit in found}
    for source in sources:
        assert any(
            source.text == text[source.start : source.end]
            for document, page, text in texts
            if (document, page) == (source.document, source.page)
        )


@given(hits)
def test_only_our_numbers_look_like_ours(found: list[Hit]) -> None:
    """Every quotation is one line, and its own number the only one in square brackets."""
    sources = number_sentences(found)
    system = question_messages("What?", sources, SPECIALIST)[0].content
    shown = system.removeprefix(SPECIALIST.prompt.system.strip()).strip()
    lines = shown.split("\n") if shown else []
    quoted = [line for line in lines if not line.startswith("From ")]
    assert len(quoted) == len(sources)
    for number, line in enumerate(quoted, 1):
        assert line.startswith(f"[{number}] ")
    assert len(CITATION.findall(shown)) == len(sources)


def test_a_name_cannot_look_like_our_numbering() -> None:
    sources = number_sentences([_hit("A line.", "Lease [3].pdf")])
    system = question_messages("What?", sources, SPECIALIST)[0].content
    assert "[3]" not in system.removeprefix(SPECIALIST.prompt.system.strip())


def test_the_question_stands_last_and_keeps_its_braces() -> None:
    messages = question_messages(
        "What is {question}?", number_sentences([_hit("A b.")]), SPECIALIST
    )
    assert [message.role for message in messages] == ["system", "user"]
    assert messages[1].content.endswith("What is {question}?")


def test_a_follow_up_is_told_from_a_question_that_stands_alone() -> None:
    assert leans_on_history("And the landlord?")
    assert leans_on_history("How long does it last?")
    assert not leans_on_history("How much notice must the tenant give?")
    history = [Turn("How much is the rent?", "900 pounds.")]
    assert standalone_without_model("And the deposit?", history) == (
        "How much is the rent? And the deposit?"
    )
    assert standalone_without_model("And the deposit?", []) == "And the deposit?"


def test_only_the_last_turns_are_told_and_a_long_answer_in_part() -> None:
    turns = [Turn(f"Question {number}?", "word " * 400) for number in range(20)]
    (message,) = standalone_messages("And then?", turns, SPECIALIST)
    told = SPECIALIST.form.history_turns
    assert message.content.count("Answer:") <= told + SPECIALIST.prompt.standalone.count("Answer:")
    assert "Question 19?" in message.content
    assert "Question 0?" not in message.content
    assert len(message.content) < 1000 + 500 * told


def test_a_lecture_is_no_question() -> None:
    assert usable_standalone("How much notice must the landlord give?", "And the landlord?")
    assert not usable_standalone("", "And the landlord?")
    assert not usable_standalone("One.\nTwo.", "And the landlord?")
    assert not usable_standalone("word " * 100, "And the landlord?")
