"""A lock whose holder can tell that others wait for it, so that long work can step aside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, RLock


class Turn:
    """Held by one thread at a time, which may take it again while it has it."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._counting = Lock()
        self._waiting = 0

    @contextmanager
    def held(self, seconds: float = -1) -> Iterator[None]:
        """Hold the lock in a block, if it can be had in so many seconds; less than 0: wait for it.

        Raises:
            TimeoutError: it could not.
        """
        if not self._take(seconds):
            raise TimeoutError
        try:
            yield
        finally:
            self._lock.release()

    def _take(self, seconds: float) -> bool:
        if self._lock.acquire(blocking=False):
            return True
        with self._counting:
            self._waiting += 1
        try:
            return self._lock.acquire(timeout=seconds)
        finally:
            with self._counting:
                self._waiting -= 1

    @property
    def wanted(self) -> bool:
        """Whether somebody waits."""
        return self._waiting > 0
