"""Embed many texts in child processes, so that every core works and a crash costs nothing.

Each child has a session of its own on one core; that is faster than one session on all of them
(``bench/embed.py``), and the server's own threads stay free. Children start with the first batch,
end after some idle minutes to give their memory back, and start again when needed. A child that
dies in the middle of a batch is replaced and the batch given again; a batch that kills several
children is given up.

The pool knows nothing of passages or of where vectors go. It may be used from several threads:
their batches are done in turn.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self

import numpy as np

from rag.config import CHECKOUT, Settings
from rag.errors import ModelBroke, MunimentError
from rag.models import frames
from rag.models.tokens import BUNDLED
from rag.specialists import IndexRecipe
from rag.types import Vectors

BATCH = 32
"""Texts sent to a child at once: few enough that progress shows and the cores end together."""

IDLE_SECONDS = 180.0
"""A child without work for so long ends."""

MOST_PROCESSES = 4
TRIES = 3
"""Children that may die over one batch before it is given up."""

_CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Batch:
    rows: list[int]
    texts: list[str]
    done: queue.SimpleQueue[tuple[list[int], Vectors | MunimentError]]
    dropped: threading.Event


class EmbedderPool:
    """Child processes that embed passages by one recipe."""

    def __init__(
        self, recipe: IndexRecipe, settings: Settings, *, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self.processes = _processes(recipe, settings)
        self.idle_seconds = idle_seconds
        self._order = json.dumps({"recipe": asdict(recipe), "models": str(settings.models)})
        self._work: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._children: dict[int, subprocess.Popen[bytes]] = {}
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
        vectors: Vectors | None = None
        for rows, part in self.embed_batches(texts):
            if vectors is None:
                vectors = np.empty((len(texts), part.shape[1]), np.float32)
            vectors[rows] = part
        return np.empty((0, 0), np.float32) if vectors is None else vectors

    def embed_batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        """Yield positions in ``texts`` with their vectors, batch by batch as they are done.

        Identical texts are embedded once. The longest come first, so that no core is left with a
        long batch at the end. Ending the iteration early drops the batches not yet begun.

        Raises:
            ModelError: as :meth:`embed`.
        """
        places: dict[str, list[int]] = {}
        for position, text in enumerate(texts):
            places.setdefault(text, []).append(position)
        unique = sorted(places, key=len, reverse=True)
        done: queue.SimpleQueue[tuple[list[int], Vectors | MunimentError]] = queue.SimpleQueue()
        dropped = threading.Event()
        starts = range(0, len(unique), BATCH)
        self._start(len(starts))
        for start in starts:
            part = unique[start : start + BATCH]
            self._work.put(_Batch(list(range(start, start + len(part))), part, done, dropped))
        try:
            for _ in starts:
                rows, vectors = done.get()
                if isinstance(vectors, MunimentError):
                    raise vectors
                owners = [places[unique[row]] for row in rows]
                repeats = [len(owner) for owner in owners]
                yield [place for owner in owners for place in owner], np.repeat(vectors, repeats, 0)
        finally:
            dropped.set()

    def close(self) -> None:
        """End the children; batches under way are dropped."""
        with self._lock:
            self._closed = True
            children = list(self._children.values())
            threads = list(self._threads)
        for child in children:
            child.kill()
        for _ in threads:
            self._work.put(None)
        for thread in threads:
            thread.join(_CLOSE_SECONDS)

    def _start(self, batches: int) -> None:
        with self._lock:
            if self._closed:
                raise ModelBroke("The embedder was closed.", "Start Muniment again.")
            for number in range(len(self._threads), min(self.processes, batches)):
                thread = threading.Thread(
                    target=self._run, args=(number,), daemon=True, name=f"embed-{number}"
                )
                self._threads.append(thread)
                thread.start()

    def _run(self, number: int) -> None:
        """Feed one child, as long as the pool is open."""
        while True:
            try:
                batch = self._work.get(timeout=self.idle_seconds)
            except queue.Empty:
                self._end(number)
                continue
            if batch is None:
                self._end(number)
                return
            batch.done.put((batch.rows, self._outcome(number, batch)))

    def _outcome(self, number: int, batch: _Batch) -> Vectors | MunimentError:
        for _ in range(TRIES):
            if batch.dropped.is_set() or self._closed:
                break
            try:
                return self._ask(number, batch.texts)
            except MunimentError as error:
                return error
            except (OSError, EOFError):
                self._end(number)
        return ModelBroke(
            "The process that embeds ended several times in the same place.",
            "Is memory short? Fewer processes (MUNIMENT_EMBED_PROCESSES) need less.",
        )

    def _ask(self, number: int, texts: list[str]) -> Vectors:
        child = self._child(number)
        assert child.stdin is not None  # noqa: S101 - both are pipes, see _child
        assert child.stdout is not None  # noqa: S101
        frames.write(child.stdin, frames.pack_texts(texts))
        return frames.unpack_vectors(frames.read(child.stdout))

    def _child(self, number: int) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise ModelBroke("The embedder was closed.", "Start Muniment again.")
            child = self._children.get(number)
            if child is None:
                child = subprocess.Popen(
                    [sys.executable, "-m", "rag.models.pool_worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=_environment(),
                )
                self._children[number] = child
                fresh = True
            else:
                fresh = False
        if fresh and child.stdin is not None:
            frames.write(child.stdin, self._order.encode())
        return child

    def _end(self, number: int) -> None:
        with self._lock:
            child = self._children.pop(number, None)
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was still to be written has no reader any more
                    continue


def _processes(recipe: IndexRecipe, settings: Settings) -> int:
    if recipe.embedding.model != BUNDLED:
        return 1  # torch uses every core by itself, and each process would take half a gigabyte
    return settings.embed_processes or min(MOST_PROCESSES, len(os.sched_getaffinity(0)))


def _environment() -> dict[str, str]:
    path = [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "TOKENIZERS_PARALLELISM": "false"}
