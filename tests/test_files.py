"""The originals: whole or not there, by the hash of their bytes, and within the limits."""

from __future__ import annotations

import hashlib
import io
import shutil
import stat
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from rag.errors import BadFile, DiskFull, NotFound, TooLarge
from rag.store.files import BLOCK, Originals


@pytest.fixture
def originals(tmp_path: Path) -> Originals:
    return Originals(tmp_path / "originals", max_bytes=5 * BLOCK, free_bytes=0)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class BreaksOff(io.RawIOBase):
    """A stream like that of a browser that goes away."""

    def __init__(self) -> None:
        self.left = 2

    def read(self, _size: int = -1) -> bytes:
        if not self.left:
            raise ConnectionResetError
        self.left -= 1
        return b"x" * BLOCK


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 7])
def test_what_is_put_is_kept_under_its_hash(originals: Originals, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"y" * (size % 256)
    sha256, count = originals.put(io.BytesIO(data))
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert count == size
    path = originals.path(sha256)
    assert path.read_bytes() == data
    assert path.relative_to(originals.folder).parts == (sha256[:2], sha256)
    assert originals.verify(sha256)
    assert list(originals.hashes()) == [sha256]
    assert files(originals.folder) == [path]


def test_only_the_owner_may_read_them(originals: Originals) -> None:
    sha256, _ = originals.put(io.BytesIO(b"secret"))
    path = originals.path(sha256)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (path.parent, originals.folder, originals.folder / "partial"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_file_too_large_leaves_nothing(originals: Originals) -> None:
    with pytest.raises(TooLarge, match="5 MB"):
        originals.put(io.BytesIO(b"x" * (5 * BLOCK + 1)))
    assert files(originals.folder) == []
    originals.put(io.BytesIO(b"x" * (5 * BLOCK)))


def test_the_room_to_be_left_free_is_left_free(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    originals = Originals(tmp_path / "originals", max_bytes=BLOCK, free_bytes=2 * free)
    with pytest.raises(DiskFull, match="Free some space"):
        originals.put(io.BytesIO(b"x"))
    assert files(originals.folder) == []


def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    originals = Originals(tmp_path / "file" / "originals", max_bytes=BLOCK, free_bytes=0)
    with pytest.raises(DiskFull, match="Make it writable"):
        originals.put(io.BytesIO(b"x"))
    system = Originals(Path("/proc/muniment"), max_bytes=BLOCK, free_bytes=0)
    with pytest.raises(DiskFull, match="Make it writable"):
        system.put(io.BytesIO(b"x"))


def test_an_upload_cut_short_leaves_nothing(originals: Originals) -> None:
    stream: BinaryIO = BreaksOff()  # type: ignore[assignment]
    with pytest.raises(BadFile, match="Upload it again"):
        originals.put(stream)
    assert files(originals.folder) == []


def test_what_a_crash_left_is_swept_and_never_taken_for_an_original(originals: Originals) -> None:
    sha256, _ = originals.put(io.BytesIO(b"whole"))
    (originals.folder / "partial" / "tmp123").write_bytes(b"half")
    assert list(originals.hashes()) == [sha256]
    assert originals.sweep_partial() == 1
    assert originals.sweep_partial() == 0
    assert files(originals.folder) == [originals.path(sha256)]


def test_damage_is_found_and_mended_by_the_same_bytes(originals: Originals) -> None:
    sha256, _ = originals.put(io.BytesIO(b"the lease"))
    originals.path(sha256).write_bytes(b"the leash")
    assert not originals.verify(sha256)
    originals.put(io.BytesIO(b"the lease"))
    assert originals.verify(sha256)


def test_deleting(originals: Originals) -> None:
    sha256, _ = originals.put(io.BytesIO(b"x"))
    assert originals.delete(sha256)
    assert not originals.delete(sha256)
    assert not originals.verify(sha256)
    assert list(originals.hashes()) == []


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "", "ab", "A" * 64, "g" * 64, "a" * 64 + "/x"]
)
def test_only_a_hash_leads_to_a_path(originals: Originals, name: str) -> None:
    for call in (originals.path, originals.delete, originals.verify):
        with pytest.raises(NotFound):
            call(name)


def test_the_same_bytes_at_once_are_one_file(originals: Originals) -> None:
    data = b"the same" * 100_000
    found: list[tuple[str, int]] = []
    threads = [
        threading.Thread(target=lambda: found.append(originals.put(io.BytesIO(data))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert files(originals.folder) == [originals.path(found[0][0])]


def test_nothing_kept_is_an_empty_list(originals: Originals) -> None:
    assert list(originals.hashes()) == []
    assert originals.sweep_partial() == 0
