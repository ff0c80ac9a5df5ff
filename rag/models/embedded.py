"""Answers from a GGUF model file, run in a child process by xllamacpp.

In a child because native code takes its process along when it crashes. One child is kept warm for
a file and a context; it ends by itself after some idle minutes, and a new one is started when it is
needed again, also after a crash. It answers one question at a time; the next one waits its turn.
What is said between the two processes is told in :mod:`rag.models.embedded_child`.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import rag
from rag.config import Settings
from rag.errors import ModelBroke, ModelBusy, ModelMissing
from rag.models import gguf, refusals
from rag.models.exchange import HEARTBEAT_SECONDS, Silent
from rag.models.messages import Ending, Message, Stream, check_fits, check_read
from rag.models.thinking import answer_only
from rag.specialists import Chat

WHO = "The built-in model"
IDLE_SECONDS = 600
STOP_SECONDS = 1.0
"""How long a stopped child may take to fall silent before it is ended."""


class EmbeddedChat:
    """The model in the file that the setting ``gguf`` names."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def name(self) -> str:
        """Who speaks, for the page."""
        return f"Built-in · {Path(self._settings.gguf).stem}"

    def stream(self, messages: Sequence[Message], options: Chat) -> Stream:
        """Answer, piece by piece; see :class:`rag.models.messages.ChatClient`."""
        model = usable(self._settings)
        check_fits(messages, options, model.context or None)
        context = min(options.context, model.context or options.context)
        return (yield from answer_only(self._pieces(model, context, messages, options), WHO))

    def _pieces(
        self, model: gguf.ChatModel, context: int, messages: Sequence[Message], options: Chat
    ) -> Stream:
        yield from _turn(self._settings.first_token_seconds)
        try:
            try:
                ending = yield from self._answer(_warm(model.path, context), messages, options)
            except _EndedIdle:  # in the very moment it was asked
                ending = yield from self._answer(_warm(model.path, context), messages, options)
        except Silent as silent:
            if not _kept[-1].ready:
                raise refusals.loading(WHO, model.name, silent.seconds) from silent
            raise refusals.from_failure(silent, WHO, "", "") from silent
        finally:
            _BUSY.release()
        check_read(messages, ending.prompt_tokens)
        return ending

    def _answer(self, child: _Child, messages: Sequence[Message], options: Chat) -> Stream:
        finished = False
        try:
            yield from child.load(self._settings.first_token_seconds)
            number = child.ask(_body(messages, options))
            first, limit = True, self._settings.first_token_seconds
            while True:
                message = yield from child.next(number, limit, first)
                if "say" not in message:
                    break
                first, limit = False, self._settings.token_seconds
                yield message["say"]
            finished = True
        finally:
            if not finished:
                child.stop()
        if "error" in message:
            raise refusals.in_stream(message["error"], WHO)
        return _ending(message["end"])


def usable(settings: Settings) -> gguf.ChatModel:
    """Return the model that the settings name.

    Raises:
        ModelMissing: none is named, the extra is not installed, or the file is no chat model.
    """
    if not settings.gguf:
        raise ModelMissing(
            "No built-in model is set.", "Set “gguf” to the path of a GGUF chat model."
        )
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelMissing(
            "This installation cannot run a model by itself.",
            "Install the extra: pip install 'muniment[embedded]'.",
        )
    return gguf.chat_model(Path(settings.gguf).expanduser().resolve())


def threads() -> int:
    """Return how many threads the model gets: a core stays free, see the child's docstring."""
    return max(1, (os.cpu_count() or 1) - 1)


def _body(messages: Sequence[Message], options: Chat) -> dict[str, object]:
    return {
        "messages": [{"role": item.role, "content": item.content} for item in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": options.answer_tokens,
        "temperature": options.temperature,
        "seed": options.seed,
        "chat_template_kwargs": {"enable_thinking": options.think},
    }


def _ending(end: dict[str, Any]) -> Ending:
    usage = end.get("usage") or {}
    return Ending(
        "length" if end.get("reason") == "length" else "stop",
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
    )


class _EndedIdle(Exception):
    """The child had ended by itself, after nobody had asked it anything for a while."""


class _Child:
    """One child process with its model."""

    def __init__(self, model: Path, context: int) -> None:
        self.model = model
        self.context = context
        self.ready = False
        self._number = 0
        self._messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        wanted = [str(model), str(context), str(threads()), str(IDLE_SECONDS)]
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-m", "rag.models.embedded_child", *wanted],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(rag.__file__).parent.parent,
            text=True,
            encoding="utf-8",
        )
        threading.Thread(target=self._listen, daemon=True, name="listen-to-model").start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def load(self, limit: float) -> Generator[str, None, None]:
        """Wait until the model is loaded; empty pieces meanwhile."""
        if self.ready:
            return
        message = yield from self.next(None, limit)
        if "broken" in message:
            self.kill()
            raise ModelBroke(
                f"The model {self.model.name} could not be loaded ({message['broken']}).",
                "The file may be damaged or need more memory than is free: try a smaller model.",
            )
        self.ready = True

    def ask(self, body: dict[str, object]) -> int:
        """Send a question, and return its number."""
        self._number += 1
        self._send({"id": self._number, "ask": body})
        return self._number

    def next(
        self, number: int | None, limit: float, first: bool = True
    ) -> Generator[str, None, dict[str, Any]]:
        """Return the next message about a question, with empty pieces while waiting for it."""
        deadline = time.monotonic() + limit
        while True:
            try:
                message = self._messages.get(timeout=min(HEARTBEAT_SECONDS, limit))
            except queue.Empty:
                if time.monotonic() >= deadline:
                    raise Silent(first, limit) from None
                yield ""
                continue
            if message is None:
                raise self._crashed()
            if message.get("id") == number:
                return message

    def stop(self) -> None:
        """Stop the answer being given, by force where a word does not help.

        A child that is still loading goes on with that: it serves the next question.
        """
        if not self.alive or (self.ready and not self._falls_silent()):
            self.kill()

    def _falls_silent(self) -> bool:
        self._send({"id": self._number, "stop": True})
        deadline = time.monotonic() + STOP_SECONDS
        with contextlib.suppress(queue.Empty):
            while (left := deadline - time.monotonic()) > 0:
                message = self._messages.get(timeout=left)
                if message is None:
                    return False
                if message.get("id") == self._number and "say" not in message:
                    return True
        return False

    def kill(self) -> None:
        """End the process, and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()

    def _send(self, message: dict[str, object]) -> None:
        if self._process.stdin:
            with contextlib.suppress(OSError, ValueError):  # it has ended: listening tells so
                self._process.stdin.write(json.dumps(message) + "\n")
                self._process.stdin.flush()

    def _listen(self) -> None:
        if self._process.stdout:
            with self._process.stdout as lines, contextlib.suppress(ValueError, OSError):
                for line in lines:
                    self._messages.put(json.loads(line))
        self._messages.put(None)

    def _crashed(self) -> Exception:
        self.kill()
        if self._process.returncode == 0:
            return _EndedIdle()
        return ModelBroke(
            f"{WHO} crashed (it ended with {self._process.returncode}).",
            "Ask again: it is started anew. If it happens every time, the model may need more "
            "memory than this machine has free.",
        )


_BUSY = threading.Lock()
"""Held by the question that is being answered."""
_kept: list[_Child] = []
"""The warm child, at most one; touched only by who holds the lock, and at exit."""


def _turn(limit: float) -> Generator[str, None, None]:
    """Wait for the child to be free; empty pieces meanwhile."""
    deadline = time.monotonic() + limit
    while not _BUSY.acquire(timeout=min(HEARTBEAT_SECONDS, limit)):
        if time.monotonic() >= deadline:
            raise ModelBusy(f"{WHO} is still answering another question.", "Ask again in a minute.")
        yield ""


def _warm(model: Path, context: int) -> _Child:
    """Return a living child for a model and a context, a new one if need be."""
    while _kept:
        child = _kept[-1]
        if child.alive and (child.model, child.context) == (model, context):
            return child
        _kept.pop().kill()
    _kept.append(_Child(model, context))
    return _kept[-1]


def close() -> None:
    """End the warm child, if there is one. The next question starts a new one."""
    while _kept:
        _kept.pop().kill()


atexit.register(close)
