"""Conversations: what a page shows survives its refresh, and a crash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import types
from rag.errors import NotFound
from rag.store.answers import BROKEN_OFF, Conversations
from rag.store.catalogue import Catalogue
from rag.store.database import Database, open_database
from rag.store.records import answer_from_json, answer_to_json, from_json, to_json
from rag.types import (
    Answer,
    Box,
    Check,
    Checked,
    Citation,
    Claim,
    Found,
    Hit,
    Outcome,
    Retrieved,
    Seconds,
    Verdict,
    Workspace,
)

HIT = Hit(1, "lease.pdf", 1, 1, 3, 3, 10, 20, "sixty days", 0.9, "Termination")
CITATION = Citation(1, "lease.pdf", 1, 1, 3, 3, 10, 20, "sixty days", (Box(1.5, 2, 3, 4),))
CLAIM = Claim("Sixty days.", (1,), Check(Verdict.SUPPORTED, 0.97, ("all words",)))
RETRIEVED = Retrieved("How long is the notice?", Found((HIT,), 0.8, 0.02), "Ollama llama3.2:3b")
ANSWER = Answer(
    question="How long?",
    standalone="How long is the notice?",
    outcome=Outcome.ANSWERED,
    text="Sixty days. [1]",
    claims=(CLAIM,),
    citations=(CITATION,),
    nearest=(HIT,),
    confidence=0.8,
    model="Ollama llama3.2:3b",
    specialist="s" * 64,
    recipe="r" * 64,
    seconds=Seconds(0.02, None, 1.5),
    left_out=("lease.pdf, page 9",),
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def place(database: Database) -> Workspace:
    return Catalogue(database).create_workspace("Matter 1")


@pytest.fixture
def chats(database: Database) -> Conversations:
    return Conversations(database)


# Records

for kind in (types.Box, types.Check, types.Claim, types.Citation, types.Hit, types.Seconds):
    st.register_type_strategy(kind, st.builds(kind))

finite = st.floats(allow_nan=False)


@given(st.builds(Answer, confidence=finite, seconds=st.builds(Seconds, finite, finite, finite)))
def test_an_answer_comes_back_exactly(answer: Answer) -> None:
    answer = replace(answer, nearest=tuple(replace(hit, score=0.25) for hit in answer.nearest))
    answer = replace(
        answer,
        claims=tuple(
            replace(claim, check=replace(claim.check, support=0.5)) for claim in answer.claims
        ),
        citations=tuple(
            replace(cited, boxes=(Box(0.1, 2, 3e9, -4),)) for cited in answer.citations
        ),
    )
    assert answer_from_json(answer_to_json(answer)) == answer


def test_numbers_of_numpy_and_odd_characters_are_kept() -> None:
    odd = replace(ANSWER, confidence=np.float32(0.5), text="half \ud800 and nul \x00 “quoted”")  # type: ignore[arg-type]
    back = answer_from_json(answer_to_json(odd))
    assert back == odd
    assert type(back.confidence) is float


def test_an_old_record_without_a_newer_field_can_be_read() -> None:
    old = to_json(HIT).replace(',"heading":"Termination"', ',"gone":1')
    assert from_json(old, Hit) == replace(HIT, heading="")


# Conversations


def test_a_conversation_takes_its_title_from_the_first_question(
    chats: Conversations, place: Workspace
) -> None:
    first = chats.start(place.id)
    assert chats.conversation(place.id, first).title == ""
    chats.ask(place.id, first, "How much\nnotice must the tenant give?")
    chats.ask(place.id, first, "And the landlord?")
    second = chats.start(place.id)
    chats.ask(place.id, second, "word " * 100)
    listed = chats.conversations(place.id)
    assert [chat.id for chat in listed] == [second, first]
    assert listed[1].title == "How much notice must the tenant give?"
    assert listed[1].questions == 2
    assert len(listed[0].title) == 80
    chats.ask(place.id, first, "And then?")
    assert [chat.id for chat in chats.conversations(place.id)] == [first, second]


def test_an_answer_can_be_read_at_every_stage(chats: Conversations, place: Workspace) -> None:
    conversation_id = chats.start(place.id)
    question_id = chats.ask(place.id, conversation_id, "How long?", ["lease.pdf"])
    asked = chats.exchange(question_id)
    assert (asked.question, asked.documents) == ("How long?", ("lease.pdf",))
    assert (asked.retrieved, asked.text, asked.answer) == (None, "", None)
    chats.begin(question_id, RETRIEVED)
    assert chats.exchange(question_id).retrieved == RETRIEVED
    chats.append(question_id, "Sixty ")
    chats.append(question_id, "days")
    assert chats.exchange(question_id).text == "Sixty days"
    chats.save_partial(question_id, "Sixty days. [1]")
    chats.add_checked(question_id, Checked(CLAIM, (CITATION,)))
    chats.add_checked(question_id, Checked(CLAIM, ()))
    partly = chats.exchange(question_id)
    assert (partly.text, partly.answer) == ("Sixty days. [1]", None)
    assert (partly.claims, partly.citations) == ((CLAIM, CLAIM), (CITATION,))
    assert chats.unfinished(place.id) == [question_id]
    chats.finish(question_id, ANSWER)
    assert chats.exchange(question_id).answer == ANSWER
    assert chats.unfinished() == []
    # What still trickles in after the end changes nothing.
    chats.append(question_id, "too late")
    chats.fail(question_id, "too late")
    assert chats.exchange(question_id).answer == ANSWER
    assert chats.exchange(question_id).text == ANSWER.text


def test_questions_come_in_order_each_with_its_answer(
    chats: Conversations, place: Workspace
) -> None:
    conversation_id = chats.start(place.id)
    first = chats.ask(place.id, conversation_id, "How long?")
    chats.finish(first, ANSWER)
    second = chats.ask(place.id, conversation_id, "And after?")
    turns = chats.turns(place.id, conversation_id)
    assert [(turn.question_id, turn.question) for turn in turns] == [
        (first, "How long?"),
        (second, "And after?"),
    ]
    assert [turn.answer for turn in turns] == [ANSWER, None]
    assert turns[0].documents is None


def test_what_a_closed_process_left_is_stopped_with_what_it_had(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    place = Catalogue(database).create_workspace("Matter 1")
    chats = Conversations(database)
    conversation_id = chats.start(place.id)
    begun = chats.ask(place.id, conversation_id, "How long?")
    chats.begin(begun, RETRIEVED)
    chats.add_checked(begun, Checked(CLAIM, (CITATION,)))
    chats.append(begun, "Sixty days. [1] And")
    waiting = chats.ask(place.id, conversation_id, "And after?")
    done = chats.ask(place.id, conversation_id, "Before?")
    chats.finish(done, ANSWER)
    database.close()

    database = open_database(tmp_path)
    chats = Conversations(database)
    assert chats.stop_unfinished() == 2
    assert chats.stop_unfinished() == 0
    stopped = chats.exchange(begun).answer
    assert stopped is not None
    assert (stopped.outcome, stopped.notice) == (Outcome.STOPPED, BROKEN_OFF)
    assert stopped.text == "Sixty days. [1] And"
    assert (stopped.claims, stopped.citations) == ((CLAIM,), (CITATION,))
    assert (stopped.nearest, stopped.model) == ((HIT,), RETRIEVED.model)
    silent = chats.exchange(waiting).answer
    assert silent is not None
    assert (silent.outcome, silent.text, silent.nearest) == (Outcome.STOPPED, "", ())
    assert chats.exchange(done).answer == ANSWER
    database.close()


def test_a_failure_keeps_what_was_said(chats: Conversations, place: Workspace) -> None:
    question_id = chats.ask(place.id, chats.start(place.id), "How long?")
    chats.save_partial(question_id, "Sixty")
    chats.fail(question_id, "The model stopped in mid-answer. Ask again.")
    failed = chats.exchange(question_id).answer
    assert failed is not None
    assert (failed.outcome, failed.text) == (Outcome.FAILED, "Sixty")
    assert failed.notice == "The model stopped in mid-answer. Ask again."


def test_another_workspace_sees_nothing_of_it(
    chats: Conversations, place: Workspace, database: Database
) -> None:
    other = Catalogue(database).create_workspace("Other")
    conversation_id = chats.start(place.id)
    question_id = chats.ask(place.id, conversation_id, "How long?")
    assert chats.conversations(other.id) == []
    assert chats.unfinished(other.id) == []
    with pytest.raises(NotFound):
        chats.conversation(other.id, conversation_id)
    with pytest.raises(NotFound):
        chats.turns(other.id, conversation_id)
    with pytest.raises(NotFound):
        chats.ask(other.id, conversation_id, "How long?")
    with pytest.raises(NotFound):
        chats.delete(other.id, conversation_id)
    assert chats.exchange(question_id).question == "How long?"


def test_a_deleted_conversation_leaves_no_word(
    chats: Conversations, place: Workspace, database: Database
) -> None:
    conversation_id = chats.start(place.id)
    question_id = chats.ask(place.id, conversation_id, "What of the xyzsecret clause?")
    chats.finish(question_id, replace(ANSWER, text="The xyzsecret clause is void."))
    chats.delete(place.id, conversation_id)
    with pytest.raises(NotFound):
        chats.exchange(question_id)
    chats.append(question_id, "late")
    chats.finish(question_id, ANSWER)
    chats.fail(question_id, "late")
    assert chats.conversations(place.id) == []
    for path in database.path.parent.iterdir():
        assert b"xyzsecret" not in path.read_bytes()
