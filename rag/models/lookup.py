"""Remembers for some seconds what a server said about itself, and never waits long for it.

A page asks at every run who would speak. A look-up runs in a thread of its own, because finding a
host's address cannot be given a time limit; who asks waits a moment, and takes silence for "does
not answer". A look-up that comes late serves the next one who asks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar, cast

from rag.errors import ModelUnavailable, MunimentError

KEPT_SECONDS = 5.0
WAIT_SECONDS = 0.7
"""How long a page waits for a look-up."""
PATIENT_SECONDS = 3.0
"""How long a question waits for one."""

Value = TypeVar("Value")


class _Lookup:
    def __init__(self, fetch: Callable[[], object]) -> None:
        self._fetch = fetch
        self._started = time.monotonic()
        self._ended = 0.0
        self._done = threading.Event()
        self._value: object = None
        self._error: Exception | None = None
        threading.Thread(target=self._run, daemon=True, name="model-lookup").start()

    def _run(self) -> None:
        try:
            self._value = self._fetch()
        except Exception as error:  # noqa: BLE001 - raised again in every thread that asks
            self._error = error
        finally:
            self._ended = time.monotonic()
            self._done.set()

    @property
    def stale(self) -> bool:
        return self._done.is_set() and time.monotonic() - self._ended > KEPT_SECONDS

    def result(self, wait: float) -> object:
        if not self._done.wait(max(0.0, self._started + wait - time.monotonic())):
            raise ModelUnavailable("The model's server takes too long to answer.", "Try again.")
        if isinstance(self._error, MunimentError):
            raise type(self._error)(self._error.message, self._error.remedy)
        if self._error is not None:
            raise self._error
        return self._value


_lookups: dict[tuple[str, ...], _Lookup] = {}
_lock = threading.Lock()


def remembered(
    key: tuple[str, ...], fetch: Callable[[], Value], wait: float = WAIT_SECONDS
) -> Value:
    """Return what ``fetch`` returns, or returned less than :data:`KEPT_SECONDS` ago under ``key``.

    ``wait`` is how long a look-up may take, in seconds from its start.

    Raises:
        ModelError: what ``fetch`` raised, or that it takes longer than ``wait``.
    """
    with _lock:
        lookup = _lookups.get(key)
        if lookup is None or lookup.stale:
            lookup = _lookups[key] = _Lookup(fetch)
    return cast("Value", lookup.result(wait))


def forget() -> None:
    """Forget everything, so that the next who asks gets the state of now."""
    with _lock:
        _lookups.clear()
