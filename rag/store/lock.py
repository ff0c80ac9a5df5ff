"""One owner a data folder: the lock that refuses a second one and names the first.

The operating system holds the lock (``flock``), so it ends with its process however that dies; the
words in the file only tell who that is. Surprising: opening the folder a second time in the same
process is refused as well, and child processes let go of the lock as soon as they are forked, or a
child that lives on would keep the folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
import weakref
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rag.errors import DataFolderBusy
from rag.store import disk

FILE = "muniment.lock"

# Asking who the owner is takes the lock for a moment; whoever wants it meanwhile tries again.
_TRIES = 10
_BETWEEN_TRIES = 0.02


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a data folder: since when (seconds since 1970), and where it can be reached."""

    pid: int
    host: str
    since: float
    url: str | None


class FolderLock:
    """The lock of a data folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._handle: int | None = None
        self._owner = Owner(os.getpid(), socket.gethostname(), time.time(), None)

    def acquire(self) -> None:
        """Take the folder.

        Raises:
            DataFolderBusy: somebody has it; the message says who.
            DiskFull: the folder cannot be written.
        """
        with disk.writing(self._path.parent):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                _lock(handle, self._path.parent)
                self._owner = replace(self._owner, pid=os.getpid(), since=time.time())
                _write(handle, self._owner)
            except BaseException:
                os.close(handle)
                raise
        self._handle = handle
        _held.add(self)

    def publish(self, url: str) -> None:
        """Tell others where the owner can be reached."""
        self._owner = replace(self._owner, url=url)
        if self._handle is not None:
            with disk.writing(self._path.parent):
                _write(self._handle, self._owner)

    def release(self) -> None:
        """Let the folder go; doing it twice is no matter."""
        _held.discard(self)
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def forget(self) -> None:
        """Close a forked child's copy of the lock; the parent keeps the folder."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def owner(folder: Path) -> Owner | None:
    """Return who holds a data folder, None when nobody does, whatever the file says."""
    try:
        handle = os.open(folder / FILE, os.O_RDONLY)
    except OSError:
        return None
    try:
        if _locked(handle, fcntl.LOCK_SH, 1):
            return None
        return _read(handle)
    finally:
        os.close(handle)


_held: weakref.WeakSet[FolderLock] = weakref.WeakSet()


def _forget_all() -> None:
    for lock in list(_held):
        lock.forget()


os.register_at_fork(after_in_child=_forget_all)


def _lock(handle: int, folder: Path) -> None:
    if not _locked(handle, fcntl.LOCK_EX, _TRIES):
        raise _busy(folder, _read(handle))


def _locked(handle: int, kind: int, tries: int) -> bool:
    for left in reversed(range(tries)):
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if left:
                time.sleep(_BETWEEN_TRIES)
        else:
            return True
    return False


def _write(handle: int, owner: Owner) -> None:
    data = json.dumps(asdict(owner)).encode()
    os.pwrite(handle, data, 0)
    os.ftruncate(handle, len(data))


def _read(handle: int) -> Owner:
    try:
        words = json.loads(os.pread(handle, 10_000, 0))
        return Owner(words["pid"], words["host"], words["since"], words["url"])
    except (ValueError, KeyError, TypeError):  # it is being written at this moment
        return Owner(0, "", 0.0, None)


def _busy(folder: Path, first: Owner) -> DataFolderBusy:
    if not first.pid:
        return DataFolderBusy(
            f"The data folder {folder} is in use by another Muniment.", "Close it first."
        )
    since = datetime.fromtimestamp(first.since).astimezone().strftime("%Y-%m-%d %H:%M")
    where = f", reachable at {first.url}" if first.url else ""
    return DataFolderBusy(
        f"The data folder {folder} is in use by process {first.pid} on {first.host} "
        f"since {since}{where}.",
        "Use that one, or close it first.",
    )
