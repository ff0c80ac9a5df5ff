from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
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
from rag.models import ollama
from rag.models.chat import Ending, Message
from rag.models.messages import Stream
from rag.specialists import Chat
from tests.ollama_replay import Exchange, Replay, Routes, invented, recorded
from tests.timing import done_within

OPTIONS = Chat("ollama", "smollm2:135m", 2048, 60, 0.0, 1, think=False)
LISTS: Routes = {
    "GET /": recorded(2),
    "GET /api/tags": recorded(18),
    "GET /api/ps": recorded(22),
    "POST /api/show": (recorded(19), recorded(20), recorded(6)),
}


def said(exchange: Exchange) -> list[Message]:
    """Return the messages of a recorded request."""
    rows = exchange.request["body"]["messages"]
    return [Message(row["role"], row["content"]) for row in rows]


def line(text: str = "", *, done: bool = False, **more: object) -> dict[str, object]:
    message = {"role": "assistant", "content": text, **more}
    ending: dict[str, object] = {"done_reason": "stop"} if done else {}
    return {"model": "m", "message": message, "done": done, **ending}


def finish(stream: Stream) -> tuple[str, Ending]:
    text = ""
    while True:
        try:
            text += next(stream)
        except StopIteration as end:
            return text, end.value


def settings_for(url: str, **more: int) -> config.Settings:
    return config.load({}, data=Path("unused"), ollama_url=url, **more)


def ask(
    replay: Replay, messages: list[Message] | None = None, model: str = "smollm2:135m", **more: int
) -> Stream:
    client = ollama.OllamaChat(settings_for(replay.url, **more), model)
    return client.stream(messages or [Message("user", "How long?")], OPTIONS)


@pytest.fixture
def chat(request: pytest.FixtureRequest) -> Iterator[Replay]:
    """Return a server that answers the chat with the exchange given by the test's parameter."""
    exchange = request.param if isinstance(request.param, Exchange) else recorded(request.param)
    with Replay({**LISTS, "POST /api/chat": exchange}) as replay:
        yield replay


@pytest.mark.parametrize("chat", [23], indirect=True)
def test_answer_is_the_recorded_one_and_the_request_says_all(chat: Replay) -> None:
    text, ending = finish(ask(chat, said(recorded(23))))
    assert text == recorded(23).text
    assert ending == Ending("stop", 95, ending.answer_tokens)
    request = chat.asked[-1]
    assert request.body["options"] == {
        "num_ctx": 2048,
        "num_predict": 60,
        "temperature": 0.0,
        "seed": 1,
    }
    assert request.body["messages"] == recorded(23).request["body"]["messages"]
    sent = {name: request.body[name] for name in ("stream", "truncate", "shift", "think")}
    assert sent == {"stream": True, "truncate": False, "shift": False, "think": False}
    assert "Origin" not in request.headers


@pytest.mark.parametrize("chat", [24], indirect=True)
def test_a_cached_prompt_is_not_taken_for_a_cut_one(chat: Replay) -> None:
    assert finish(ask(chat, said(recorded(24))))[1].prompt_tokens == 95


@pytest.mark.parametrize("chat", [27, 45], indirect=True)
def test_an_answer_cut_at_the_length_says_so(chat: Replay) -> None:
    text, ending = finish(ask(chat))
    assert text
    assert ending.reason == "length"
    assert ending.answer_tokens in {5, 110}


THINKING = invented(
    line(thinking="It must be"),
    line("<thi"),
    line("nk>secret </th"),
    line("ink>\n\nThree "),
    line("years <"),
    line(" 4."),
    line(done=True),
)


@pytest.mark.parametrize("chat", [THINKING], indirect=True)
def test_thinking_never_reaches_the_answer(chat: Replay) -> None:
    assert finish(ask(chat))[0] == "Three years < 4."


def test_not_running_is_told_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings = settings_for(f"http://127.0.0.1:{free.getsockname()[1]}")
        chat = ollama.OllamaChat(settings, "x")

        def try_it() -> None:
            with pytest.raises(ModelUnavailable, match="ollama serve"):
                finish(chat.stream([Message("user", "?")], OPTIONS))

        assert done_within(2, try_it)


@pytest.mark.parametrize("chat", [5], indirect=True)
def test_a_missing_model_names_the_way_to_get_it_and_those_there(chat: Replay) -> None:
    with pytest.raises(ModelMissing, match="ollama pull llama9") as caught:
        finish(ask(chat, model="llama9"))
    assert "import" in caught.value.remedy
    assert "smollm2:135m" in caught.value.remedy


SLOW = invented(line("Late"), line(done=True), every=60_000)


@pytest.mark.parametrize("chat", [SLOW], indirect=True)
def test_a_cold_model_is_said_to_be_loading(chat: Replay) -> None:
    chat.routes["GET /api/ps"] = (recorded(4),)
    stream = ask(chat, first_token_seconds=1)
    assert next(stream) == ""  # a sign of life while it waits
    with pytest.raises(ModelTimeout, match="is being loaded"):
        finish(stream)
    assert chat.hung_up.wait(20)


@pytest.mark.parametrize("chat", [SLOW], indirect=True)
def test_a_loaded_model_that_says_nothing_is_a_timeout(chat: Replay) -> None:
    with pytest.raises(ModelTimeout, match="first word within 1 seconds"):
        finish(ask(chat, first_token_seconds=1))


STALLS = Exchange(lines=((1, '{"message":{"content":"One "}}\n'), (60_000, "{}\n")))


@pytest.mark.parametrize("chat", [STALLS], indirect=True)
def test_silence_in_the_middle_is_a_timeout(chat: Replay) -> None:
    stream = ask(chat, token_seconds=1)
    assert "One" in next(piece for piece in stream if piece)
    with pytest.raises(ModelTimeout, match="in the middle"):
        finish(stream)


@pytest.mark.parametrize("chat", [23], indirect=True)
def test_too_long_is_refused_before_it_is_sent(chat: Replay) -> None:
    with pytest.raises(ModelOverflow, match="longer than the model can hold"):
        finish(ask(chat, [Message("user", "indemnify " * 3000)]))
    assert "POST /api/chat" not in chat.paths()


@pytest.mark.parametrize("chat", [23], indirect=True)
def test_the_models_own_context_counts(chat: Replay) -> None:
    wide = replace(OPTIONS, context=32000)
    client = ollama.OllamaChat(settings_for(chat.url), "smollm2:135m")
    with pytest.raises(ModelOverflow, match="where 8192 fit"):
        finish(client.stream([Message("user", "notice " * 5000)], wide))
    assert "POST /api/chat" not in chat.paths()


@pytest.mark.parametrize("chat", [39], indirect=True)
def test_a_server_that_refuses_the_length_is_an_overflow(chat: Replay) -> None:
    with pytest.raises(ModelOverflow):
        finish(ask(chat))


@pytest.mark.parametrize("chat", [37], indirect=True)
def test_a_prompt_cut_without_a_word_is_found_out(chat: Replay) -> None:
    with pytest.raises(ModelOverflow, match="has read 512"):
        finish(ask(chat, said(recorded(37))))


@pytest.mark.parametrize("chat", [75], indirect=True)
def test_an_error_in_mid_stream_keeps_what_was_said(chat: Replay) -> None:
    pieces: list[str] = []
    with pytest.raises(ModelBroke, match="unexpected EOF") as caught:
        pieces.extend(ask(chat))
    assert "".join(pieces) == recorded(75).text
    assert "".join(pieces).startswith("[2, 3")
    assert caught.value.remedy


WITHOUT_END = invented(line("Half of"))


@pytest.mark.parametrize("chat", [81, WITHOUT_END], indirect=True)
def test_a_stream_cut_short_is_no_answer(chat: Replay) -> None:
    pieces: list[str] = []
    with pytest.raises(ModelBroke, match="ended before the answer did"):
        pieces.extend(ask(chat))
    assert "".join(pieces)


@pytest.mark.parametrize(
    ("chat", "kind", "words"),
    [
        (80, ModelBusy, "busy"),
        (58, ModelUnavailable, "OLLAMA_ORIGINS"),
        (55, ModelBroke, "does not support chat"),
        (49, ModelBroke, "log"),
        (invented("<html>hello</html>"), ModelBroke, "ollama_url"),
        (invented(line(done=True)), ModelBroke, "without saying anything"),
        (invented("x" * 2_000_000), ModelBroke, "ended before"),
        (invented(b"\xff".decode("latin-1")), ModelBroke, "ollama_url"),
    ],
    indirect=["chat"],
)
def test_each_failure_has_its_sentence(chat: Replay, kind: type[ModelError], words: str) -> None:
    with pytest.raises(kind) as caught:
        finish(ask(chat))
    assert words in str(caught.value)
    assert caught.value.remedy


def test_nobody_is_sent_on_to_another_host() -> None:
    with Replay({**LISTS, "POST /api/chat": recorded(23)}) as other:
        away = Exchange(307, {"Location": f"{other.url}/api/chat", "Content-Length": "0"})
        with (
            Replay({**LISTS, "POST /api/chat": away}) as replay,
            pytest.raises(ModelUnavailable, match="another one"),
        ):
            finish(ask(replay))
        assert other.asked == []


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with Replay({**LISTS, "POST /api/chat": recorded(23)}) as replay:
        assert finish(ask(replay))[0]
        assert ollama.installed(settings_for(replay.url)).models


ENDLESS = invented(*[line("word ") for _ in range(2000)], every=20)


@pytest.mark.parametrize("chat", [ENDLESS], indirect=True)
def test_closing_in_mid_answer_hangs_up_at_once(chat: Replay) -> None:
    stream = ask(chat)
    assert next(piece for piece in stream if piece)
    begun = time.monotonic()
    stream.close()
    assert chat.hung_up.wait(20)
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("chat", [SLOW], indirect=True)
def test_closing_before_the_first_word_hangs_up_at_once(chat: Replay) -> None:
    stream = ask(chat)
    assert next(stream) == ""
    begun = time.monotonic()
    stream.close()
    assert chat.hung_up.wait(20)
    assert time.monotonic() - begun < 20


def model_row(name: str, size: int = 2_000_000_000) -> dict[str, object]:
    return {"name": name, "model": name, "size": size, "digest": name, "details": {}}


def shown(model: str, *capabilities: str) -> Exchange:
    body = {"capabilities": capabilities, "model_info": {"llama.context_length": 8192}}
    return replace(invented(body), model=model)


def test_the_first_model_is_one_that_can_chat_here() -> None:
    rows = [model_row("big:cloud"), model_row("empty", 400), model_row("nomic"), model_row("ours")]
    routes: Routes = {
        **LISTS,
        "GET /api/tags": invented({"models": rows}),
        "POST /api/show": (shown("nomic", "embedding"), shown("ours", "completion")),
    }
    with Replay(routes) as replay:
        assert ollama.first_model(settings_for(replay.url)) == "ours"


def test_recorded_models_are_listed_without_the_broken_one() -> None:
    with Replay(LISTS) as replay:
        there = ollama.installed(settings_for(replay.url))
    assert there.models == ("clauses:latest", "smollm2:135m")
    assert there.loaded == {"smollm2:135m"}
    assert there.find("Clauses") == "clauses:latest"
    assert there.find("llama9") is None


def test_an_empty_server_says_how_to_get_a_model() -> None:
    with (
        Replay({**LISTS, "GET /api/tags": recorded(3)}) as replay,
        pytest.raises(ModelMissing, match="ollama pull"),
    ):
        finish(ask(replay, model=""))


def test_models_run_elsewhere_are_refused() -> None:
    with Replay(LISTS) as replay:
        with pytest.raises(ModelUnavailable, match="leave this house"):
            finish(ask(replay, model="gpt-oss:120b-cloud"))
        assert replay.asked == []


@pytest.mark.parametrize("url", ["", "127.0.0.1:11434", "ftp://x", "file:///etc/passwd", "http://"])
def test_only_addresses_of_web_servers_are_taken(url: str) -> None:
    client = ollama.OllamaChat(settings_for(url), "x")
    with pytest.raises(ModelUnavailable, match="no address of a server"):
        finish(client.stream([Message("user", "?")], OPTIONS))
