"""Whether the database agrees with itself, and what the originals and vectors must hold.

Looks and mends; knows neither the disk nor Chroma. :mod:`rag.doctor` compares what is told here
with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.exc import DatabaseError

from rag.store import fulltext, jobs
from rag.store.database import Database

_WITHOUT_KEYWORDS = (
    "SELECT id FROM passages WHERE id NOT IN (SELECT id FROM passages_fts_docsize) ORDER BY id"
)
_KEYWORDS_OF_NOTHING = (
    "SELECT id FROM passages_fts_docsize WHERE id NOT IN (SELECT id FROM passages) ORDER BY id"
)
_BROKEN_SPANS = """
SELECT count(*) FROM passages AS p
LEFT JOIN pages AS g ON g.version_id = p.version_id AND g.number = p.page
WHERE g.version_id IS NULL OR p.start < 0 OR p.start >= p."end" OR p."end" > length(g.text)
"""
_NOT_SHOWN = """
SELECT d.name FROM documents AS d
JOIN versions AS v ON v.document_id = d.id AND v.status = 'ready'
WHERE d.searchable_version_id IS NULL
GROUP BY d.id ORDER BY d.name
"""
_UNEMBEDDED = """
SELECT DISTINCT v.id FROM versions AS v
JOIN documents AS d ON d.searchable_version_id = v.id
JOIN passages AS p ON p.version_id = v.id
WHERE v.status = 'ready' AND p.id NOT IN (
  SELECT e.passage_id FROM embeddings AS e JOIN recipes AS r ON r.id = e.recipe_id
  WHERE r.hash = :recipe
)
"""
_VECTORS = """
SELECT p.id, v.status FROM passages AS p
JOIN versions AS v ON v.id = p.version_id
JOIN documents AS d ON d.id = v.document_id
JOIN embeddings AS e ON e.passage_id = p.id
JOIN recipes AS r ON r.id = e.recipe_id AND r.hash = :recipe
WHERE d.workspace_id = :workspace
"""
_TO_FILL = """
SELECT p.id, p.heading, substr(g.text, p.start + 1, p."end" - p.start), d.workspace_id, p.version_id
FROM passages AS p
JOIN pages AS g ON g.version_id = p.version_id AND g.number = p.page
JOIN versions AS v ON v.id = p.version_id
JOIN documents AS d ON d.id = v.document_id
WHERE p.id IN :ids
"""
_ADD_KEYWORDS = "INSERT INTO passages_fts (rowid, scope, terms) VALUES (?, ?, ?)"
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Disagreements:
    """What the database holds against itself: passage ids, and sentences on the rest."""

    without_keywords: list[int]
    keywords_of_nothing: list[int]
    unembedded_versions: list[int]
    sentences: list[str]


@dataclass(frozen=True, slots=True)
class ExpectedVectors:
    """Passage ids whose vectors must be in Chroma, and those that may be."""

    needed: set[int]
    allowed: set[int]


class Consistency:
    """Looks for disagreements inside the database, and mends those that can be."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def examine(self, recipe_hash: str) -> Disagreements:
        """Look through the whole database."""
        with self._database.read() as connection:
            return Disagreements(
                without_keywords=_ids(connection, _WITHOUT_KEYWORDS),
                keywords_of_nothing=_ids(connection, _KEYWORDS_OF_NOTHING),
                unembedded_versions=_ids(connection, _UNEMBEDDED, recipe=recipe_hash),
                sentences=_sentences(connection),
            )

    def expected_vectors(self, workspace_id: int, recipe_hash: str) -> ExpectedVectors:
        """Tell which vectors a workspace's collection must and may hold."""
        with self._database.read() as connection:
            values = {"workspace": workspace_id, "recipe": recipe_hash}
            rows = connection.execute(text(_VECTORS), values).all()
        return ExpectedVectors(
            needed={row[0] for row in rows if row[1] == "ready"}, allowed={row[0] for row in rows}
        )

    def versions_with_vectors(self, workspace_id: int) -> list[int]:
        """List the ready versions that search sees in a workspace."""
        query = (
            "SELECT v.id FROM versions AS v JOIN documents AS d ON d.searchable_version_id = v.id "
            "WHERE d.workspace_id = :workspace AND v.status = 'ready' ORDER BY v.id"
        )
        with self._database.read() as connection:
            return _ids(connection, query, workspace=workspace_id)

    def mend(self, found: Disagreements) -> None:
        """Make the keyword index agree, and embed again what has lost its embedding."""
        with self._database.write() as connection:
            for start in range(0, len(found.keywords_of_nothing), _BATCH):
                _remove(connection, found.keywords_of_nothing[start : start + _BATCH])
            for start in range(0, len(found.without_keywords), _BATCH):
                _fill(connection, found.without_keywords[start : start + _BATCH])
            for version_id in found.unembedded_versions:
                jobs.enqueue(connection, jobs.INDEX, version_id, {})


def _ids(connection: Connection, query: str, **values: object) -> list[int]:
    return [row[0] for row in connection.execute(text(query), values)]


def _sentences(connection: Connection) -> list[str]:
    found = [
        f"The database file is damaged: {row[0]}."
        for row in connection.exec_driver_sql("PRAGMA integrity_check")
        if row[0] != "ok"
    ]
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        found.append(f"{len(broken)} rows of the database refer to rows that are gone.")
    spans = connection.exec_driver_sql(_BROKEN_SPANS).scalar_one()
    if spans:
        found.append(f"{spans} passages lie outside their page's text.")
    found += [
        f"“{row[0]}” is ready but search does not see it."
        for row in connection.exec_driver_sql(_NOT_SHOWN)
    ]
    try:
        connection.exec_driver_sql(
            "INSERT INTO passages_fts (passages_fts) VALUES ('integrity-check')"
        )
    except DatabaseError as error:
        found.append(f"The keyword index is damaged: {error.orig}.")
    return found


def _remove(connection: Connection, ids: Sequence[int]) -> None:
    query = text("DELETE FROM passages_fts WHERE rowid IN :ids")
    connection.execute(query.bindparams(bindparam("ids", expanding=True)), {"ids": list(ids)})


def _fill(connection: Connection, ids: Sequence[int]) -> None:
    query = text(_TO_FILL).bindparams(bindparam("ids", expanding=True))
    rows = [
        (row[0], fulltext.scope_tokens(row[3], row[4]), fulltext.indexed(row[1], row[2]))
        for row in connection.execute(query, {"ids": list(ids)})
    ]
    if rows:
        connection.exec_driver_sql(_ADD_KEYWORDS, rows)
