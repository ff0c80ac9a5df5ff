"""The vectors of texts that were embedded lately, by a digest of the text.

A quarterly report repeats a fifth of the one before word for word, and a new version of a document
nearly all of the old one. Only in memory, only so many, and no text is kept.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import numpy as np

from rag.types import Vectors

MOST = 16_384
"""Vectors kept: about 30 MB."""


class Remembered:
    """Vectors by text, the ones used longest ago forgotten first. For several threads."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._rows: OrderedDict[bytes, bytes] = OrderedDict()

    def find(self, texts: Iterable[str]) -> tuple[list[str], Vectors]:
        """Return the texts that are known, with a row for each."""
        known: list[str] = []
        rows: list[bytes] = []
        with self._lock:
            for text in texts:
                key = _digest(text)
                row = self._rows.get(key)
                if row is not None:
                    self._rows.move_to_end(key)
                    known.append(text)
                    rows.append(row)
        vectors = np.frombuffer(b"".join(rows), np.float32)
        return known, vectors.reshape(len(rows), -1) if rows else vectors.reshape(0, 0)

    def keep(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Remember texts' vectors."""
        with self._lock:
            for text, row in zip(texts, vectors, strict=True):
                self._rows[_digest(text)] = row.tobytes()
            while len(self._rows) > self.most:
                self._rows.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._rows.clear()


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
