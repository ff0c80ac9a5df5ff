"""The folder Chroma keeps its files in, and what has to be done there because Chroma does not.

It leaves the folder of a removed collection behind; it keeps what was deleted in its database; it
writes remains of this process's memory into the files of small collections; and a process that is
killed while Chroma writes an index leaves it torn, of which the next one may die. So what is being
written is marked with a file beside it. Knows nothing of vectors. Used with the lock of
:class:`rag.search.vectors.VectorStore` held.

Surprising: Chroma brings its own copy of SQLite, and two copies in one process do not see each
other's locks; the one that closes the file even takes the other's away. So the database is opened
here only before Chroma has opened it, and rewritten by another process.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from uuid import UUID

from rag.search.index_files import blank, has_remains, is_cut_short
from rag.store import disk

_DATABASE = "chroma.sqlite3"
_INDEXES = (
    "SELECT c.id, c.name, s.id FROM collections AS c "
    "JOIN segments AS s ON s.collection = c.id AND s.scope = 'VECTOR'"
)
_MARK = ".writing"
_REWRITER = Path(__file__).with_name("vacuum.py")


class Damaged(Exception):
    """Chroma's database cannot be read."""


class ChromaFolder:
    """One folder, and where in it each collection's index is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._indexes: dict[UUID, Path] = {}

    def sound(self) -> set[str]:
        """Return the names of collections to be trusted; Chroma must not have opened it yet.

        Of the others, the index is cut short, or was being written when the process ended.

        Raises:
            Damaged: Chroma's database cannot be read.
        """
        whole = {name for _, name, index in self._known() if not is_cut_short(index)}
        return whole - {path.name.removesuffix(_MARK) for path in self._marks()}

    def open(self) -> None:
        """Make the folder, or tidy up what is there; Chroma must not have opened it yet.

        An index that is cut short goes, for Chroma would read beyond its end.

        Raises:
            Damaged: Chroma's database cannot be read.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._indexes = {collection: index for collection, _, index in self._known()}
        known = set(self._indexes.values())
        for index in self._folders():
            if index not in known or is_cut_short(index):
                shutil.rmtree(index, ignore_errors=True)
            elif has_remains(index):
                blank(index)

    @contextmanager
    def writing(self, name: str, collection: UUID) -> Iterator[None]:
        """Mark a collection as not to be trusted if the process should end in this block.

        Where its index is becomes known here too: Chroma makes the folder with the first writing.
        """
        mark = self.path / f"{name}{_MARK}"
        before = None if collection in self._indexes else self._folders()
        with suppress(OSError):  # a full disk must not keep anybody from deleting
            mark.touch(mode=0o600)
        yield
        mark.unlink(missing_ok=True)
        if before is not None:
            for index in self._folders() - before:
                self._indexes[collection] = index

    def trust(self) -> None:
        """Remove every mark."""
        for path in self._marks():
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove everything; Chroma must not have it open."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._indexes.clear()

    def removed(self, collection: UUID) -> None:
        """Remove the files of a collection that Chroma has removed."""
        index = self._indexes.pop(collection, None)
        if index is not None:
            shutil.rmtree(index, ignore_errors=True)

    def has_remains(self, collection: UUID) -> bool:
        """Tell whether a collection's files hold what they should not; needs no lock."""
        index = self._indexes.get(collection)
        with suppress(FileNotFoundError):  # the collection was removed meanwhile
            return index is not None and has_remains(index)
        return False

    def blank(self, collection: UUID) -> None:
        """Blank what a collection's files should not hold."""
        if self.has_remains(collection):
            blank(self._indexes[collection])

    def rewrite(self) -> None:
        """Write Chroma's database anew without what was deleted from it.

        Raises:
            DiskFull: there is no room for it, or the folder cannot be written.
            DataFolderBusy: the database was locked all the time.
        """
        path = self.path / _DATABASE
        if not path.is_file():
            return
        done = subprocess.run(  # noqa: S603 - our own script
            [sys.executable, "-I", str(_REWRITER), str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            env={"SQLITE_TMPDIR": str(self.path)},
        )
        if done.returncode:
            with disk.writing(self.path):
                raise sqlite3.OperationalError(done.stderr.strip())

    def _folders(self) -> set[Path]:
        return {path for path in self.path.iterdir() if path.is_dir() and _is_index(path.name)}

    def _marks(self) -> list[Path]:
        return list(self.path.glob(f"*{_MARK}"))

    def _known(self) -> list[tuple[UUID, str, Path]]:
        """Return the id and name of each collection in Chroma's database, with its index."""
        if not (self.path / _DATABASE).is_file():
            return []
        try:
            with closing(sqlite3.connect(self.path / _DATABASE)) as connection:
                rows = connection.execute(_INDEXES).fetchall()
        except sqlite3.DatabaseError as error:
            raise Damaged(str(error)) from error
        return [(UUID(number), name, self.path / folder) for number, name, folder in rows]


def _is_index(name: str) -> bool:
    with suppress(ValueError):
        return str(UUID(name)) == name
    return False
