"""The doctor: every disagreement that can be made is named, and mended where that can be."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from ingest.engine import Engine, open_engine
from rag.archive import Archive
from rag.assistant import Assistant
from tests.conftest import settings_for

LEASE = b"1. Rent. The rent is 900 pounds.\n\n2. Notice. The tenant gives ninety days' notice.\n"
ROOF = b"The landlord mends the roof and the outer walls.\n"
QUESTION = "How much notice must the tenant give?"


@pytest.fixture(scope="module")
def archive_of_two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An archive with two documents; every test leaves it in good health."""
    with open_engine(settings_for(tmp_path_factory.mktemp("doctor"))) as engine:
        engine.assistant.create_workspace("Matter 7")
        for name, content in (("lease.txt", LEASE), ("roof.txt", ROOF)):
            engine.assistant.upload("Matter 7", name, io.BytesIO(content))
        assert engine.worker.wait_idle(60)
        yield engine


@pytest.fixture
def door(archive_of_two: Engine) -> Assistant:
    assert archive_of_two.assistant.doctor() == []
    return archive_of_two.assistant


def _sql(archive: Archive, statement: str, **values: object) -> None:
    with archive.database.write() as connection:
        connection.execute(text(statement), values)


def _passages(archive: Archive, name: str = "lease.txt") -> list[int]:
    document = archive.catalogue.document(1, name)
    assert document.searchable is not None
    return [stored.id for stored in archive.passages.passages(document.searchable.id)]


def _hash(archive: Archive) -> str:
    return archive.catalogue.document(1, "lease.txt").newest.sha256


def _keywords_lost(archive: Archive) -> None:
    _sql(archive, "DELETE FROM passages_fts WHERE rowid = :id", id=_passages(archive)[0])


def _keywords_of_nothing(archive: Archive) -> None:
    row = "INSERT INTO passages_fts (rowid, scope, terms) VALUES (999, 'w1 v1', 'notice')"
    _sql(archive, row)


def _keywords_damaged(archive: Archive) -> None:
    _sql(archive, "DELETE FROM passages_fts_data WHERE id > 10")


def _embedding_lost(archive: Archive) -> None:
    _sql(archive, "DELETE FROM embeddings WHERE passage_id = :id", id=_passages(archive)[0])


def _vector_lost(archive: Archive) -> None:
    archive.vectors.delete(1, _passages(archive))


def _vector_strange(archive: Archive) -> None:
    vector = np.zeros((1, 384), np.float32)
    vector[0, 0] = 1
    archive.vectors.upsert(1, [999], vector)


def _vector_wrong(archive: Archive) -> None:
    ids = _passages(archive) + _passages(archive, "roof.txt")
    vectors = archive.passages.vectors(ids, archive.recipe.hash)
    archive.vectors.upsert(1, ids[:1], vectors[ids[-1]][np.newaxis])


def _vectors_damaged(archive: Archive) -> None:
    archive.vectors.close()
    path = archive.settings.data / "vectors" / "chroma.sqlite3"
    path.write_bytes(b"What a power cut left of it." * 1000)


def _vectors_refused(archive: Archive) -> None:
    """SQLite can read it, Chroma will not."""
    archive.vectors.close()
    _refuse(archive.settings.data)


def _refuse(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "vectors" / "chroma.sqlite3")) as connection:
        connection.execute("UPDATE migrations SET hash = 'another'")
        connection.commit()


def _passage_outside(archive: Archive) -> None:
    statement = 'UPDATE passages SET "end" = 100000 WHERE id = :id'
    _sql(archive, statement, id=_passages(archive)[0])


def _page_lost(archive: Archive) -> None:
    document = archive.catalogue.document(1, "lease.txt")
    _sql(archive, "DELETE FROM pages WHERE version_id = :id", id=document.newest.id)


def _original_stray(archive: Archive) -> None:
    archive.originals.put(io.BytesIO(b"Nobody knows me."))


def _not_shown(archive: Archive) -> None:
    _sql(archive, "UPDATE documents SET searchable_version_id = NULL WHERE name = 'lease.txt'")


def _forgotten(archive: Archive) -> None:
    newest = archive.catalogue.document(1, "lease.txt").newest
    _sql(archive, "UPDATE versions SET status = 'indexing' WHERE id = :id", id=newest.id)


def _stuck(archive: Archive) -> None:
    newest = archive.catalogue.document(1, "lease.txt").newest
    _sql(
        archive,
        "INSERT INTO jobs (kind, version_id, state, run_after, owner, heartbeat_at, created_at) "
        "VALUES ('index', :id, 'running', 0, 'gone', 1, 0)",
        id=newest.id,
    )


MENDED: tuple[tuple[Callable[[Archive], None], str], ...] = (
    (_keywords_lost, "1 passages cannot be found by their words."),
    (_keywords_of_nothing, "1 passages are in the keyword index but belong to no document."),
    (_keywords_damaged, "The keyword index is damaged"),
    (_embedding_lost, "“lease.txt” has passages without an embedding."),
    (_vector_lost, "In “Matter 7” 1 passages have no vector in Chroma."),
    (_vector_wrong, "In “Matter 7” Chroma holds 1 vectors that are not those of their passages."),
    (_vectors_damaged, "Chroma's files are damaged; the vectors are to be made anew."),
    (_vectors_refused, "Chroma's files are damaged; the vectors are to be made anew."),
    (_vector_strange, "In “Matter 7” Chroma holds 1 vectors of no passage."),
    (_passage_outside, "1 passages of “lease.txt” lie outside their page's text."),
    (_page_lost, "1 passages of “lease.txt” lie outside their page's text."),
    (_original_stray, "1 stored originals belong to no document."),
    (_not_shown, "“lease.txt” is ready but search does not see it."),
    (_forgotten, "“lease.txt” waits to be read, but nothing is going to read it."),
    (_stuck, "The work on “lease.txt” is stuck"),
)


@pytest.mark.parametrize(("harm", "told"), MENDED, ids=[harm.__name__ for harm, _ in MENDED])
def test_what_disagrees_is_named_and_mended(
    door: Assistant, harm: Callable[[Archive], None], told: str
) -> None:
    harm(door.archive)
    assert any(finding.startswith(told) for finding in door.doctor()), door.doctor()
    assert door.doctor(repair=True) == []
    assert door.doctor() == []
    found = door.search("Matter 7", QUESTION)
    assert "ninety days" in found.hits[0].text
    assert len(_passages(door.archive)) == 1
    assert door.archive.vectors.ids(1) == {
        *_passages(door.archive),
        *_passages(door.archive, "roof.txt"),
    }


def test_all_at_once(door: Assistant) -> None:
    for harm in (_original_stray, _vector_strange, _keywords_of_nothing, _keywords_lost):
        harm(door.archive)
    assert len(door.doctor()) == 4
    assert door.doctor(repair=True) == []
    assert "ninety days" in door.search("Matter 7", QUESTION).hits[0].text


def test_a_missing_original_is_named_until_it_is_uploaded_again(door: Assistant) -> None:
    door.archive.originals.delete(_hash(door.archive))
    told = ["The original of “lease.txt” is missing. Upload it again."]
    assert door.doctor() == told
    assert door.doctor(repair=True) == told, "nobody can mend that but its owner"
    assert "ninety days" in door.search("Matter 7", QUESTION).hits[0].text
    assert door.upload("Matter 7", "lease.txt", io.BytesIO(LEASE)).already_there
    assert door.doctor() == []


def test_an_original_altered_by_a_byte_is_named_until_it_is_uploaded_again(door: Assistant) -> None:
    path = door.archive.originals.path(_hash(door.archive))
    path.write_bytes(LEASE.replace(b"ninety", b"ninetx"))
    told = ["The original of “lease.txt” is damaged. Upload the same file again."]
    assert door.doctor() == told
    assert door.doctor(repair=True) == told
    assert door.upload("Matter 7", "lease.txt", io.BytesIO(LEASE)).already_there
    assert path.read_bytes() == LEASE
    assert door.doctor() == []


def test_a_document_is_not_read_again_from_a_damaged_original(door: Assistant) -> None:
    _passage_outside(door.archive)
    door.archive.originals.path(_hash(door.archive)).write_bytes(b"other bytes")
    assert len(door.doctor(repair=True)) == 2
    assert _passages(door.archive), "what there is of it is all there is"
    door.upload("Matter 7", "lease.txt", io.BytesIO(LEASE))
    assert door.doctor(repair=True) == []


def test_work_under_way_is_no_disagreement_and_reindexing_loses_none_of_it(
    engine: Engine,
) -> None:
    door = engine.assistant
    door.create_workspace("busy")
    told: list[str] = []
    for number in range(5):
        text = f"Clause {number}. The tenant pays {number} pounds. ".encode() * 40
        door.upload("busy", f"{number}.txt", io.BytesIO(text))
    while door.archive.jobs.pending():
        told += door.doctor()
        door.reindex("busy")
    assert told == []
    assert door.doctor() == []


@pytest.mark.parametrize(
    "harm",
    ["an index cut short", "a damaged database", "no folder", "killed while writing", "refused"],
)
def test_lost_vectors_are_made_anew_at_opening(tmp_path: Path, harm: str) -> None:
    with open_engine(settings_for(tmp_path)) as engine:
        door = engine.assistant
        door.create_workspace("Matter 7")
        door.upload("Matter 7", "lease.txt", io.BytesIO(LEASE))
        assert engine.worker.wait_idle(60)
        many = np.random.default_rng(2).normal(size=(1500, 384)).astype(np.float32)
        door.archive.vectors.upsert(1, range(1000, 2500), many)  # so that there is an index on disk
        [passage] = _passages(door.archive)
    if harm == "no folder":
        shutil.rmtree(tmp_path / "vectors")
    elif harm == "a damaged database":
        os.truncate(tmp_path / "vectors" / "chroma.sqlite3", 20_000)
    elif harm == "refused":
        _refuse(tmp_path)
        (tmp_path / "vectors" / "workspace-1.writing").touch()
    elif harm == "killed while writing":
        (tmp_path / "vectors" / "workspace-1.writing").touch()
    else:
        [path] = tmp_path.rglob("data_level0.bin")
        os.truncate(path, 1000)
    for _ in range(2):
        with open_engine(settings_for(tmp_path)) as engine:
            assert engine.worker.wait_idle(60)
            assert engine.assistant.doctor() == []
            assert engine.assistant.archive.vectors.ids(1) == {passage}


def test_reindexing_one_workspace_of_a_damaged_folder_makes_them_all_anew(
    tmp_path: Path,
) -> None:
    with open_engine(settings_for(tmp_path)) as engine:
        door = engine.assistant
        for name, content in (("one", LEASE), ("two", ROOF)):
            door.create_workspace(name)
            door.upload(name, "a.txt", io.BytesIO(content))
        assert engine.worker.wait_idle(60)
        _vectors_damaged(door.archive)
        assert door.reindex("one") == 2
        assert door.doctor() == []


def test_reindex_makes_an_equal_collection_without_embedding(samples: Engine) -> None:
    door = samples.assistant
    questions = (QUESTION, "Who signs the field trip form?", "What is the late fee?")
    before = [door.search("Samples", question) for question in questions]
    ids = door.archive.vectors.ids(1)
    with door.archive.database.read() as connection:
        embedded = connection.scalar(text("SELECT count(*) FROM embeddings"))
    assert door.reindex("Samples") == embedded == len(ids)
    assert door.archive.jobs.pending() == 0
    assert door.archive.vectors.ids(1) == ids
    after = [door.search("Samples", question) for question in questions]
    for first, second in zip(before, after, strict=True):
        assert [hit.text for hit in first.hits] == [hit.text for hit in second.hits]
        assert [hit.score for hit in first.hits] == pytest.approx(
            [hit.score for hit in second.hits], abs=1e-5
        )
