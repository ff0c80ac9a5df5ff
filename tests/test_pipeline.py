"""From stored bytes to found: each state, what is left after a stop, a delete, a second version."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ingest.pipeline import Pipeline
from rag.access import scope
from rag.config import Settings
from rag.models.embed import EmbedderPool, open_embedder, open_tokens
from rag.search.vectors import VectorStore
from rag.specialists import IndexRecipe
from rag.specialists import read as read_recipe
from rag.store import fulltext
from rag.store.catalogue import Catalogue
from rag.store.database import open_database
from rag.store.files import Originals
from rag.store.jobs import Interrupted, Job, Jobs
from rag.store.passages import Passages
from rag.text.terms import terms
from rag.types import Document, Status, Workspace
from rag.worker import Pace, Worker
from tests.made_files import changed_pdf, word
from tests.made_files import pdf as make_pdf


@dataclass
class House:
    """The parts of an open data folder, and what a test does with them."""

    catalogue: Catalogue
    passages: Passages
    jobs: Jobs
    originals: Originals
    vectors: VectorStore
    pool: EmbedderPool
    pipeline: Pipeline
    recipe: IndexRecipe
    workspace: Workspace

    def upload(self, name: str, data: bytes) -> Document:
        sha256, size = self.originals.put(io.BytesIO(data))
        return self.catalogue.add_upload(self.workspace.id, name, sha256, size).document

    def worker(self) -> Worker:
        return Worker(self.jobs, self.pipeline.handlers(), Pace(poll=0.05))

    def work(self) -> None:
        worker = self.worker()
        worker.start()
        assert worker.wait_idle(60)
        worker.stop()

    def document(self, name: str) -> Document:
        return self.catalogue.document(self.workspace.id, name)

    def job(self, kind: str) -> Job:
        job = self.jobs.claim([kind], "test")
        assert job is not None
        return job

    def match(self, words: str) -> list[int]:
        query = " AND ".join(fulltext.quote(term) for term in terms(words))
        return [found for found, _ in self.passages.match(query, scope(self.workspace, None), 9)]


@pytest.fixture
def house(settings: Settings) -> Iterator[House]:
    recipe = read_recipe(settings.recipe, IndexRecipe)
    settings = replace(settings, embed_processes=1)
    with ExitStack() as stack:
        database = open_database(settings.data)
        stack.callback(database.close)
        vectors = VectorStore(settings.data / "vectors")
        stack.callback(vectors.close)
        pool = stack.enter_context(EmbedderPool(recipe, settings))
        catalogue, passages, jobs = Catalogue(database), Passages(database), Jobs(database)
        originals = Originals(settings.data / "originals", max_bytes=10**8, free_bytes=0)
        pipeline = Pipeline(
            catalogue=catalogue, passages=passages, jobs=jobs, originals=originals,
            vectors=vectors, pool=pool, tokens=open_tokens(recipe, settings),
            recipe=recipe, settings=settings,
        )  # fmt: skip
        workspace = catalogue.create_workspace("Matter")
        yield House(
            catalogue, passages, jobs, originals, vectors, pool, pipeline, recipe, workspace
        )


def many_words(count: int) -> bytes:
    """Return a text of so many passages, about, each of other words."""
    lines = [
        f"{number}. In matter {number} the tenant of house {number * 7} shall pay rent of "
        f"${number * 13} to landlord {number * 3} before day {number % 28} of each month. " * 4
        for number in range(1, count + 1)
    ]
    return "\n\n".join(lines).encode()


def test_a_document_is_found_by_keyword_first_and_fully_then(house: House, tmp_path: Path) -> None:
    house.upload("lease.pdf", make_pdf(tmp_path / "a.pdf", title="The lease").read_bytes())
    house.pipeline.parse(house.job("parse"))
    between = house.document("lease.pdf")
    assert between.newest.status == Status.INDEXING
    assert between.searchable == between.newest
    assert house.match("ninety days")
    assert house.vectors.ids(house.workspace.id) == set()
    house.pipeline.index(house.job("index"))
    ready = house.document("lease.pdf").newest
    assert (ready.status, ready.pages, ready.paged, ready.title) == (
        Status.READY, 1, True, "The lease",
    )  # fmt: skip
    assert ready.media_type == "application/pdf"
    assert 0 < ready.passages == ready.embedded
    assert house.jobs.pending() == 0
    stored = house.passages.passages(ready.id)
    assert house.vectors.ids(house.workspace.id) == {passage.id for passage in stored}
    page = house.passages.page(ready.id, 1)
    assert all(page.text[one.passage.start : one.passage.end] == one.passage.text for one in stored)


def test_the_vectors_are_those_of_the_texts(house: House, settings: Settings) -> None:
    house.upload("a.txt", b"The tenant must give ninety days' notice.")
    house.work()
    embedder = open_embedder(house.recipe, settings)
    asked = embedder.embed(["How long is the notice period?"], question=True)[0]
    [(found, similarity)] = house.vectors.query(house.workspace.id, asked, 1)
    assert found == house.match("ninety")[0]
    assert similarity > 0.3


def test_many_kinds_through_the_worker(house: House, tmp_path: Path) -> None:
    plain = make_pdf(tmp_path / "a.pdf")
    files = {
        "lease.pdf": plain.read_bytes(),
        "letter.docx": word(tmp_path / "a.docx").read_bytes(),
        "notes.md": b"# Notes\n\nThe meeting began at nine.",
        "empty.txt": b"",
        "half.pdf": plain.read_bytes()[:-400],
        "locked.pdf": changed_pdf(plain, tmp_path / "b.pdf", password="x" * 9).read_bytes(),
        "photo.png": b"\x89PNG\r\n\x1a\n" + b"\0" * 99,
        "<script>alert(1)</script>.txt": b"Some words here.",
    }
    for name, data in files.items():
        house.upload(name, data)
    house.work()
    states = {name: house.document(name).newest.status for name in files}
    failed = {"empty.txt", "half.pdf", "locked.pdf", "photo.png"}
    assert states == {name: Status.FAILED if name in failed else Status.READY for name in files}
    reason = house.document("locked.pdf").newest.reason
    assert reason is not None
    assert reason.startswith("This PDF is protected by a password. Open it")


def test_an_interrupted_index_goes_on_where_it_was(house: House) -> None:
    house.upload("long.txt", many_words(120))
    house.pipeline.parse(house.job("parse"))
    version = house.document("long.txt").newest
    asked = 0

    def after_a_while() -> bool:
        nonlocal asked
        asked += 1
        return asked > 1

    job = house.job("index")
    with pytest.raises(Interrupted):
        house.pipeline.index(replace(job, stopped=after_a_while))
    half = house.catalogue.version(version.id)
    assert 0 < half.embedded < half.passages
    before = dict(house.passages.vectors(range(1, 10_000), house.recipe.hash))
    house.jobs.release_stale()
    house.work()
    ready = house.catalogue.version(version.id)
    assert ready.status == Status.READY
    assert ready.embedded == ready.passages
    after = house.passages.vectors(before, house.recipe.hash)
    assert all((after[one] == before[one]).all() for one in before)
    assert len(house.vectors.ids(house.workspace.id)) == ready.passages


@pytest.mark.parametrize("how", ["delete", "cancel", "workspace"])
def test_what_is_called_off_in_the_middle_leaves_nothing(house: House, how: str) -> None:
    house.upload("long.txt", many_words(60))
    house.pipeline.parse(house.job("parse"))
    document = house.document("long.txt")
    actions: dict[str, Callable[[], object]] = {
        "delete": lambda: house.catalogue.delete_document(house.workspace.id, document.id),
        "cancel": lambda: house.catalogue.cancel(document.newest.id),
        "workspace": lambda: house.catalogue.delete_workspace(house.workspace.id),
    }
    job = house.job("index")
    put: list[int] = []

    def when_vectors_are_there() -> bool:
        """Call it off once every vector is made, and let ``index`` go on as if it knew nothing."""
        version = None if put else house.catalogue.version(document.newest.id)
        if version is not None and version.embedded == version.passages:
            put.append(version.passages)
            actions[how]()
            house.pipeline.erase(house.job("erase"))
        return False

    with pytest.raises(Interrupted):
        house.pipeline.index(replace(job, stopped=when_vectors_are_there))
    assert put
    assert house.vectors.ids(house.workspace.id) == set()
    house.work()
    assert house.vectors.ids(house.workspace.id) == set()
    assert house.passages.vectors(range(1, 10_000), house.recipe.hash) == {}
    assert list(house.originals.hashes()) == ([document.newest.sha256] if how == "cancel" else [])


def test_deleting_while_it_is_read(house: House, tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf", [["some words"]] * 4000)
    document = house.upload("long.pdf", path.read_bytes())
    worker = house.worker()
    worker.start()
    until = time.monotonic() + 30
    while house.document("long.pdf").newest.status != Status.PARSING:
        assert time.monotonic() < until
        time.sleep(0.01)
    house.catalogue.delete_document(house.workspace.id, document.id)
    worker.wake()
    assert worker.wait_idle(30)
    worker.stop()
    assert house.catalogue.documents(house.workspace.id) == []
    assert list(house.originals.hashes()) == []
    house.upload("next.txt", b"The next one.")
    house.work()
    assert house.document("next.txt").newest.status == Status.READY


def test_the_old_version_is_found_until_the_new_one_is_ready(house: House) -> None:
    house.upload("policy.txt", b"Pupils bring seven apples.")
    house.work()
    house.upload("policy.txt", b"Pupils bring eight oranges.")
    house.pipeline.parse(house.job("parse"))
    assert house.match("apples")
    assert not house.match("oranges")
    house.work()
    assert not house.match("apples")
    [found] = house.match("oranges")
    assert house.vectors.ids(house.workspace.id) == {found}


def test_a_new_version_that_cannot_be_read_leaves_the_old_one(house: House) -> None:
    house.upload("policy.txt", b"Pupils bring seven apples.")
    house.work()
    house.upload("policy.txt", b"")
    house.work()
    document = house.document("policy.txt")
    assert document.newest.status == Status.FAILED
    assert house.match("apples")


def test_indexing_twice_changes_nothing(house: House) -> None:
    house.upload("a.txt", many_words(5))
    house.work()
    version = house.document("a.txt").newest
    ids = house.vectors.ids(house.workspace.id)
    house.jobs.enqueue("index", version.id)
    house.work()
    assert house.vectors.ids(house.workspace.id) == ids
    assert house.catalogue.version(version.id).status == Status.READY
