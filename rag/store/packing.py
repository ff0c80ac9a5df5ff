"""A page's word boxes and headings as bytes, and back.

Columns of little-endian 32-bit integers, compressed: a page has hundreds of words, and a row of
them in SQL would cost ten times the room. Coordinates are kept to a hundredth of a point (0.004
mm), so a box comes back rounded to that; offsets come back exactly.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rag.types import HUNDREDTHS, Boxes, TextBox

_LIMIT = 2**31 - 1
_FAST = 1


def pack_boxes(boxes: Sequence[TextBox]) -> bytes:
    """Return boxes as bytes; none are no bytes."""
    if not boxes:
        return b""
    if isinstance(boxes, Boxes):
        return _pack(boxes.table.astype(np.int64))
    offsets = np.array([(item.start, item.end) for item in boxes], dtype=np.int64)
    places = np.array(
        [(item.box.x0, item.box.y0, item.box.x1, item.box.y1) for item in boxes], dtype=np.float64
    )
    steps = np.rint(
        np.nan_to_num(places).clip(-_LIMIT / HUNDREDTHS, _LIMIT / HUNDREDTHS) * HUNDREDTHS
    )
    return _pack(np.hstack([offsets, steps.astype(np.int64)]))


def unpack_boxes(data: bytes) -> Sequence[TextBox]:
    """Return what :func:`pack_boxes` was given, coordinates rounded."""
    return Boxes(_unpack(data, 6)) if data else ()


def pack_spans(spans: Sequence[tuple[int, int]]) -> bytes:
    """Return pairs of offsets as bytes; none are no bytes."""
    return _pack(np.array(spans, dtype=np.int64)) if spans else b""


def unpack_spans(data: bytes) -> tuple[tuple[int, int], ...]:
    """Return what :func:`pack_spans` was given."""
    return tuple((start, end) for start, end in _unpack(data, 2).tolist())


def _pack(table: NDArray[np.int64]) -> bytes:
    # A column after the other, each as differences from row to row: those compress well.
    # Differences wrap around in 32 bits, and so do the sums that undo them.
    columns = np.diff(table.T, prepend=0, axis=1).astype("<i4")
    return zlib.compress(columns.tobytes(), _FAST)


def _unpack(data: bytes, width: int) -> NDArray[np.int32]:
    if not data:
        return np.zeros((0, width), dtype=np.int32)
    columns = np.frombuffer(zlib.decompress(data), dtype="<i4").reshape(width, -1)
    return np.cumsum(columns, axis=1, dtype=np.int32).T
