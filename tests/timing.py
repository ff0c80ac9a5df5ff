"""Claims about time that hold on a busy machine too: the best of some tries, and how time grows."""

from __future__ import annotations

import time
from collections.abc import Callable

TRIES = 5
QUICK = 0.001
"""Seconds below which a clock tells nothing of how time grows."""


def done_within(seconds: float, work: Callable[[], object]) -> bool:
    """Tell whether some work can be done in so many seconds: one try may be held up, not all."""
    for _ in range(TRIES):
        began = time.monotonic()
        work()
        if time.monotonic() - began < seconds:
            return True
    return False


def grows_linearly(work: Callable[[int], object], small: int, large: int) -> bool:
    """Tell whether work on a large thing takes its share longer than on a small, not its square.

    Between the two lies a wide margin; only this thread's own time is counted, at its best.
    """
    most = (large / small) ** 1.6
    least = {small: float("inf"), large: float("inf")}
    for _ in range(TRIES):
        for size, before in least.items():
            began = time.thread_time()
            work(size)
            least[size] = min(before, time.thread_time() - began)
        if least[large] < most * max(least[small], QUICK):
            return True
    return False
