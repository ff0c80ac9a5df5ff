"""Conversations, their questions, and answers as they come and as they were.

A page forgets all when it is refreshed, so an answer is kept here while it is being given: what
was found, the text until now, the sentences checked until now; and whole at the end. Knows nothing
of models. Surprising: whatever state it is in, an answer can be read as an ``Answer``; one that
broke off is made into one with outcome ``stopped`` or ``failed`` and a notice that says why.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from rag.errors import NotFound
from rag.store import erasing, records
from rag.store.database import Database
from rag.store.schema import answers, conversations, questions
from rag.types import (
    Answer,
    Checked,
    Citation,
    Claim,
    Found,
    Outcome,
    Retrieved,
    Seconds,
)

_RUNNING = "running"
_FINISHED = "finished"
_TITLE_CHARACTERS = 80
BROKEN_OFF = "Muniment was closed while this answer was being given. Ask again for a whole one."


@dataclass(frozen=True, slots=True)
class Conversation:
    """A chat; its title is the beginning of its first question. Times are seconds since 1970."""

    id: int
    workspace_id: int
    title: str
    created_at: float
    updated_at: float
    questions: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and how far its answer is.

    ``documents`` are the names it was narrowed to, None for all. While ``answer`` is None it is
    being given: ``retrieved`` is what was found (None: still searching), ``text``, ``claims`` and
    ``citations`` are what there is until now.
    """

    question_id: int
    conversation_id: int
    question: str
    documents: tuple[str, ...] | None
    asked_at: float
    retrieved: Retrieved | None
    text: str
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    answer: Answer | None


class Conversations:
    """The conversations of a data folder."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Conversations

    def start(self, workspace_id: int) -> int:
        """Begin a conversation and return its id."""
        now = time.time()
        row = insert(conversations).values(
            workspace_id=workspace_id, created_at=now, updated_at=now
        )
        with self._database.write() as connection:
            return int(connection.execute(row.returning(conversations.c.id)).scalar_one())

    def conversations(self, workspace_id: int) -> list[Conversation]:
        """List a workspace's conversations, the one used last first."""
        with self._database.read() as connection:
            return _conversations(connection, workspace_id, None)

    def conversation(self, workspace_id: int, conversation_id: int) -> Conversation:
        """Return a conversation of this workspace, or raise NotFound."""
        with self._database.read() as connection:
            return _require(connection, workspace_id, conversation_id)

    def delete(self, workspace_id: int, conversation_id: int) -> None:
        """Delete a conversation with its questions and answers, or raise NotFound."""
        with self._database.write() as connection:
            _require(connection, workspace_id, conversation_id)
            connection.execute(delete(conversations).where(conversations.c.id == conversation_id))
            erasing.leave_trace(connection)
        erasing.scrub_if_small(self._database)

    # Questions and answers

    def ask(
        self,
        workspace_id: int,
        conversation_id: int,
        question: str,
        documents: Sequence[str] | None = None,
    ) -> int:
        """Add a question, whose answer is being given from now on, and return its id.

        Raises:
            NotFound: this workspace has no such conversation.
        """
        now = time.time()
        with self._database.write() as connection:
            found = _require(connection, workspace_id, conversation_id)
            row = insert(questions).values(
                conversation_id=conversation_id,
                text=question,
                documents=None if documents is None else json.dumps(list(documents)),
                asked_at=now,
            )
            question_id = int(connection.execute(row.returning(questions.c.id)).scalar_one())
            connection.execute(
                insert(answers).values(question_id=question_id, state=_RUNNING, started_at=now)
            )
            connection.execute(
                update(conversations)
                .where(conversations.c.id == conversation_id)
                .values(updated_at=now, title=found.title or _title(question))
            )
        return question_id

    def begin(self, question_id: int, retrieved: Retrieved) -> None:
        """Keep what was found and who will speak."""
        self._grow(
            question_id,
            standalone=retrieved.standalone,
            model=retrieved.model,
            found=records.to_json(retrieved.found),
        )

    def append(self, question_id: int, text: str) -> None:
        """Add a piece to the text. Each call is a write to the disk: join small pieces before."""
        self._grow(question_id, text=answers.c.text + text)

    def save_partial(self, question_id: int, text: str) -> None:
        """Replace the text by what there is until now."""
        self._grow(question_id, text=text)

    def add_checked(self, question_id: int, checked: Checked) -> None:
        """Keep a finished sentence with its verdict and the citations it is the first to use."""
        with self._database.write() as connection:
            known = connection.scalar(
                select(answers.c.checked).where(answers.c.question_id == question_id)
            )
            if known is None:
                return
            grown = [*json.loads(known), json.loads(records.to_json(checked))]
            _change(connection, question_id, checked=json.dumps(grown))

    def finish(self, question_id: int, answer: Answer) -> None:
        """Keep the whole answer. A question deleted meanwhile is passed over."""
        with self._database.write() as connection:
            _finish(connection, question_id, answer)

    def fail(self, question_id: int, notice: str) -> None:
        """End an answer that could not be given; what it had said is kept."""
        self._end(question_id, Outcome.FAILED, notice)

    def stop_unfinished(self) -> int:
        """Mark the answers that a closed process left as stopped; for the time of opening."""
        waiting = self.unfinished()
        for question_id in waiting:
            self._end(question_id, Outcome.STOPPED, BROKEN_OFF)
        return len(waiting)

    def unfinished(self, workspace_id: int | None = None) -> list[int]:
        """List the questions (of one workspace) whose answer is being given."""
        running = (
            select(questions.c.id)
            .join(answers, answers.c.question_id == questions.c.id)
            .join(conversations, conversations.c.id == questions.c.conversation_id)
            .where(answers.c.state == _RUNNING)
            .order_by(questions.c.id)
        )
        if workspace_id is not None:
            running = running.where(conversations.c.workspace_id == workspace_id)
        with self._database.read() as connection:
            return list(connection.scalars(running))

    def exchange(self, question_id: int) -> Exchange:
        """Return a question and how far its answer is, or raise NotFound."""
        with self._database.read() as connection:
            return _exchange(connection, question_id)

    def turns(self, workspace_id: int, conversation_id: int) -> list[Exchange]:
        """List a conversation's questions and answers as they were asked, or raise NotFound."""
        asked = select(questions, answers).join(answers, answers.c.question_id == questions.c.id)
        here = asked.where(questions.c.conversation_id == conversation_id)
        with self._database.read() as connection:
            _require(connection, workspace_id, conversation_id)
            return [_read(row) for row in connection.execute(here.order_by(questions.c.id))]

    def _grow(self, question_id: int, **values: Any) -> None:  # noqa: ANN401 - any column's
        with self._database.write() as connection:
            _change(connection, question_id, **values)

    def _end(self, question_id: int, outcome: Outcome, notice: str) -> None:
        with self._database.write() as connection:
            try:
                exchange = _exchange(connection, question_id)
            except NotFound:
                return
            if exchange.answer is None:
                _finish(connection, question_id, _broken_off(exchange, outcome, notice))


def _change(connection: Connection, question_id: int, **values: Any) -> None:  # noqa: ANN401 - any column's
    running = (answers.c.question_id == question_id, answers.c.state == _RUNNING)
    connection.execute(update(answers).where(*running).values(**values))


def _finish(connection: Connection, question_id: int, answer: Answer) -> None:
    _change(
        connection,
        question_id,
        state=_FINISHED,
        text=answer.text,
        model=answer.model,
        standalone=answer.standalone,
        record=records.answer_to_json(answer),
        ended_at=time.time(),
    )


def _exchange(connection: Connection, question_id: int) -> Exchange:
    asked = select(questions, answers).join(answers, answers.c.question_id == questions.c.id)
    row = connection.execute(asked.where(questions.c.id == question_id)).one_or_none()
    if row is None:
        raise NotFound("The question is not there any more.")
    return _read(row)


def _read(row: Row[Any]) -> Exchange:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row's columns
    checked = [records.build(Checked, item) for item in json.loads(values[answers.c.checked])]
    found, record = values[answers.c.found], values[answers.c.record]
    documents = values[questions.c.documents]
    return Exchange(
        question_id=values[questions.c.id],
        conversation_id=values[questions.c.conversation_id],
        question=values[questions.c.text],
        documents=None if documents is None else tuple(json.loads(documents)),
        asked_at=values[questions.c.asked_at],
        retrieved=None
        if found is None
        else Retrieved(
            values[answers.c.standalone],
            records.from_json(found, Found),
            values[answers.c.model],
        ),
        text=values[answers.c.text],
        claims=tuple(item.claim for item in checked),
        citations=tuple(citation for item in checked for citation in item.citations),
        answer=None if record is None else records.answer_from_json(record),
    )


def _broken_off(exchange: Exchange, outcome: Outcome, notice: str) -> Answer:
    retrieved = exchange.retrieved
    return Answer(
        question=exchange.question,
        standalone=retrieved.standalone if retrieved else exchange.question,
        outcome=outcome,
        text=exchange.text,
        claims=exchange.claims,
        citations=exchange.citations,
        nearest=retrieved.found.hits if retrieved else (),
        confidence=retrieved.found.confidence if retrieved else 0.0,
        model=retrieved.model if retrieved else "",
        specialist="",
        recipe="",
        seconds=Seconds(
            retrieved.found.seconds if retrieved else 0.0, None, time.time() - exchange.asked_at
        ),
        notice=notice,
    )


def _conversations(
    connection: Connection, workspace_id: int, conversation_id: int | None
) -> list[Conversation]:
    listing = (
        select(conversations, func.count(questions.c.id).label("questions"))
        .outerjoin(questions, questions.c.conversation_id == conversations.c.id)
        .where(conversations.c.workspace_id == workspace_id)
        .group_by(conversations.c.id)
        .order_by(conversations.c.updated_at.desc(), conversations.c.id.desc())
    )
    if conversation_id is not None:
        listing = listing.where(conversations.c.id == conversation_id)
    return [
        Conversation(
            row.id, row.workspace_id, row.title, row.created_at, row.updated_at, row.questions
        )
        for row in connection.execute(listing)
    ]


def _require(connection: Connection, workspace_id: int, conversation_id: int) -> Conversation:
    found = _conversations(connection, workspace_id, conversation_id)
    if not found:
        raise NotFound("This conversation is not there any more.", "Begin a new one.")
    return found[0]


def _title(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= _TITLE_CHARACTERS else line[: _TITLE_CHARACTERS - 1] + "…"
