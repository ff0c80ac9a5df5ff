"""The connection to SQLite: opened, migrated, one writer at a time, closed.

:meth:`Database.read` sees one state of the database throughout; :meth:`Database.write` is one
transaction, begun with BEGIN IMMEDIATE and held by one thread at a time, so that a write never
fails half-way because another one came between. Knows no table. Surprising: what is deleted is
overwritten (``secure_delete``), and yet traces of it stay: in the log beside the database, which
:meth:`Database.checkpoint` empties, and in unused parts of pages, which :meth:`Database.rewrite`
leaves behind.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import ConnectionPoolEntry

from rag.errors import DataFolderError
from rag.store import disk

FILE = "muniment.db"
_BUSY_MILLISECONDS = 20_000
_PRAGMAS = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA synchronous = FULL",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -65536",
    f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}",
)


class Database:
    """An open database. Safe to use from many threads of the one process that owns the folder."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self.engine = engine
        self.path = path
        self._turn = threading.Lock()
        self._writer: int | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection that sees one state of the database until the block ends."""
        with disk.writing(self.path.parent), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection in a write transaction: committed at the end, undone by an exception.

        Raises:
            DiskFull: no room is left, or the database cannot be written.
        """
        if self._writer == threading.get_ident():
            raise RuntimeError("a write transaction is already open in this thread")
        with self._turn, disk.writing(self.path.parent):
            self._writer = threading.get_ident()
            try:
                with (
                    self.engine.connect().execution_options(immediate=True) as connection,
                    connection.begin(),
                ):
                    yield connection
            finally:
                self._writer = None

    def checkpoint(self) -> bool:
        """Move the log into the database and empty it; False when readers kept it from that."""
        with self._turn, disk.writing(self.path.parent):
            raw = self.engine.raw_connection()
            try:
                cursor = raw.cursor()
                busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                cursor.close()
            finally:
                raw.close()
        return not busy

    def rewrite(self) -> bool:
        """Write the database file anew without what was deleted; False when readers hindered it.

        Overwriting what is deleted is not all: SQLite moves rows between pages and leaves copies
        of them in the unused part of a page. Writers wait meanwhile: about a second for 60 MB.
        """
        with self._turn, disk.writing(self.path.parent):
            raw = self.engine.raw_connection()
            try:
                cursor = raw.cursor()
                # The copy that SQLite makes for this may be too large for memory. It is to lie
                # beside the database, not on whatever disk holds the system's temporary files.
                folder = str(self.path.parent).replace("'", "''")
                cursor.execute(f"PRAGMA temp_store_directory = '{folder}'")
                cursor.execute("PRAGMA temp_store = FILE")
                cursor.execute("VACUUM")
                cursor.execute("PRAGMA temp_store = MEMORY")
                cursor.close()
            finally:
                raw.close()
        return self.checkpoint()

    def size(self) -> int:
        """Return the size of the database file in bytes."""
        return self.path.stat().st_size

    def close(self) -> None:
        """Close every connection; SQLite then folds the log into the database."""
        self.engine.dispose()


def open_database(folder: Path) -> Database:
    """Open the database of a data folder, made or brought up to date if need be.

    Raises:
        DiskFull: the folder cannot be written.
        DataFolderError: the database was written by a newer Muniment, or is not one.
    """
    path = folder / FILE
    with disk.writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = Database(_engine(path), path)
    try:
        _migrate(database)
    except (DatabaseError, sqlite3.DatabaseError) as error:
        database.close()
        raise DataFolderError(
            f"The database {path} cannot be opened ({getattr(error, 'orig', error)}).",
            "Restore the data folder from a backup.",
        ) from error
    except BaseException:
        database.close()
        raise
    return database


def _engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        pool_size=8,
        max_overflow=64,
        connect_args={"check_same_thread": False},
        hide_parameters=True,  # they hold document text, and errors are written to the log
    )

    @event.listens_for(engine, "connect")
    def _connected(raw: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver is kept from beginning transactions by itself: "begin" below does.
        raw.isolation_level = None
        cursor = raw.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _migrate(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    script = ScriptDirectory.from_config(config)
    raw = database.engine.raw_connection()
    with disk.writing(database.path.parent):
        raw.cursor().execute("PRAGMA journal_mode = WAL").close()
    raw.close()
    with database.read() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == script.get_current_head():
        return
    if current is not None and current not in {step.revision for step in script.walk_revisions()}:
        raise DataFolderError(
            f"The data folder {database.path.parent} was written by a newer Muniment.",
            "Install that version again, or choose another folder with --data.",
        )
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
