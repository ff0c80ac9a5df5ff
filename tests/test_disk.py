"""A full disk, a folder that cannot be written, and child processes killed: told, nothing lost.

The disks are real: small file systems in memory, which only root may mount. Elsewhere these tests
are skipped, except the first, which lets the kernel refuse one process larger files.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text as sql

from ingest.engine import Engine, open_engine
from rag.config import Settings
from rag.errors import DiskFull, MunimentError
from rag.types import Status
from tests.conftest import settings_for
from tests.server import ROOT

LEASE = b"The tenant may end this lease by giving ninety days' written notice.\n"
QUESTION = "How much notice must the tenant give?"
SIZE = 24_000_000


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")


def _remount(disk: Path, how: str) -> None:
    """Remount a disk; read-only only when nobody has a file of it open for writing any more."""
    command = ["mount", "-o", f"remount,{how}", str(disk)]
    _until(lambda: subprocess.run(command, capture_output=True, check=False).returncode == 0)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB of its own."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    place = tmp_path / "disk"
    place.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place))
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _settings(disk: Path) -> Settings:
    return replace(settings_for(disk / "data"), free_disk_mb=0)


def _fill(disk: Path, leave: int = 0) -> Path:
    """Fill the disk, but for so many bytes."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    os.truncate(filler, max(0, filler.stat().st_size - leave))
    return filler


def _take_in(engine: Engine, name: str, content: bytes) -> None:
    engine.assistant.upload("w", name, io.BytesIO(content))


def _found(engine: Engine) -> str:
    return engine.assistant.search("w", QUESTION).hits[0].text


def _until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.02)


def _nothing_half_stored(engine: Engine) -> None:
    originals = engine.assistant.archive.originals
    assert list((originals.folder / "partial").iterdir()) == []
    assert set(originals.hashes()) == engine.assistant.archive.catalogue.needed_hashes()


def test_a_full_disk_is_told_and_the_same_upload_works_later(disk: Path) -> None:
    big = b"Nothing of note happened on that day. " * 60_000
    with open_engine(_settings(disk)) as engine:
        engine.assistant.create_workspace("w")
        _take_in(engine, "lease.txt", LEASE)
        assert engine.worker.wait_idle(60)
        filler = _fill(disk, leave=500_000)
        with pytest.raises(DiskFull) as told:
            _take_in(engine, "big.txt", big)
        assert "no room left" in told.value.message
        assert "Free some space" in told.value.remedy
        _nothing_half_stored(engine)
        assert [document.name for document in engine.assistant.documents("w")] == ["lease.txt"]
        assert "ninety days" in _found(engine)

        filler.unlink()
        _take_in(engine, "big.txt", big[:4000])
        assert engine.worker.wait_idle(60)
        assert [document.newest.status for document in engine.assistant.documents("w")] == [
            Status.READY,
            Status.READY,
        ]
        assert engine.assistant.doctor() == []


def test_a_disk_without_a_byte_left_loses_nothing(disk: Path) -> None:
    with open_engine(_settings(disk)) as engine:
        engine.assistant.create_workspace("w")
        _take_in(engine, "lease.txt", LEASE)
        assert engine.worker.wait_idle(60)
        filler = _fill(disk)
        for number in range(3):
            with pytest.raises(DiskFull):
                _take_in(engine, f"{number}.txt", LEASE * (number + 2))
        _nothing_half_stored(engine)
        assert "ninety days" in _found(engine)
        filler.unlink()
        assert engine.assistant.doctor() == []
    with open_engine(_settings(disk)) as engine:
        assert "ninety days" in _found(engine)


def test_work_that_met_a_full_disk_goes_on_when_there_is_room(disk: Path) -> None:
    """The bytes are in, but there is no room for what is read from them: that waits."""
    text = b"".join(
        f"Clause {number}. The tenant of house {number} pays {number} pounds a year. ".encode()
        for number in range(1500)
    )
    with open_engine(_settings(disk)) as engine:
        engine.assistant.create_workspace("w")
        _take_in(engine, "lease.txt", LEASE)
        assert engine.worker.wait_idle(60)
        filler = _fill(disk, leave=len(text) + 250_000)
        _take_in(engine, "long.txt", text)

        def told() -> bool:
            newest = engine.assistant.find_document("w", "long.txt").newest
            assert newest.status is not Status.READY
            assert newest.status is not Status.FAILED
            return "room" in (newest.reason or "") or _log_full(disk)

        _until(told)
        assert "ninety days" in _found(engine)
        filler.unlink()
        with engine.assistant.archive.database.write() as connection:  # the pause has passed
            connection.execute(sql("UPDATE jobs SET run_after = 0"))
        engine.worker.wake()
        assert engine.worker.wait_idle(90)
        newest = engine.assistant.find_document("w", "long.txt").newest
        assert (newest.status, newest.reason) == (Status.READY, None)
        assert newest.passages == newest.embedded > 0
        assert engine.assistant.doctor() == []


def _log_full(disk: Path) -> bool:
    """With no byte left, not even the reason can be written down."""
    stat = os.statvfs(disk)
    return stat.f_bavail * stat.f_frsize < 4096


def test_a_folder_that_cannot_be_written_is_told_and_still_read(disk: Path) -> None:
    with open_engine(_settings(disk)) as engine:
        engine.assistant.create_workspace("w")
        _take_in(engine, "lease.txt", LEASE)
        assert engine.worker.wait_idle(60)
    _remount(disk, "ro")
    with pytest.raises(MunimentError) as told, open_engine(_settings(disk)):
        pass
    assert isinstance(told.value, DiskFull)
    assert "cannot be written" in told.value.message
    assert "writable" in told.value.remedy
    _remount(disk, "rw")
    with open_engine(_settings(disk)) as engine:
        assert "ninety days" in _found(engine)
        _take_in(engine, "more.txt", LEASE * 2)
        assert engine.worker.wait_idle(60)
        assert engine.assistant.doctor() == []


def test_originals_that_turn_read_only_are_told(disk: Path) -> None:
    """As when the disk below the originals breaks while the server runs."""
    with open_engine(_settings(disk)) as engine:
        engine.assistant.create_workspace("w")
        _take_in(engine, "lease.txt", LEASE)
        assert engine.worker.wait_idle(60)
        originals = str(engine.assistant.archive.originals.folder)
        _mount("--bind", originals, originals)
        try:
            _mount("-o", "remount,ro,bind", originals)
            with pytest.raises(DiskFull, match="cannot be written"):
                _take_in(engine, "more.txt", LEASE * 2)
            assert "ninety days" in _found(engine)
        finally:
            subprocess.run(["umount", originals], check=True)
        _nothing_half_stored(engine)
        _take_in(engine, "more.txt", LEASE * 2)
        assert engine.worker.wait_idle(60)
        assert len(engine.assistant.documents("w")) == 2


LIMITED = """
import io, resource, signal, sys
from pathlib import Path
from rag.errors import DiskFull
from rag.store.files import Originals
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
originals = Originals(Path(sys.argv[1]), 10_000_000, 0)
originals.put(io.BytesIO(b"small"))
try:
    originals.put(io.BytesIO(b"x" * 200_000))
except DiskFull as error:
    print(error)
print(len(list(originals.hashes())), len(list((originals.folder / "partial").iterdir())))
"""


def test_a_file_the_system_refuses_is_told_as_a_full_disk(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "originals")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    told, left = done.stdout.splitlines()
    assert told.startswith("There is no room left")
    assert left == "1 0"


def test_a_disk_nearly_full_is_refused_before_it_is(settings: Settings) -> None:
    """What must stay free for everybody else is a setting."""
    with open_engine(replace(settings, free_disk_mb=10**9)) as engine:
        engine.assistant.create_workspace("w")
        with pytest.raises(DiskFull, match="no room"):
            _take_in(engine, "lease.txt", LEASE)
        assert engine.assistant.documents("w") == []


# Children killed


def _children(parent: int) -> dict[int, str]:
    """The child processes of a process with their command lines."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                command = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(stat.parent.name)] = command
        except (OSError, ValueError, IndexError):
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks for its children in /proc")
@pytest.mark.parametrize("victim", ["rag.models.pool_worker", "ingest.zygote"])
def test_a_killed_child_is_replaced(settings: Settings, victim: str) -> None:
    before = set(_children(os.getpid()))
    with open_engine(settings) as engine:
        engine.assistant.create_workspace("w")
        for number in range(4):
            text = "".join(
                f"Clause {number}.{clause}. The tenant of house {clause} pays {number} pounds. "
                for clause in range(120)
            )
            _take_in(engine, f"{number}.txt", text.encode())

        def killed() -> bool:
            for pid, command in _children(os.getpid()).items():
                if victim in command and pid not in before:
                    os.kill(pid, signal.SIGKILL)
                    return True
            return False

        _until(killed)
        assert engine.worker.wait_idle(90)
        documents = engine.assistant.documents("w")
        assert [(each.newest.status, each.newest.reason) for each in documents] == [
            (Status.READY, None)
        ] * 4
        assert engine.assistant.doctor() == []
