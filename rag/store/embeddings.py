"""The vectors of passages as rows, one a passage and index recipe: what Chroma is rebuilt from.

Functions within a transaction of the caller's, behind :class:`rag.store.passages.Passages`. A
vector is little-endian float32, kept exactly. Knows nothing of models.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, and_, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from rag.store.database import Database
from rag.store.rows import among
from rag.store.schema import embeddings, passages, recipes, versions
from rag.types import Vector, Vectors

BATCH = 1000
"""Vectors read at a time."""

_FLOAT = np.dtype("<f4")


def record(connection: Connection, recipe_hash: str, identity: Mapping[str, Any]) -> None:
    """Note with which model a recipe's vectors are made."""
    connection.execute(
        update(recipes)
        .where(recipes.c.id == _recipe(connection, recipe_hash))
        .values(identity=json.dumps(dict(identity), sort_keys=True))
    )


def identity(connection: Connection, recipe_hash: str) -> dict[str, Any] | None:
    """Return what :func:`record` noted, None when the recipe is unknown."""
    noted = connection.scalar(select(recipes.c.identity).where(recipes.c.hash == recipe_hash))
    return None if noted is None else dict(json.loads(noted))


def missing(connection: Connection, version_id: int, recipe_hash: str) -> set[int]:
    """Return the ids of a version's passages that have no vector."""
    found = connection.scalars(
        select(passages.c.id)
        .select_from(passages)
        .outerjoin(embeddings, _of_recipe(recipe_hash))
        .where(passages.c.version_id == version_id, embeddings.c.passage_id.is_(None))
    )
    return set(found)


def write(connection: Connection, recipe_hash: str, ids: Sequence[int], vectors: Vectors) -> None:
    """Keep vectors, replacing those that were there; passages that are gone are passed over."""
    if len(ids) != len(vectors):
        raise ValueError(f"{len(ids)} passages, but {len(vectors)} vectors")
    there = select(passages.c.id, passages.c.version_id).where(passages.c.id.in_(among(ids)))
    owner = {row.id: row.version_id for row in connection.execute(there)}
    recipe_id = _recipe(connection, recipe_hash)
    rows = [
        {"passage_id": int(passage_id), "recipe_id": recipe_id, "vector": vector.tobytes()}
        for passage_id, vector in zip(ids, np.asarray(vectors, dtype=_FLOAT), strict=True)
        if passage_id in owner
    ]
    if not rows:
        return
    connection.execute(insert(embeddings).prefix_with("OR REPLACE"), rows)
    for version_id in set(owner.values()):
        _count(connection, version_id, recipe_id)


def batches(
    database: Database, version_id: int, recipe_hash: str
) -> Iterator[tuple[list[int], Vectors]]:
    """Yield a version's passages with their vectors, in the order of their ids."""
    last = 0
    while True:
        some = (
            select(passages.c.id, embeddings.c.vector)
            .select_from(passages)
            .join(embeddings, _of_recipe(recipe_hash))
            .where(passages.c.version_id == version_id, passages.c.id > last)
            .order_by(passages.c.id)
            .limit(BATCH)
        )
        with database.read() as connection:
            found = connection.execute(some).all()
        if not found:
            return
        ids = [row.id for row in found]
        yield ids, np.stack([_vector(row.vector) for row in found])
        last = ids[-1]


def by_ids(connection: Connection, ids: Iterable[int], recipe_hash: str) -> dict[int, Vector]:
    """Return the vectors of passages, as far as they have one."""
    found = connection.execute(
        select(embeddings.c.passage_id, embeddings.c.vector)
        .join(recipes, recipes.c.id == embeddings.c.recipe_id)
        .where(recipes.c.hash == recipe_hash, embeddings.c.passage_id.in_(among(ids)))
    )
    return {row.passage_id: _vector(row.vector) for row in found}


def _of_recipe(recipe_hash: str) -> Any:  # noqa: ANN401 - a column expression
    recipe_id = select(recipes.c.id).where(recipes.c.hash == recipe_hash).scalar_subquery()
    return and_(embeddings.c.passage_id == passages.c.id, embeddings.c.recipe_id == recipe_id)


def _recipe(connection: Connection, recipe_hash: str) -> int:
    connection.execute(
        sqlite_insert(recipes)
        .values(hash=recipe_hash, created_at=time.time())
        .on_conflict_do_nothing()
    )
    known = select(recipes.c.id).where(recipes.c.hash == recipe_hash)
    return int(connection.execute(known).scalar_one())


def _count(connection: Connection, version_id: int, recipe_id: int) -> None:
    counted = (
        select(func.count())
        .select_from(passages)
        .join(
            embeddings,
            and_(embeddings.c.passage_id == passages.c.id, embeddings.c.recipe_id == recipe_id),
        )
        .where(passages.c.version_id == version_id)
        .scalar_subquery()
    )
    connection.execute(update(versions).where(versions.c.id == version_id).values(embedded=counted))


def _vector(data: bytes) -> Vector:
    return np.frombuffer(data, dtype=_FLOAT).astype(np.float32)
