"""What Chroma leaves on the disk: nothing that was deleted, nothing of other memory, nothing torn."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from rag.errors import DataFolderBusy
from rag.search.vectors import VectorStore
from rag.types import Vectors
from tests.made_vectors import rows

_USE = """
import sys
from pathlib import Path
import numpy as np
from rag.search.vectors import VectorStore
store, vectors = VectorStore(Path(sys.argv[1])), np.eye(3, 64, dtype=np.float32)
for step in sys.argv[2:]:
    match step:
        case "add": store.upsert(1, [1, 2, 3], vectors)
        case "rebuild": store.rebuild(1, [([1, 2, 3], vectors)])
        case "query": assert len(store.query(1, vectors[0], 3)) == 3
        case "ids": assert store.ids(1) == {1, 2, 3}
        case "delete": store.delete(1, [4])
store.close()
"""


def _use(folder: Path, *steps: str) -> None:
    """Use a store in a process where the C library fills fresh memory with 0xAA.

    That is where words of documents may lie else.
    """
    tunables = "glibc.malloc.perturb=85:glibc.malloc.tcache_count=0"
    subprocess.run(
        [sys.executable, "-c", _USE, str(folder), *steps],
        env=os.environ | {"GLIBC_TUNABLES": tunables},
        check=True,
    )


def _remains(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if b"\xaa" * 16 in path.read_bytes()]


def _plant_remains(folder: Path) -> None:
    """Leave in a small collection's files what a process that was killed may have left."""
    for name in ("data_level0.bin", "length.bin"):
        [path] = folder.rglob(name)
        path.write_bytes(b"\xaa" * path.stat().st_size)


def test_what_memory_held_before_never_reaches_the_files(tmp_path: Path) -> None:
    """Each is the first thing a process does with a collection, which is when it was written."""
    for first in ("add", "query", "delete", "rebuild"):
        _use(tmp_path, first, "ids")
        assert len(list(tmp_path.rglob("data_level0.bin"))) == 1
        assert _remains(tmp_path) == []


def test_remains_that_a_crash_left_are_blanked_and_no_vector_is_lost(tmp_path: Path) -> None:
    vectors = rows(2000)
    store = VectorStore(tmp_path)
    store.upsert(1, [1, 2, 3], vectors[:3])
    store.close()
    _plant_remains(tmp_path)
    assert len(_remains(tmp_path)) == 2

    again = VectorStore(tmp_path)
    assert again.ids(2) == set()  # another workspace is asked for
    assert _remains(tmp_path) == []
    assert again.query(1, vectors[1], 1)[0][0] == 2
    _plant_remains(tmp_path)  # as Chroma does when it loads an index it had let go
    assert again.query(1, vectors[2], 1)[0][0] == 3
    assert _remains(tmp_path) == []
    again.upsert(1, range(1, 2001), vectors)
    again.close()

    filled = VectorStore(tmp_path)
    assert filled.ids(1) == set(range(1, 2001))
    assert filled.query(1, vectors[7], 1)[0][0] == 8
    filled.close()


@pytest.mark.parametrize("count", [40, 2500])
@pytest.mark.parametrize("how", ["rebuild", "drop"])
def test_no_byte_of_a_deleted_vector_stays(tmp_path: Path, count: int, how: str) -> None:
    """A text can be guessed from its vector. Chroma's log and its index both hold vectors."""
    store = VectorStore(tmp_path)
    vectors = np.random.default_rng(5).normal(size=(count, 64)).astype(np.float32)
    store.upsert(1, range(count), vectors)
    store.delete(1, range(20))
    assert _held(tmp_path, vectors[:20])
    if how == "rebuild":
        store.rebuild(1, [(range(20, count), vectors[20:])])
    else:
        store.drop(1)
    store.forget_deleted()
    assert _held(tmp_path, vectors[:20]) == []
    assert store.ids(1) == (set(range(20, count)) if how == "rebuild" else set())
    store.upsert(1, [7], vectors[:1])
    assert 7 in store.ids(1)
    store.close()


def _held(folder: Path, vectors: Vectors) -> list[str]:
    """The files in which a part of a vector lies, as it was given or brought to length one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    parts = [row[20:24].tobytes() for given in (vectors, vectors / lengths) for row in given]
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(part in path.read_bytes() for part in parts)]


_WRITE_AND_DIE = """
import os, sys
from pathlib import Path
import numpy as np
from rag.search.vectors import VectorStore
store = VectorStore(Path(sys.argv[1]))
store.upsert(1, [1, 2], np.eye(2, 64, dtype=np.float32))
store.upsert(2, [3], np.eye(1, 64, dtype=np.float32))
with store._writing("workspace-2", store._collection(2)):
    os.kill(os.getpid(), 9)
"""


def test_what_was_being_written_when_the_process_was_killed_is_lost_and_no_more(
    tmp_path: Path,
) -> None:
    """An index torn in the middle may take the process along that reads it."""
    script = [sys.executable, "-c", _WRITE_AND_DIE, str(tmp_path)]
    assert subprocess.run(script, check=False).returncode == -9
    store = VectorStore(tmp_path)
    assert store.lost([1, 2]) == [2]
    assert store.lost([3]) == [3]  # there is nothing of it
    store.discard([2])
    assert store.ids(1) == {1, 2}
    assert store.ids(2) == set()
    store.upsert(2, [3], rows(1))
    store.close()
    again = VectorStore(tmp_path)
    assert again.lost([1, 2]) == []
    assert again.ids(2) == {3}
    again.close()


def test_searches_go_on_while_indexes_come_and_go_and_no_removed_file_stays_open(
    tmp_path: Path,
) -> None:
    store = VectorStore(tmp_path)
    vectors = rows(1100)
    store.upsert(1, range(1100), vectors)
    ended = threading.Event()
    wrong: list[object] = []

    def search() -> None:
        while not ended.is_set():
            try:
                found = [number for number, _ in store.query(1, vectors[9], 1)]
            except DataFolderBusy:
                continue
            if found != [9]:
                wrong.append(found)

    searching = [threading.Thread(target=search) for _ in range(3)]
    for thread in searching:
        thread.start()
    for _ in range(4):
        store.rebuild(1, [(range(1100), vectors)])
        store.forget_deleted()
    ended.set()
    for thread in searching:
        thread.join()
    assert wrong == []
    assert _removed_but_open(tmp_path) == []
    store.close()


def _removed_but_open(folder: Path) -> list[str]:
    found = []
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            found.append(str(handle.readlink()))
    return [path for path in found if str(folder) in path and path.endswith("(deleted)")]
