"""A lock whose holder can tell that others wait for it, so that long work can step aside."""

from __future__ import annotations

from threading import Lock, RLock
from types import TracebackType


class Turn:
    """Held by one thread at a time, which may take it again while it has it."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._counting = Lock()
        self._waiting = 0

    def __enter__(self) -> None:
        if self._lock.acquire(blocking=False):
            return
        with self._counting:
            self._waiting += 1
        try:
            self._lock.acquire()
        finally:
            with self._counting:
                self._waiting -= 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    @property
    def wanted(self) -> bool:
        """Whether somebody waits."""
        return self._waiting > 0
