"""The child process in which a GGUF model runs: questions in as JSON lines, pieces out as such.

``python -m rag.models.embedded_child MODEL CONTEXT THREADS IDLE_SECONDS``. It knows no settings
and no documents. In: ``{"id", "ask": {…}}`` and ``{"id", "stop": true}``. Out: ``{"ready": true}``
or ``{"broken": why}`` once, then for each question any number of ``{"id", "say"}`` and one
``{"id", "end"}`` or ``{"id", "error"}``.

Surprising: the native code prints where it likes, so standard output is moved away before it is
loaded; it opens a port on loopback by itself, so that gets a random key and nothing else to show;
and more threads than free cores make it twenty times slower, since they wait for each other by
spinning.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import sys
import threading
from typing import Any, TextIO

from rag.processes import die_with_parent


class _Inbox:
    """The questions that came, and the number of the one that was told to stop."""

    def __init__(self) -> None:
        self.questions: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.stopped = 0
        threading.Thread(target=self._read, daemon=True, name="read-questions").start()

    def _read(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            if message.get("stop"):
                self.stopped = max(self.stopped, message["id"])
            else:
                self.questions.put(message)
        os._exit(0)  # nobody is left to answer


def main(arguments: list[str]) -> None:
    """Load the model and answer until nobody asks for a while."""
    model, context, threads, idle = arguments
    die_with_parent()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    inbox = _Inbox()
    try:
        server = _load(model, int(context), int(threads))
    except (ImportError, RuntimeError, ValueError, OSError) as error:
        _send(out, {"broken": f"{type(error).__name__}: {error}"})
        return
    _send(out, {"ready": True})
    with contextlib.suppress(queue.Empty):
        while True:
            question = inbox.questions.get(timeout=float(idle))
            _answer(server, question, inbox, out)


def _load(model: str, context: int, threads: int) -> Any:  # noqa: ANN401 - a native class
    import xllamacpp  # noqa: PLC0415 - an extra, and only after standard output is out of its way

    wanted = xllamacpp.CommonParams()
    wanted.model.path = model
    wanted.n_ctx = context
    wanted.n_parallel = 1
    wanted.ctx_shift = False
    wanted.warmup = False
    wanted.offline = True
    wanted.verbosity = 0
    wanted.cache_ram_mib = 0
    wanted.cpuparams.n_threads = threads
    wanted.cpuparams_batch.n_threads = threads
    wanted.api_keys = [secrets.token_hex(32)]
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = 0
    wanted.ui = False
    wanted.endpoint_slots = False
    wanted.cors_origins = ""
    return xllamacpp.Server(wanted)


def _answer(
    server: Any,  # noqa: ANN401
    question: dict[str, Any],
    inbox: _Inbox,
    out: TextIO,
) -> None:
    number = question["id"]
    end: dict[str, Any] = {}
    failed: list[object] = []

    def take(event: dict[str, Any]) -> bool:
        """Pass one event on; True ends the answer."""
        if event.get("error"):
            failed.append(event["error"])
        else:
            said = _said(event, end)
            _send(out, {"id": number, "say": said})
        return bool(failed) or inbox.stopped >= number

    try:
        returned = server.handle_chat_completions(question["ask"], take)
    except (RuntimeError, ValueError, TypeError) as error:
        failed.append(str(error))
        returned = None
    if isinstance(returned, dict) and returned.get("error"):
        failed.append(returned["error"])
    _send(out, {"id": number, "error": failed[0]} if failed else {"id": number, "end": end})


def _said(event: dict[str, Any], end: dict[str, Any]) -> str:
    """Return an event's text, and note in ``end`` what it says about the answer's end."""
    if event.get("usage"):
        end["usage"] = event["usage"]
    for choice in event.get("choices") or ():
        if choice.get("finish_reason"):
            end["reason"] = choice["finish_reason"]
        return (choice.get("delta") or {}).get("content") or ""
    return ""


def _send(out: TextIO, message: dict[str, Any]) -> None:
    try:
        out.write(json.dumps(message) + "\n")
    except OSError:
        os._exit(0)  # nobody listens any more


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # the native server's own threads are not waited for
