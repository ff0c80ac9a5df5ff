"""One owner a data folder: who is refused, who is named, and how the lock ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rag.errors import DataFolderBusy, DiskFull
from rag.store.lock import FILE, FolderLock, owner

HOLDER = (
    "import sys, time, pathlib\n"
    "from rag.store.lock import FolderLock\n"
    "lock = FolderLock(pathlib.Path(sys.argv[1]))\n"
    "lock.acquire()\n"
    "lock.publish('http://127.0.0.1:8501')\n"
    "print('held', flush=True)\n"
    "time.sleep(60)\n"
)


def hold(folder: Path) -> subprocess.Popen[str]:
    root = Path(__file__).parent.parent
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], cwd=root, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as words:
        assert words.readline() == "held\n"
    return process


def test_another_process_is_refused_and_told_who_has_the_folder(tmp_path: Path) -> None:
    process = hold(tmp_path)
    try:
        with pytest.raises(DataFolderBusy) as refused:
            FolderLock(tmp_path).acquire()
        for word in (str(process.pid), socket.gethostname(), "http://127.0.0.1:8501"):
            assert word in refused.value.message
        first = owner(tmp_path)
        assert first is not None
        assert (first.pid, first.url) == (process.pid, "http://127.0.0.1:8501")
        assert abs(time.time() - first.since) < 60
    finally:
        process.kill()
        process.wait()
    assert owner(tmp_path) is None


def test_a_killed_owner_leaves_the_folder_free(tmp_path: Path) -> None:
    process = hold(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert json.loads((tmp_path / FILE).read_text())["pid"] == process.pid
    with FolderLock(tmp_path):
        now = owner(tmp_path)
        assert now is not None
        assert (now.pid, now.url) == (os.getpid(), None)


def test_a_second_opening_in_the_same_process_is_refused(tmp_path: Path) -> None:
    with FolderLock(tmp_path), pytest.raises(DataFolderBusy, match=str(os.getpid())):
        FolderLock(tmp_path).acquire()
    with FolderLock(tmp_path):
        assert owner(tmp_path) is not None


def test_nobody_owns_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert owner(tmp_path / "nowhere") is None
    (tmp_path / FILE).write_text("anything")
    assert owner(tmp_path) is None


def test_the_words_may_be_unreadable_while_the_lock_holds(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        (tmp_path / FILE).write_text("{")
        with pytest.raises(DataFolderBusy, match="another Muniment"):
            FolderLock(tmp_path).acquire()
        first = owner(tmp_path)
        assert first is not None
        assert first.pid == 0


def test_releasing_twice_does_not_release_somebody_elses(tmp_path: Path) -> None:
    first = FolderLock(tmp_path)
    first.acquire()
    first.release()
    with FolderLock(tmp_path):
        first.release()
        with pytest.raises(DataFolderBusy):
            first.acquire()


def test_asking_who_owns_it_never_keeps_anyone_out(tmp_path: Path) -> None:
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            owner(tmp_path)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(200):
            with FolderLock(tmp_path):
                pass
    finally:
        done.set()
        thread.join()
    assert owner(tmp_path) is None


def test_a_forked_child_does_not_keep_the_folder(tmp_path: Path) -> None:
    # In a process of its own, because forking one with threads draws a warning.
    program = (
        "import os, sys, time, pathlib\n"
        "from rag.store.lock import FolderLock\n"
        "FolderLock(pathlib.Path(sys.argv[1])).acquire()\n"
        "lock = FolderLock(pathlib.Path(sys.argv[1]) / 'second')\n"
        "lock.acquire()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os.close(1)\n"
        "    time.sleep(30)\n"
        "print(child, flush=True)\n"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=20,
    )
    child = int(done.stdout)
    try:
        os.kill(child, 0)  # it is alive
        assert owner(tmp_path / "second") is None
    finally:
        os.kill(child, signal.SIGKILL)


def test_the_file_is_private_and_an_unwritable_folder_is_said(tmp_path: Path) -> None:
    with FolderLock(tmp_path):
        assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    with pytest.raises(DiskFull):
        FolderLock(tmp_path / FILE / "folder").acquire()
