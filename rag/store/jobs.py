"""The work still to be done, one row a piece: what is not finished is here, and nothing else is.

A job is claimed by one owner at a time, who reports that it lives; finished and given-up jobs are
removed, for their outcome stands with the version they were for. Knows nothing of how the work is
done. Surprising: claiming, failing and releasing a job also sets the status of its version, in the
same transaction, so that the two never disagree.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from rag.store.database import Database
from rag.store.schema import jobs, versions
from rag.types import Status

PARSE = "parse"
INDEX = "index"
ERASE = "erase"
RENEW = "renew"
"""Making a workspace's vectors anew, so that those of deleted passages leave the disk."""
RESTORE = "restore"
"""Making a workspace's vectors anew because they are lost."""

_QUEUED = "queued"
_RUNNING = "running"
_CLAIMED_STATUS = {PARSE: Status.PARSING, INDEX: Status.INDEXING}
_RELEASED_STATUS = {PARSE: Status.QUEUED, INDEX: Status.INDEXING}


class Interrupted(Exception):
    """A handler left its work because ``job.stopped()`` told it to."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed piece of work. ``attempts`` counts this one, so it is 1 at first.

    ``payload`` is what a job without a version needs to know, see :mod:`rag.store.erasing`.
    ``stopped`` says whether to leave: the worker is stopping, or the job was cancelled or its
    document deleted.
    """

    id: int
    kind: str
    version_id: int | None
    attempts: int
    payload: Mapping[str, Any] = field(default_factory=dict)
    stopped: Callable[[], bool] = field(default=_never, compare=False)


class Jobs:
    """The queue, in the order in which the jobs came."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enqueue(self, kind: str, version_id: int | None, payload: Mapping[str, Any] = {}) -> int:
        """Put a job into the queue and return its id; a version has one of a kind at a time."""
        with self._database.write() as connection:
            return enqueue(connection, kind, version_id, payload)

    def enqueue_once(self, kind: str, payload: Mapping[str, Any]) -> None:
        """Put a job without a version into the queue, unless one like it waits there already."""
        with self._database.write() as connection:
            enqueue_once(connection, kind, payload)

    def has(self, kind: str, payload: Mapping[str, Any]) -> bool:
        """Tell whether a job like this waits or runs."""
        with self._database.read() as connection:
            return connection.scalar(select(jobs.c.id).where(_like(kind, payload))) is not None

    def claim(self, kinds: Sequence[str], owner: str) -> Job | None:
        """Take the oldest job of these kinds that is due, or None. Its version's status follows.

        Making vectors anew has time: it is due when there is nothing else to be done.
        """
        now = time.time()
        due = and_(_claimable(kinds), jobs.c.run_after <= now)
        oldest = select(func.min(jobs.c.id)).where(due).scalar_subquery()
        with self._database.read() as connection:  # an idle queue is not to cost a write
            if connection.scalar(select(oldest)) is None:
                return None
        taking = (
            update(jobs)
            .where(jobs.c.id == oldest)
            .values(state=_RUNNING, owner=owner, heartbeat_at=now, attempts=jobs.c.attempts + 1)
            .returning(*jobs.c)
        )
        with self._database.write() as connection:
            row = connection.execute(taking).one_or_none()
            if row is None:
                return None
            if row.kind in _CLAIMED_STATUS:
                _set_status(connection, [row.version_id], _CLAIMED_STATUS[row.kind])
        return _job(row)

    def heartbeat(self, job_id: int) -> None:
        """Say that the job's owner lives."""
        with self._database.write() as connection:
            connection.execute(
                update(jobs).where(jobs.c.id == job_id).values(heartbeat_at=time.time())
            )

    def alive(self, job_id: int) -> bool:
        """Say whether the job is still wanted: not cancelled, its document not deleted."""
        with self._database.read() as connection:
            return connection.scalar(select(jobs.c.id).where(jobs.c.id == job_id)) is not None

    def finish(self, job_id: int) -> None:
        """Take a done job out of the queue. One that is gone already is no matter."""
        with self._database.write() as connection:
            connection.execute(delete(jobs).where(jobs.c.id == job_id))

    def fail(self, job_id: int, reason: str, retry_in: float | None) -> None:
        """Put a job back for ``retry_in`` seconds, or give it up when that is None.

        Giving up removes the job and sets its version ``failed`` with the reason, in one
        transaction. A version that is ready already stays so. While a job waits, the version shows
        the reason for it.
        """
        with self._database.write() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
            if row is None:
                return
            if retry_in is None:
                connection.execute(delete(jobs).where(jobs.c.id == job_id))
                _set_status(connection, [row.version_id], Status.FAILED, reason)
            else:
                connection.execute(
                    update(jobs)
                    .where(jobs.c.id == job_id)
                    .values(state=_QUEUED, owner=None, run_after=time.time() + retry_in)
                )
                status = _RELEASED_STATUS.get(row.kind, Status.QUEUED)
                _set_status(connection, [row.version_id], status, reason)

    def release(self, job_id: int) -> None:
        """Put a job back as if it had not been claimed: its owner is stopping."""
        with self._database.write() as connection:
            _release(connection, jobs.c.id == job_id)

    def release_stale(self, older_than: float = 0.0) -> int:
        """Put back the running jobs without a sign of life for so many seconds; return how many.

        At opening every running job is stale, for a data folder has one owner. A version on its
        way without any job gets one.
        """
        with self._database.write() as connection:
            released = _release(connection, jobs.c.heartbeat_at <= time.time() - older_than)
            return released + _enqueue_forgotten(connection)

    def pending(self, kinds: Sequence[str] | None = None) -> int:
        """Count the jobs that wait or run."""
        wanted = true() if kinds is None else jobs.c.kind.in_(kinds)
        with self._database.read() as connection:
            counted = connection.scalar(select(func.count()).select_from(jobs).where(wanted))
        return counted or 0

    def next_due(self, kinds: Sequence[str]) -> float | None:
        """Return in how many seconds the next waiting job of these kinds is due, None for none."""
        with self._database.read() as connection:
            due = connection.scalar(select(func.min(jobs.c.run_after)).where(_claimable(kinds)))
        return None if due is None else max(0.0, due - time.time())


def enqueue(
    connection: Connection, kind: str, version_id: int | None, payload: Mapping[str, Any]
) -> int:
    """Put a job into the queue within a transaction of the caller's."""
    if version_id is not None:
        same = and_(jobs.c.version_id == version_id, jobs.c.kind == kind)
        known = connection.scalar(select(jobs.c.id).where(same))
        if known is not None:
            return int(known)
    now = time.time()
    row = insert(jobs).values(
        kind=kind,
        version_id=version_id,
        payload=json.dumps(dict(payload)),
        state=_QUEUED,
        run_after=now,
        created_at=now,
    )
    return int(connection.execute(row.returning(jobs.c.id)).scalar_one())


def enqueue_once(connection: Connection, kind: str, payload: Mapping[str, Any]) -> None:
    """Do :meth:`Jobs.enqueue_once` within a transaction of the caller's."""
    waits = select(jobs.c.id).where(_like(kind, payload), jobs.c.state == _QUEUED)
    if connection.scalar(waits) is None:
        enqueue(connection, kind, None, payload)


def waiting(connection: Connection, kind: str) -> int:
    """Count the jobs of a kind that are still to be claimed."""
    here = and_(jobs.c.kind == kind, jobs.c.state == _QUEUED)
    return connection.scalar(select(func.count()).select_from(jobs).where(here)) or 0


def drop(connection: Connection, version_id: int, kind: str | None = None) -> None:
    """Remove a version's jobs (of one kind) within a transaction of the caller's."""
    of_kind = true() if kind is None else jobs.c.kind == kind
    connection.execute(delete(jobs).where(jobs.c.version_id == version_id, of_kind))


def _like(kind: str, payload: Mapping[str, Any]) -> ColumnElement[bool]:
    return and_(jobs.c.kind == kind, jobs.c.payload == json.dumps(dict(payload)))


def _claimable(kinds: Sequence[str]) -> ColumnElement[bool]:
    other = jobs.alias("other")
    busy = exists().where(other.c.kind != RENEW)
    return and_(jobs.c.state == _QUEUED, jobs.c.kind.in_(kinds), or_(jobs.c.kind != RENEW, ~busy))


def _job(row: Row[Any]) -> Job:
    return Job(row.id, row.kind, row.version_id, row.attempts, json.loads(row.payload))


def _set_status(
    connection: Connection,
    version_ids: Sequence[int | None],
    status: Status,
    reason: str | None = None,
) -> None:
    connection.execute(
        update(versions)
        .where(versions.c.id.in_([known for known in version_ids if known is not None]))
        .where(versions.c.status != Status.READY)
        .values(status=status, reason=reason)
    )


def _release(connection: Connection, which: Any) -> int:  # noqa: ANN401 - a column expression
    rows = connection.execute(
        update(jobs)
        .where(jobs.c.state == _RUNNING, which)
        .values(state=_QUEUED, owner=None, attempts=func.max(jobs.c.attempts - 1, 0))
        .returning(jobs.c.kind, jobs.c.version_id)
    ).all()
    for kind, status in _RELEASED_STATUS.items():
        _set_status(connection, [row.version_id for row in rows if row.kind == kind], status)
    return len(rows)


def _enqueue_forgotten(connection: Connection) -> int:
    on_the_way = versions.c.status.in_([Status.QUEUED, Status.PARSING, Status.INDEXING])
    has_job = exists().where(
        jobs.c.version_id == versions.c.id, or_(jobs.c.kind == PARSE, jobs.c.kind == INDEX)
    )
    rows = connection.execute(
        select(versions.c.id, versions.c.status).where(on_the_way, ~has_job)
    ).all()
    for row in rows:
        kind = INDEX if row.status == Status.INDEXING else PARSE
        enqueue(connection, kind, row.id, {})
    return len(rows)
