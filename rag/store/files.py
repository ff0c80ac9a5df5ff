"""The originals: every file taken in, kept under the SHA-256 of its bytes, written once.

``<folder>/ab/abcd…`` is the original with that hash, and ``<folder>/partial`` holds what is still
being taken in. Knows nothing of documents: which hashes are still needed is the catalogue's
business. Surprising: putting bytes that are already there writes them again, which mends an
original that was damaged on the disk.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rag.errors import BadFile, NotFound, TooLarge
from rag.store import disk

BLOCK = 1 << 20
_HASH = re.compile(r"[0-9a-f]{64}")
_PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Taken:
    """Bytes that came in and are safe on the disk, but nobody's original yet."""

    sha256: str
    size: int
    path: Path


class Originals:
    """The folder of originals. Limits are in bytes; ``free_bytes`` must stay free on the disk."""

    def __init__(self, folder: Path, max_bytes: int, free_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.free_bytes = free_bytes

    def put(self, stream: BinaryIO) -> tuple[str, int]:
        """Keep the bytes of ``stream``; return their SHA-256 and how many they are.

        When this returns, the original is on the disk, power cut or not.

        Raises:
            TooLarge, BadFile, DiskFull: as :meth:`take`.
        """
        taken = self.take(stream)
        try:
            self.keep(taken)
        finally:
            self.discard(taken)
        return taken.sha256, taken.size

    def take(self, stream: BinaryIO) -> Taken:
        """Write the bytes of ``stream`` to the disk, for :meth:`keep` or :meth:`discard`.

        Raises:
            TooLarge: there are more bytes than one file may have.
            BadFile: the stream broke off.
            DiskFull: no room is left, or the folder cannot be written. Nothing is left behind.
        """
        with disk.writing(self.folder):
            partial = self.folder / _PARTIAL
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial.mkdir(mode=0o700, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=partial)  # made with mode 0600
            try:
                with os.fdopen(handle, "wb") as file:
                    sha256, size = self._copy(stream, file)
                    file.flush()
                    os.fsync(file.fileno())
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        return Taken(sha256, size, Path(name))

    def keep(self, taken: Taken) -> None:
        """Make bytes that were taken the original with their hash.

        Raises:
            DiskFull: the folder cannot be written.
        """
        with disk.writing(self.folder):
            self._keep(taken.path, taken.sha256)

    def discard(self, taken: Taken) -> None:
        """Forget bytes that were taken, unless they were kept."""
        taken.path.unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        """Return where the original with this hash is, or would be, kept.

        Raises:
            NotFound: this is no SHA-256 in small hexadecimal letters, or there is a link in its
                place, which may lead anywhere.
        """
        path = self._place(sha256)
        if _linked(path):
            raise NotFound("The original of this document is missing.", "Upload it again.")
        return path

    def _place(self, sha256: str) -> Path:
        if not _HASH.fullmatch(sha256):
            raise NotFound("There is no such original.")
        return self.folder / sha256[:2] / sha256

    def delete(self, sha256: str) -> bool:
        """Remove an original; False when it was not there."""
        path = self._place(sha256)
        with disk.writing(self.folder):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            _sync_folder(path.parent)
        return True

    def hashes(self) -> Iterator[str]:
        """Yield the hash of every original that is kept, in order."""
        for path in sorted(self.folder.glob("[0-9a-f][0-9a-f]/*")):
            if _HASH.fullmatch(path.name):
                yield path.name

    def verify(self, sha256: str) -> bool:
        """Say whether the original is there and still has the bytes of its hash."""
        digest = hashlib.sha256()
        path = self._place(sha256)
        if _linked(path):
            return False
        try:
            with path.open("rb") as file:
                while block := file.read(BLOCK):
                    digest.update(block)
        except OSError:
            return False
        return digest.hexdigest() == sha256

    def sweep_partial(self) -> int:
        """Remove what uploads cut short have left; return how many. For the time of opening."""
        partial = self.folder / _PARTIAL
        left = [] if partial.is_symlink() else [p for p in partial.glob("*") if not p.is_dir()]
        with disk.writing(self.folder):
            for path in left:
                path.unlink(missing_ok=True)
        return len(left)

    def _copy(self, stream: BinaryIO, file: BinaryIO) -> tuple[str, int]:
        digest = hashlib.sha256()
        size = 0
        while block := _next(stream):
            size += len(block)
            if size > self.max_bytes:
                raise TooLarge(
                    f"The file is larger than {self.max_bytes // 1_000_000} MB.",
                    "Split it, or have the limit raised (max_upload_mb).",
                )
            if shutil.disk_usage(self.folder).free - len(block) < self.free_bytes:
                raise disk.no_room(self.folder)
            digest.update(block)
            file.write(block)
        return digest.hexdigest(), size

    def _keep(self, partial: Path, sha256: str) -> None:
        path = self._place(sha256)
        if path.parent.is_symlink():
            path.parent.unlink()
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _sync_folder(self.folder)
        partial.replace(path)
        _sync_folder(path.parent)


def _linked(path: Path) -> bool:
    return path.is_symlink() or path.parent.is_symlink()


def _next(stream: BinaryIO) -> bytes:
    try:
        return stream.read(BLOCK)
    except OSError as error:  # not our disk's trouble, so not to be told as that
        raise BadFile("The file stopped coming in before its end.", "Upload it again.") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
