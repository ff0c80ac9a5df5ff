"""Pages and passages: written together, read singly, found by keyword, embedded.

A passage is a span of its page's text, which is stored once; its text is cut from there. What a
search may see is decided here, inside the SQL, by a scope: the documents' searchable versions in
one workspace. Knows nothing of where vectors are searched. Surprising: a passage's id is never
used again, and the ids of a version's passages are consecutive and in reading order, so that the
neighbours of a passage have the ids beside its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    column,
    func,
    insert,
    literal_column,
    select,
    table,
    true,
    tuple_,
)

from rag.store import embeddings, erasing, fulltext, jobs, pages, profiles, progress
from rag.store.database import Database
from rag.store.profiles import DocumentProfile
from rag.store.rows import among, searchable
from rag.store.schema import documents, passages, versions
from rag.store.schema import pages as pages_table
from rag.types import Page, Passage, Scope, Status, StoredPassage, Vector, Vectors

__all__ = ["DocumentProfile", "Passages"]

_fts = table("passages_fts", column("rowid"), column("passages_fts"))


class Passages:
    """The pages and passages of a data folder."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Writing

    def write_parsed(
        self, version_id: int, pages_read: Sequence[Page], cut: Sequence[Passage]
    ) -> None:
        """Replace what a version had by these pages and passages, in one transaction.

        The version is then ``indexing``, findable by keyword unless an older one is to stay, its
        parse job is done with and its index job queued. Boxes are kept to a hundredth of a point.

        Raises:
            NotFound: the version is gone. BadRequest: it was cancelled.
            BadFile: a text has characters that are none (half of a surrogate pair).
        """
        page_rows = [pages.values(version_id, page) for page in pages_read]
        terms = [fulltext.indexed(passage.heading, passage.text) for passage in cut]
        with self._database.write() as connection:
            version = progress.wanted_version(connection, version_id)
            workspace_id = progress.workspace_of(connection, version_id)
            old = erasing.content_of(connection, version_id)
            if old:
                erasing.vectors_later(connection, workspace_id, old, [])
            if page_rows:
                connection.execute(insert(pages_table), page_rows)
            _insert_passages(connection, version_id, workspace_id, cut, terms)
            progress.set_values(
                connection,
                version_id,
                status=Status.INDEXING,
                reason=None,
                pages=len(pages_read),
                passages=len(cut),
            )
            progress.show_parsed(connection, version)
            jobs.drop(connection, version_id, jobs.PARSE)
            jobs.enqueue(connection, jobs.INDEX, version_id, {})

    # Pages

    def page(self, version_id: int, number: int) -> Page:
        """Return a page, counted from 1, or raise NotFound."""
        with self._database.read() as connection:
            return pages.one(connection, version_id, number)

    def pages(self, version_id: int) -> Iterator[Page]:
        """Yield a version's pages in order."""
        return pages.every(self._database, version_id)

    def page_text(self, version_id: int, number: int) -> str:
        """Return a page's text without reading its boxes, or raise NotFound."""
        with self._database.read() as connection:
            return pages.text_of(connection, version_id, number)

    # Passages

    def passages(self, version_id: int) -> list[StoredPassage]:
        """List a version's passages in reading order."""
        with self._database.read() as connection:
            return _stored(connection, passages.c.version_id == version_id)

    def by_ids(self, ids: Iterable[int], scope: Scope) -> dict[int, StoredPassage]:
        """Return those of the passages that search may see inside the scope, by id."""
        seen = passages.c.id.in_(among(ids)) & passages.c.version_id.in_(searchable(scope))
        with self._database.read() as connection:
            return {stored.id: stored for stored in _stored(connection, seen)}

    def ids(self, scope: Scope) -> list[int]:
        """List the passages that search may see inside the scope."""
        seen = select(passages.c.id).where(passages.c.version_id.in_(searchable(scope)))
        with self._database.read() as connection:
            return list(connection.scalars(seen.order_by(passages.c.id)))

    def passage_count(self, workspace_id: int | None = None) -> int:
        """Count the passages that search may see in a workspace, or in all of them."""
        inside = true() if workspace_id is None else documents.c.workspace_id == workspace_id
        counting = (
            select(func.sum(versions.c.passages))
            .join(documents, documents.c.searchable_version_id == versions.c.id)
            .where(inside)
        )
        with self._database.read() as connection:
            return connection.scalar(counting) or 0

    # Finding by keyword

    def match(self, query: str, scope: Scope, limit: int) -> list[tuple[int, float]]:
        """Find passages by an FTS5 query on their terms: ids with bm25, higher is better.

        Make the query of terms quoted by :func:`rag.store.fulltext.quote`. Only what the scope
        allows is matched at all.
        """
        if not query.strip():
            return []
        with self._database.read() as connection:
            seen: list[int] | None = None
            if scope.documents is not None:
                seen = [found for found in connection.scalars(searchable(scope)) if found]
                if not seen:
                    return []
            narrowed = fulltext.scoped(query, scope.workspace_id, seen)
            score = (-func.bm25(literal_column("passages_fts"), 0.0, 1.0)).label("score")
            found = connection.execute(
                select(passages.c.id, score)
                .join(_fts, _fts.c.rowid == passages.c.id)
                .where(_fts.c.passages_fts.op("MATCH")(narrowed))
                .where(passages.c.version_id.in_(searchable(scope)))
                .order_by(score.desc(), passages.c.id)
                .limit(limit)
            )
            return [(row.id, row.score) for row in found]

    def term_counts(self, terms: Iterable[str], workspace_id: int) -> dict[str, int]:
        """Count the passages of a workspace that have each of the terms; other ones never count."""
        counting = select(func.count()).select_from(_fts)
        with self._database.read() as connection:
            return {
                term: connection.scalar(
                    counting.where(
                        _fts.c.passages_fts.op("MATCH")(
                            fulltext.scoped(fulltext.quote(term), workspace_id, None)
                        )
                    )
                )
                or 0
                for term in terms
            }

    def document_counts(self, term: str, scope: Scope) -> dict[int, int]:
        """Count the passages that have a term, by document, as far as search may see them."""
        narrowed = fulltext.scoped(fulltext.quote(term), scope.workspace_id, None)
        counting = (
            select(versions.c.document_id, func.count())
            .join(passages, passages.c.version_id == versions.c.id)
            .join(_fts, _fts.c.rowid == passages.c.id)
            .where(_fts.c.passages_fts.op("MATCH")(narrowed))
            .where(versions.c.id.in_(searchable(scope)))
            .group_by(versions.c.document_id)
        )
        with self._database.read() as connection:
            return {row[0]: row[1] for row in connection.execute(counting)}

    def versions(self, scope: Scope) -> tuple[int, ...]:
        """List the versions that search sees inside the scope: another list, other passages."""
        with self._database.read() as connection:
            return tuple(sorted(found for found in connection.scalars(searchable(scope)) if found))

    def profiles(self, scope: Scope) -> list[DocumentProfile]:
        """List what the documents in the scope say of themselves, by name."""
        with self._database.read() as connection:
            return profiles.profiles(connection, scope)

    # Embeddings (see rag.store.embeddings)

    def missing_embeddings(
        self, version_id: int, recipe_hash: str, *, heading_characters: int = 0
    ) -> list[tuple[int, str]]:
        """List a version's passages without a vector: id and the text to embed.

        A heading of at most ``heading_characters`` stands before the text, on a line of its own.
        """
        with self._database.read() as connection:
            missing = embeddings.missing(connection, version_id, recipe_hash)
        wanted = (stored for stored in self.passages(version_id) if stored.id in missing)
        return [(stored.id, _to_embed(stored.passage, heading_characters)) for stored in wanted]

    def write_embeddings(self, recipe_hash: str, ids: Sequence[int], vectors: Vectors) -> None:
        """Keep the vectors of passages; passages that are gone by now are passed over."""
        with self._database.write() as connection:
            embeddings.write(connection, recipe_hash, ids, vectors)

    def embeddings(self, version_id: int, recipe_hash: str) -> Iterator[tuple[list[int], Vectors]]:
        """Yield a version's passages with their vectors, in batches of 1,000 at most."""
        return embeddings.batches(self._database, version_id, recipe_hash)

    def embeddings_of_workspace(
        self, workspace_id: int, recipe_hash: str
    ) -> Iterator[tuple[list[int], Vectors]]:
        """Yield the passages of every version whose vectors are in use or on the way there.

        Looked up as they are asked for, not before.
        """
        with self._database.read() as connection:
            version_ids = progress.with_vectors(connection, workspace_id)
        for version_id in version_ids:
            yield from self.embeddings(version_id, recipe_hash)

    def vectors(self, ids: Iterable[int], recipe_hash: str) -> dict[int, Vector]:
        """Return the vectors of passages, as far as they have one."""
        with self._database.read() as connection:
            return embeddings.by_ids(connection, ids, recipe_hash)

    def record_recipe(self, recipe_hash: str, identity: Mapping[str, Any]) -> None:
        """Note with which model a recipe's vectors are made."""
        with self._database.write() as connection:
            embeddings.record(connection, recipe_hash, identity)

    def recipe_identity(self, recipe_hash: str) -> dict[str, Any] | None:
        """Return with which model a recipe's vectors were made, None when there are none."""
        with self._database.read() as connection:
            return embeddings.identity(connection, recipe_hash)


def _to_embed(passage: Passage, heading_characters: int) -> str:
    headed = 0 < len(passage.heading) <= heading_characters
    return f"{passage.heading}\n{passage.text}" if headed else passage.text


def _insert_passages(
    connection: Connection,
    version_id: int,
    workspace_id: int,
    cut: Sequence[Passage],
    terms: Sequence[str],
) -> None:
    if not cut:
        return
    last = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'passages'")
    first_id = (last.scalar() or 0) + 1
    rows = [
        {
            "id": passage_id,
            "version_id": version_id,
            "page": passage.page,
            "start": passage.start,
            "end": passage.end,
            "heading": passage.heading,
        }
        for passage_id, passage in enumerate(cut, first_id)
    ]
    connection.execute(insert(passages), rows)
    place = fulltext.scope_tokens(workspace_id, version_id)
    connection.exec_driver_sql(
        "INSERT INTO passages_fts(rowid, scope, terms) VALUES (?, ?, ?)",
        [(passage_id, place, found) for passage_id, found in enumerate(terms, first_id)],
    )


def _stored(connection: Connection, which: ColumnElement[bool]) -> list[StoredPassage]:
    found = connection.execute(
        select(passages, documents.c.id.label("document_id"), documents.c.name, versions.c.paged)
        .join(versions, versions.c.id == passages.c.version_id)
        .join(documents, documents.c.id == versions.c.document_id)
        .where(which)
        .order_by(passages.c.id)
    ).all()
    on_pages = select(passages.c.version_id, passages.c.page).where(which)
    here = tuple_(pages_table.c.version_id, pages_table.c.number).in_(on_pages)
    needed = select(pages_table.c.version_id, pages_table.c.number, pages_table.c.text).where(here)
    texts = {(row.version_id, row.number): row.text for row in connection.execute(needed)}
    return [
        StoredPassage(
            id=row.id,
            document_id=row.document_id,
            version_id=row.version_id,
            document=row.name,
            paged=bool(row.paged),
            passage=Passage(
                page=row.page,
                start=row.start,
                end=row.end,
                text=texts[row.version_id, row.page][row.start : row.end],
                heading=row.heading,
            ),
        )
        for row in found
    ]
