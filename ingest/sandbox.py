"""Reads a document in a child process with limits, and hands back its pages.

A hostile or broken file may loop, crash PDFium or eat all memory, and a hang never raises. So a
small process, the *zygote* (``python -m ingest.sandbox``), imports the parsers once and forks a
fresh child for each request; the child has limits of memory and processor time, may write no file,
and is killed when its time is over, when it is no longer wanted, or when this process ends.

How they talk: each request brings two sockets along. On *reply* the child sends frames, a length
and JSON, never a pickle: what read a hostile file is not trusted. On *watch* the zygote sends how
the child ended; closing our end of it kills the child. What comes in is checked again before it
becomes a :class:`rag.types.Page`. The other side is :mod:`ingest.zygote`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ingest.parsers import PDF
from ingest.parsers.pdf import SCANNED
from rag.config import Settings
from rag.errors import BadFile, MunimentError, TooLarge
from rag.types import Boxes, Page, TextBox

HEADER = struct.Struct(">II")
"""Before each frame: the length of its JSON, and of the boxes behind it, in bytes."""

_ROOT = Path(__file__).resolve().parent.parent
_LARGEST = 1 << 28
_PAUSE = 0.2
_TITLE = 200
_LONGEST_DETAIL = 1000
_MEGABYTE = 1_000_000
_FARTHEST = 1_000_000_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document as read: ``paged`` False where the format has no pages (then it has one)."""

    media_type: str
    paged: bool
    title: str
    pages: list[Page]


class Cancelled(MunimentError):
    """Nobody wants the result any more."""


class ReaderGone(RuntimeError):
    """The zygote itself ended, by no fault of the document; trying again helps."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of the child: its JSON and, with a page, the bytes of its boxes."""

    message: dict[str, Any]
    blob: bytes


def read_document(
    path: Path,
    name: str,
    settings: Settings,
    progress: Callable[[int, int], None],
    stopped: Callable[[], bool],
) -> Parsed:
    """Read a document, whatever it is, without trusting it.

    Args:
        path: the stored original.
        name: the name it was uploaded under; only tells Markdown from plain text.
        settings: the limits.
        progress: called with the pages read and the pages there are.
        stopped: asked several times a second; True ends the reading.

    Raises:
        BadFile: it cannot be read, with the reason and what to do, for a layman.
        TooLarge: it has more pages or text than the limits.
        Cancelled: ``stopped`` said so.
    """
    request = {
        "kind": "parse",
        "path": str(path),
        "name": name,
        "pages": settings.max_pages,
        "characters": settings.max_text_mb * _MEGABYTE,
        "memory": settings.parse_memory_mb * _MEGABYTE,
        "cpu": settings.parse_cpu_seconds,
    }
    opened: dict[str, Any] = {}
    pages: list[Page] = []
    left = settings.max_text_mb * _MEGABYTE
    for frame in frames(request, settings.parse_wall_seconds, stopped):
        if not opened:
            opened = frame.message
            continue
        page = _page(frame, len(pages) + 1)
        left -= len(page.text)
        if left < 0 or len(pages) >= settings.max_pages:
            raise _untrusted()
        pages.append(page)
        progress(len(pages), max(len(pages), int(opened["total"])))
    return _parsed(opened, pages)


def _parsed(opened: dict[str, Any], pages: list[Page]) -> Parsed:
    media_type = str(opened.get("media_type"))
    if not any(page.text.strip() for page in pages):
        if media_type == PDF:
            raise BadFile(*SCANNED)
        raise BadFile("This file holds no text.", "Check the original and upload it again.")
    title = " ".join(str(opened["title"]).split())[:_TITLE]
    return Parsed(media_type, bool(opened["paged"]), title or _first_words(pages), pages)


def _first_words(pages: Sequence[Page]) -> str:
    """Return the first heading of the first page with text, else its first line."""
    first = next(page for page in pages if page.text.strip())
    if first.headings:
        start, end = first.headings[0]
    else:
        start, end = 0, len(first.text)
    line = first.text[start:end].strip().split("\n", 1)[0]
    return " ".join(line[:_TITLE].split())


def _page(frame: Frame, number: int) -> Page:
    """Return the page of a frame, after checking that it can be one."""
    try:
        message = frame.message
        text = message["text"]
        if not isinstance(text, str) or "\0" in text or message["number"] != number:
            raise _untrusted()
        text.encode()  # half of a surrogate pair would be refused by the store, much later
        return Page(
            number,
            text,
            width=float(message["width"]),
            height=float(message["height"]),
            boxes=_boxes(frame.blob, len(text)),
            headings=tuple(_spans(message["headings"], len(text))),
        )
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise _untrusted() from error


def _boxes(blob: bytes, length: int) -> Sequence[TextBox]:
    """Return the boxes of a page, after checking that each lies in its text and has an inside."""
    if not blob:
        return ()
    table = np.frombuffer(blob, dtype="<i4").reshape(-1, 6)
    start, end, x0, y0, x1, y1 = table.T
    if not np.all((start >= 0) & (start < end) & (end <= length) & (x0 < x1) & (y0 < y1)):
        raise _untrusted()
    if np.any(np.abs(table[:, 2:]) > _FARTHEST):
        raise _untrusted()
    return Boxes(table.astype(np.int32))


def _spans(rows: Sequence[Sequence[int]], length: int) -> Iterator[tuple[int, int]]:
    for start, end in rows:
        if not 0 <= int(start) < int(end) <= length:
            raise _untrusted()
        yield int(start), int(end)


def pack(boxes: Sequence[TextBox]) -> bytes:
    """Return a parser's boxes as the bytes that travel behind a page's frame."""
    if isinstance(boxes, Boxes):
        return boxes.table.astype("<i4").tobytes()
    if boxes:
        raise TypeError("a parser gives its boxes as a table")
    return b""


def _untrusted() -> BadFile:
    return BadFile(
        "This file could not be read: its reader went wrong.",
        "Open the original, save or print it as a new file and upload that.",
    )


def frames(
    request: dict[str, Any], wall_seconds: float, stopped: Callable[[], bool]
) -> Iterator[Frame]:
    """Send a request to a child of its own and yield the frames it answers with.

    Raises:
        MunimentError: what the child said went wrong, or how it ended.
        ReaderGone: its parent process ended.
    """
    reply, watch = _zygote.start(request)
    deadline = time.monotonic() + wall_seconds
    with reply, watch:
        yield from _read(reply, watch, deadline, stopped)


def _read(
    reply: socket.socket, watch: socket.socket, deadline: float, stopped: Callable[[], bool]
) -> Iterator[Frame]:
    """Read frames until the last one; closing ``watch`` on the way out kills the child."""
    buffer = bytearray()
    while True:
        while (frame := _taken(buffer)) is not None:
            if frame.message.get("done"):
                return
            if "error" in frame.message:
                raise _error(frame.message)
            yield frame
        if stopped():
            raise Cancelled("Reading this document was cancelled.")
        if time.monotonic() > deadline:
            raise _too_slow()
        if select.select([reply], [], [], _PAUSE)[0]:
            try:
                data = reply.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                raise _ended(watch)
            buffer += data


def _taken(buffer: bytearray) -> Frame | None:
    """Take one frame off the front of the buffer, None while it is not whole."""
    if len(buffer) < HEADER.size:
        return None
    length, more = HEADER.unpack_from(buffer)
    if length + more > _LARGEST:
        raise _untrusted()
    end = HEADER.size + length
    if len(buffer) < end + more:
        return None
    try:
        message = json.loads(bytes(buffer[HEADER.size : end]))
    except ValueError as error:
        raise _untrusted() from error
    if not isinstance(message, dict):
        raise _untrusted()
    frame = Frame(message, bytes(buffer[end : end + more]))
    del buffer[: end + more]
    return frame


def _error(message: dict[str, Any]) -> MunimentError:
    if message.get("detail"):
        detail = "".join(filter(str.isprintable, str(message["detail"])[:_LONGEST_DETAIL]))
        log.warning("a document could not be read: %s", detail)
    if message["error"] == "memory":
        return _too_much_memory()
    kind = TooLarge if message["error"] == "TooLarge" else BadFile
    return kind(str(message.get("message")), str(message.get("remedy")))


def _too_slow() -> BadFile:
    return BadFile(
        "Reading this file took longer than allowed, so it was given up.",
        "Print it to a new PDF and upload that; for a very large one raise "
        "MUNIMENT_PARSE_WALL_SECONDS and MUNIMENT_PARSE_CPU_SECONDS.",
    )


def _too_much_memory() -> BadFile:
    return BadFile(
        "Reading this file needed more memory than allowed, so it was given up.",
        "Print it to a new PDF and upload that, or raise MUNIMENT_PARSE_MEMORY_MB.",
    )


def _ended(watch: socket.socket) -> Exception:
    """Return the error for a child that ended without a last word."""
    watch.settimeout(5)
    try:
        status, near_limit = struct.unpack(">i?", watch.recv(5, socket.MSG_WAITALL))
    except (OSError, struct.error):
        return ReaderGone("the process that reads documents has ended")
    if status == -signal.SIGXCPU:
        return _too_slow()
    if near_limit:
        return _too_much_memory()
    log.warning("a document's reader ended with %d", status)
    return BadFile(
        "This file is damaged in a way that made its reader crash.",
        "Open it in its own program, save or print it as a new file and upload that.",
    )


class _Zygote:
    """The process that forks the children; started when first needed, again when it has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self, request: dict[str, Any]) -> tuple[socket.socket, socket.socket]:
        """Have a child forked for a request; return our ends of its two sockets."""
        data = json.dumps(request).encode()
        for attempt in (1, 2):
            reply, reply_child = socket.socketpair()
            watch, watch_child = socket.socketpair()
            with reply_child, watch_child, self._lock:
                try:
                    control = self._running()
                    socket.send_fds(control, [data], [reply_child.fileno(), watch_child.fileno()])
                except OSError:
                    reply.close()
                    watch.close()
                    self._end()
                    if attempt == 2:  # noqa: PLR2004 - a second start did not help either
                        raise
                else:
                    return reply, watch
        raise AssertionError

    def _running(self) -> socket.socket:
        if self._process is None or self._process.poll() is not None or self._control is None:
            self._end()
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-m", "ingest.zygote", str(theirs.fileno())],
                    cwd=_ROOT,
                    env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
        return self._control

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(2)
            self._process.kill()
            self._process.wait()
        self._process = self._control = None

    def close(self) -> None:
        """End the zygote; the next request starts another."""
        with self._lock:
            self._end()


_zygote = _Zygote()


def warm() -> None:
    """Start the zygote now, so that the first document does not wait for it."""
    with _zygote._lock:  # noqa: SLF001 - the same file
        _zygote._running()  # noqa: SLF001


def close() -> None:
    """End the zygote and every child it has."""
    _zygote.close()
