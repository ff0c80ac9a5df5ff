"""The database: its shape, its promises to writers, and what it says when it cannot be opened."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import IntegrityError

from rag.errors import DataFolderBusy, DataFolderError, DiskFull
from rag.store import schema
from rag.store.database import FILE, Database, open_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path)
    yield opened
    opened.close()


def shape(engine: Engine) -> dict[str, list[str]]:
    """Return every table, index and virtual table as its SQL, the order of constraints aside."""
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT type, name, sql FROM sqlite_master "
            "WHERE sql IS NOT NULL AND name != 'alembic_version'"
        )
        return {
            f"{row.type} {row.name}": sorted(line.strip(" \t,") for line in row.sql.splitlines())
            for row in rows
        }


def put(database: Database, key: str, value: str = "") -> None:
    with database.write() as connection:
        connection.execute(schema.meta.insert().values(key=key, value=value))


def keys(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.scalars(schema.meta.select()))


def test_migrations_make_what_the_code_believes(database: Database) -> None:
    from_code = create_engine("sqlite://")
    schema.metadata.create_all(from_code)
    with from_code.begin() as connection:
        for table in schema.VIRTUAL_TABLES:
            connection.exec_driver_sql(table)
    wanted = shape(from_code)
    from_code.dispose()
    assert shape(database.engine) == wanted
    assert len(wanted) > 20


def test_opening_twice_changes_nothing(tmp_path: Path) -> None:
    first = open_database(tmp_path)
    put(first, "kept")
    before = shape(first.engine)
    first.close()
    again = open_database(tmp_path)
    assert keys(again) == {"kept"}
    assert shape(again.engine) == before
    again.close()


def test_a_newer_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    first = open_database(tmp_path)
    with first.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    first.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(DataFolderError, match="newer Muniment"):
        open_database(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is a letter, not a database" * 100)
    with pytest.raises(DataFolderError, match="cannot be opened"):
        open_database(tmp_path)
    assert (tmp_path / FILE).read_bytes().startswith(b"this is a letter")


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskFull, match="--data"):
        open_database(tmp_path / "file" / "data")


def test_every_connection_keeps_the_promises(database: Database) -> None:
    with database.read() as first, database.read() as second:
        for connection in (first, second):
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA secure_delete").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 20_000


def test_only_the_owner_may_read_it(database: Database) -> None:
    put(database, "written")
    for path in database.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_foreign_keys_are_held(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(
            schema.documents.insert().values(workspace_id=7, name="x", created_at=0.0)
        )


def test_an_exception_undoes_the_whole_write(database: Database) -> None:
    twice = [{"key": "half", "value": ""}, {"key": "half", "value": ""}]
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(schema.meta.insert(), twice)
    put(database, "after")
    assert keys(database) == {"after"}


def test_a_write_inside_a_write_is_refused_instead_of_hanging(database: Database) -> None:
    with database.write(), pytest.raises(RuntimeError, match="already open"), database.write():
        pass
    put(database, "after")
    assert keys(database) == {"after"}


def test_a_reader_sees_one_state_and_does_not_hinder_the_writer(database: Database) -> None:
    put(database, "before")
    with database.read() as connection:
        assert connection.scalars(schema.meta.select()).all() == ["before"]
        writer = threading.Thread(target=put, args=(database, "meanwhile"))
        writer.start()
        writer.join()
        assert connection.scalars(schema.meta.select()).all() == ["before"]
    assert keys(database) == {"before", "meanwhile"}


def test_many_threads_write_without_losing_anything(database: Database) -> None:
    def write(name: int) -> None:
        for number in range(10):
            put(database, f"{name}.{number}")

    threads = [threading.Thread(target=write, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys(database)) == 60


def test_a_kill_in_mid_write_leaves_the_old_state(tmp_path: Path) -> None:
    program = (
        "import os, sys, signal, pathlib\n"
        "from rag.store.database import open_database\n"
        "from rag.store.schema import meta\n"
        "database = open_database(pathlib.Path(sys.argv[1]))\n"
        "with database.write() as connection:\n"
        "    connection.execute(meta.insert().values(key='whole', value=''))\n"
        "with database.write() as connection:\n"
        "    connection.execute(meta.insert(), "
        "[{'key': str(n), 'value': 'x' * 5000} for n in range(20000)])\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=root, check=False)
    assert done.returncode == -9
    database = open_database(tmp_path)
    assert keys(database) == {"whole"}
    database.close()


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    put(database, "before")
    with database.read() as connection:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    database.close()
    database = open_database(tmp_path)
    limit = f"PRAGMA max_page_count = {used + 3}"

    @event.listens_for(database.engine, "checkout")
    def _small_disk(raw: object, *_: object) -> None:
        raw.execute(limit)  # type: ignore[attr-defined]

    with pytest.raises(DiskFull, match="Free some space"):
        put(database, "too much", "x" * 100_000)
    assert keys(database) == {"before"}
    limit = "PRAGMA max_page_count = 100000"
    put(database, "after", "x" * 100_000)
    assert keys(database) == {"before", "after"}
    database.close()


def test_another_program_holding_the_database_is_named_as_the_trouble(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    other = create_engine(f"sqlite:///{database.path}")

    @event.listens_for(database.engine, "checkout")
    def _impatient(raw: object, *_: object) -> None:
        raw.execute("PRAGMA busy_timeout = 50")  # type: ignore[attr-defined]

    with other.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(DataFolderBusy, match="another program"):
            put(database, "x")
        connection.rollback()
    other.dispose()
    put(database, "y")
    assert keys(database) == {"y"}
    database.close()


def test_a_checkpoint_empties_the_log(database: Database) -> None:
    put(database, "long", "x" * 100_000)
    log = database.path.with_name(FILE + "-wal")
    assert log.stat().st_size > 100_000
    assert database.checkpoint()
    assert log.stat().st_size == 0
    assert keys(database) == {"long"}
