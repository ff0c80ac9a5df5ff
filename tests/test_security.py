"""Attacks on a running product: what one sender, reader or name must not do to the others."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, cast

import anyio
import anyio.to_thread
import pytest
from sqlalchemy.exc import OperationalError
from starlette.requests import ClientDisconnect

from ingest import sandbox
from ingest.engine import open_engine
from ingest.render import page_picture
from ingest.sandbox import read_document
from rag.body import THREADS, Body, drain
from rag.config import Settings
from rag.errors import BadFile, DiskFull, NotFound
from rag.store.database import open_database
from rag.store.files import Originals
from rag.store.lock import FolderLock
from tests.conftest import settings_for
from tests.made_files import pdf, rezipped, word
from tests.timing import TRIES

# Senders who stop sending


async def _silent() -> AsyncIterator[bytes]:
    yield b"some words"
    await anyio.sleep_forever()


def test_a_silent_sender_is_given_up_and_leaves_nothing(tmp_path: Path) -> None:
    originals = Originals(tmp_path, max_bytes=1000, free_bytes=0)

    async def take() -> None:
        body = cast("BinaryIO", Body(_silent(), silence=0.05))
        await anyio.to_thread.run_sync(originals.put, body, limiter=THREADS)

    with pytest.raises(BadFile, match="stopped coming in"):
        anyio.run(take)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_rest_of_a_refused_body_is_read_until_its_sender_ends_or_leaves() -> None:
    read: list[int] = []

    async def sending(end: Exception | None) -> AsyncIterator[bytes]:
        for number in range(3):
            read.append(number)
            yield b"some words"
        if end is not None:
            raise end

    for end in (None, ClientDisconnect()):
        read.clear()
        anyio.run(drain, sending(end))
        assert read == [0, 1, 2]


def test_silent_senders_leave_threads_for_everybody_else() -> None:
    refused: list[TimeoutError] = []
    waited: list[float] = []
    tries = 0

    async def read() -> None:
        try:
            await anyio.to_thread.run_sync(Body(_silent(), silence=0.2).readall, limiter=THREADS)
        except TimeoutError as error:
            refused.append(error)

    async def crowd() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(60):
                group.start_soon(read)
            await anyio.sleep(0.05)
            began = time.monotonic()
            await anyio.to_thread.run_sync(time.monotonic)
            waited.append(time.monotonic() - began)

    while min(waited, default=1.0) >= 0.15 and tries < TRIES:
        anyio.run(crowd)
        tries += 1
        assert len(refused) == 60 * tries
    assert min(waited) < 0.15


# Readers who ask for many pictures


def _children() -> int:
    mine = str(os.getpid())
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        parents[status.parent.name] = words[1]
    return sum(mine in {parent, parents.get(parent)} for parent in parents.values())


def test_a_flood_of_pictures_is_drawn_a_few_at_a_time(tmp_path: Path) -> None:
    path = pdf(tmp_path / "a.pdf", [["some words"] * 40])
    page_picture(path, 1, 1.0, [])
    idle, most, over = _children(), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.005):
            most = max(most, _children())

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(12) as readers:
        drawn = list(readers.map(lambda _: page_picture(path, 1, 2.5, []), range(16)))
    over.set()
    watcher.join()
    sandbox.close()
    assert all(picture.startswith(b"\x89PNG") for picture in drawn)
    assert 0 < most - idle <= 6


# What is written elsewhere than in the data folder


def test_the_database_is_rewritten_within_the_data_folder(tmp_path: Path) -> None:
    folder = tmp_path / "it's here"
    database = open_database(folder)
    with database.write() as connection:  # more than SQLite keeps in memory
        connection.exec_driver_sql("CREATE TABLE large (words BLOB)")
        for _ in range(90):
            connection.exec_driver_sql("INSERT INTO large VALUES (zeroblob(1000000))")
    folders: set[Path] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.001):
            for handle in Path("/proc/self/fd").iterdir():
                try:
                    opened = handle.readlink()
                except OSError:
                    continue
                if opened.name.startswith("etilqs"):
                    folders.add(opened.parent)

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert database.rewrite()
    over.set()
    watcher.join()
    database.close()
    assert folders == {folder}


def test_nobody_else_on_the_machine_can_read_what_is_kept(tmp_path: Path) -> None:
    given = tmp_path / "data"
    given.mkdir(mode=0o755)  # made by the user, as a place to keep things in
    mask = os.umask(0o022)
    try:
        with open_engine(settings_for(given)) as engine:
            engine.assistant.create_workspace("W")
            engine.assistant.upload("W", "a.txt", io.BytesIO(b"The rent is 900 euros a month."))
            assert engine.worker.wait_idle(60)
            assert (given / "vectors" / "chroma.sqlite3").is_file()
            found = {path.name: path.stat().st_mode for path in given.iterdir()}
    finally:
        os.umask(mask)
    assert {name for name, mode in found.items() if mode & 0o077} == set()


def test_the_log_holds_no_words_of_a_document_that_fails(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = word(tmp_path / "a.docx")
    broken = rezipped(
        whole, tmp_path / "b.docx", {"word/document.xml": b"<a><Confidential></Settlement></a>"}
    )
    with pytest.raises(BadFile):
        read_document(broken, "b.docx", settings, lambda _done, _total: None, lambda: False)
    sandbox.close()
    assert "XMLSyntaxError at " in caplog.text
    assert "docx.py:" in caplog.text
    assert "Confidential" not in caplog.text
    assert "Settlement" not in caplog.text


def test_errors_of_the_database_hold_no_words_of_documents(tmp_path: Path) -> None:
    database = open_database(tmp_path)
    with pytest.raises(OperationalError) as caught, database.write() as connection:
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (?)", ("confidential words",))
    database.close()
    assert "nowhere" in str(caught.value)
    assert "confidential" not in str(caught.value)


# Links that lead out of the data folder


def test_a_link_in_the_place_of_an_original_leads_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("not ours", encoding="utf-8")
    originals = Originals(tmp_path / "originals", max_bytes=1000, free_bytes=0)
    sha256, _ = originals.put(io.BytesIO(b"some words"))
    originals.path(sha256).unlink()
    (tmp_path / "originals" / sha256[:2] / sha256).symlink_to(outside / "secret")
    with pytest.raises(NotFound):
        originals.path(sha256)
    assert not originals.verify(sha256)
    assert originals.put(io.BytesIO(b"some words"))[0] == sha256  # mends it
    assert originals.verify(sha256)
    assert (outside / "secret").read_text(encoding="utf-8") == "not ours"


def test_a_linked_folder_is_neither_filled_nor_emptied(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "originals"
    outside.mkdir()
    (outside / "kept").touch()
    originals = Originals(folder, max_bytes=1000, free_bytes=0)
    sha256, _ = originals.put(io.BytesIO(b"some words"))
    (folder / "partial").rmdir()
    (folder / "partial").symlink_to(outside)
    assert originals.sweep_partial() == 0
    originals.delete(sha256)
    (folder / sha256[:2]).rmdir()
    (folder / sha256[:2]).symlink_to(outside)
    (folder / "partial").unlink()
    originals.put(io.BytesIO(b"some words"))
    assert originals.verify(sha256)
    assert [path.name for path in outside.iterdir()] == ["kept"]


def test_a_folder_among_the_partial_uploads_does_no_harm(tmp_path: Path) -> None:
    originals = Originals(tmp_path, max_bytes=1000, free_bytes=0)
    (tmp_path / "partial" / "@eaDir").mkdir(parents=True)
    (tmp_path / "partial" / "tmpabc").touch()
    assert originals.sweep_partial() == 1


def test_the_lock_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "diary").write_text("dear diary", encoding="utf-8")
    (tmp_path / "muniment.lock").symlink_to(tmp_path / "diary")
    with pytest.raises(DiskFull):
        FolderLock(tmp_path).acquire()
    assert (tmp_path / "diary").read_text(encoding="utf-8") == "dear diary"


# What libraries would tell their makers

EMBED = """
import sys
from pathlib import Path
from rag import config
from rag.models.embed import EmbedderPool, open_embedder
from rag.specialists import IndexRecipe, read

if __name__ == "__main__":
    settings = config.load({})
    recipe = read(settings.recipe, IndexRecipe)
    open_embedder(recipe, settings).embed(["some words"])
    with EmbedderPool(recipe, settings) as pool:
        pool.embed(["some words"])
"""


def test_the_embedder_keeps_no_notes_to_report(tmp_path: Path) -> None:
    home, script = tmp_path / "home", tmp_path / "embed.py"
    home.mkdir()
    script.write_text(EMBED, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    root = Path(sandbox.__file__).parent.parent
    surroundings = {**kept, "HOME": str(home), "PYTHONPATH": str(root)}
    surroundings.pop("XDG_CACHE_HOME", None)
    subprocess.run([sys.executable, str(script)], env=surroundings, check=True, timeout=60)
    assert list(home.rglob("*")) == []
