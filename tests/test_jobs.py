"""The queue: one owner a job, nothing lost, and a version's status always beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.store.catalogue import Catalogue
from rag.store.database import Database, open_database
from rag.store.jobs import Job, Jobs
from rag.types import Status


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database)


@pytest.fixture
def catalogue(database: Database) -> Catalogue:
    made = Catalogue(database)
    made.create_workspace("Matter 1")
    return made


def add(catalogue: Catalogue, name: str = "a.pdf") -> int:
    place = catalogue.workspace("Matter 1")
    return catalogue.add_upload(
        place.id, name, name.encode().hex().ljust(64, "0"), 1
    ).document.newest.id


def claim(jobs: Jobs, *kinds: str) -> Job:
    job = jobs.claim(kinds or ("parse", "index", "erase"), "me")
    assert job is not None
    return job


def test_jobs_come_in_order_and_by_kind(jobs: Jobs) -> None:
    first = jobs.enqueue("erase", None, {"hashes": ["a"]})
    second = jobs.enqueue("index", None)
    third = jobs.enqueue("erase", None)
    assert jobs.pending() == 3
    assert jobs.pending(["erase"]) == 2
    assert claim(jobs, "index").id == second
    taken = claim(jobs, "erase")
    assert (taken.id, taken.payload, taken.attempts) == (first, {"hashes": ["a"]}, 1)
    assert claim(jobs, "erase", "index").id == third
    assert jobs.claim(["parse", "index", "erase"], "me") is None
    for job_id in (first, second, third):
        jobs.finish(job_id)
        jobs.finish(job_id)
    assert jobs.pending() == 0


def test_making_vectors_anew_waits_until_nothing_else_is_to_be_done(jobs: Jobs) -> None:
    renew = jobs.enqueue("renew", None, {"workspace_id": 1})
    other = jobs.enqueue("erase", None)
    assert jobs.claim(["renew"], "me") is None
    assert jobs.next_due(["renew"]) is None
    assert claim(jobs, "erase", "renew").id == other
    assert jobs.claim(["renew"], "me") is None  # the other one runs still
    jobs.finish(other)
    assert jobs.next_due(["renew"]) == 0
    assert claim(jobs, "renew").id == renew


def test_one_making_anew_waits_for_each_workspace(jobs: Jobs) -> None:
    def wanted(workspace_id: int) -> None:
        jobs.enqueue_once("renew", {"workspace_id": workspace_id})

    for workspace_id in (1, 2, 1):
        wanted(workspace_id)
    assert jobs.pending(["renew"]) == 2
    assert claim(jobs, "renew").payload == {"workspace_id": 1}
    wanted(1)  # something was deleted after the first had begun
    assert jobs.pending(["renew"]) == 3
    assert jobs.has("renew", {"workspace_id": 2})
    assert not jobs.has("renew", {"workspace_id": 3})
    assert not jobs.has("restore", {"workspace_id": 2})


def test_a_version_has_one_job_of_a_kind(jobs: Jobs, catalogue: Catalogue) -> None:
    version_id = add(catalogue)
    known = jobs.enqueue("parse", version_id)
    assert jobs.enqueue("parse", version_id) == known
    assert jobs.enqueue("index", version_id) != known
    assert jobs.pending() == 2


def test_a_job_is_claimed_once_however_many_ask(jobs: Jobs) -> None:
    for _ in range(40):
        jobs.enqueue("parse", None)
    taken: list[int] = []

    def take() -> None:
        while job := jobs.claim(["parse"], "me"):
            taken.append(job.id)

    threads = [threading.Thread(target=take) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 40


def test_the_versions_status_follows_its_job(jobs: Jobs, catalogue: Catalogue) -> None:
    version_id = add(catalogue)
    job = claim(jobs)
    assert catalogue.version(version_id).status == Status.PARSING
    jobs.release(job.id)
    assert catalogue.version(version_id).status == Status.QUEUED
    job = claim(jobs)
    assert job.attempts == 1  # a release is no attempt
    jobs.fail(job.id, "The disk is full.", 60)
    waiting = catalogue.version(version_id)
    assert (waiting.status, waiting.reason) == (Status.QUEUED, "The disk is full.")
    assert jobs.claim(["parse"], "me") is None
    due = jobs.next_due(["parse"])
    assert due is not None
    assert 50 < due <= 60
    assert jobs.next_due(["index"]) is None


def test_giving_up_fails_the_version_with_the_reason(jobs: Jobs, catalogue: Catalogue) -> None:
    version_id = add(catalogue)
    jobs.fail(claim(jobs).id, "It is encrypted.", None)
    failed = catalogue.version(version_id)
    assert (failed.status, failed.reason) == (Status.FAILED, "It is encrypted.")
    assert jobs.pending() == 0


def test_a_ready_version_stays_ready_whatever_a_later_job_comes_to(
    jobs: Jobs, catalogue: Catalogue
) -> None:
    version_id = add(catalogue)
    jobs.finish(claim(jobs).id)
    catalogue.mark_ready(version_id)
    jobs.enqueue("index", version_id)
    jobs.fail(claim(jobs).id, "The model is missing.", None)
    assert catalogue.version(version_id).status == Status.READY


def test_a_retry_comes_when_it_is_due_and_counts(jobs: Jobs) -> None:
    for seconds in (3600, 0.05):
        jobs.enqueue("parse", None)
        job = claim(jobs)
        jobs.fail(job.id, "A surprise.", seconds)
    time.sleep(0.06)
    again = claim(jobs)
    assert (again.id, again.attempts) == (job.id, 2)
    assert jobs.claim(["parse"], "me") is None


def test_what_a_dead_owner_had_is_put_back(jobs: Jobs, catalogue: Catalogue) -> None:
    version_id = add(catalogue)
    claim(jobs)
    assert jobs.release_stale(older_than=60) == 0
    assert jobs.release_stale() == 1
    assert catalogue.version(version_id).status == Status.QUEUED
    assert claim(jobs).version_id == version_id


def test_a_sign_of_life_keeps_a_job(jobs: Jobs) -> None:
    jobs.enqueue("parse", None)
    job = claim(jobs)
    claimed = time.monotonic()
    time.sleep(0.5)
    jobs.heartbeat(job.id)
    assert jobs.release_stale(older_than=time.monotonic() - claimed) == 0
    time.sleep(0.05)
    assert jobs.release_stale(older_than=0.04) == 1


def test_a_version_on_its_way_without_a_job_gets_one(jobs: Jobs, catalogue: Catalogue) -> None:
    parsing, indexing, failed = (add(catalogue, name) for name in ("a", "b", "c"))
    for _ in range(3):
        jobs.finish(claim(jobs).id)
    catalogue.set_status(indexing, Status.INDEXING)
    catalogue.set_status(failed, Status.FAILED, "It is empty.")
    assert jobs.release_stale() == 2
    assert {(job.kind, job.version_id) for job in (claim(jobs), claim(jobs))} == {
        ("parse", parsing),
        ("index", indexing),
    }
    assert jobs.pending() == 2


def test_deleting_a_document_takes_its_jobs(jobs: Jobs, catalogue: Catalogue) -> None:
    version_id = add(catalogue)
    job = claim(jobs)
    place = catalogue.workspace("Matter 1")
    catalogue.delete_document(place.id, catalogue.version(version_id).document_id)
    assert not jobs.alive(job.id)
    assert jobs.pending(["parse", "index"]) == 0
    for call in (jobs.heartbeat, jobs.finish, jobs.release):
        call(job.id)
    jobs.fail(job.id, "Too late.", None)
    assert jobs.pending(["parse", "index"]) == 0
