"""Who speaks: chooses the chat client for a specialist on this machine; ships the fake for tests.

``auto`` asks, in this order: Ollama, an OpenAI-compatible server if one is set, a GGUF file if one
is set; and if nobody can speak, answers are extractive (quoted sentences, no model). A client named
outright is honoured even when it cannot be reached: then the question fails with the remedy, and
nobody else answers in its place. How each one speaks is told in its own file beside this one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.config import Settings
from rag.errors import BadSetting, ModelError, MunimentError
from rag.models import embedded, ollama, openai
from rag.models.counting import count_tokens, fewest_tokens
from rag.models.lookup import PATIENT_SECONDS, WAIT_SECONDS
from rag.models.messages import ChatClient, Ending, Message, Stream, estimate
from rag.specialists import Chat

__all__ = [
    "PATIENT_SECONDS",
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


def choose(settings: Settings, chat: Chat, wait: float = WAIT_SECONDS) -> Choice:
    """Return who speaks for a specialist's ``[chat]`` table on this machine.

    A page asks often and waits at most ``wait`` seconds for a server's sign of life; whoever asks a
    question should wait :data:`PATIENT_SECONDS`, since a busy server is slow to give one.

    Raises:
        BadSetting: the client is none of the known ones.
    """
    if chat.client == "auto":
        return _first_who_can(settings, chat, wait)
    choices: dict[str, Callable[[], Choice]] = {
        "ollama": lambda: _ollama(settings, chat, wait),
        "openai": lambda: _openai(settings, chat, wait),
        "embedded": lambda: _embedded(settings),
        "extractive": lambda: _extractive("the specialist asks for quotations, without a model"),
    }
    if chat.client not in choices:
        raise BadSetting(
            f"There is no chat client “{chat.client}”.",
            f"Known are: auto, {', '.join(choices)}.",
        )
    try:
        return choices[chat.client]()
    except MunimentError as error:
        return _honoured(settings, chat, error)


def _first_who_can(settings: Settings, chat: Chat, wait: float) -> Choice:
    """Return the first of the known clients that can speak now, and why the ones before cannot."""
    ways: list[Callable[[], Choice]] = [lambda: _ollama(settings, chat, wait)]
    if settings.openai_url:
        ways.append(lambda: _openai(settings, chat, wait))
    if settings.gguf:
        ways.append(lambda: _embedded(settings))
    reasons: list[str] = []
    for way in ways:
        try:
            choice = way()
        except MunimentError as error:
            reasons.append(error.message)
        else:
            why = " ".join([*reasons, choice.why])
            return Choice(choice.client, choice.label, why)
    return _extractive("no chat model can be reached", *reasons)


def _ollama(settings: Settings, chat: Chat, wait: float) -> Choice:
    there = ollama.installed(settings, wait)
    model = there.find(chat.model) if chat.model else ollama.first_model(settings)
    if model is None:
        raise ollama.missing(settings, chat.model)
    client = ollama.OllamaChat(settings, model)
    loaded = "It is loaded." if model in there.loaded else "Its first answer takes longer."
    return Choice(client, client.name, f"Ollama answers. {loaded}")


def _openai(settings: Settings, chat: Chat, wait: float) -> Choice:
    models = openai.served(settings, wait).models
    model = chat.model or next(iter(models), "")
    if model not in models:
        raise openai.missing(model, models)
    client = openai.OpenAIChat(settings, model)
    return Choice(client, client.name, "The model server set in the settings answers.")


def _embedded(settings: Settings) -> Choice:
    embedded.usable(settings)
    client = embedded.EmbeddedChat(settings)
    return Choice(client, client.name, "A model file is set in the settings and runs in here.")


def _extractive(why: str, *reasons: str) -> Choice:
    return Choice(None, EXTRACTIVE, " ".join([f"Answers quote the documents: {why}.", *reasons]))


def _honoured(settings: Settings, chat: Chat, error: MunimentError) -> Choice:
    """Return the client that the specialist names though it cannot speak now: asking tells why."""
    clients: dict[str, ChatClient] = {
        "ollama": ollama.OllamaChat(settings, chat.model),
        "openai": openai.OpenAIChat(settings, chat.model),
        "embedded": embedded.EmbeddedChat(settings),
    }
    client = clients[chat.client]
    return Choice(client, client.name, f"The specialist asks for it, but: {error}")
