"""Rows of the catalogue's tables as the values that travel, and selections used in several places."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Row, Select, column, func, or_, select

from rag.store.schema import documents as documents_table
from rag.store.schema import versions as versions_table
from rag.types import Document, Scope, Status, Version, Workspace


def among(ids: Iterable[int]) -> Select[int]:
    """Return a subselect of any number of ids, beyond SQLite's limit for bound values."""
    values = func.json_each(json.dumps([int(item) for item in ids]))
    return select(values.table_valued(column("value", Integer)).c.value)


def searchable(scope: Scope) -> Select[int | None]:
    """Return a subselect of the versions that search may see inside a scope."""
    seen = select(documents_table.c.searchable_version_id).where(
        documents_table.c.workspace_id == scope.workspace_id,
        documents_table.c.searchable_version_id.is_not(None),
    )
    if scope.documents is None:
        return seen
    return seen.where(documents_table.c.id.in_(among(sorted(scope.documents))))


def workspace(row: Row[Any]) -> Workspace:
    """Return a row of ``workspaces``."""
    return Workspace(row.id, row.name, row.created_at)


def version(row: Row[Any]) -> Version:
    """Return a row of ``versions``."""
    return Version(
        id=row.id,
        document_id=row.document_id,
        number=row.number,
        sha256=row.sha256,
        bytes=row.bytes,
        media_type=row.media_type,
        status=Status(row.status),
        reason=row.reason,
        pages=row.pages,
        paged=bool(row.paged),
        title=row.title,
        passages=row.passages,
        embedded=row.embedded,
        created_at=row.created_at,
        ready_at=row.ready_at,
    )


def documents(connection: Connection, which: ColumnElement[bool]) -> list[Document]:
    """Return the documents of a condition by name, each with its newest and searchable version."""
    found = connection.execute(
        select(documents_table).where(which).order_by(documents_table.c.name)
    ).all()
    newest = (
        select(versions_table.c.document_id, func.max(versions_table.c.number).label("number"))
        .join(documents_table, documents_table.c.id == versions_table.c.document_id)
        .where(which)
        .group_by(versions_table.c.document_id)
        .subquery()
    )
    wanted = (
        select(versions_table)
        .join(documents_table, documents_table.c.id == versions_table.c.document_id)
        .join(newest, newest.c.document_id == versions_table.c.document_id)
        .where(
            or_(
                versions_table.c.number == newest.c.number,
                versions_table.c.id == documents_table.c.searchable_version_id,
            )
        )
        .order_by(versions_table.c.number)
    )
    versions = [version(row) for row in connection.execute(wanted)]
    by_id = {item.id: item for item in versions}
    last = {item.document_id: item for item in versions}
    return [
        Document(
            id=row.id,
            workspace_id=row.workspace_id,
            name=row.name,
            newest=last[row.id],
            searchable=by_id.get(row.searchable_version_id),
        )
        for row in found
    ]
