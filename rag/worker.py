"""Does the jobs: a thread for reading documents, two for making their vectors, one for tidying up.

Documents are read while earlier ones are embedded; what is to be erased is erased by whichever
thread is free. Vectors that are lost are made anew at once, those of a workspace from which
something was deleted when nothing else is to be done. How a job is done is the handlers' business. A handler that raises one of
:mod:`rag.errors` has its job given up with that sentence (:meth:`rag.store.jobs.Jobs.fail` sets
the version ``failed`` along with it); anything else is a surprise, logged and tried again with
growing pauses. Surprising: a full disk fails nothing: the job waits for room, and tidying up is
never given up either. A handler is to look at ``job.stopped()`` now and then and to leave by raising
:class:`rag.store.jobs.Interrupted`; whatever it raises after it was told so is taken as that.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rag.errors import DataFolderBusy, DiskFull, MunimentError
from rag.store.jobs import ERASE, INDEX, PARSE, RENEW, RESTORE, Interrupted, Job, Jobs

logger = logging.getLogger(__name__)

Handler = Callable[[Job], None]

SURPRISE = (
    "Something unexpected happened while reading this document. Try “retry”; if it happens again, "
    "save the document anew or convert it to PDF, and tell whoever looks after this machine: the "
    "log says more."
)

TRYING_AGAIN = "Something unexpected happened while reading this document. It is tried again soon."

NO_ROOM = (
    "There is no room left on the disk. Free some space; this document is read as soon as there is."
)

# Two that index: while one writes its vectors, the other's text keeps the embedders busy.
_LANES: Mapping[str, tuple[str, ...]] = {
    PARSE: (PARSE, ERASE),
    INDEX: (INDEX, ERASE),
    "index-2": (INDEX,),
    "anew": (RESTORE, RENEW),
}
_NEVER_GIVEN_UP = {ERASE, RENEW, RESTORE}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the worker looks, reports and tries; all times in seconds.

    A surprise is tried ``attempts`` times in all, after ``backoff``, then four times as long.
    """

    poll: float = 2.0
    heartbeat: float = 5.0
    attempts: int = 3
    backoff: float = 2.0
    disk_full: float = 15.0


class Worker:
    """Threads that do jobs until they are stopped, each of its own kinds."""

    def __init__(
        self, jobs: Jobs, handlers: Mapping[str, Handler], pace: Pace | None = None
    ) -> None:
        self._jobs = jobs
        self._handlers = handlers
        self._pace = pace or Pace()
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._wakes = 0
        self._running: dict[str, Job] = {}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Take up what a closed process left, and begin."""
        self._jobs.release_stale()
        self._stopping.clear()
        lanes = [(self._lane, lane) for lane in _LANES]
        for target, name in [*lanes, (self._report, "heartbeat")]:
            thread = threading.Thread(
                target=target, args=(name,), name=f"worker-{name}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout: float = 30.0) -> None:
        """Stop after telling the running handlers to leave; their jobs are taken up again later."""
        self._stopping.set()
        self.wake()
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._threads.clear()

    def wake(self) -> None:
        """Look for jobs now."""
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()

    def wait_idle(self, timeout: float) -> bool:
        """Wait until there is no job left, waiting ones included; False when time ran out."""
        until = time.monotonic() + timeout
        while self._jobs.pending():
            left = until - time.monotonic()
            if left <= 0:
                return False
            with self._changed:
                self._changed.wait(min(left, 0.1))
        return True

    def _lane(self, lane: str) -> None:
        kinds = [kind for kind in _LANES[lane] if kind in self._handlers]
        while not self._stopping.is_set():
            seen = self._wakes
            try:
                job = self._jobs.claim(kinds, self._owner)
                pause = self._pace.poll if job is None else 0.0
                if job is None:
                    due = self._jobs.next_due(kinds)
                    pause = pause if due is None else min(pause, due)
            except Exception:
                # a lane that ended here would leave its jobs undone for good; look again later
                logger.exception("jobs cannot be claimed now")
                job, pause = None, self._pace.disk_full
            if job is None:
                self._rest(seen, pause)
            else:
                self._do(lane, job)

    def _rest(self, seen: int, seconds: float) -> None:
        """Wait, unless somebody called :meth:`wake` since ``seen`` was read."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._wakes != seen or self._stopping.is_set(), max(seconds, 0.01)
            )

    def _do(self, lane: str, job: Job) -> None:
        job = replace(job, stopped=self._stop_sign(job))
        self._running[lane] = job
        settle: Callable[[], None]
        try:
            self._handlers[job.kind](job)
        except Exception as error:  # noqa: BLE001 - no document may end the worker; _verdict logs it
            settle = self._verdict(job, error)
        else:
            settle = lambda: self._jobs.finish(job.id)  # noqa: E731 - what is left to be written
        finally:
            del self._running[lane]
        self._settle(job, settle)
        self.wake()

    def _stop_sign(self, job: Job) -> Callable[[], bool]:
        looked = time.monotonic()
        wanted = True

        def stopped() -> bool:
            nonlocal looked, wanted
            if self._stopping.is_set():
                return True
            if wanted and time.monotonic() - looked > 0.2:  # noqa: PLR2004 - a handler may ask often
                looked, wanted = time.monotonic(), self._jobs.alive(job.id)
            return not wanted

        return stopped

    def _verdict(self, job: Job, error: Exception) -> Callable[[], None]:
        """Return what is to be written about a job whose handler raised."""
        if self._stopping.is_set() or isinstance(error, Interrupted):
            return lambda: self._jobs.release(job.id)
        if not self._jobs.alive(job.id):  # cancelled, or its document deleted: nothing to tell
            return lambda: None
        if isinstance(error, (DiskFull, DataFolderBusy)) or _is_no_room(error):
            logger.warning("%s job %s waits: %s", job.kind, job.id, error)
            reason = str(error) if isinstance(error, MunimentError) else NO_ROOM
            return lambda: self._jobs.fail(job.id, reason, self._pace.disk_full)
        if isinstance(error, MunimentError) and job.kind not in _NEVER_GIVEN_UP:
            logger.info("%s job %s was given up: %s", job.kind, job.id, error)
            return lambda: self._jobs.fail(job.id, str(error), None)
        logger.error("%s job %s, attempt %s", job.kind, job.id, job.attempts, exc_info=error)
        last = job.attempts >= self._pace.attempts and job.kind not in _NEVER_GIVEN_UP
        if last:
            return lambda: self._jobs.fail(job.id, SURPRISE, None)
        pause = self._pace.backoff * 4 ** (min(job.attempts, 5) - 1)
        return lambda: self._jobs.fail(job.id, TRYING_AGAIN, pause)

    def _settle(self, job: Job, settle: Callable[[], None]) -> None:
        """Write how a job ended; with a full disk, as often as it takes."""
        while True:
            try:
                settle()
            except Exception:
                # the job's end must be written before the next is begun; try until the disk lets us
                logger.exception("the end of job %s cannot be written yet", job.id)
                if self._stopping.wait(self._pace.disk_full):
                    return
            else:
                return

    def _report(self, _name: str) -> None:
        while not self._stopping.wait(self._pace.heartbeat):
            for job in list(self._running.values()):
                try:
                    self._jobs.heartbeat(job.id)
                except Exception:
                    # the next sign of life may succeed; a missing one harms nothing
                    logger.exception("no sign of life could be written for job %s", job.id)


def _is_no_room(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in _NO_ROOM
