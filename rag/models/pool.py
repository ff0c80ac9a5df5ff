"""Embed many texts in child processes, so that every core works and a crash costs nothing.

Each child has a session of its own on one core; that is faster than one session on all of them
(``bench/embed.py``), and the server's own threads stay free. Children start with the first batch,
end after an idle minute to give their memory back, and start again when needed. A child that dies
in the middle of a batch is replaced and the batch given again; a batch that kills several children
is given up.

What was embedded lately is remembered as long as children run (:mod:`rag.models.remembered`). To
the bundled model a line break is a space, so the same words in other lines are the same text.
The pool knows nothing of passages or of where vectors go. It may be used from several threads:
their batches are done in turn.
"""

from __future__ import annotations

import os
import queue
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from rag.config import Settings
from rag.errors import ModelBroke, MunimentError
from rag.models.pool_child import Child
from rag.models.remembered import Remembered
from rag.models.tokens import BUNDLED
from rag.specialists import IndexRecipe
from rag.types import Vectors

BATCH = 32
"""Texts sent to a child at once: few enough that progress shows and the cores end together."""

IDLE_SECONDS = 60.0
"""A child without work for so long ends."""

MOST_PROCESSES = 4
TRIES = 3
"""Children that may die over one batch before it is given up."""

_CLOSE_SECONDS = 5.0
_SPACES = re.compile(r"[ \t\r\n]+")

Outcome = Vectors | MunimentError


@dataclass(frozen=True, slots=True)
class _Batch:
    """Texts for one child, where to put the outcome, and whether anybody still wants it."""

    texts: list[str]
    done: queue.SimpleQueue[tuple[list[str], Outcome]]
    dropped: threading.Event


class EmbedderPool:
    """Child processes that embed passages by one recipe."""

    def __init__(
        self, recipe: IndexRecipe, settings: Settings, *, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self.processes = _processes(recipe, settings)
        self.idle_seconds = idle_seconds
        self._bundled = recipe.embedding.model == BUNDLED
        self._recipe = recipe
        self._settings = settings
        self._work: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._remembered = Remembered()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._children: dict[int, Child] = {}
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """The process ids of the children that run now."""
        with self._lock:
            return [child.pid for child in self._children.values()]

    def embed(self, texts: Sequence[str], *, question: bool = False) -> Vectors:
        """Return a row of length one for each text, in the texts' order.

        Raises:
            ModelError: a text is too long, the model is missing, or its process keeps dying.
            ValueError: ``question`` is set; questions are embedded in the process that asks.
        """
        if question:
            raise ValueError("the pool embeds passages; open_embedder() embeds questions")
        vectors = np.empty((len(texts), 0), np.float32)
        for rows, part in self.embed_batches(texts):
            if not vectors.size:
                vectors = np.empty((len(texts), part.shape[1]), np.float32)
            vectors[rows] = part
        return vectors

    def embed_batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        """Yield positions in ``texts`` with their vectors, batch by batch as they are done.

        Identical texts are embedded once. The longest come first, so that no core is left with a
        long batch at the end. Ending the iteration early drops the batches not yet begun.

        Raises:
            ModelError: as :meth:`embed`.
        """
        places: dict[str, list[int]] = {}
        for position, text in enumerate(texts):
            places.setdefault(self._plain(text), []).append(position)
        known, vectors = self._remembered.find(places)
        if known:
            yield _placed(known, vectors, places)
        new = sorted(places.keys() - set(known), key=lambda text: (-len(text), text))
        for batch, outcome in self._outcomes(new):
            if isinstance(outcome, MunimentError):
                raise outcome
            self._remembered.keep(batch, outcome)
            yield _placed(batch, outcome, places)

    def close(self) -> None:
        """End the children; batches under way are dropped."""
        with self._lock:
            self._closed = True
            threads, self._threads = self._threads, []
            for child in self._children.values():
                child.kill()
        for _ in threads:
            self._work.put(None)
        for thread in threads:
            thread.join(_CLOSE_SECONDS)

    def _plain(self, text: str) -> str:
        """Return a text as it is told from others: what the model does not see is left out."""
        return _SPACES.sub(" ", text) if self._bundled else text

    def _outcomes(self, texts: list[str]) -> Iterator[tuple[list[str], Outcome]]:
        """Have texts embedded in batches, and yield these as they are done."""
        done: queue.SimpleQueue[tuple[list[str], Outcome]] = queue.SimpleQueue()
        dropped = threading.Event()
        batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        self._start(len(batches))
        try:
            for batch in batches:
                self._work.put(_Batch(batch, done, dropped))
            for _ in batches:
                yield done.get()
        finally:
            dropped.set()

    def _start(self, batches: int) -> None:
        """Start as many threads as there is work for; each will feed one child."""
        with self._lock:
            if self._closed:
                raise _closed()
            for number in range(len(self._threads), min(self.processes, batches)):
                thread = threading.Thread(
                    target=self._run, args=(number,), daemon=True, name=f"embed-{number}"
                )
                self._threads.append(thread)
                thread.start()

    def _run(self, number: int) -> None:
        while True:
            try:
                batch = self._work.get(timeout=self.idle_seconds)
            except queue.Empty:
                self._end(number)
                if not self.pids:
                    self._remembered.clear()
                continue
            if batch is None:
                self._end(number)
                return
            batch.done.put((batch.texts, self._outcome(number, batch)))

    def _outcome(self, number: int, batch: _Batch) -> Outcome:
        """Return a batch's vectors, or why there are none; a child that dies is replaced."""
        for _ in range(TRIES):
            if self._closed or batch.dropped.is_set():
                return _closed()
            try:
                return self._child(number).embed(batch.texts)
            except MunimentError as error:
                return error
            except (OSError, EOFError):
                self._end(number)
        return ModelBroke(
            "The process that embeds ended several times in the same place.",
            "Is memory short? Fewer processes (MUNIMENT_EMBED_PROCESSES) need less.",
        )

    def _child(self, number: int) -> Child:
        with self._lock:
            if self._closed:
                raise _closed()
            if number not in self._children:
                self._children[number] = Child(self._recipe, self._settings)
            return self._children[number]

    def _end(self, number: int) -> None:
        with self._lock:
            child = self._children.pop(number, None)
        if child is not None:
            child.end()


def _placed(
    batch: list[str], vectors: Vectors, places: dict[str, list[int]]
) -> tuple[list[int], Vectors]:
    """Return the positions of a batch's texts with their vectors, one for each position."""
    owners = [places[text] for text in batch]
    repeats = [len(owner) for owner in owners]
    return [place for owner in owners for place in owner], np.repeat(vectors, repeats, axis=0)


def _processes(recipe: IndexRecipe, settings: Settings) -> int:
    if recipe.embedding.model != BUNDLED:
        return 1  # torch uses every core by itself, and each process would take half a gigabyte
    return settings.embed_processes or min(MOST_PROCESSES, os.cpu_count() or 1)


def _closed() -> ModelBroke:
    return ModelBroke("The embedder was closed.", "Start Muniment again.")
