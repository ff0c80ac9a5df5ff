"""Frames between an embedder pool and its children: a length of four bytes, then the bytes.

Texts go as JSON, vectors as a count and the raw 32-bit floats, errors as JSON. Nothing that is
read is ever executed (no pickle).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import IO

import numpy as np

from rag import errors
from rag.errors import MunimentError
from rag.types import Vectors

_LENGTH = struct.Struct("<I")
_VECTORS = b"v"
_ERROR = b"e"


def read(stream: IO[bytes]) -> bytes:
    """Return the next frame.

    Raises:
        EOFError: the stream ended, between frames or within one.
    """
    size = _LENGTH.unpack(_exactly(stream, _LENGTH.size))[0]
    return _exactly(stream, size)


def write(stream: IO[bytes], body: bytes) -> None:
    """Write one frame and send it off."""
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def pack_texts(texts: Sequence[str]) -> bytes:
    """Return texts as a frame's body."""
    return json.dumps(list(texts)).encode("ascii")


def unpack_texts(body: bytes) -> list[str]:
    """Return the texts of a frame's body."""
    texts: list[str] = json.loads(body)
    return texts


def pack_vectors(vectors: Vectors) -> bytes:
    """Return vectors as a frame's body."""
    return _VECTORS + _LENGTH.pack(len(vectors)) + np.ascontiguousarray(vectors, "<f4").tobytes()


def pack_error(error: MunimentError) -> bytes:
    """Return an error as a frame's body."""
    words = {"kind": type(error).__name__, "message": error.message, "remedy": error.remedy}
    return _ERROR + json.dumps(words).encode("ascii")


def unpack_vectors(body: bytes) -> Vectors:
    """Return the vectors of a frame's body.

    Raises:
        MunimentError: the frame holds an error; it is raised here, of its own kind.
    """
    if body[:1] == _ERROR:
        words = json.loads(body[1:])
        kind = getattr(errors, words["kind"], MunimentError)
        raise kind(words["message"], words["remedy"])
    rows = _LENGTH.unpack_from(body, 1)[0]
    values = np.frombuffer(body, "<f4", offset=1 + _LENGTH.size)
    return values.reshape(rows, -1).astype(np.float32)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    body = stream.read(size)
    if len(body) < size:
        raise EOFError
    return body
