"""How a version of a document moves on: taken in, retried, ready, superseded.

Each function works within a transaction of the caller's, so that a version, its jobs and what
search sees of its document change together or not at all.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from rag.errors import BadRequest, NotFound
from rag.store import erasing, jobs, rows
from rag.store.schema import documents, versions
from rag.types import Document, Status, Version

CANCELLED = "Reading this document was cancelled. Use “retry” to read it after all."


def version(connection: Connection, version_id: int) -> Version:
    """Return a version, or raise NotFound."""
    row = connection.execute(select(versions).where(versions.c.id == version_id)).one_or_none()
    if row is None:
        raise NotFound("This version of the document is not there any more.")
    return rows.version(row)


def wanted_version(connection: Connection, version_id: int) -> Version:
    """Return a version that is still to be worked on.

    Raises:
        NotFound: it is gone. BadRequest: it was cancelled.
    """
    found = version(connection, version_id)
    if connection.scalar(select(versions.c.cancelled).where(versions.c.id == version_id)):
        raise BadRequest(CANCELLED)
    return found


def workspace_of(connection: Connection, version_id: int) -> int:
    """Return the id of the workspace a version is in, or raise NotFound."""
    found = connection.scalar(
        select(documents.c.workspace_id)
        .join(versions, versions.c.document_id == documents.c.id)
        .where(versions.c.id == version_id)
    )
    if found is None:
        raise NotFound("This version of the document is not there any more.")
    return int(found)


def with_vectors(connection: Connection, workspace_id: int) -> list[int]:
    """Return the versions of a workspace whose vectors are in use, or on the way there."""
    return list(
        connection.scalars(
            select(versions.c.id)
            .join(documents, documents.c.id == versions.c.document_id)
            .where(documents.c.workspace_id == workspace_id)
            .where(versions.c.status.in_([Status.READY, Status.INDEXING]))
            .order_by(versions.c.id)
        )
    )


def set_values(connection: Connection, version_id: int, **values: Any) -> None:  # noqa: ANN401 - any column's
    """Set columns of a version."""
    connection.execute(update(versions).where(versions.c.id == version_id).values(**values))


def with_bytes(
    connection: Connection, workspace_id: int, name: str, sha256: str
) -> Document | None:
    """Return a document whose newest version has these bytes, the one of this name first."""
    having = (
        select(versions.c.document_id)
        .join(documents, documents.c.id == versions.c.document_id)
        .where(documents.c.workspace_id == workspace_id, versions.c.sha256 == sha256)
    )
    found = [
        document
        for document in rows.documents(connection, documents.c.id.in_(having))
        if document.newest.sha256 == sha256
    ]
    return min(found, key=lambda document: (document.name != name, document.id), default=None)


def next_number(connection: Connection, workspace_id: int, name: str) -> tuple[int, int]:
    """Return the document of this name, made if there is none, and its next version's number."""
    here = (documents.c.workspace_id == workspace_id, documents.c.name == name)
    known = connection.scalar(select(documents.c.id).where(*here))
    if known is None:
        row = insert(documents).values(workspace_id=workspace_id, name=name, created_at=time.time())
        return connection.execute(row.returning(documents.c.id)).scalar_one(), 1
    last = connection.scalar(
        select(func.max(versions.c.number)).where(versions.c.document_id == known)
    )
    return known, (last or 0) + 1


def retry(connection: Connection, failed: Version) -> None:
    """Queue a failed version again: only its vectors when its passages are there."""
    parsed = failed.passages > 0
    status = Status.INDEXING if parsed else Status.QUEUED
    set_values(connection, failed.id, status=status, reason=None, cancelled=False)
    jobs.enqueue(connection, jobs.INDEX if parsed else jobs.PARSE, failed.id, {})


def show_parsed(connection: Connection, parsed: Version) -> None:
    """Let search see a parsed version, unless a ready one or a newer one is seen already."""
    seen = _seen(connection, parsed.document_id)
    if seen is None or (seen.status != Status.READY and seen.number < parsed.number):
        _show(connection, parsed)


def show_ready(connection: Connection, ready: Version) -> list[int]:
    """Let search see a ready version and remove the passages of those it supersedes."""
    seen = _seen(connection, ready.document_id)
    if seen is not None and seen.status == Status.READY and seen.number > ready.number:
        superseded = [ready.id]
    else:
        _show(connection, ready)
        older = select(versions.c.id).where(
            versions.c.document_id == ready.document_id,
            versions.c.number < ready.number,
            versions.c.passages > 0,
        )
        superseded = list(connection.scalars(older.order_by(versions.c.id)))
    passage_ids = [
        passage_id
        for version_id in superseded
        for passage_id in erasing.passages_of(connection, version_id)
    ]
    if passage_ids:
        workspace_id = workspace_of(connection, ready.id)
        erasing.vectors_later(connection, workspace_id, passage_ids, [])
    return superseded


def _seen(connection: Connection, document_id: int) -> Version | None:
    seen = connection.execute(
        select(versions)
        .join(documents, documents.c.searchable_version_id == versions.c.id)
        .where(documents.c.id == document_id)
    ).one_or_none()
    return None if seen is None else rows.version(seen)


def _show(connection: Connection, shown: Version) -> None:
    connection.execute(
        update(documents)
        .where(documents.c.id == shown.document_id)
        .values(searchable_version_id=shown.id)
    )
