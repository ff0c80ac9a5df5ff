"""Blanks the bytes of Chroma's files that mean nothing.

Until a collection has a thousand vectors Chroma keeps its index in memory and in the log. It
writes files for it all the same, with room for a hundred elements and none of them filled: what
the allocator gave, whatever this process had there before, words of documents too. It does so
each time a process first uses the collection. Nothing ever reads these bytes; zeros do as well.
The next writing, with the thousandth vector, is of filled elements alone.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

_HEADER = struct.Struct("<iQQQQ")
"""How hnswlib's header begins: its version, the offset of the links, the elements there is room
for, the elements there are, and the bytes of one."""

_LENGTH = 4
"""Bytes of an element in the file of lengths: a float."""


def has_remains(folder: Path) -> bool:
    """Tell whether a collection's files hold anything in elements that are not there.

    Args:
        folder: where Chroma keeps the collection's index; it need not exist.

    Raises:
        OSError: the files cannot be read.
    """
    return any(path.read_bytes() != bytes(size) for path, size in _unfilled(folder))


def blank(folder: Path) -> None:
    """Overwrite the elements that are not there with zeros; the others stay as they are.

    Args:
        folder: as for :func:`has_remains`; nobody may be adding to the collection.

    Raises:
        OSError: the files cannot be read or written.
    """
    for path, size in _unfilled(folder):
        with path.open("r+b") as file:
            file.write(bytes(size))
            file.flush()
            os.fsync(file.fileno())


def _unfilled(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield the files, with their size in bytes, of an index that has no element on disk yet."""
    header = folder / "header.bin"
    if not header.is_file():
        return
    with header.open("rb") as file:
        first = file.read(_HEADER.size)
    if len(first) < _HEADER.size:
        return
    _, _, room, elements, size = _HEADER.unpack(first)
    if elements == 0:
        sizes = {"data_level0.bin": room * size, "length.bin": room * _LENGTH}
        for name, expected in sizes.items():
            path = folder / name
            if path.is_file() and path.stat().st_size == expected:
                yield path, expected
