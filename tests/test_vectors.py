"""Vectors in a real Chroma: in a folder, and on a real server on loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from rag.errors import BadSetting, DataFolderBusy, DataFolderError, IndexMismatch
from rag.models.embed import FakeEmbedder
from rag.search.vectors import RebuildStopped, VectorStore
from rag.types import Vectors
from tests.made_vectors import rows


@pytest.fixture
def store(tmp_path: Path) -> Iterator[VectorStore]:
    opened = VectorStore(tmp_path / "vectors")
    yield opened
    opened.close()


def test_nearest_come_first_with_their_cosine(store: VectorStore) -> None:
    vectors = rows(2500)
    store.upsert(1, range(10, 2510), vectors)
    found = store.query(1, vectors[7], 5)
    exact = vectors @ vectors[7]
    assert found[0][0] == 17
    assert [score for _, score in found] == pytest.approx(np.sort(exact)[::-1][:5], abs=1e-4)
    assert store.ids(1) == set(range(10, 2510))


def test_known_ids_are_replaced_not_ignored(store: VectorStore) -> None:
    vectors = rows(2)
    store.upsert(1, [5], vectors[:1])
    store.upsert(1, [5], vectors[1:])
    [(found, cosine)] = store.query(1, vectors[1], 3)
    assert found == 5
    assert cosine == pytest.approx(1.0, abs=1e-5)


def test_workspaces_do_not_see_each_other(store: VectorStore) -> None:
    vectors = rows(2)
    store.upsert(1, [1], vectors[:1])
    store.upsert(2, [2], vectors[1:])
    assert [found for found, _ in store.query(1, vectors[1], 10)] == [1]
    assert store.query(3, vectors[0], 10) == []
    assert store.ids(3) == set()


def test_deleted_ids_are_not_found_and_unknown_ones_passed_over(store: VectorStore) -> None:
    vectors = rows(3)
    store.upsert(1, [1, 2, 3], vectors)
    store.delete(1, [2, 99])
    store.delete(4, [1])
    assert store.ids(1) == {1, 3}


def test_dropping_a_workspace_removes_its_files(store: VectorStore, tmp_path: Path) -> None:
    store.upsert(1, range(1500), rows(1500))
    folder = tmp_path / "vectors"
    assert [path for path in folder.iterdir() if path.is_dir()]
    store.drop(1)
    assert store.ids(1) == set()
    assert not [path for path in folder.iterdir() if path.is_dir()]


def test_rebuilding_gives_the_same_answers_and_only_what_was_given(store: VectorStore) -> None:
    vectors = rows(1200)
    store.upsert(1, range(1200), vectors)
    before = store.query(1, vectors[3], 10)
    store.upsert(1, [5000], rows(1201)[1200:])
    count = store.rebuild(
        1, ((range(at, at + 400), vectors[at : at + 400]) for at in range(0, 1200, 400))
    )
    assert count == 1200
    assert store.ids(1) == set(range(1200))
    after = store.query(1, vectors[3], 10)
    assert [score for _, score in after] == pytest.approx([score for _, score in before], abs=1e-4)


def test_a_rebuild_that_fails_leaves_the_old_vectors(store: VectorStore) -> None:
    vectors = rows(3)
    store.upsert(1, [1, 2], vectors[:2])

    def broken() -> Iterator[tuple[list[int], Vectors]]:
        yield [3], vectors[2:]
        raise RuntimeError("the disk went away")

    with pytest.raises(RuntimeError):
        store.rebuild(1, broken())
    assert store.ids(1) == {1, 2}
    assert store.rebuild(1, [([3], vectors[2:])]) == 1
    assert store.ids(1) == {3}


def test_a_rebuild_steps_aside_for_whoever_else_wants_the_vectors(store: VectorStore) -> None:
    vectors = rows(4)
    store.upsert(1, [1, 2], vectors[:2])
    adding = threading.Thread(target=store.upsert, args=(2, [4], vectors[3:]))

    def batches() -> Iterator[tuple[list[int], Vectors]]:
        adding.start()
        end = time.monotonic() + 60
        while time.monotonic() < end:  # until the other thread has come to the lock
            yield [3], vectors[2:3]

    with pytest.raises(RebuildStopped):
        store.rebuild(1, batches(), gently=True)
    adding.join()
    assert store.ids(1) == {1, 2}
    assert store.ids(2) == {4}


def test_a_rebuild_that_is_stopped_changes_nothing(store: VectorStore, tmp_path: Path) -> None:
    vectors = rows(1500)
    store.upsert(1, [1, 2], vectors[:2])
    folders = {path for path in (tmp_path / "vectors").iterdir() if path.is_dir()}
    batches = [(range(at, at + 500), vectors[at : at + 500]) for at in range(0, 1500, 500)]
    asked: list[int] = []

    def stopped() -> bool:
        asked.append(len(asked))
        return len(asked) == 3

    with pytest.raises(RebuildStopped):
        store.rebuild(1, batches, stopped)
    assert store.ids(1) == {1, 2}
    assert store.query(1, vectors[1], 1)[0][0] == 2
    assert {path for path in (tmp_path / "vectors").iterdir() if path.is_dir()} == folders
    assert store.rebuild(1, batches, lambda: False) == 1500


def test_a_search_does_not_wait_for_a_restoring_and_uses_it_after(tmp_path: Path) -> None:
    vectors = rows(3)
    VectorStore(tmp_path).upsert(2, [1], vectors[:1])
    store = VectorStore(tmp_path)
    begun, go_on = threading.Event(), threading.Event()

    def batches() -> Iterator[tuple[list[int], Vectors]]:
        yield [2], vectors[1:2]
        begun.set()
        assert go_on.wait(60)
        yield [3], vectors[2:]

    restoring = threading.Thread(target=store.rebuild, args=(1, batches()))
    restoring.start()
    assert begun.wait(60)
    for workspace_id in (1, 2):
        with pytest.raises(DataFolderBusy, match="made anew"):
            store.query(workspace_id, vectors[0], 1)
    go_on.set()
    restoring.join()
    assert store.query(1, vectors[2], 1)[0][0] == 3
    assert store.query(2, vectors[0], 1)[0][0] == 1
    store.close()


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    vectors = rows(1100)
    first = VectorStore(tmp_path)
    first.upsert(1, range(1100), vectors)
    first.close()
    second = VectorStore(tmp_path)
    assert second.query(1, vectors[9], 1)[0][0] == 9
    second.close()


def test_another_models_vectors_are_refused_with_the_remedy(store: VectorStore) -> None:
    store.upsert(1, [1], rows(1))
    other = FakeEmbedder(dimension=32).embed(["notice"])
    with pytest.raises(IndexMismatch, match="reindex"):
        store.upsert(1, [2], other)
    with pytest.raises(IndexMismatch, match="reindex"):
        store.query(1, other[0], 3)


def test_a_wrong_address_is_named() -> None:
    with pytest.raises(BadSetting, match="chroma_url"):
        VectorStore(Path(), "chroma:8000").ids(1)


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(DataFolderError, match="does not answer"):
        VectorStore(Path(), f"http://127.0.0.1:{_free_port()}").ids(1)


@pytest.mark.slow
def test_the_same_on_a_chroma_server(tmp_path: Path) -> None:
    port = _free_port()
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--host", "127.0.0.1"]
    with subprocess.Popen(
        [*command, "--port", str(port), "--path", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            _wait_for(f"http://127.0.0.1:{port}/api/v2/heartbeat")
            store = VectorStore(tmp_path / "unused", f"http://127.0.0.1:{port}")
            vectors = rows(1500)
            store.upsert(1, range(1500), vectors)
            assert store.query(1, vectors[8], 1)[0][0] == 8
            assert len(store.ids(1)) == 1500
            store.rebuild(1, [(range(10), vectors[:10])])
            store.delete(1, [3])
            assert store.ids(1) == set(range(10)) - {3}
            store.drop(1)
            assert store.query(1, vectors[8], 1) == []
            store.close()
            assert not (tmp_path / "unused").exists()
        finally:
            server.kill()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_for(address: str) -> None:
    for _ in range(100):
        try:
            if httpx.get(address).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the Chroma server did not start")
