"""Who speaks: chooses the chat client for a specialist on this machine; ships the fake for tests.

``auto`` asks, in this order: Ollama, an OpenAI-compatible server if one is set, a GGUF file if one
is set; and if nobody can speak, answers are extractive (quoted sentences, no model). A client named
outright is honoured even when it cannot be reached: then the question fails with the remedy, and
nobody else answers in its place. How each one speaks is told in its own file beside this one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rag.config import Settings
from rag.errors import ModelError
from rag.models.counting import count_tokens, fewest_tokens
from rag.models.messages import ChatClient, Ending, Message, Stream, estimate
from rag.specialists import Chat

__all__ = [
    "ChatClient",
    "Choice",
    "Ending",
    "FakeChat",
    "Message",
    "Stream",
    "choose",
    "count_tokens",
    "estimate",
    "fewest_tokens",
]

EXTRACTIVE = "Extractive (no chat model)"


@dataclass(frozen=True, slots=True)
class Choice:
    """Who would speak: ``client`` None means extractive. ``why`` is a sentence for a layman."""

    client: ChatClient | None
    label: str
    why: str


class FakeChat:
    """A deterministic chat client: says the pieces, then ends or raises ``error``.

    ``delay`` is the pause before each piece in seconds. ``asked`` keeps the messages of every
    call, ``closed`` tells whether the last stream was closed before its end.
    """

    name = "Fake"

    def __init__(
        self, pieces: Sequence[str], error: ModelError | None = None, delay: float = 0
    ) -> None:
        self.pieces = tuple(pieces)
        self.error = error
        self.delay = delay
        self.asked: list[tuple[Message, ...]] = []
        self.closed = False

    def stream(self, messages: Sequence[Message], options: Chat) -> Stream:
        """Say the pieces; ``options`` are taken as every client takes them, and not used."""
        del options
        self.asked.append(tuple(messages))
        self.closed = False
        try:
            for piece in self.pieces:
                time.sleep(self.delay)
                yield piece
        except GeneratorExit:
            self.closed = True
            raise
        if self.error is not None:
            raise self.error
        return Ending("stop", estimate(messages), len(self.pieces))


def choose(settings: Settings, chat: Chat) -> Choice:
    """Return who speaks for a specialist's ``[chat]`` table on this machine."""
    del settings, chat
    return Choice(None, EXTRACTIVE, "No chat model is set up: answers quote the documents.")
