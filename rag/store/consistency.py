"""Whether the database agrees with itself, and what the originals and vectors must hold.

Looks and mends; knows neither the disk nor Chroma. :mod:`rag.doctor` compares what is told here
with them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.exc import DatabaseError

from rag.store import erasing, fulltext, jobs, progress
from rag.store.database import Database
from rag.types import Status

_WITHOUT_KEYWORDS = (
    "SELECT id FROM passages WHERE id NOT IN (SELECT id FROM passages_fts_docsize) ORDER BY id"
)
_KEYWORDS_OF_NOTHING = (
    "SELECT id FROM passages_fts_docsize WHERE id NOT IN (SELECT id FROM passages) ORDER BY id"
)
_BROKEN_SPANS = """
SELECT v.id, d.name, v.sha256, count(*) FROM passages AS p
JOIN versions AS v ON v.id = p.version_id
JOIN documents AS d ON d.id = v.document_id
LEFT JOIN pages AS g ON g.version_id = p.version_id AND g.number = p.page
WHERE g.version_id IS NULL OR p.start < 0 OR p.start >= p."end" OR p."end" > length(g.text)
GROUP BY v.id ORDER BY d.name
"""
_NOT_SHOWN = """
SELECT max(v.id), d.name FROM documents AS d
JOIN versions AS v ON v.document_id = d.id AND v.status = 'ready'
WHERE d.searchable_version_id IS NULL
GROUP BY d.id ORDER BY d.name
"""
_FORGOTTEN = """
SELECT d.name FROM versions AS v
JOIN documents AS d ON d.id = v.document_id
WHERE v.status IN ('queued', 'parsing', 'indexing')
AND NOT EXISTS (SELECT 1 FROM jobs AS j WHERE j.version_id = v.id)
ORDER BY d.name
"""
_STUCK = """
SELECT coalesce(d.name, 'deleting') FROM jobs AS j
LEFT JOIN versions AS v ON v.id = j.version_id
LEFT JOIN documents AS d ON d.id = v.document_id
WHERE j.state = 'running' AND coalesce(j.heartbeat_at, 0) <= :silent_since
ORDER BY 1
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

STALE_SECONDS = 60.0
"""A job that gave no sign of life for so long is stuck; a living one gives one every few."""


@dataclass(frozen=True, slots=True)
class Disagreements:
    """What the database holds against itself: passage ids, and sentences on the rest."""

    without_keywords: list[int]
    keywords_of_nothing: list[int]
    unembedded_versions: list[int]
    sentences: list[str]
    keywords_damaged: bool
    stuck: bool


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
        damage = self._keyword_damage()
        with self._database.read() as connection:
            stuck = list(_stuck(connection))
            return Disagreements(
                without_keywords=_ids(connection, _WITHOUT_KEYWORDS),
                keywords_of_nothing=_ids(connection, _KEYWORDS_OF_NOTHING),
                unembedded_versions=_ids(connection, _UNEMBEDDED, recipe=recipe_hash),
                sentences=[*_sentences(connection), *damage, *stuck],
                keywords_damaged=bool(damage),
                stuck=bool(stuck),
            )

    def _keyword_damage(self) -> list[str]:
        """Have FTS5 check itself, which it does as a write; so in a write's turn."""
        try:
            with self._database.write() as connection:
                connection.exec_driver_sql(
                    "INSERT INTO passages_fts (passages_fts) VALUES ('integrity-check')"
                )
        except DatabaseError as error:
            return [f"The keyword index is damaged: {error.orig}."]
        return []

    def expected_vectors(self, workspace_id: int, recipe_hash: str) -> ExpectedVectors:
        """Tell which vectors a workspace's collection must and may hold."""
        with self._database.read() as connection:
            values = {"workspace": workspace_id, "recipe": recipe_hash}
            rows = connection.execute(text(_VECTORS), values).all()
        return ExpectedVectors(
            needed={row[0] for row in rows if row[1] == "ready"}, allowed={row[0] for row in rows}
        )

    def mend(self, recipe_hash: str, readable: Callable[[str], bool]) -> None:
        """Make the keyword index agree, and queue again what must be read or embedded again.

        ``readable`` says whether the original with a hash is there and sound: without it a
        document is not read again, for what there is of it is all there is.
        """
        found = self.examine(recipe_hash)
        if found.keywords_damaged:
            with self._database.write() as connection:
                connection.exec_driver_sql(
                    "INSERT INTO passages_fts (passages_fts) VALUES ('rebuild')"
                )
            found = self.examine(recipe_hash)
        if found.stuck:
            jobs.Jobs(self._database).release_stale(STALE_SECONDS)
        with self._database.write() as connection:
            _show(connection)
            _read_again(connection, readable)
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
    found += [
        f"{row[3]} passages of “{row[1]}” lie outside their page's text."
        for row in connection.exec_driver_sql(_BROKEN_SPANS)
    ]
    found += [
        f"“{row[1]}” is ready but search does not see it."
        for row in connection.exec_driver_sql(_NOT_SHOWN)
    ]
    return found


def _stuck(connection: Connection) -> Iterator[str]:
    for row in connection.exec_driver_sql(_FORGOTTEN):
        yield f"“{row[0]}” waits to be read, but nothing is going to read it."
    silent_since = time.time() - STALE_SECONDS
    for row in connection.execute(text(_STUCK), {"silent_since": silent_since}):
        yield f"The work on “{row[0]}” is stuck: it has given no sign of life."


def _show(connection: Connection) -> None:
    for row in connection.exec_driver_sql(_NOT_SHOWN).all():
        version = progress.version(connection, row[0])
        if version.passages:
            progress.show_ready(connection, version)
        else:
            _queue(connection, version.id)


def _read_again(connection: Connection, readable: Callable[[str], bool]) -> None:
    for version_id, _, sha256, _ in connection.exec_driver_sql(_BROKEN_SPANS).all():
        if readable(sha256):
            _queue(connection, version_id)


def _queue(connection: Connection, version_id: int) -> None:
    workspace_id = progress.workspace_of(connection, version_id)
    gone = erasing.content_of(connection, version_id)
    erasing.vectors_later(connection, workspace_id, gone, [])
    progress.set_values(connection, version_id, status=Status.QUEUED, reason=None)
    jobs.enqueue(connection, jobs.PARSE, version_id, {})


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
