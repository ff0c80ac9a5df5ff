"""Pictures of pages, drawn in the sandbox: PDFium is not thread-safe, and files are hostile.

Only as many as there are processors are drawn at once; who asks for more waits. A reader who turns
pages fast, or many readers, would otherwise have a process each, of a hundred megabytes or more.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from ingest.sandbox import ReaderGone, frames
from rag.errors import BadFile
from rag.types import Box

log = logging.getLogger(__name__)

_SECONDS = 30
_MEMORY = 1_000_000_000
_MOST_BOXES = 500
_WAIT_SECONDS = 60
_TURNS = threading.BoundedSemaphore(max(2, min(4, os.cpu_count() or 2)))


def page_picture(path: Path, number: int, scale: float, boxes: Sequence[Box]) -> bytes:
    """Return one page of a PDF as a PNG picture, with boxes marked.

    Args:
        path: the stored original.
        number: the page, from 1.
        scale: pixels a point; made smaller where the picture would be too large.
        boxes: what to mark, in points, origin top left.

    Raises:
        BadFile: the document has no page pictures, has no such page, or cannot be drawn.
    """
    request = {
        "kind": "picture",
        "path": str(path),
        "page": number,
        "scale": scale,
        "boxes": [[box.x0, box.y0, box.x1, box.y1] for box in boxes[:_MOST_BOXES]],
        "memory": _MEMORY,
        "cpu": _SECONDS,
    }
    if not _TURNS.acquire(timeout=_WAIT_SECONDS):
        raise BadFile("Too many pages are being drawn at the moment.", "Try again in a minute.")
    try:
        for frame in frames(request, _SECONDS, lambda: False):
            return frame.blob
    except ReaderGone:
        log.exception("a page could not be drawn")
    finally:
        _TURNS.release()
    raise BadFile("This page could not be drawn.", "Try again, or open the original instead.")
