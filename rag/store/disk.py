"""Turning the operating system's and SQLite's words about a disk into ours.

Every file of the data folder is written under :func:`writing`, so that a full disk and a folder
that cannot be written end as :class:`rag.errors.DiskFull` with a remedy, wherever they happen.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import OperationalError

from rag.errors import DataFolderBusy, DiskFull

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SQLITE_NO_ROOM = ("database or disk is full",)
_SQLITE_NO_WRITING = (
    "readonly database",
    "unable to open database file",
    "disk i/o error",
)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Let trouble with the disk under ``folder`` come out as DiskFull; leave all else as it is.

    Raises:
        DiskFull: no room is left, or the folder cannot be written.
        DataFolderBusy: another program holds the database for longer than we wait.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise no_room(folder) from error
        raise not_writable(folder, error.strerror or str(error)) from error
    except (OperationalError, sqlite3.OperationalError) as error:
        said = str(getattr(error, "orig", error))
        words = said.lower()
        if any(sign in words for sign in _SQLITE_NO_ROOM):
            raise no_room(folder) from error
        if any(sign in words for sign in _SQLITE_NO_WRITING):
            raise not_writable(folder, said) from error
        if "locked" in words:
            raise DataFolderBusy(
                f"The database in {folder} is locked by another program.",
                "Close whatever else has it open, such as a backup or a database browser.",
            ) from error
        raise


def no_room(folder: Path) -> DiskFull:
    """Return the error for a disk without room."""
    return DiskFull(
        f"There is no room left on the disk that holds {folder}.",
        "Free some space; what was begun goes on by itself then.",
    )


def not_writable(folder: Path, why: str) -> DiskFull:
    """Return the error for a folder that the operating system does not let us write."""
    return DiskFull(
        f"The data folder {folder} cannot be written ({why}).",
        "Make it writable for this user, or choose another one with --data.",
    )
