"""Answers being written: each in a thread of its own, kept in the database as it grows.

A page is a view that can be refreshed or closed at any moment; the answer goes on and is found
again. What a reader sees of a running answer is a :class:`Progress`, a value that is replaced, never
changed, so that any number of pages can look at it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from rag.errors import MunimentError
from rag.store.answers import Conversations
from rag.types import Answer, Checked, Citation, Claim, Event, Finished, Retrieved, Token

logger = logging.getLogger(__name__)

UNEXPECTED = "Something unexpected happened while answering. Nothing else was lost; ask again."
SAVE_SECONDS = 0.5
"""How often the growing text is written to the database."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an answer is: what was found, the text and the checked sentences until now."""

    question_id: int
    model: str = ""
    found: int | None = None
    text: str = ""
    claims: tuple[Claim, ...] = ()
    citations: tuple[Citation, ...] = ()
    answer: Answer | None = None
    stopping: bool = False


class RunningAnswers:
    """Starts answers, stops them, and tells how far they are."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations
        self._lock = threading.Lock()
        self._progress: dict[int, Progress] = {}
        self._stops: dict[int, threading.Event] = {}
        self._threads: dict[int, threading.Thread] = {}

    def start(
        self, question_id: int, stream: Callable[[Callable[[], bool]], Iterator[Event]]
    ) -> None:
        """Run a stream for a question already recorded; ``stream`` is given the stop to heed."""
        stop = threading.Event()
        thread = threading.Thread(
            target=self._run, args=(question_id, stream, stop), name=f"answer-{question_id}"
        )
        thread.daemon = True
        with self._lock:
            self._progress[question_id] = Progress(question_id)
            self._stops[question_id] = stop
            self._threads[question_id] = thread
        thread.start()

    def stop(self, question_id: int) -> None:
        """Ask an answer to end; what it has said is kept, marked as stopped."""
        with self._lock:
            stop = self._stops.get(question_id)
            progress = self._progress.get(question_id)
            if progress:
                self._progress[question_id] = replace(progress, stopping=True)
        if stop:
            stop.set()

    def progress(self, question_id: int) -> Progress | None:
        """Return how far an answer is, None when it is not running."""
        with self._lock:
            return self._progress.get(question_id)

    def close(self, timeout: float = 5.0) -> None:
        """Stop all answers and wait for them to be recorded."""
        with self._lock:
            threads = list(self._threads.values())
            for stop in self._stops.values():
                stop.set()
        for thread in threads:
            thread.join(timeout)

    def _run(
        self,
        question_id: int,
        stream: Callable[[Callable[[], bool]], Iterator[Event]],
        stop: threading.Event,
    ) -> None:
        saved = time.monotonic()
        try:
            for event in stream(stop.is_set):
                progress = self._advance(question_id, event)
                if progress.answer is not None:
                    self._conversations.finish(question_id, progress.answer)
                elif isinstance(event, Retrieved):
                    self._conversations.begin(question_id, event)
                elif isinstance(event, Checked):
                    self._conversations.add_checked(question_id, event)
                elif time.monotonic() - saved > SAVE_SECONDS:
                    self._conversations.save_partial(question_id, progress.text)
                    saved = time.monotonic()
        except MunimentError as error:
            self._fail(question_id, str(error))
        except Exception:  # a thread has nobody above it: whatever it was, the page must be told
            logger.exception("answer %s failed", question_id)
            self._fail(question_id, UNEXPECTED)
        finally:
            with self._lock:
                for kept in (self._progress, self._stops, self._threads):
                    kept.pop(question_id, None)

    def _fail(self, question_id: int, notice: str) -> None:
        """Record a failure; on a full disk even that fails, and the next opening records it."""
        try:
            progress = self.progress(question_id)
            if progress is not None:
                self._conversations.save_partial(question_id, progress.text)
            self._conversations.fail(question_id, notice)
        except MunimentError:
            logger.exception("the end of answer %s could not be written", question_id)

    def _advance(self, question_id: int, event: Event) -> Progress:
        with self._lock:
            progress = _advanced(self._progress[question_id], event)
            self._progress[question_id] = progress
            return progress


def _advanced(progress: Progress, event: Event) -> Progress:
    if isinstance(event, Retrieved):
        return replace(progress, model=event.model, found=len(event.found.hits))
    if isinstance(event, Token):
        return replace(progress, text=progress.text + event.text)
    if isinstance(event, Checked):
        return replace(
            progress,
            claims=(*progress.claims, event.claim),
            citations=(*progress.citations, *event.citations),
        )
    if isinstance(event, Finished):
        return replace(progress, text=event.answer.text, answer=event.answer)
    raise TypeError(event)
