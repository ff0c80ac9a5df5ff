"""Answers from an Ollama server: its native chat over httpx, its list of models by its own client.

Written from a real server's answers, kept in ``tests/exchanges``. What is surprising there: a
prompt too long is cut without a word unless ``truncate`` is false, which the Python client cannot
send; another ``num_ctx`` means loading the model anew while everybody waits, so every request of
ours sends the specialist's own; ``num_ctx`` above what the model was made for is lowered in
silence, so the model's own length is looked up and counted against first. Models that Ollama runs
elsewhere ("cloud") are never asked: the documents would leave the house.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from rag.config import Settings
from rag.errors import ModelBroke, ModelError, ModelMissing, ModelUnavailable
from rag.models import refusals
from rag.models.exchange import (
    FAILURES,
    BoundedTransport,
    Post,
    Refused,
    Silent,
    lines,
    server_address,
)
from rag.models.lookup import PATIENT_SECONDS, WAIT_SECONDS, remembered
from rag.models.messages import Ending, Message, Stream, check_fits, check_read, estimate, too_long
from rag.models.thinking import answer_only
from rag.specialists import Chat

if TYPE_CHECKING:
    import ollama

WHO = "Ollama"
START = "Start it (“ollama serve”, or the Ollama app), or check the setting “ollama_url”."
KEEP_ALIVE = "15m"
SMALLEST_MODEL = 1_000_000
"""A listed model of fewer bytes has no weights on this machine: run elsewhere, or broken."""


@dataclass(frozen=True, slots=True)
class Installed:
    """The models of a server that can chat, newest first, and those that are loaded now."""

    models: tuple[str, ...]
    loaded: frozenset[str]

    def find(self, model: str) -> str | None:
        """Return the installed name of a model; the tag ``latest`` may be left out."""
        wanted = _full_name(model)
        return next((name for name in self.models if _full_name(name) == wanted), None)


class OllamaChat:
    """A model on an Ollama server; ``model`` empty takes the first one installed that can chat."""

    def __init__(self, settings: Settings, model: str = "") -> None:
        self._settings = settings
        self._model = model

    @property
    def name(self) -> str:
        """Who speaks, for the page."""
        return f"{WHO} · {self._model}" if self._model else WHO

    def stream(self, messages: Sequence[Message], options: Chat) -> Stream:
        """Answer, piece by piece; see :class:`rag.models.messages.ChatClient`."""
        model = self._model or first_model(self._settings)
        if is_remote(model):
            raise _remote(model)
        check_fits(messages, options, _model_context(self._settings, model))
        return (yield from answer_only(self._pieces(model, messages, options), WHO))

    def _pieces(self, model: str, messages: Sequence[Message], options: Chat) -> Stream:
        address = server_address(self._settings.ollama_url, "ollama_url")
        post = Post(
            f"{address}/api/chat",
            _body(model, messages, options),
            self._settings.first_token_seconds,
            self._settings.token_seconds,
        )
        try:
            for line in lines(post):
                said = {} if line is None else _parse(line)
                if said.get("error"):
                    raise refusals.in_stream(said["error"], WHO)
                yield _text(said)
                if said.get("done"):
                    return _ending(said, messages)
        except FAILURES as failure:
            raise self._error(failure, model, messages, options) from failure
        raise refusals.cut_short(WHO)

    def _error(
        self, failure: Exception, model: str, messages: Sequence[Message], options: Chat
    ) -> ModelError:
        match failure:
            case Refused(status=404):
                return missing(self._settings, model)
            case Refused(status=400, body=body):
                return _refused_request(model, body, messages, options)
            case Silent(first=True):
                error = refusals.from_failure(failure, WHO, self._settings.ollama_url, START)
                return _cold(self._settings, model, failure.seconds) or error
        assert isinstance(failure, FAILURES)  # noqa: S101 - for the type checker
        return refusals.from_failure(failure, WHO, self._settings.ollama_url, START)


def _body(model: str, messages: Sequence[Message], options: Chat) -> dict[str, object]:
    return {
        "model": model,
        "messages": [{"role": item.role, "content": item.content} for item in messages],
        "stream": True,
        "think": options.think,
        "truncate": False,
        "shift": False,
        "keep_alive": KEEP_ALIVE,
        "options": {
            "num_ctx": options.context,
            "num_predict": options.answer_tokens,
            "temperature": options.temperature,
            "seed": options.seed,
        },
    }


def _parse(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise ModelBroke(
            "What answers at Ollama's address does not speak as Ollama does.",
            "Check the setting “ollama_url”.",
        )
    return said


def _text(said: dict[str, Any]) -> str:
    """Return the answer's text of one line; what stands in ``thinking`` is left out."""
    message = said.get("message")
    content = message.get("content") if isinstance(message, dict) else ""
    return content if isinstance(content, str) else ""


def _ending(said: dict[str, Any], messages: Sequence[Message]) -> Ending:
    counted = said.get("prompt_eval_count")
    prompt = counted if isinstance(counted, int) and counted > 0 else None
    check_read(messages, prompt)
    answer = said.get("eval_count")
    return Ending(
        "length" if said.get("done_reason") == "length" else "stop",
        prompt,
        answer if isinstance(answer, int) else None,
    )


def installed(settings: Settings, wait: float = WAIT_SECONDS) -> Installed:
    """Return the server's chat models, as of some seconds ago.

    ``wait`` bounds the wait for a sign of life; a server that gave one is waited for longer, since
    the first look at many models takes a moment.

    Raises:
        ModelError: the server does not answer, or its address is none.
    """
    address = server_address(settings.ollama_url, "ollama_url")
    remembered(("alive", address), lambda: _sign_of_life(address), wait)
    return remembered(("ollama", address), lambda: _installed(address), 2 * PATIENT_SECONDS)


def _sign_of_life(address: str) -> None:
    transport = BoundedTransport()
    try:
        with httpx.Client(trust_env=False, transport=transport, timeout=PATIENT_SECONDS) as client:
            client.get(address)
    except httpx.HTTPError as error:
        raise _not_running(address) from error


def _not_running(address: str) -> ModelUnavailable:
    return ModelUnavailable(f"{WHO} does not answer at {address}.", START)


def first_model(settings: Settings) -> str:
    """Return the newest installed model that can chat.

    Raises:
        ModelMissing: there is none.
    """
    models = installed(settings, PATIENT_SECONDS).models
    if not models:
        raise ModelMissing(
            "Ollama runs, but no chat model is installed in it.",
            "Run “ollama pull llama3.2:3b” on a machine with internet, or on a closed network "
            "import a model file: “ollama create NAME -f Modelfile”.",
        )
    return models[0]


def missing(settings: Settings, model: str) -> ModelMissing:
    """Return the error for a model that is not installed, naming those that are."""
    try:
        names = installed(settings, PATIENT_SECONDS).models
    except ModelError:
        names = ()
    there = f" Installed are: {', '.join(names[:8])}." if names else ""
    return ModelMissing(
        f"The model “{model}” is not installed in Ollama.",
        f"Run “ollama pull {model}”, or on a closed network import its file: “ollama create "
        f"{model} -f Modelfile”. Or name another model in the specialist.{there}",
    )


def is_remote(model: str) -> bool:
    """Tell whether a model's name says that Ollama would have it answered elsewhere."""
    return _full_name(model).endswith("cloud")


def _remote(model: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The model “{model}” runs on machines elsewhere: the documents would leave this house.",
        "Name a model in the specialist that runs here.",
    )


def _full_name(model: str) -> str:
    return (model if ":" in model.rpartition("/")[2] else f"{model}:latest").casefold()


def _client(address: str) -> ollama.Client:
    import ollama  # noqa: PLC0415 - half a second, and only where an Ollama is asked

    return ollama.Client(
        address,
        follow_redirects=False,
        trust_env=False,
        transport=BoundedTransport(),
        timeout=PATIENT_SECONDS,
    )


def _ask(address: str, question: str, model: str = "") -> Any:  # noqa: ANN401 - the client's types
    """Ask the server for its ``list``, ``ps``, or ``show`` of a model."""
    import ollama  # noqa: PLC0415 - as above

    with _client(address) as client:
        try:
            return client.show(model) if question == "show" else getattr(client, question)()
        except ollama.ResponseError as error:
            raise refusals.from_status(error.status_code, error.error, WHO) from error
        except (httpx.HTTPError, ConnectionError) as error:
            raise _not_running(address) from error
        except ValueError as error:  # also what pydantic raises
            raise ModelUnavailable(
                f"What answers at {address} does not speak as Ollama does.", START
            ) from error


_details: dict[tuple[str, str], tuple[bool, int | None]] = {}
"""By address and digest: whether a model can chat, and its context. A digest never changes."""


def _installed(address: str) -> Installed:
    listed = [
        item
        for item in _ask(address, "list").models
        if item.model and (item.size or 0) >= SMALLEST_MODEL and not is_remote(item.model)
    ]
    models = [item.model for item in listed if _can_chat(address, item.model, item.digest or "")]
    running = _ask(address, "ps").models
    return Installed(tuple(models), frozenset(item.model for item in running if item.model))


def _can_chat(address: str, model: str, digest: str) -> bool:
    try:
        return _detail(address, model, digest)[0]
    except ModelError:
        return False  # this one is broken or just being removed; the others may do


def _detail(address: str, model: str, digest: str) -> tuple[bool, int | None]:
    key = (address, digest or model)
    if key not in _details:
        shown = _ask(address, "show", model)
        lengths = [
            value
            for name, value in (shown.modelinfo or {}).items()
            if name.endswith(".context_length") and isinstance(value, int)
        ]
        can_chat = "completion" in (shown.capabilities or ["completion"])
        _details[key] = (can_chat, lengths[0] if lengths else None)
        _details[address, _full_name(model)] = _details[key]
    return _details[key]


def _model_context(settings: Settings, model: str) -> int | None:
    """Return what context a model was made for, None where the server does not say."""
    address = server_address(settings.ollama_url, "ollama_url")
    try:
        installed(settings, PATIENT_SECONDS)
    except ModelError:
        return None  # the question itself will tell what is wrong, in better words
    return _details.get((address, _full_name(model)), (True, None))[1]


def _refused_request(
    model: str, body: str, messages: Sequence[Message], options: Chat
) -> ModelError:
    """Return the error for a 400, which means several things and names none of them surely."""
    said = refusals.words(body)
    if "context" in said or 2 * estimate(messages) > options.context:
        return too_long(said)
    remedy = "Try another model: this one's file may be broken, or it may not be one for chats."
    if options.think:
        remedy = "It may be a model that cannot think: set “think = false” in the specialist."
    return ModelBroke(f"Ollama's model “{model}” cannot answer this (it said: “{said}”).", remedy)


def _cold(settings: Settings, model: str, seconds: float) -> ModelError | None:
    """Return the error for a model still being loaded, None if it is loaded or nobody can say."""
    address = server_address(settings.ollama_url, "ollama_url")
    try:
        running = _ask(address, "ps").models
    except ModelError:
        return None
    if any(_full_name(item.model or "") == _full_name(model) for item in running):
        return None
    return refusals.loading(WHO, model, seconds)
