"""One child process of an embedder pool, as its parent sees it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import IO

from rag.config import CHECKOUT, Settings
from rag.models import frames
from rag.specialists import IndexRecipe
from rag.types import Vectors


class Child:
    """Runs :mod:`rag.models.pool_worker`. Used by one thread at a time."""

    def __init__(self, recipe: IndexRecipe, settings: Settings) -> None:
        self._order = json.dumps({"recipe": asdict(recipe), "models": str(settings.models)})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rag.models.pool_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a row for each text.

        Raises:
            OSError, EOFError: the process has ended.
            MunimentError: it could not do it, with the reason.
        """
        batches, answers = self._pipes()
        if self._order:
            frames.write(batches, self._order.encode())
            self._order = ""
        frames.write(batches, frames.pack_texts(texts))
        return frames.unpack_vectors(frames.read(answers))

    def kill(self) -> None:
        """End the process; may be called from another thread."""
        self._process.kill()

    def end(self) -> None:
        """End the process and let go of all that belonged to it."""
        self._process.kill()
        self._process.wait()
        for pipe in self._pipes():
            # What was still to be written has no reader any more.
            with contextlib.suppress(OSError):
                pipe.close()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        batches, answers = self._process.stdin, self._process.stdout
        if batches is None or answers is None:
            raise EOFError
        return batches, answers


def _environment() -> dict[str, str]:
    path = [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        # Memory in large pages where the system has them: embedding is a twentieth faster.
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        "OPENBLAS_NUM_THREADS": "1",
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path),
    }
