"""Child processes that do not outlive their parent, even when it is killed.

Parsing, embedding and the embedded chat model run in children, so that a crash or a hostile file
cannot take the server along. After ``kill -9`` of the server nobody is left to end them, so each
child watches for that itself. Linux could signal the child (``PR_SET_PDEATHSIG``), but it does so
when the *thread* that started it ends, and a page's threads are short-lived.
"""

from __future__ import annotations

import os
import threading
import time


def die_with_parent() -> None:
    """Make the calling child process end within a second of its parent's end."""
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True, name="watch-parent").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
