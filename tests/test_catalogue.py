"""The catalogue: uploads, versions, and deletion that leaves nothing."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rag import access
from rag.errors import BadRequest, DiskFull, NotFound
from rag.store.catalogue import Catalogue
from rag.store.database import Database, open_database
from rag.store.files import Originals
from rag.store.jobs import Jobs
from rag.store.passages import Passages
from rag.types import Document, Page, Passage, Status, Uploaded, Workspace

RECIPE = "r" * 64


def sha(name: str) -> str:
    return name.encode().hex().ljust(64, "0")


class Store:
    """The parts over one database, and the way of a document through them."""

    def __init__(self, folder: Path) -> None:
        self.database: Database = open_database(folder)
        self.catalogue = Catalogue(self.database)
        self.passages = Passages(self.database)
        self.jobs = Jobs(self.database)
        self.workspace: Workspace = self.catalogue.create_workspace("Matter 1")

    def upload(self, name: str, data: str, workspace: Workspace | None = None) -> Uploaded:
        place = workspace or self.workspace
        return self.catalogue.add_upload(place.id, name, sha(data), len(data), "text/plain")

    def parse(self, version_id: int, text: str, heading: str = "") -> None:
        middle = text.index(" ", len(text) // 3)
        spans = [(0, middle), (middle, len(text))]
        cut = [Passage(1, start, end, text[start:end], heading) for start, end in spans]
        self.passages.write_parsed(version_id, [Page(1, text)], cut)

    def index(self, version_id: int) -> list[int]:
        missing = [item for item, _ in self.passages.missing_embeddings(version_id, RECIPE)]
        vectors = np.full((len(missing), 4), 0.5, dtype=np.float32)
        self.passages.write_embeddings(RECIPE, missing, vectors)
        return self.catalogue.mark_ready(version_id)

    def take_in(self, name: str, text: str, workspace: Workspace | None = None) -> Document:
        document = self.upload(name, text[:20] + name, workspace).document
        self.parse(document.newest.id, text)
        self.index(document.newest.id)
        return self.catalogue.document_by_id(document.workspace_id, document.id)

    def found(self, word: str, workspace: Workspace | None = None) -> set[str]:
        scope = access.scope(workspace or self.workspace, None)
        ids = [item for item, _ in self.passages.match(f'"{word}"', scope, 100)]
        return {stored.document for stored in self.passages.by_ids(ids, scope).values()}

    def fresh(self, document: Document) -> Document:
        return self.catalogue.document_by_id(document.workspace_id, document.id)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.database.close()


# Workspaces


def test_workspaces(store: Store) -> None:
    second = store.catalogue.create_workspace("Another")
    assert [place.name for place in store.catalogue.workspaces()] == ["Another", "Matter 1"]
    assert store.catalogue.workspace("Another") == second
    with pytest.raises(BadRequest, match="already"):
        store.catalogue.create_workspace("Another")
    with pytest.raises(BadRequest, match="already"):
        store.catalogue.rename_workspace(second.id, "Matter 1")
    assert store.catalogue.rename_workspace(second.id, "Matter 2").id == second.id
    with pytest.raises(NotFound):
        store.catalogue.workspace("Another")
    store.catalogue.delete_workspace(second.id)
    with pytest.raises(NotFound):
        store.catalogue.delete_workspace(second.id)
    assert store.catalogue.create_workspace("Matter 2").id > second.id


# Uploads


def test_an_upload_is_a_document_a_version_and_a_job(store: Store) -> None:
    uploaded = store.upload("lease.pdf", "bytes")
    assert (uploaded.already_there, uploaded.new_version) == (False, False)
    document = uploaded.document
    assert (document.name, document.searchable) == ("lease.pdf", None)
    assert (document.newest.number, document.newest.status) == (1, Status.QUEUED)
    assert (document.newest.sha256, document.newest.bytes) == (sha("bytes"), 5)
    assert store.catalogue.documents(store.workspace.id) == [document]
    assert store.catalogue.document(store.workspace.id, "lease.pdf") == document
    assert store.catalogue.version(document.newest.id) == document.newest
    job = store.jobs.claim(["parse", "index"], "me")
    assert job is not None
    assert (job.kind, job.version_id) == ("parse", document.newest.id)


@pytest.mark.parametrize("name", ["lease.pdf", "copy of lease.pdf"])
def test_the_same_bytes_are_already_there_under_any_name(store: Store, name: str) -> None:
    first = store.upload("lease.pdf", "bytes").document
    again = store.upload(name, "bytes")
    assert again == Uploaded(first, already_there=True, new_version=False)
    assert store.jobs.pending() == 1
    assert len(store.catalogue.documents(store.workspace.id)) == 1


def test_the_same_bytes_in_another_workspace_are_a_document_there(store: Store) -> None:
    other = store.catalogue.create_workspace("Other")
    first = store.upload("lease.pdf", "bytes").document
    second = store.upload("lease.pdf", "bytes", other)
    assert not second.already_there
    assert second.document.id != first.id


def test_two_documents_with_the_same_bytes_are_told_by_name(store: Store) -> None:
    store.upload("a.pdf", "one")
    store.upload("b.pdf", "two")
    store.upload("a.pdf", "two, edited")
    store.upload("b.pdf", "two, edited again")
    # Going back to bytes that an older version had is a new version, not an old acquaintance.
    back = store.upload("b.pdf", "two")
    assert (back.already_there, back.document.newest.number) == (False, 3)
    known = store.upload("a.pdf", "two, edited")
    assert (known.already_there, known.document.name) == (True, "a.pdf")


def test_failed_bytes_uploaded_again_are_tried_again(store: Store) -> None:
    version = store.upload("lease.pdf", "bytes").document.newest
    job = store.jobs.claim(["parse"], "me")
    assert job is not None
    store.jobs.fail(job.id, "It is encrypted.", None)
    assert store.catalogue.version(version.id).reason == "It is encrypted."
    again = store.upload("lease.pdf", "bytes")
    assert again.already_there
    assert (again.document.newest.status, again.document.newest.reason) == (Status.QUEUED, None)
    assert store.jobs.pending() == 1


def test_concurrent_uploads_of_the_same_bytes_are_one_document(store: Store) -> None:
    found: list[Uploaded] = []
    barrier = threading.Barrier(8)

    def upload(number: int) -> None:
        barrier.wait()
        found.append(store.upload(f"lease {number}.pdf", "bytes"))

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [uploaded.already_there for uploaded in found].count(False) == 1
    assert len({uploaded.document.id for uploaded in found}) == 1
    assert len(store.catalogue.documents(store.workspace.id)) == 1
    assert store.jobs.pending() == 1


def test_an_upload_into_nothing_is_refused(store: Store) -> None:
    with pytest.raises(NotFound):
        store.catalogue.add_upload(99, "a.pdf", sha("x"), 1)

    def no_room() -> None:
        raise DiskFull("There is no room left.")

    with pytest.raises(DiskFull):
        store.catalogue.add_upload(store.workspace.id, "a.pdf", sha("x"), 1, keep=no_room)
    assert store.catalogue.documents(store.workspace.id) == []
    assert store.jobs.pending() == 0


# Versions


def test_a_document_is_searchable_once_parsed_and_ready_once_indexed(store: Store) -> None:
    document = store.upload("lease.pdf", "bytes").document
    version_id = document.newest.id
    store.catalogue.set_parsed(version_id, "The Lease", True, 1, "application/pdf")
    assert store.found("termin") == set()
    store.parse(version_id, "Sixty days notice of termination.")
    parsed = store.fresh(document)
    assert parsed.searchable == parsed.newest
    assert (parsed.newest.status, parsed.newest.title) == (Status.INDEXING, "The Lease")
    assert (parsed.newest.pages, parsed.newest.passages, parsed.newest.embedded) == (1, 2, 0)
    assert store.found("termin") == {"lease.pdf"}
    assert store.index(version_id) == []
    ready = store.fresh(document).newest
    assert (ready.status, ready.embedded) == (Status.READY, 2)
    assert ready.ready_at is not None
    assert store.jobs.pending() == 0


def test_the_old_version_is_searched_until_the_new_one_is_ready(store: Store) -> None:
    first = store.take_in("lease.pdf", "thirty days of notice")
    old_ids = [stored.id for stored in store.passages.passages(first.newest.id)]
    uploaded = store.upload("lease.pdf", "second")
    assert (uploaded.already_there, uploaded.new_version) == (False, True)
    second = uploaded.document.newest
    assert (second.number, store.found("thirti")) == (2, {"lease.pdf"})
    store.parse(second.id, "sixty days of notice")
    assert (store.found("thirti"), store.found("sixti")) == ({"lease.pdf"}, set())
    assert store.fresh(first).searchable == first.newest
    assert store.index(second.id) == [first.newest.id]
    assert (store.found("thirti"), store.found("sixti")) == (set(), {"lease.pdf"})
    assert [version.number for version in store.catalogue.versions(first.id)] == [2, 1]
    # Its vectors are to go; its pages stay, because answers cite them.
    erase = store.jobs.claim(["erase"], "me")
    assert erase is not None
    assert erase.payload["passage_ids"] == old_ids
    assert erase.payload["workspace_id"] == store.workspace.id
    assert store.passages.page_text(first.newest.id, 1) == "thirty days of notice"


def test_a_failed_new_version_leaves_the_old_one_searchable(store: Store) -> None:
    first = store.take_in("lease.pdf", "thirty days")
    second = store.upload("lease.pdf", "second").document.newest
    store.catalogue.set_status(second.id, Status.FAILED, "It is damaged.")
    now = store.fresh(first)
    assert (now.newest.status, now.searchable) == (Status.FAILED, first.newest)
    assert store.found("thirti") == {"lease.pdf"}


def test_a_version_that_was_overtaken_does_not_come_back(store: Store) -> None:
    document = store.upload("lease.pdf", "first").document
    second = store.upload("lease.pdf", "second").document.newest
    store.parse(document.newest.id, "thirty days")
    store.parse(second.id, "sixty days")
    assert store.found("sixti") == {"lease.pdf"}  # nothing is ready: the newest text is shown
    assert store.index(second.id) == [document.newest.id]
    assert store.index(document.newest.id) == [document.newest.id]
    assert store.fresh(document).searchable == store.catalogue.version(second.id)
    assert (store.found("thirti"), store.found("sixti")) == (set(), {"lease.pdf"})


def test_parsing_again_replaces_what_was_there(store: Store) -> None:
    document = store.take_in("lease.pdf", "thirty days")
    ids = {stored.id for stored in store.passages.passages(document.newest.id)}
    store.parse(document.newest.id, "sixty days")
    again = {stored.id for stored in store.passages.passages(document.newest.id)}
    assert not ids & again
    assert (store.found("thirti"), store.found("sixti")) == (set(), {"lease.pdf"})


def test_cancelling_stops_the_work_and_removes_what_was_read(store: Store) -> None:
    document = store.upload("lease.pdf", "bytes").document
    version_id = document.newest.id
    job = store.jobs.claim(["parse"], "me")
    assert job is not None
    store.catalogue.cancel(version_id)
    assert not store.jobs.alive(job.id)
    for call in (
        lambda: store.parse(version_id, "thirty days"),
        lambda: store.catalogue.set_status(version_id, Status.PARSING),
        lambda: store.catalogue.set_parsed(version_id, "", False, 1, "text/plain"),
        lambda: store.catalogue.mark_ready(version_id),
    ):
        with pytest.raises(BadRequest, match="cancelled"):
            call()
    assert store.catalogue.version(version_id).status == Status.FAILED
    store.catalogue.retry(version_id)
    assert store.catalogue.version(version_id).status == Status.QUEUED
    store.parse(version_id, "thirty days")
    store.catalogue.cancel(version_id)
    assert (store.found("thirti"), store.jobs.pending(["parse", "index"])) == (set(), 0)
    assert store.fresh(document).searchable is None


def test_a_ready_version_can_neither_be_cancelled_nor_retried(store: Store) -> None:
    document = store.take_in("lease.pdf", "thirty days")
    store.catalogue.cancel(document.newest.id)
    store.catalogue.retry(document.newest.id)
    assert store.fresh(document) == document
    assert store.jobs.pending() == 0


def test_retrying_goes_on_where_it_failed(store: Store) -> None:
    version_id = store.upload("lease.pdf", "bytes").document.newest.id
    store.parse(version_id, "thirty days")
    job = store.jobs.claim(["index"], "me")
    assert job is not None
    store.jobs.fail(job.id, "The model is missing.", None)
    assert store.found("thirti") == {"lease.pdf"}  # by keyword it is found all the same
    store.catalogue.retry(version_id)
    again = store.jobs.claim(["parse", "index"], "me")
    assert again is not None
    assert again.kind == "index"


# Deleting


def test_a_deleted_document_is_gone_and_its_ids_are_not_used_again(store: Store) -> None:
    kept = store.take_in("kept.pdf", "thirty days kept")
    gone = store.take_in("gone.pdf", "thirty days gone")
    ids = [stored.id for stored in store.passages.passages(gone.newest.id)]
    deleted = store.catalogue.delete_document(store.workspace.id, gone.id)
    assert deleted.version_ids == [gone.newest.id]
    assert deleted.passage_ids == ids
    assert deleted.hashes == [gone.newest.sha256]
    assert store.catalogue.documents(store.workspace.id) == [kept]
    assert store.found("thirti") == {"kept.pdf"}
    assert list(store.passages.embeddings(gone.newest.id, RECIPE)) == []
    for call in (
        lambda: store.fresh(gone),
        lambda: store.catalogue.version(gone.newest.id),
        lambda: store.parse(gone.newest.id, "too late"),
        lambda: store.passages.page(gone.newest.id, 1),
        lambda: store.catalogue.delete_document(store.workspace.id, gone.id),
    ):
        with pytest.raises(NotFound):
            call()
    again = store.take_in("gone.pdf", "thirty days gone")
    assert again.id > gone.id
    assert min(stored.id for stored in store.passages.passages(again.newest.id)) > max(ids)


def test_a_document_can_only_be_deleted_from_its_own_workspace(store: Store) -> None:
    other = store.catalogue.create_workspace("Other")
    document = store.take_in("lease.pdf", "thirty days")
    with pytest.raises(NotFound):
        store.catalogue.delete_document(other.id, document.id)
    assert store.fresh(document) == document


def test_an_original_is_given_up_only_when_nobody_needs_it(store: Store) -> None:
    other = store.catalogue.create_workspace("Other")
    first = store.upload("a.pdf", "shared").document
    store.upload("a.pdf", "own")
    second = store.upload("b.pdf", "shared", other).document
    assert store.catalogue.needed_hashes() == {sha("shared"), sha("own")}
    assert store.catalogue.delete_document(store.workspace.id, first.id).hashes == [sha("own")]
    assert store.catalogue.delete_document(other.id, second.id).hashes == [sha("shared")]
    assert store.catalogue.needed_hashes() == set()


def test_erasing_takes_nothing_from_an_upload_that_is_coming_in(
    store: Store, tmp_path: Path
) -> None:
    originals = Originals(tmp_path / "originals", max_bytes=100, free_bytes=0)
    sha256, size = originals.put(io.BytesIO(b"lease"))
    document = store.catalogue.add_upload(store.workspace.id, "a", sha256, size).document
    hashes = store.catalogue.delete_document(store.workspace.id, document.id).hashes
    taken = originals.take(io.BytesIO(b"lease"))
    assert store.catalogue.erase_originals(hashes, originals.delete) == [sha256]
    store.catalogue.add_upload(
        store.workspace.id, "a", taken.sha256, taken.size, keep=lambda: originals.keep(taken)
    )
    originals.discard(taken)
    assert originals.verify(sha256)
    assert not taken.path.exists()


def test_erasing_originals_spares_what_came_in_again(store: Store, tmp_path: Path) -> None:
    originals = Originals(tmp_path / "originals", max_bytes=100, free_bytes=0)
    sha256, size = originals.put(io.BytesIO(b"lease"))
    unused, _ = originals.put(io.BytesIO(b"unused"))
    document = store.catalogue.add_upload(store.workspace.id, "a", sha256, size).document
    hashes = store.catalogue.delete_document(store.workspace.id, document.id).hashes
    store.catalogue.add_upload(store.workspace.id, "a", sha256, size)
    erased = store.catalogue.erase_originals([*hashes, unused], originals.delete)
    assert erased == [unused]
    assert list(originals.hashes()) == [sha256]


def test_deleting_a_workspace_takes_all_of_it(store: Store) -> None:
    other = store.catalogue.create_workspace("Other")
    kept = store.take_in("kept.pdf", "thirty days", other)
    gone = store.take_in("gone.pdf", "sixty days")
    assert store.catalogue.delete_workspace(store.workspace.id) == [gone.newest.sha256]
    assert store.catalogue.workspaces() == [other]
    assert store.found("thirti", other) == {"kept.pdf"}
    assert store.fresh(kept) == kept
    erase = store.jobs.claim(["erase"], "me")
    assert erase is not None
    assert (erase.payload["workspace_id"], erase.payload["drop"]) == (store.workspace.id, True)


def test_no_byte_of_a_deleted_document_stays_in_the_database(tmp_path: Path) -> None:
    """Many documents come and go, so that rows move between pages; then the secret ones go."""
    store = Store(tmp_path)
    chance = random.Random(3)
    words = ["".join(chance.choices("abcdefgh", k=6)) for _ in range(500)]
    secret_documents = []
    for number in range(24):
        secret = number % 2 == 0
        text = chance.choices(words, k=chance.randint(50, 3000))
        if secret:
            text[::7] = [f"xyzsecret{chance.randint(0, 20)}"] * len(text[::7])
        name = "xyzsecret" if secret else "plain"
        document = store.take_in(f"{name} {number}.pdf", " ".join(text))
        if secret:
            secret_documents.append(document)
            store.catalogue.set_parsed(document.newest.id, "xyzsecret", False, 1, "text/plain")
    assert any(b"xyzsecret" in path.read_bytes() for path in tmp_path.iterdir())
    for document in secret_documents:
        store.catalogue.delete_document(store.workspace.id, document.id)
    for path in tmp_path.iterdir():
        assert b"xyzsecret" not in path.read_bytes(), path
    assert len(store.catalogue.documents(store.workspace.id)) == 12
    assert store.passages.passage_count(store.workspace.id) == 24
    store.database.close()


@pytest.mark.parametrize(
    "moments",
    [(0.5,), pytest.param((0.3, 0.67, 1.04, 1.41), marks=pytest.mark.slow)],
    ids=["once", "often"],
)
def test_a_kill_at_any_moment_leaves_whole_documents(
    tmp_path: Path, moments: tuple[float, ...]
) -> None:
    """A child takes in, replaces and deletes until it is killed; what is left must fit."""
    program = (
        "import sys, pathlib\n"
        "sys.path.insert(0, 'tests')\n"
        "from test_catalogue import Store\n"
        "from rag.errors import BadRequest\n"
        "store = Store.__new__(Store)\n"
        "Store.__init__(store, pathlib.Path(sys.argv[1]))\n"
        "print('begun', flush=True)\n"
        "for number in range(10_000):\n"
        "    document = store.take_in(f'{number % 7}.pdf', f'text number{number} ' * 50)\n"
        "    if number % 3 == 0:\n"
        "        store.catalogue.delete_document(store.workspace.id, document.id)\n"
    )
    root = Path(__file__).parent.parent
    for moment in moments:
        folder = tmp_path / str(moment)
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(folder)], cwd=root, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        with process.stdout as words:
            words.readline()
            threading.Event().wait(moment)
            process.kill()
        process.wait()
        check_whole(folder)


def check_whole(folder: Path) -> None:
    database = open_database(folder)
    catalogue, passages, jobs = Catalogue(database), Passages(database), Jobs(database)
    jobs.release_stale()
    for place in catalogue.workspaces():
        scope = access.scope(place, None)
        for document in catalogue.documents(place.id):
            newest = document.newest
            stored = passages.passages(newest.id)
            assert len(stored) == newest.passages
            if newest.status == Status.READY:
                vectors = dict(passages.vectors([item.id for item in stored], RECIPE))
                assert len(vectors) == len(stored) == 2
                matching = {item for item, _ in passages.match('"text"', scope, 1000)}
                assert {item.id for item in stored} <= matching
            else:
                assert jobs.pending(["parse", "index"]) == 1
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        terms = connection.exec_driver_sql("SELECT count(*) FROM passages_fts").scalar()
        rows = connection.exec_driver_sql("SELECT count(*) FROM passages").scalar()
        assert terms == rows
    database.close()
