"""Taking passages, versions, documents and workspaces out of the database so that nothing stays.

Each function works within a transaction of the caller's. What lives outside SQL, vectors and
originals, cannot be part of that transaction: an ``erase`` job is put down in it that names them,
so that after a crash they are still removed. Its payload is ``{"workspace_id", "passage_ids",
"hashes", "drop"}``; ``drop`` means the workspace's vectors as a whole. Doing it twice is no matter.
Chroma forgets a vector only when all are made anew, so a ``renew`` job is put down along with it,
``{"workspace_id"}``, one for all that is deleted until its turn comes. Without a workspace (None) it
rewrites Chroma's own database, and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Integer, String, cast, delete, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from rag.errors import DataFolderError, NotFound
from rag.store import jobs
from rag.store.database import Database
from rag.store.schema import documents, meta, pages, passages, versions, workspaces

logger = logging.getLogger(__name__)

_AT_ONCE = 64_000_000
_TRACES = "traces of what was deleted"


@dataclass(frozen=True, slots=True)
class Deleted:
    """What left the database and must now leave the disk.

    ``hashes`` are originals that no version of any workspace needs any more; ``job_id`` is the
    erase job that will see to it all if nobody does before.
    """

    version_ids: list[int]
    passage_ids: list[int]
    hashes: list[str]
    job_id: int


def passages_of(connection: Connection, version_id: int) -> list[int]:
    """Remove a version's passages with their terms and embeddings; return their ids."""
    connection.exec_driver_sql(
        "DELETE FROM passages_fts WHERE rowid IN (SELECT id FROM passages WHERE version_id = ?)",
        (version_id,),
    )
    ids = connection.scalars(
        delete(passages).where(passages.c.version_id == version_id).returning(passages.c.id)
    ).all()
    connection.execute(
        update(versions).where(versions.c.id == version_id).values(passages=0, embedded=0)
    )
    return sorted(ids)


def content_of(connection: Connection, version_id: int) -> list[int]:
    """Remove a version's pages as well; it is then as it was before it was parsed."""
    leave_trace(connection)
    ids = passages_of(connection, version_id)
    connection.execute(delete(pages).where(pages.c.version_id == version_id))
    connection.execute(
        update(documents)
        .where(documents.c.searchable_version_id == version_id)
        .values(searchable_version_id=None)
    )
    connection.execute(update(versions).where(versions.c.id == version_id).values(pages=0))
    return ids


def leave_trace(connection: Connection) -> None:
    """Note that something was deleted of which the database file may hold traces still."""
    note = sqlite_insert(meta).values(key=_TRACES, value="1")
    once_more = cast(cast(meta.c.value, Integer) + 1, String)
    connection.execute(note.on_conflict_do_update(["key"], set_={"value": once_more}))


def scrub(database: Database) -> None:
    """Rewrite the database file if it may hold traces of what was deleted.

    When a long reading hinders it, or a crash, the next time does it.
    """
    noted = select(meta.c.value).where(meta.c.key == _TRACES)
    with database.read() as connection:
        traces = connection.scalar(noted)
    if traces is None or not database.rewrite():
        return
    with database.write() as connection:  # unless something was deleted meanwhile
        connection.execute(delete(meta).where(meta.c.key == _TRACES, meta.c.value == traces))


def scrub_if_small(database: Database) -> None:
    """Do it now when that takes but a moment; the next erase job sees to it otherwise."""
    if database.size() > _AT_ONCE:
        return
    try:
        scrub(database)
    except DataFolderError:  # what was to be deleted is deleted; only its traces wait
        logger.warning("the database could not be rewritten yet", exc_info=True)


def optimize(connection: Connection) -> None:
    """Rewrite the full-text index, so that the terms of what was deleted are in it no more."""
    connection.exec_driver_sql("INSERT INTO passages_fts(passages_fts) VALUES ('optimize')")


def document(connection: Connection, workspace_id: int, document_id: int) -> Deleted:
    """Remove a document with all its versions."""
    here = (documents.c.id == document_id, documents.c.workspace_id == workspace_id)
    if connection.scalar(select(documents.c.id).where(*here)) is None:
        raise NotFound("The document is not there any more.")
    version_ids, passage_ids, hashes = _empty(connection, [document_id])
    connection.execute(delete(documents).where(*here))
    gone = unneeded(connection, hashes)
    optimize(connection)
    job_id = vectors_later(connection, workspace_id, passage_ids, gone)
    return Deleted(version_ids, passage_ids, gone, job_id)


def workspace(connection: Connection, workspace_id: int) -> Deleted:
    """Remove a workspace with its documents and conversations."""
    if connection.scalar(select(workspaces.c.id).where(workspaces.c.id == workspace_id)) is None:
        raise NotFound("The workspace is not there any more.")
    inside = connection.scalars(
        select(documents.c.id).where(documents.c.workspace_id == workspace_id)
    ).all()
    version_ids, passage_ids, hashes = _empty(connection, inside)
    connection.execute(delete(workspaces).where(workspaces.c.id == workspace_id))
    gone = unneeded(connection, hashes)
    optimize(connection)
    jobs.enqueue_once(connection, jobs.RENEW, {"workspace_id": None})
    payload = {"workspace_id": workspace_id, "passage_ids": [], "hashes": gone, "drop": True}
    job_id = jobs.enqueue(connection, jobs.ERASE, None, payload)
    return Deleted(version_ids, passage_ids, gone, job_id)


def vectors_later(
    connection: Connection, workspace_id: int, passage_ids: Sequence[int], hashes: Sequence[str]
) -> int:
    """Put down the jobs for passages' vectors and for originals; return the erase job's id."""
    if passage_ids:
        jobs.enqueue_once(connection, jobs.RENEW, {"workspace_id": workspace_id})
    payload = {
        "workspace_id": workspace_id,
        "passage_ids": list(passage_ids),
        "hashes": list(hashes),
        "drop": False,
    }
    return jobs.enqueue(connection, jobs.ERASE, None, payload)


def unneeded(connection: Connection, hashes: Sequence[str]) -> list[str]:
    """Return those of the hashes that no version has."""
    return [
        sha256
        for sha256 in sorted(set(hashes))
        if connection.scalar(select(versions.c.id).where(versions.c.sha256 == sha256).limit(1))
        is None
    ]


def _empty(
    connection: Connection, document_ids: Sequence[int]
) -> tuple[list[int], list[int], list[str]]:
    version_ids: list[int] = []
    passage_ids: list[int] = []
    hashes: list[str] = []
    for document_id in document_ids:
        rows = connection.execute(
            select(versions.c.id, versions.c.sha256).where(versions.c.document_id == document_id)
        ).all()
        for row in rows:
            version_ids.append(row.id)
            hashes.append(row.sha256)
            passage_ids += content_of(connection, row.id)
    return version_ids, passage_ids, hashes
