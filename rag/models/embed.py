"""Turn texts into vectors: what an embedder is, which one a recipe means, and a fake for tests.

An embedder gives each text a row of numbers of length one; texts that mean alike have rows that
point alike. Which model does it is the index recipe's choice: ``bundled`` runs on onnxruntime
(:mod:`rag.models.onnx_embedder`), a folder of sentence-transformers on torch
(:mod:`rag.models.torch_embedder`, the extra ``models``). This file knows neither passages nor
where vectors are kept.

Surprising: nothing is downloaded, ever. A model is a folder on this machine or it is an error.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from rag.config import Settings
from rag.models import prepared, torch_embedder
from rag.models.onnx_embedder import OnnxEmbedder
from rag.models.pool import EmbedderPool
from rag.models.tokens import BUNDLED, FakeTokens, Tokens, open_tokens
from rag.models.torch_embedder import TorchEmbedder
from rag.specialists import IndexRecipe
from rag.types import Vectors

__all__ = [
    "Embedder",
    "EmbedderPool",
    "FakeEmbedder",
    "FakeTokens",
    "OnnxEmbedder",
    "Tokens",
    "TorchEmbedder",
    "model_identity",
    "open_embedder",
    "open_tokens",
]


class Embedder(Protocol):
    """Gives texts their vectors."""

    def embed(self, texts: Sequence[str], *, question: bool = False) -> Vectors:
        """Return a row of length one for each text, the recipe's prompt put before it once."""
        ...


class FakeEmbedder:
    """A deterministic embedder without a model: texts that share words point alike.

    Each word is hashed to one of the dimensions and counted there with a hashed sign.
    """

    def __init__(self, dimension: int = 64) -> None:
        self.dimension = dimension

    def embed(self, texts: Sequence[str], *, question: bool = False) -> Vectors:
        """Return a row of length one for each text; questions are read like passages."""
        del question
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.casefold()):
                digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest()
                number = int.from_bytes(digest, "big")
                vectors[row, number // 2 % self.dimension] += 1 if number % 2 else -1
            if not vectors[row].any():
                vectors[row, 0] = 1
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def open_embedder(recipe: IndexRecipe, settings: Settings) -> Embedder:
    """Return the recipe's embedder, in this process; it may be used from several threads.

    Raises:
        ModelMissing: the bundled model was not prepared, or a file of it was altered.
        BadSetting: the recipe's precision or model folder is wrong, or the extra is missing.
    """
    embedding = recipe.embedding
    if embedding.model != BUNDLED:
        return TorchEmbedder(Path(embedding.model), embedding)
    model = prepared.open_model(settings)
    graph = prepared.graph_file(model.precision(embedding.precision))
    return OnnxEmbedder(model.checked(graph), model.tokenizer, embedding)


def model_identity(recipe: IndexRecipe, settings: Settings) -> dict[str, str | int]:
    """Return what an index depends on: stored with it, and compared before a search.

    Raises:
        ModelMissing: the bundled model was not prepared.
        BadSetting: the recipe's precision or model folder is wrong.
    """
    embedding = recipe.embedding
    prompts: dict[str, str | int] = {
        "query_prompt": embedding.query_prompt,
        "passage_prompt": embedding.passage_prompt,
        "max_tokens": embedding.max_tokens,
    }
    if embedding.model != BUNDLED:
        return torch_embedder.identity(Path(embedding.model)) | prompts
    model = prepared.open_model(settings)
    precision = model.precision(embedding.precision)
    return prompts | {
        "model": model.identity.model,
        "sha256": model.identity.sha256,
        "dimension": model.identity.dimension,
        "pooling": model.identity.pooling,
        "precision": precision,
        "graph": model.identity.files[prepared.graph_file(precision)],
    }
