"""Answers from any server that speaks OpenAI's chat format: llama-server, vLLM and their like.

Surprising: errors can come inside a 200, nested or not; the context cannot be asked for, only
learned (vLLM tells ``max_model_len``, llama-server ``meta.n_ctx``); and thinking comes apart as
``reasoning_content`` or ``reasoning``, which is dropped.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import httpx

from rag.config import Settings
from rag.errors import ModelBroke, ModelError, ModelMissing, ModelUnavailable
from rag.models import refusals
from rag.models.exchange import FAILURES, BoundedTransport, Post, Refused, lines, server_address
from rag.models.lookup import PATIENT_SECONDS, WAIT_SECONDS, remembered
from rag.models.messages import Ending, Message, Stream, check_fits, check_read, estimate, too_long
from rag.models.thinking import answer_only
from rag.specialists import Chat

WHO = "The model server"
START = "Start it, or check the setting “openai_url”."


@dataclass(frozen=True, slots=True)
class Served:
    """The models of a server, each with its context in tokens, None where it is not told."""

    models: dict[str, int | None]


class OpenAIChat:
    """A model on an OpenAI-compatible server; ``model`` empty takes the first it serves."""

    def __init__(self, settings: Settings, model: str = "") -> None:
        self._settings = settings
        self._model = model

    @property
    def name(self) -> str:
        """Who speaks, for the page."""
        short = PurePath(self._model).name  # llama-server names a model by its file's path
        return f"Model server · {short}" if short else "Model server"

    def stream(self, messages: Sequence[Message], options: Chat) -> Stream:
        """Answer, piece by piece; see :class:`rag.models.messages.ChatClient`."""
        model, context = self._resolve()
        check_fits(messages, options, context)
        return (yield from answer_only(self._pieces(model, messages, options), WHO))

    def _resolve(self) -> tuple[str, int | None]:
        """Return the model to ask for and its context; a server may keep its list to itself."""
        try:
            models = served(self._settings, PATIENT_SECONDS).models
        except ModelError:
            if not self._model:
                raise
            return self._model, None
        if self._model:
            return self._model, models.get(self._model)
        if not models:
            raise ModelMissing(f"{WHO} serves no model.", "Start it with one.")
        return next(iter(models.items()))

    def _pieces(self, model: str, messages: Sequence[Message], options: Chat) -> Stream:
        address = server_address(self._settings.openai_url, "openai_url")
        post = Post(
            f"{address}/chat/completions",
            _body(model, messages, options),
            self._settings.first_token_seconds,
            self._settings.token_seconds,
            _key(self._settings),
        )
        ending: Ending | None = None
        try:
            for line in lines(post):
                said = {} if line is None else _parse(line)
                if said is None:
                    break
                yield _text(said)
                ending = _ending(said, ending)
        except FAILURES as failure:
            if isinstance(failure, Refused):
                raise self._refused(failure, model, messages, options) from failure
            raise refusals.from_failure(failure, WHO, address, START) from failure
        if ending is None:
            raise refusals.cut_short(WHO)
        check_read(messages, ending.prompt_tokens)
        return ending

    def _refused(
        self, refused: Refused, model: str, messages: Sequence[Message], options: Chat
    ) -> ModelError:
        said = refusals.words(refused.body)
        if refused.status == 404:  # noqa: PLR2004 - HTTP's own number
            with contextlib.suppress(ModelError):
                return missing(model, served(self._settings, PATIENT_SECONDS).models)
            return missing(model)
        long = "context" in said or 2 * estimate(messages) > options.context
        if refused.status == 400 and long:  # noqa: PLR2004
            return too_long(said)
        return refusals.from_status(refused.status, refused.body, WHO)


def missing(model: str, models: Iterable[str] = ()) -> ModelMissing:
    """Return the error for a model that the server does not serve, naming those that it does."""
    names = ", ".join(list(models)[:8])
    there = f" It serves: {names}." if names else ""
    return ModelMissing(
        f"{WHO} does not serve the model “{model}”, or its address is wrong.",
        f"Check the model's name in the specialist, and that “openai_url” ends in /v1.{there}",
    )


def served(settings: Settings, wait: float = WAIT_SECONDS) -> Served:
    """Return what the server serves, as of some seconds ago.

    Raises:
        ModelError: the server does not answer, or not as it should, or its address is none.
    """
    address = server_address(settings.openai_url, "openai_url")
    return remembered(
        ("openai", address, settings.openai_key), lambda: _served(address, _key(settings)), wait
    )


def _served(address: str, key: dict[str, str]) -> Served:
    transport = BoundedTransport()
    try:
        with httpx.Client(trust_env=False, transport=transport, timeout=PATIENT_SECONDS) as client:
            response = client.get(f"{address}/models", headers=key)
    except httpx.HTTPError as error:
        raise ModelUnavailable(f"{WHO} does not answer at {address}.", START) from error
    if response.status_code != httpx.codes.OK:
        raise refusals.from_status(response.status_code, response.text, WHO)
    try:
        rows = response.json()["data"]
        return Served({str(row["id"]): _context(row) for row in rows})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailable(
            f"What answers at {address} is no OpenAI-compatible server.",
            "Check the setting “openai_url”: it ends in /v1.",
        ) from error


def _context(row: dict[str, Any]) -> int | None:
    told = row.get("max_model_len") or (row.get("meta") or {}).get("n_ctx")
    return told if isinstance(told, int) else None


def _key(settings: Settings) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings.openai_key}"} if settings.openai_key else {}


def _body(model: str, messages: Sequence[Message], options: Chat) -> dict[str, object]:
    return {
        "model": model,
        "messages": [{"role": item.role, "content": item.content} for item in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": options.answer_tokens,
        "temperature": options.temperature,
        "seed": options.seed,
        "chat_template_kwargs": {"enable_thinking": options.think},
    }


def _parse(line: str) -> dict[str, Any] | None:
    """Return one event, empty if it says nothing, None at the end.

    Raises:
        ModelOverflow, ModelBroke: the event is an error.
    """
    field, _, rest = line.partition(":")
    if field in {"event", "id", "retry"}:
        return {}
    data = rest.strip() if field in {"data", "error"} else line
    if data == "[DONE]":
        return None
    try:
        said = json.loads(data)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise ModelBroke(
            "What answers at the model server's address does not speak the OpenAI format.",
            "Check the setting “openai_url”: it ends in /v1.",
        )
    if said.get("error") or field == "error":
        raise refusals.in_stream(said.get("error") or said, WHO)
    return said


def _choice(said: dict[str, Any]) -> dict[str, Any]:
    choices = said.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _text(said: dict[str, Any]) -> str:
    """Return the answer's text of one event; ``reasoning_content`` beside it is left out."""
    choice = _choice(said)
    part = choice.get("delta") or choice.get("message")
    content = part.get("content") if isinstance(part, dict) else ""
    return content if isinstance(content, str) else ""


def _ending(said: dict[str, Any], before: Ending | None) -> Ending | None:
    """Return the ending as known after an event: the reason comes first, the counts after it."""
    reason = _choice(said).get("finish_reason")
    usage = said.get("usage")
    ending = before
    if reason:
        ending = Ending("length" if reason == "length" else "stop")
    if ending and isinstance(usage, dict):
        ending = Ending(ending.reason, usage.get("prompt_tokens"), usage.get("completion_tokens"))
    return ending
