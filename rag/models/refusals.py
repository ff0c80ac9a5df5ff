"""What went wrong between us and a model's server, in words for a layman, each with a remedy.

Decides by status and kind of failure. A server's own words are shown, shortened, and never decide
alone: they differ from version to version.
"""

from __future__ import annotations

import json
import unicodedata

from rag.errors import (
    ModelBroke,
    ModelBusy,
    ModelError,
    ModelMissing,
    ModelTimeout,
    ModelUnavailable,
)
from rag.models.exchange import CutShort, Failure, Refused, Silent, Unreachable
from rag.models.messages import too_long

LONGEST_QUOTE = 300
OVERFLOW_TYPES = {"exceed_context_size_error", "context_length_exceeded"}


def from_failure(failure: Failure, who: str, address: str, start: str) -> ModelError:
    """Return the error for a failed exchange; ``start`` says how to get the server running."""
    match failure:
        case Refused(status=status, body=body):
            return from_status(status, body, who)
        case Unreachable():
            return ModelUnavailable(f"{who} does not answer at {address}.", start)
        case Silent(first=True, seconds=seconds):
            return ModelTimeout(
                f"{who} has not said its first word within {seconds:g} seconds. "
                "Perhaps its model is being loaded, or other questions wait before this one.",
                "Ask again in a minute. If it stays slow, take a smaller model or raise the "
                "setting “first_token_seconds”.",
            )
        case Silent(seconds=seconds):
            return ModelTimeout(
                f"{who} stopped in the middle: no further word for {seconds:g} seconds.",
                "Ask again. If it happens often, this machine has too little memory for the "
                "model: take a smaller one, or raise the setting “token_seconds”.",
            )
        case CutShort():
            return cut_short(who)


def cut_short(who: str) -> ModelBroke:
    """Return the error for a stream that ended before the answer did."""
    return ModelBroke(
        f"The connection to {who} ended before the answer did.",
        "Ask again. If it happens every time, look into the server's log: it may have run out of "
        "memory.",
    )


def from_status(status: int, body: str, who: str) -> ModelError:
    """Return the error for a status that is not 200."""
    if is_overflow(body):
        return too_long(words(body))
    kind, message, remedy = _STATUSES.get(status // 100 if status < 400 else status, _BROKE)  # noqa: PLR2004
    return kind(message.format(who=who, said=_said(body)), remedy)


_BROKE: tuple[type[ModelError], str, str] = (
    ModelBroke,
    "{who} could not answer{said}.",
    "Ask again. If it stays so, try another model, or look into the server's log.",
)
_BUSY: tuple[type[ModelError], str, str] = (
    ModelBusy,
    "{who} is busy: too many questions wait for it.",
    "Ask again in a minute.",
)
_STATUSES: dict[int, tuple[type[ModelError], str, str]] = {
    3: (
        ModelUnavailable,
        "The server at the address set for {who} sends us on to another one, which is not followed.",
        "Set the server's own address.",
    ),
    401: (ModelUnavailable, "{who} wants a key{said}.", "Set “openai_key” in the settings."),
    403: (
        ModelUnavailable,
        "{who} does not allow this machine to ask it.",
        "Set OLLAMA_ORIGINS (or its like) on the server's machine to the name it is called by here.",
    ),
    404: (
        ModelMissing,
        "{who} does not have that model, or its address is wrong{said}.",
        "Check the model's name in the specialist and the server's address in the settings.",
    ),
    429: _BUSY,
    503: _BUSY,
}
"""What a status means; 3 stands for all that send us on."""


def in_stream(error: object, who: str) -> ModelError:
    """Return the error for an ``error`` that came inside an answer of status 200."""
    body = json.dumps({"error": error})
    if is_overflow(body):
        return too_long(words(body))
    return ModelBroke(
        f"{who} failed while answering{_said(body)}.",
        "Ask again: the server starts its model anew by itself. If it stays so, try a smaller "
        "model.",
    )


def is_overflow(body: str) -> bool:
    """Tell whether a body carries one of the error types that mean a prompt too long."""
    error = _error(body)
    return isinstance(error, dict) and not OVERFLOW_TYPES.isdisjoint(
        {str(error.get("type")), str(error.get("code"))}
    )


def words(body: str) -> str:
    """Return a server's own words from any shape of error body: one line, plain, shortened."""
    error = _error(body)
    if isinstance(error, dict):
        error = error.get("message") or error.get("type") or ""
    plain = "".join(" " if unicodedata.category(sign)[0] == "C" else sign for sign in str(error))
    line = " ".join(plain.split())
    return line if len(line) <= LONGEST_QUOTE else line[: LONGEST_QUOTE - 1] + "…"


def _error(body: str) -> object:
    try:
        value = json.loads(body)
    except ValueError:
        return body
    if not isinstance(value, dict):
        return body
    for key in ("error", "message", "detail"):
        if value.get(key):
            return value[key]
    return body


def _said(body: str) -> str:
    said = words(body).rstrip(".")
    return f" (it said: “{said}”)" if said else ""


def loading(who: str, model: str, seconds: float) -> ModelTimeout:
    """Return the error for a model that was not loaded in time."""
    return ModelTimeout(
        f"{who}'s model “{model}” is being loaded and was not ready within {seconds:g} seconds.",
        "Ask again in a minute. If it never gets ready, this machine has too little memory for "
        "it: take a smaller model; if it only needs longer, raise “first_token_seconds”.",
    )
