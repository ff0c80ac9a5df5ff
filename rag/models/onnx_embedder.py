"""Embedding with onnxruntime: one text at a time, never cut.

Texts go in one by one: the graph has no padding (see :mod:`rag.models.onnx_graph`), so a text's
vector is the same alone or among thousands, in any order, in any process. Identical texts are
embedded once. The session may be used from several threads.

A model reads a limited number of tokens and would ignore the rest in silence. Here a passage that
is too long is refused, for whoever cut it was to keep below the limit; a question that is too long
is embedded in pieces, and the mean is its vector.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from rag.errors import ModelMissing, ModelOverflow
from rag.models import tokens
from rag.specialists import Embedding
from rag.types import Vectors


class OnnxEmbedder:
    """Embeds with an ONNX graph from ``ids`` to ``vector``, on one processor core."""

    def __init__(self, graph: Path, tokenizer: Path, embedding: Embedding) -> None:
        self.embedding = embedding
        self.reading = tokens.Reading(tokenizer)
        self.session = _open_session(graph)
        self.dimension: int = self.session.get_outputs()[0].shape[1]

    def embed(self, texts: Sequence[str], *, question: bool = False) -> Vectors:
        """Return a row of length one for each text, the recipe's prompt put before it once.

        Raises:
            ModelOverflow: a text that is no question is longer than the model reads.
        """
        prompt = self.embedding.query_prompt if question else self.embedding.passage_prompt
        rows: dict[str, int] = {}
        places = [rows.setdefault(text, len(rows)) for text in texts]
        vectors = np.empty((len(rows), self.dimension), np.float32)
        for text, row in rows.items():
            vectors[row] = self._vector(text, prompt, question=question)
        return vectors if len(rows) == len(places) else vectors[places]

    def _vector(self, text: str, prompt: str, *, question: bool) -> Vectors:
        ids = self.reading.ids(prompt + text)
        if len(ids) <= self.embedding.max_tokens:
            return self._run(ids)
        if not question:
            raise ModelOverflow(
                f"A passage of {len(ids)} tokens is longer than the {self.embedding.max_tokens}"
                " the embedding model reads.",
                "This is a fault in how the passage was cut; please report it.",
            )
        return self._windows(ids)

    def _windows(self, ids: list[int]) -> Vectors:
        """Return the mean of equal pieces' vectors, each between the model's own marks."""
        first, inner, last = ids[0], ids[1:-1], ids[-1]
        count = -(-len(inner) // (self.embedding.max_tokens - tokens.MARKS))
        edges = [len(inner) * piece // count for piece in range(count + 1)]
        pieces = [
            self._run([first, *inner[start:end], last]) for start, end in itertools.pairwise(edges)
        ]
        mean = np.mean(pieces, axis=0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)

    def _run(self, ids: list[int]) -> Vectors:
        output = self.session.run(["vector"], {"ids": np.array([ids], np.int64)})
        return np.asarray(output[0][0], np.float32)


def _open_session(graph: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Several processes with a thread each do more than one with several (bench/embed.py).
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # The arena keeps a few megabytes, and with large memory pages saves time (see pool_child).
    options.enable_cpu_mem_arena = True
    options.enable_mem_pattern = False
    # Further optimising would join sums and normalisations again (see onnx_graph).
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common base
        raise ModelMissing(
            f"The prepared embedding model {graph.name} cannot be opened ({error}).",
            "Prepare it again: python -m rag.models.prepare",
        ) from error
