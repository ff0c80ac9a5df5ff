"""The child process of an embedder pool: reads batches of texts, writes their vectors.

Started by :mod:`rag.models.pool` as ``python -m rag.models.pool_worker``. The first frame on
standard input is the recipe and the models folder, each further one a batch. The child ends when
its input does, or when its parent is gone.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import BinaryIO

from rag import config
from rag.errors import ModelBroke, MunimentError
from rag.models import frames
from rag.models.embed import Embedder, open_embedder
from rag.processes import die_with_parent
from rag.specialists import Embedding, IndexRecipe, Passages

NICENESS = 5
"""Embedding gives way to reading documents and to whoever waits for an answer."""


def main() -> None:
    """Serve batches until the input ends."""
    die_with_parent()
    os.nice(NICENESS)
    # Whatever a library prints must not get between the frames.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        _serve(sys.stdin.buffer, answers)
    except (EOFError, BrokenPipeError):
        os._exit(0)


def _serve(batches: BinaryIO, answers: BinaryIO) -> None:
    order = json.loads(frames.read(batches))
    embedder: Embedder | None = None
    while True:
        texts = frames.unpack_texts(frames.read(batches))
        try:
            embedder = embedder or _open(order)
            answer = frames.pack_vectors(embedder.embed(texts))
        except MunimentError as error:
            answer = frames.pack_error(error)
        except Exception as error:  # noqa: BLE001 - a library's fault: told to the parent, in its words
            answer = frames.pack_error(
                ModelBroke(f"The embedding model failed ({type(error).__name__}: {error}).")
            )
        frames.write(answers, answer)


def _open(order: dict[str, dict[str, object]]) -> Embedder:
    table = order["recipe"]
    recipe = IndexRecipe(
        name=str(table["name"]),
        embedding=Embedding(**table["embedding"]),  # type: ignore[arg-type]
        passages=Passages(**table["passages"]),  # type: ignore[arg-type]
    )
    return open_embedder(recipe, config.load({}, models=Path(str(order["models"]))))


if __name__ == "__main__":
    main()
