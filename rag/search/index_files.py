"""The files of one collection's index: what in them means nothing, and whether they are whole.

Until a collection has a thousand vectors Chroma keeps its index in memory and in the log. It
writes files for it all the same, with room for a hundred elements and none of them filled: what
the allocator gave, whatever this process had there before, words of documents too. It does so
each time a process first uses the collection. Nothing ever reads these bytes; zeros do as well.
The next writing, with the thousandth vector, is of filled elements alone.

An index that was cut short, by a crash of the machine or a copy that broke off, is read by Chroma
beyond its end, and the process dies of it. So it is measured before.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

_HEADER = struct.Struct("<iQQQQ")
"""How hnswlib's header begins: its version, the offset of the links, the elements there is room
for, the elements there are, and the bytes of one."""

_WHOLE_HEADER = 100
_LENGTH = 4
"""Bytes of an element in the file of lengths, a float, and the least in that of upper links."""


def has_remains(folder: Path) -> bool:
    """Tell whether an index holds anything in elements that are not there.

    Args:
        folder: where Chroma keeps the index; it need not exist.

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


def is_cut_short(folder: Path) -> bool:
    """Tell whether an index's files are shorter than its header says, or some are not there.

    Raises:
        OSError: the files cannot be read.
    """
    if not (folder / "index_metadata.pickle").is_file():
        return False  # Chroma has not written it once, and does not read what else is there
    header = _header(folder)
    if header is None or (folder / "header.bin").stat().st_size < _WHOLE_HEADER:
        return True
    _, elements, size = header
    return any(
        not (folder / name).is_file() or (folder / name).stat().st_size < elements * least
        for name, least in (
            ("data_level0.bin", size),
            ("length.bin", _LENGTH),
            ("link_lists.bin", _LENGTH),
        )
    )


def _unfilled(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield the files, with their size in bytes, of an index that has no element on disk yet."""
    room, elements, size = _header(folder) or (0, 1, 0)
    if elements == 0:
        sizes = {"data_level0.bin": room * size, "length.bin": room * _LENGTH}
        for name, expected in sizes.items():
            path = folder / name
            if path.is_file() and path.stat().st_size == expected:
                yield path, expected


def _header(folder: Path) -> tuple[int, int, int] | None:
    """Return the elements there is room for, those there are and the bytes of one, or None."""
    path = folder / "header.bin"
    if not path.is_file():
        return None
    with path.open("rb") as file:
        first = file.read(_HEADER.size)
    if len(first) < _HEADER.size:
        return None
    _, _, room, elements, size = _HEADER.unpack(first)
    return room, elements, size
