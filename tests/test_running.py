"""Answers that go on by themselves: how far they are, stopped, failed, and after a restart."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from ingest.engine import Engine, open_engine
from rag import access
from rag.answer.generate import Ask, Parts, generate
from rag.config import Settings
from rag.errors import DataFolderError, ModelBroke
from rag.models.chat import Choice, FakeChat
from rag.running import Progress, RunningAnswers
from rag.types import Answer, Checked, Event, Outcome, Retrieved, Token

QUESTION = "How much notice must the tenant give?"
PIECES = ["The notice ", "is six ", "months. ", "It is ", "written. ", *["And more. "] * 200]


@pytest.fixture
def running(samples: Engine) -> Iterator[RunningAnswers]:
    made = RunningAnswers(samples.assistant.archive.conversations)
    yield made
    made.close()


def _stream(
    samples: Engine, pieces: Sequence[str], error: ModelBroke | None = None, delay: float = 0.0
) -> Callable[[Callable[[], bool]], Iterator[Event]]:
    archive = samples.assistant.archive
    chat = FakeChat(pieces, error, delay=delay)
    parts = Parts(
        retriever=archive.retriever,
        page=archive.passages.page,
        embedder=archive.embedder,
        choice=Choice(chat, "Fake", ""),
        specialist=archive.specialist,
        recipe_hash=archive.recipe.hash,
    )
    scope = access.scope(samples.assistant.workspaces()[0], None)
    return lambda stopped: generate(Ask(QUESTION, scope, (), stopped), parts)


def _ask(samples: Engine) -> int:
    conversations = samples.assistant.archive.conversations
    return conversations.ask(1, conversations.start(1), QUESTION)


def _until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.01)


def _recorded(samples: Engine, question_id: int) -> Answer:
    answer = samples.assistant.archive.conversations.exchange(question_id).answer
    assert answer is not None
    return answer


def _text(running: RunningAnswers, question_id: int) -> str:
    progress = running.progress(question_id)
    return "" if progress is None else progress.text


def test_progress_grows_until_the_answer_is_recorded(
    samples: Engine, running: RunningAnswers
) -> None:
    question_id = _ask(samples)
    running.start(question_id, _stream(samples, PIECES[:5], delay=0.05))
    seen: list[Progress] = []

    def over() -> bool:
        progress = running.progress(question_id)
        if progress is not None:
            seen.append(progress)
        return progress is None

    _until(over)
    texts = [progress.text for progress in seen]
    assert len(set(texts)) > 2, "it was seen growing"
    assert all(later.startswith(earlier.rstrip()) for earlier, later in itertools.pairwise(texts))
    assert seen[-1].found
    assert seen[-1].model == "Fake"
    answer = _recorded(samples, question_id)
    assert answer.outcome is Outcome.ANSWERED
    assert answer.text == "The notice is six months. It is written."


def test_stop_keeps_what_was_said(samples: Engine, running: RunningAnswers) -> None:
    question_id = _ask(samples)
    running.start(question_id, _stream(samples, PIECES, delay=0.02))
    _until(lambda: "six" in _text(running, question_id))
    running.stop(question_id)
    progress = running.progress(question_id)
    assert progress is None or progress.stopping
    _until(lambda: running.progress(question_id) is None)
    answer = _recorded(samples, question_id)
    assert answer.outcome is Outcome.STOPPED
    assert answer.text.startswith("The notice is six")
    assert len(answer.text) < len("".join(PIECES)) - 10
    assert "Stopped" in answer.notice


def test_stopping_what_does_not_run_is_no_matter(running: RunningAnswers) -> None:
    running.stop(999_999)
    assert running.progress(999_999) is None


def test_a_model_that_breaks_is_recorded_with_its_remedy(
    samples: Engine, running: RunningAnswers
) -> None:
    question_id = _ask(samples)
    running.start(question_id, _stream(samples, PIECES[:2], ModelBroke("It broke.", "Ask again.")))
    _until(lambda: running.progress(question_id) is None)
    answer = _recorded(samples, question_id)
    assert (answer.outcome, answer.notice) == (Outcome.FAILED, "It broke. Ask again.")
    assert answer.text == "The notice is six"


@pytest.mark.parametrize(
    ("error", "notice"),
    [
        (DataFolderError("The disk is away.", "Fetch it."), "The disk is away. Fetch it."),
        (ZeroDivisionError("insides"), "Something unexpected happened"),
    ],
)
def test_any_failure_of_a_stream_is_recorded_with_what_was_said(
    samples: Engine, running: RunningAnswers, error: Exception, notice: str
) -> None:
    def broken(_: Callable[[], bool]) -> Iterator[Event]:
        yield Token("Half a ")
        yield Token("sentence")
        raise error

    question_id = _ask(samples)
    running.start(question_id, broken)
    _until(lambda: running.progress(question_id) is None)
    answer = _recorded(samples, question_id)
    assert answer.outcome is Outcome.FAILED
    assert answer.notice.startswith(notice)
    assert "insides" not in answer.notice
    assert answer.text == "Half a sentence"


def test_two_at_once_do_not_mix(samples: Engine, running: RunningAnswers) -> None:
    together = threading.Barrier(2, timeout=20)

    def met(word: str) -> Callable[[Callable[[], bool]], Iterator[Event]]:
        def stream(stopped: Callable[[], bool]) -> Iterator[Event]:
            for event in _stream(samples, [f"{word} ", f"{word} again."])(stopped):
                if isinstance(event, Token):
                    together.wait()
                yield event

        return stream

    ids = [_ask(samples), _ask(samples)]
    for question_id, word in zip(ids, ("One", "Two"), strict=True):
        running.start(question_id, met(word))
    for question_id, word in zip(ids, ("One", "Two"), strict=True):
        _until(lambda asked=question_id: running.progress(asked) is None)  # type: ignore[misc]
        assert _recorded(samples, question_id).text == f"{word} {word} again."


def test_closing_stops_and_records(samples: Engine) -> None:
    running = RunningAnswers(samples.assistant.archive.conversations)
    question_id = _ask(samples)
    running.start(question_id, _stream(samples, PIECES, delay=0.02))
    _until(lambda: "notice" in _text(running, question_id))
    running.close()
    assert _recorded(samples, question_id).outcome is Outcome.STOPPED


def test_an_answer_through_the_door(samples: Engine) -> None:
    door = samples.assistant
    conversation = door.new_conversation("Samples")
    question_id = door.start_answer("Samples", conversation, QUESTION, None)
    _until(lambda: door.progress(question_id) is None)
    (turn,) = door.turns("Samples", conversation)
    assert turn.answer is not None
    assert turn.answer.outcome is Outcome.ANSWERED
    assert "six months" in " ".join(turn.answer.text.split())
    second = door.start_answer("Samples", conversation, "And the landlord?", None)
    _until(lambda: door.progress(second) is None)
    assert _recorded(samples, second).standalone == f"{QUESTION} And the landlord?"
    door.delete_conversation("Samples", conversation)
    assert conversation not in [each.id for each in door.conversations("Samples")]


def test_after_a_power_cut_an_unfinished_answer_is_shown_as_stopped(settings: Settings) -> None:
    """What the first process had kept is all the second one knows; nobody finished it."""
    with open_engine(settings) as engine:
        engine.assistant.create_workspace("w")
        conversations = engine.assistant.archive.conversations
        question_id = conversations.ask(1, conversations.start(1), QUESTION)
        found = engine.assistant.search("w", QUESTION)
        conversations.begin(question_id, Retrieved(QUESTION, found, "Fake"))
        conversations.save_partial(question_id, "The notice is")
        assert conversations.exchange(question_id).answer is None
    with open_engine(settings) as engine:
        assert engine.assistant.progress(question_id) is None
        answer = engine.assistant.archive.conversations.exchange(question_id).answer
        assert answer is not None
        assert answer.outcome is Outcome.STOPPED
        assert answer.text == "The notice is"
        assert "closed" in answer.notice


def test_checked_sentences_are_kept_as_they_come(samples: Engine, running: RunningAnswers) -> None:
    held = threading.Event()

    def stream(stopped: Callable[[], bool]) -> Iterator[Event]:
        for event in _stream(samples, PIECES[:4])(stopped):
            yield event
            if isinstance(event, Checked):
                held.wait(20)

    question_id = _ask(samples)
    running.start(question_id, stream)
    conversations = samples.assistant.archive.conversations
    _until(lambda: conversations.exchange(question_id).claims)
    exchange = conversations.exchange(question_id)
    assert exchange.answer is None
    assert exchange.claims[0].text.startswith("The notice is six months")
    held.set()
    _until(lambda: running.progress(question_id) is None)
