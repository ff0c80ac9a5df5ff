"""The worker: every job ends, however its handler does, and none is lost."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rag.errors import BadFile, DiskFull
from rag.store.catalogue import Catalogue
from rag.store.database import Database, open_database
from rag.store.jobs import Interrupted, Job, Jobs
from rag.types import Status, Version
from rag.worker import SURPRISE, Handler, Pace, Worker

QUICK = Pace(poll=0.05, heartbeat=0.05, attempts=3, backoff=0.01, disk_full=0.05)
LONG = 20.0


class Office:
    """A database with one workspace, and workers over it."""

    def __init__(self, folder: Path) -> None:
        self.database: Database = open_database(folder)
        self.jobs = Jobs(self.database)
        self.catalogue = Catalogue(self.database)
        self.place = self.catalogue.create_workspace("Matter 1")

    def add(self, name: str) -> int:
        sha256 = name.encode().hex().ljust(64, "0")
        return self.catalogue.add_upload(self.place.id, name, sha256, 1).document.newest.id

    def version(self, version_id: int) -> Version:
        return self.catalogue.version(version_id)

    @contextmanager
    def working(self, pace: Pace = QUICK, **handlers: Handler) -> Iterator[Worker]:
        worker = Worker(self.jobs, handlers, pace)
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.database.close()


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + LONG
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def nothing(_job: Job) -> None:
    return


def test_jobs_are_done_and_leave_the_queue(office: Office) -> None:
    done: list[tuple[str, int | None]] = []

    def note(job: Job) -> None:
        done.append((job.kind, job.version_id))

    versions = [office.add(name) for name in "abc"]
    office.jobs.enqueue("index", versions[0])
    office.jobs.enqueue("erase", None)
    with office.working(parse=note, index=note, erase=note) as worker:
        assert worker.wait_idle(LONG)
    wanted = {("index", versions[0]), ("erase", None), *(("parse", item) for item in versions)}
    assert set(done) == wanted
    assert len(done) == 5


def test_the_two_lanes_work_at_the_same_time(office: Office) -> None:
    meeting = threading.Barrier(2, timeout=LONG)

    def meet(_job: Job) -> None:
        meeting.wait()

    office.jobs.enqueue("parse", None)
    office.jobs.enqueue("index", None)
    with office.working(parse=meet, index=meet) as worker:
        assert worker.wait_idle(LONG)


def test_a_wake_is_not_missed(office: Office) -> None:
    slow = Pace(poll=60)
    with office.working(slow, parse=nothing) as worker:
        for number in range(5):
            time.sleep(0.02)
            office.add(str(number))
            worker.wake()
            assert worker.wait_idle(5)


def test_a_known_error_fails_the_version_at_once_with_its_sentence(office: Office) -> None:
    tries: list[int] = []

    def refuse(job: Job) -> None:
        tries.append(job.attempts)
        raise BadFile("The file is encrypted.", "Save it without a password.")

    version_id = office.add("a.pdf")
    with office.working(parse=refuse) as worker:
        assert worker.wait_idle(LONG)
    failed = office.version(version_id)
    assert failed.status == Status.FAILED
    assert failed.reason == "The file is encrypted. Save it without a password."
    assert tries == [1]


def test_a_surprise_is_tried_three_times_and_logged(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[int] = []

    def stumble(job: Job) -> None:
        tries.append(job.attempts)
        raise ZeroDivisionError

    version_id = office.add("a.pdf")
    following = office.add("b.pdf")
    with office.working(parse=stumble) as worker:
        assert worker.wait_idle(LONG)
    assert sorted(tries) == [1, 1, 2, 2, 3, 3]
    for failed in (office.version(version_id), office.version(following)):
        assert (failed.status, failed.reason) == (Status.FAILED, SURPRISE)
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(logged) == 6
    assert all(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in logged)


def test_a_surprise_that_passes_fails_nothing(office: Office) -> None:
    def stumble_once(job: Job) -> None:
        if job.attempts == 1:
            raise ZeroDivisionError

    version_id = office.add("a.pdf")
    with office.working(parse=stumble_once) as worker:
        assert worker.wait_idle(LONG)
    assert office.version(version_id).status == Status.PARSING  # the handler's own business


@pytest.mark.parametrize(
    "error", [DiskFull("There is no room."), OSError(errno.ENOSPC, "No space left on device")]
)
def test_a_full_disk_makes_a_job_wait_and_loses_nothing(office: Office, error: Exception) -> None:
    full = threading.Event()
    full.set()
    tries: list[int] = []

    def write(job: Job) -> None:
        tries.append(job.id)
        if full.is_set():
            raise error

    version_id = office.add("a.pdf")
    with office.working(parse=write) as worker:
        until(lambda: len(tries) > QUICK.attempts + 2)
        # Each time it is claimed again the reason is taken back for a moment.
        until(lambda: "There is no room" in str(office.version(version_id).reason))
        assert office.version(version_id).status in {Status.QUEUED, Status.PARSING}
        full.clear()
        assert worker.wait_idle(LONG)


@pytest.mark.parametrize("kind", ["erase", "renew"])
def test_tidying_up_is_never_given_up(office: Office, kind: str) -> None:
    tries: list[int] = []

    def tidy(job: Job) -> None:
        tries.append(job.attempts)
        if len(tries) <= 4:
            raise BadFile("Not now.")

    office.jobs.enqueue(kind, None)
    with office.working(Pace(backoff=0.001), **{kind: tidy}) as worker:
        assert worker.wait_idle(LONG)
    assert tries == [1, 2, 3, 4, 5]


def test_stopping_puts_the_job_back_to_be_begun_anew(office: Office) -> None:
    begun = threading.Event()

    def long_work(job: Job) -> None:
        begun.set()
        until(job.stopped)
        raise Interrupted

    version_id = office.add("a.pdf")
    with office.working(parse=long_work):
        assert begun.wait(LONG)
        assert office.version(version_id).status == Status.PARSING
    assert office.version(version_id).status == Status.QUEUED
    again = office.jobs.claim(["parse"], "me")
    assert again is not None
    assert again.attempts == 1


def test_an_error_after_being_told_to_stop_fails_nothing(office: Office) -> None:
    begun = threading.Event()

    def long_work(job: Job) -> None:
        begun.set()
        until(job.stopped)
        raise BadFile("Reading was cut short.")

    version_id = office.add("a.pdf")
    with office.working(parse=long_work):
        assert begun.wait(LONG)
    assert office.version(version_id).status == Status.QUEUED


def test_cancelling_tells_the_handler_and_the_worker_goes_on(office: Office) -> None:
    begun = threading.Event()
    done: list[int | None] = []
    first, second = office.add("a.pdf"), office.add("b.pdf")

    def work(job: Job) -> None:
        if job.version_id == first:
            begun.set()
            until(job.stopped)
            raise BadFile("Reading was cut short.")
        done.append(job.version_id)

    with office.working(parse=work) as worker:
        assert begun.wait(LONG)
        office.catalogue.cancel(first)
        assert worker.wait_idle(LONG)
    assert done == [second]
    cancelled = office.version(first)
    assert cancelled.status == Status.FAILED
    assert "cancelled" in str(cancelled.reason)


def test_what_a_killed_process_had_is_taken_up(office: Office) -> None:
    version_id = office.add("a.pdf")
    assert office.jobs.claim(["parse"], "a process that was killed") is not None
    done: list[int | None] = []

    def note(job: Job) -> None:
        done.append(job.version_id)

    with office.working(parse=note) as worker:
        assert worker.wait_idle(LONG)
    assert done == [version_id]


def test_a_running_job_gives_signs_of_life(office: Office) -> None:
    stale: list[int] = []

    def long_work(_job: Job) -> None:
        time.sleep(1.0)
        stale.append(office.jobs.release_stale(older_than=0.9))

    office.jobs.enqueue("parse", None)
    with office.working(parse=long_work) as worker:
        assert worker.wait_idle(LONG)
    assert stale == [0]


def test_waiting_has_an_end(office: Office) -> None:
    office.jobs.enqueue("index", None)  # nobody here does those
    with office.working(parse=nothing) as worker:
        assert not worker.wait_idle(0.2)
