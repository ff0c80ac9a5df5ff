"""The process that reads documents: it imports the parsers once, then forks a child a request.

``python -m ingest.zygote FD``: started by :mod:`ingest.sandbox`, whose docstring tells how the two
talk. One thread only, so that forking is safe. It ends when the other end of its control socket
is closed, and takes its children along.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import selectors
import signal
import socket
import struct
import sys
import traceback
from pathlib import Path
from typing import Any

from ingest.parsers import DOCX, MARKDOWN, PDF, Limits, detect, docx, markdown, pdf, text
from ingest.picture import draw
from ingest.sandbox import HEADER, pack
from rag.errors import MunimentError, TooLarge
from rag.processes import die_with_parent

_PARSERS = {PDF: pdf.parse, DOCX: docx.parse, MARKDOWN: markdown.parse}
_REQUEST = 1 << 16
_FILES = 64
_FIRST, _MOST_FILES = 3, 4096
_STEPS = 12
_NEAR = 0.4
"""A child that crashed with this part of its memory in use asked for more than there was: what
failed is mostly the doubling of something large."""

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000


class _Child:
    """A running child as the zygote sees it."""

    def __init__(self, watch: socket.socket, memory: int) -> None:
        self.watch = watch
        self.memory = memory


def main() -> None:
    """Serve requests until the control socket is closed."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    _leave_network()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is the server's to handle
    wake, woken = socket.socketpair()
    wake.setblocking(False)
    woken.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    selector.register(wake, selectors.EVENT_READ)
    children: dict[int, _Child] = {}
    while True:
        for key, _ in selector.select():
            if key.fileobj is control:
                data, files, _, _ = socket.recv_fds(control, _REQUEST, 2)
                if not data:
                    _end_all(children)
                    return
                pid, child = _fork(json.loads(data), *files)
                children[pid] = child
                selector.register(child.watch, selectors.EVENT_READ, pid)
            elif key.fileobj is wake:
                wake.recv(4096)
            elif key.data in children:  # our side closed its end: nobody waits any more
                selector.unregister(key.fileobj)
                os.kill(key.data, signal.SIGKILL)
        _reap(children, selector)


def _leave_network() -> None:
    """Give up every network where the system lets us; nothing here needs one."""
    if sys.platform == "linux":
        ctypes.CDLL(None).unshare(_NEW_USER | _NEW_NET)


def _end_all(children: dict[int, _Child]) -> None:
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _reap(children: dict[int, _Child], selector: selectors.BaseSelector) -> None:
    for pid, child in list(children.items()):
        done, status, used = os.wait4(pid, os.WNOHANG)
        if not done:
            continue
        del children[pid]
        if child.watch.fileno() in selector.get_map():
            selector.unregister(child.watch)
        near = used.ru_maxrss * 1024 > child.memory * _NEAR
        with contextlib.suppress(OSError):  # nobody waits any more
            child.watch.send(struct.pack(">i?", os.waitstatus_to_exitcode(status), near))
        child.watch.close()


def _fork(request: dict[str, Any], reply_file: int, watch_file: int) -> tuple[int, _Child]:
    pid = os.fork()
    if pid:
        os.close(reply_file)
        return pid, _Child(socket.socket(fileno=watch_file), request["memory"])
    try:
        signal.set_wakeup_fd(-1)
        os.closerange(_FIRST, reply_file)  # the sockets of the zygote and of other children
        os.closerange(reply_file + 1, _MOST_FILES)
        die_with_parent()
        _limit(request["memory"], request["cpu"])
        with socket.socket(fileno=reply_file) as reply:
            _serve(request, reply)
    finally:
        os._exit(0)


def _limit(memory: int, cpu: int) -> None:
    """Set what this process may use beyond what it has already."""
    size = memory + _address_space()
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))


def _address_space() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 1 << 30
    return pages * resource.getpagesize()


def _serve(request: dict[str, Any], reply: socket.socket) -> None:
    try:
        if request["kind"] == "picture":
            picture = draw(
                Path(request["path"]), request["page"], request["scale"], request["boxes"]
            )
            _send(reply, {}, picture)
        else:
            _parse(request, reply)
        _send(reply, {"done": True})
    except MemoryError:
        _send(reply, {"error": "memory"})
    except MunimentError as error:
        kind = "TooLarge" if isinstance(error, TooLarge) else "BadFile"
        detail = "" if error.__cause__ is None else _told(error.__cause__)
        _send(
            reply,
            {"error": kind, "message": error.message, "remedy": error.remedy, "detail": detail},
        )
    except Exception as error:  # noqa: BLE001 - a parser may fail in any way; the log has where
        _send(
            reply,
            {
                "error": "BadFile",
                "message": "This file is damaged and cannot be read.",
                "remedy": "Open it in its own program, save or print it as a new file and "
                "upload that.",
                "detail": _told(error),
            },
        )


def _told(error: BaseException) -> str:
    """Return what failed and where, for the log: never an error's words, which can be a file's."""
    steps = traceback.extract_tb(error.__traceback__)[:_STEPS]
    places = [f"{Path(step.filename).name}:{step.lineno} {step.name}" for step in steps]
    return f"{type(error).__name__} at " + " > ".join(places)


def _parse(request: dict[str, Any], reply: socket.socket) -> None:
    path = Path(request["path"])
    limits = Limits(request["pages"], request["characters"])
    media_type = detect(path, request["name"])
    source = _PARSERS.get(media_type, text.parse)(path, limits)
    _send(
        reply,
        {
            "media_type": media_type,
            "title": source.title,
            "paged": source.paged,
            "total": source.total,
        },
    )
    for page in source.pages:
        message = {
            "number": page.number,
            "text": page.text,
            "width": page.width,
            "height": page.height,
            "headings": page.headings,
        }
        _send(reply, message, pack(page.boxes))


def _send(reply: socket.socket, message: dict[str, Any], blob: bytes = b"") -> None:
    data = json.dumps(message, ensure_ascii=False).encode()
    reply.sendall(HEADER.pack(len(data), len(blob)) + data + blob)


if __name__ == "__main__":
    main()
