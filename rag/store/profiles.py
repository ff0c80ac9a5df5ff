"""What documents say of themselves: name, title, beginning. For telling which ones are meant."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from rag.store.rows import searchable
from rag.store.schema import documents, pages, versions
from rag.types import Scope

FIRST_CHARACTERS = 1500
_FIRST_PAGES = 3


@dataclass(frozen=True, slots=True)
class DocumentProfile:
    """What a document says of itself; ``first_text`` is the beginning, 1,500 characters at most."""

    document_id: int
    version_id: int
    name: str
    title: str
    first_text: str
    pages: int


def profiles(connection: Connection, scope: Scope) -> list[DocumentProfile]:
    """List the searchable versions in the scope by name."""
    first = _beginnings(connection, scope)
    found = connection.execute(
        select(documents.c.name, versions)
        .join(versions, versions.c.id == documents.c.searchable_version_id)
        .where(versions.c.id.in_(searchable(scope)))
        .order_by(documents.c.name)
    )
    return [
        DocumentProfile(
            document_id=row.document_id,
            version_id=row.id,
            name=row.name,
            title=row.title,
            first_text=first.get(row.id, ""),
            pages=row.pages,
        )
        for row in found
    ]


def _beginnings(connection: Connection, scope: Scope) -> dict[int, str]:
    first: dict[int, str] = {}
    for row in connection.execute(
        select(
            pages.c.version_id, func.substr(pages.c.text, 1, FIRST_CHARACTERS).label("beginning")
        )
        .where(pages.c.number <= _FIRST_PAGES, pages.c.version_id.in_(searchable(scope)))
        .order_by(pages.c.version_id, pages.c.number)
    ):
        so_far = first.get(row.version_id, "")
        if len(so_far) < FIRST_CHARACTERS:
            first[row.version_id] = f"{so_far}\n{row.beginning}".strip()[:FIRST_CHARACTERS]
    return first
