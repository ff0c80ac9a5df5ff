"""What is said to a chat model and how its answer ends: the vocabulary of all chat clients.

Knows no server. Surprising: a stream yields *empty* pieces while it waits (about four a second), so
that whoever reads it can stop a model that has not said its first word; skip them. And a stream's
return value, reached by ``yield from`` or ``StopIteration.value``, tells how the answer ended.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from rag.errors import ModelOverflow
from rag.models.counting import count_tokens, fewest_tokens
from rag.specialists import Chat

FRAME_TOKENS = 8
"""What a chat template puts around each message, in tokens: 4 to 7 in the common ones."""

CUT_SHARE = 0.9
"""A prompt counted at less than this share of the fewest tokens it can have was cut."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; ``role`` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended: said to its end, or cut at the length allowed. Counts if known."""

    reason: Literal["stop", "length"]
    prompt_tokens: int | None = None
    answer_tokens: int | None = None


Stream = Generator[str, None, Ending]
"""The pieces of an answer, thinking left out, some of them empty; closing it stops the model."""


class ChatClient(Protocol):
    """Someone who can answer."""

    @property
    def name(self) -> str:
        """What the page shows, like ``Ollama · llama3.2:3b``."""

    def stream(self, messages: Sequence[Message], options: Chat) -> Stream:
        """Answer, piece by piece. ``close()`` on the stream stops the model at once.

        Raises:
            ModelError: any of its kinds, also in mid-answer, and nothing else; what was said until
                then stands.
        """


def estimate(messages: Sequence[Message]) -> int:
    """Return how many tokens these messages take at most, as a rule."""
    return sum(count_tokens(message.content) + FRAME_TOKENS for message in messages)


def check_fits(messages: Sequence[Message], options: Chat, allowed: int | None = None) -> None:
    """Refuse what the context cannot hold together with the answer.

    ``allowed`` is the model's own context in tokens, where it is known to be smaller.

    Raises:
        ModelOverflow: the prompt and the answer's share are more than the context.
    """
    context = options.context if allowed is None else min(options.context, allowed)
    prompt = estimate(messages)
    if prompt + options.answer_tokens > context:
        raise too_long(
            f"about {prompt} tokens for the prompt and {options.answer_tokens} kept for the "
            f"answer, where {context} fit"
        )


def check_read(messages: Sequence[Message], read: int | None) -> None:
    """Refuse an answer from half a prompt; ``read`` is what the server says it has read, if it does.

    Raises:
        ModelOverflow: that is less than the prompt can have.
    """
    fewest = sum(fewest_tokens(message.content) for message in messages)
    if read and read < CUT_SHARE * fewest:
        raise too_long(f"of at least {fewest} tokens the server has read {read}")


def too_long(detail: str) -> ModelOverflow:
    """Return the error for a prompt that the model cannot hold; ``detail`` says by how much."""
    return ModelOverflow(
        f"The question with its passages is longer than the model can hold ({detail}).",
        "Ask a shorter question, or have fewer passages sent: lower “passages” or raise “context” "
        "in the specialist, up to what the model was made for.",
    )
