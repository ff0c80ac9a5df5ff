"""The terminal: every command, the promised rows, and how failures are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cli

ROOT = Path(__file__).resolve().parent.parent
LEASE = "The tenant may end this lease by giving ninety days' written notice.\n"
ROOF = "The landlord keeps the roof and the outer walls in repair.\n"
QUESTION = "How much notice must the tenant give?"
ESCAPE = "\x1b]0;owned\x07"

Run = Callable[..., tuple[int, list[str], str]]
HIT_KEYS = {"rank", "document", "page", "start", "end", "text", "score"}
ASK_KEYS = {"id", "outcome", "answer", "sentences", "citations", "model", "seconds"}
CITATION_KEYS = {"number", "document", "page", "start", "end", "quote", "boxes"}
DOCUMENT_KEYS = {"document", "status", "reason", "pages", "bytes", "sha256"}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Ollama of this machine, and no setting of the one who runs the tests."""
    for name in list(os.environ):
        if name.startswith("MUNIMENT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MUNIMENT_OLLAMA_URL", "http://127.0.0.1:9")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command in this process: exit code, lines of output, what was said beside."""

    def call(*arguments: object) -> tuple[int, list[str], str]:
        capsys.readouterr()
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err

    return call


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents in folders, two of one name."""
    top = tmp_path_factory.mktemp("documents")
    for name, content in (("lease.txt", LEASE), ("old/lease.txt", LEASE * 2), ("roof.md", ROOF)):
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_text(content)
    return top


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    """A data folder filled once; tests that change something say so and undo it."""
    made = tmp_path_factory.mktemp("terminal") / "data"
    os.environ["MUNIMENT_OLLAMA_URL"] = "http://127.0.0.1:9"
    try:
        assert (
            cli.main(["ingest", str(folder), "--workspace", "Matter 7", "--data", str(made)]) == 0
        )
    finally:
        del os.environ["MUNIMENT_OLLAMA_URL"]
    return made


def _rows(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def _failed(result: tuple[int, list[str], str]) -> str:
    """The one line a told failure is."""
    code, lines, said = result
    assert code == 1
    assert lines == []
    assert said.startswith("muniment: ")
    assert said.count("\n") == 1
    return said


# ingest, documents, delete


def test_documents_lists_what_was_taken_in(run: Run, data: Path) -> None:
    code, lines, said = run("documents", "--workspace", "Matter 7", "--json", "--data", data)
    assert (code, said) == (0, "")
    rows = _rows(lines)
    assert [row["document"] for row in rows] == ["lease.txt", "old/lease.txt", "roof.md"]
    for row in rows:
        assert set(row) >= DOCUMENT_KEYS
        assert (row["status"], row["reason"]) == ("ready", None)
    assert rows[0]["bytes"] == len(LEASE)
    code, lines, _ = run("documents", "--workspace", "Matter 7", "--data", data)
    assert len(lines) == 3
    assert lines[0].split()[:2] == ["ready", "lease.txt"]


def test_ingest_tells_each_document_and_fails_if_one_did(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUNIMENT_MAX_UPLOAD_MB", "1")
    large = tmp_path / "large.txt"
    large.write_text("word " * 210_000)
    good, empty, broken = (tmp_path / name for name in ("a  b\u0301.txt", "empty.txt", "c.pdf"))
    good.write_text(LEASE)
    empty.touch()
    broken.write_bytes(b"%PDF-1.7 and no more")
    twin = tmp_path / "twin.txt"
    twin.write_text(LEASE)
    at = ("--workspace", " New  matter ", "--json", "--data", tmp_path / "data")
    code, lines, said = run("ingest", good, large, empty, broken, *at)
    rows = {row["document"]: row for row in _rows(lines)}
    assert code == 1
    assert said == ""
    assert all(set(row) >= DOCUMENT_KEYS for row in rows.values())
    assert rows["a b\u0301.txt"]["status"] == "ready"
    assert rows["c.pdf"]["status"] == rows["empty.txt"]["status"] == "failed"
    assert rows["c.pdf"]["reason"]
    assert rows["empty.txt"]["reason"]
    assert rows["large.txt"]["status"] == "failed"
    assert "1 MB" in rows["large.txt"]["reason"]
    assert rows["large.txt"]["sha256"] is None
    assert rows["large.txt"]["bytes"] == 1_050_000

    code, lines, said = run("ingest", twin, "--workspace", "new matter", *at[2:])
    assert code == 0, "the workspace is known, whatever the case"
    assert [row["document"] for row in _rows(lines)] == ["a b\u0301.txt"]
    assert said == "twin.txt is there already, as a b\u0301.txt.\n"


def test_a_document_and_a_workspace_are_deleted(run: Run, data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("Nothing of note.")
    at = ("--workspace", "short", "--data", data)
    assert run("ingest", other, *at)[0] == 0
    assert "no document" in _failed(run("delete", "missing.txt", *at))
    assert run("delete", "other.txt", *at) == (0, [], "")
    assert run("documents", *at) == (0, [], "")
    assert run("delete", "--whole", *at) == (0, [], "")
    assert "no workspace" in _failed(run("documents", *at))


# search and ask


def test_a_search_for_people_and_for_programs(run: Run, data: Path) -> None:
    at = ("--workspace", "Matter 7", "--data", data)
    code, lines, _ = run("search", QUESTION, *at)
    assert code == 0
    assert "lease.txt" in lines[0]
    assert "ninety days" in lines[1]
    assert lines[-1].startswith("confidence 0.")
    code, lines, _ = run("search", QUESTION, "-k", 1, "--json", *at)
    (row,) = _rows(lines)
    assert set(row) >= {"id", "confidence", "seconds", "hits"}
    assert len(row["hits"]) == 1
    assert set(row["hits"][0]) >= HIT_KEYS
    assert row["hits"][0]["page"] is None
    code, lines, _ = run("search", QUESTION, "--document", "roof.md", "--json", *at)
    assert {hit["document"] for hit in _rows(lines)[0]["hits"]} == {"roof.md"}


def test_an_answer_for_people_and_for_programs(run: Run, data: Path) -> None:
    at = ("--workspace", "Matter 7", "--document", "lease.txt", "--data", data)
    code, lines, _ = run("ask", QUESTION, *at)
    assert code == 0
    assert "ninety days" in lines[0]
    assert any(line.startswith("[1] lease.txt") for line in lines)
    code, lines, _ = run("ask", QUESTION, "--json", *at)
    (row,) = _rows(lines)
    assert set(row) >= ASK_KEYS
    assert row["outcome"] == "answered"
    assert set(row["sentences"][0]) >= {"text", "verdict", "citations"}
    assert set(row["citations"][0]) >= CITATION_KEYS
    assert set(row["seconds"]) == {"retrieve", "first_token", "total"}
    code, lines, _ = run("ask", "What is the boiling point of tungsten?", *at)
    assert code == 0
    assert "do not seem to answer" in " ".join(lines)
    assert any(line.startswith("nearest: lease.txt") for line in lines)


def test_batches_go_through_in_order(run: Run, data: Path, tmp_path: Path) -> None:
    batch = tmp_path / "questions.jsonl"
    rows = [
        {"id": "a\u2028b", "question": QUESTION, "documents": ["lease.txt"], "gold": "ignored"},
        {"id": 7, "question": "Who mends the roof?", "documents": None},
    ]
    text = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    batch.write_text(text, encoding="utf-8")
    at = ("--batch", batch, "--workspace", "Matter 7", "--data", data)
    code, lines, _ = run("search", "-k", "5", *at)
    assert code == 0
    first, second = _rows(lines)
    assert [first["id"], second["id"]] == ["a\u2028b", 7]
    assert {hit["document"] for hit in first["hits"]} == {"lease.txt"}
    assert second["hits"][0]["document"] == "roof.md"
    code, lines, _ = run("ask", *at)
    assert code == 0
    assert [row["id"] for row in _rows(lines)] == ["a\u2028b", 7]
    assert all(set(row) >= ASK_KEYS for row in _rows(lines))


def test_a_document_cannot_command_the_terminal(run: Run, data: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.txt"
    hostile.write_text(f"The parking fee is nine {ESCAPE} pounds a day for every visitor.\n")
    at = ("--workspace", "hostile", "--data", data)
    assert run("ingest", hostile, *at)[0] == 0
    for command in ("search", "ask"):
        code, lines, _ = run(command, "How much is the parking fee?", *at)
        assert code == 0
        assert "parking fee" in " ".join(lines)
        assert all(line.isprintable() for line in lines)
    assert run("delete", "--whole", *at)[0] == 0


# check


def test_check_needs_no_data_folder(run: Run, tmp_path: Path) -> None:
    claims = tmp_path / "claims.jsonl"
    rows = [
        {"id": "yes", "claim": "The tenant gives ninety days’ notice.", "sources": [LEASE]},
        {"id": "no", "claim": "The tenant gives thirty days’ notice.", "sources": [LEASE]},
        {"id": "none", "claim": "The tenant gives notice.", "sources": []},
    ]
    claims.write_text("\n".join(map(json.dumps, rows)))
    code, lines, said = run("check", "--batch", claims, "--data", tmp_path / "data")
    assert (code, said) == (0, "")
    found = {row["id"]: row for row in _rows(lines)}
    assert all(set(row) == {"id", "verdict", "support", "reasons"} for row in found.values())
    assert found["yes"]["verdict"] == "supported"
    assert found["no"]["verdict"] != "supported"
    assert found["no"]["reasons"]
    assert found["none"]["verdict"] == "unsupported"
    assert found["yes"]["support"] > found["no"]["support"]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"id": 1, "claim": "c"}', "lacks “sources”"),
        ('{"id": 1, "claim": "c", "sources": "s"}', "list of texts"),
        ("[]", "not a JSON object"),
        ("{", "not JSON"),
    ],
)
def test_a_wrong_batch_is_told_in_a_line(run: Run, tmp_path: Path, content: str, told: str) -> None:
    batch = tmp_path / "claims.jsonl"
    batch.write_text(content)
    assert told in _failed(run("check", "--batch", batch))
    assert "cannot be read" in _failed(run("check", "--batch", tmp_path / "missing.jsonl"))


# Care


def test_reindex_and_doctor(run: Run, data: Path) -> None:
    code, lines, _ = run("reindex", "--data", data)
    assert (code, lines) == (0, ["3 passages"])
    assert run("reindex", "--workspace", "Matter 7", "--data", data)[1] == ["3 passages"]
    code, lines, said = run("doctor", "--data", data)
    assert (code, said) == (0, "")
    assert lines == ["Nothing to mend: originals, database, keywords and vectors agree."]
    assert run("doctor", "--json", "--data", data) == (0, [], "")
    stray = data / "originals" / "ab" / ("ab" + "0" * 62)
    stray.parent.mkdir(exist_ok=True)
    stray.touch()
    told = "1 stored originals belong to no document."
    assert run("doctor", "--data", data) == (1, [told], "")
    assert _rows(run("doctor", "--json", "--data", data)[1]) == [{"finding": told}]
    assert run("doctor", "--repair", "--data", data)[0] == 0
    assert not stray.exists()


# Wrong calls and told failures


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["ingest", "--workspace", "w"],
        ["ingest", "x"],
        ["search", "--workspace", "w"],
        ["search", "q", "--batch", "f", "--workspace", "w"],
        ["search", "q", "--workspace", "w", "-k", "0"],
        ["search", "q", "--workspace", "w", "-k", "many"],
        ["ask", "q"],
        ["ask", "--workspace", "w"],
        ["check"],
        ["delete", "--workspace", "w"],
        ["delete", "a.txt", "--whole", "--workspace", "w"],
        ["serve", "--port", "http"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_exits_2(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("MUNIMENT_DATA", str(tmp_path / "data"))
    code, lines, said = run(*arguments)
    assert code == 2
    assert lines == []
    assert "usage: muniment" in said
    assert not (tmp_path / "data").exists()


def test_told_failures_are_one_line(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = ("--workspace", "Matter 7", "--data", data)
    assert "no workspace" in _failed(run("search", "q", "--workspace", "None", "--data", data))
    assert "missing.pdf" in _failed(run("search", "q", "--document", "missing.pdf", *at))
    assert "empty" in _failed(run("ask", " ", *at))
    assert "no file or folder" in _failed(run("ingest", tmp_path / "missing", *at))
    assert "needs a name" in _failed(run("ingest", __file__, "--workspace", "", "--data", data))
    assert "nobody signs in" in _failed(run("serve", "--address", "0.0.0.0", "--data", data))  # noqa: S104
    monkeypatch.setenv("MUNIMENT_PORT", "high")
    assert "whole number" in _failed(run("documents", *at))


def test_the_data_folder_is_named_by_argument_or_variable(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUNIMENT_DATA", str(data))
    assert len(run("documents", "--workspace", "Matter 7")[1]) == 3


def test_a_process_of_its_own_says_nothing_beside(run: Run, data: Path) -> None:
    """As a program calls it: rows to a pipe, no progress bar, no warning, no word of a library."""
    at = ["--workspace", "Matter 7", "--data", str(data)]
    done = subprocess.run(
        [sys.executable, ROOT / "cli.py", "ingest", ROOT / "LICENSE", *at, "--json"],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    (row,) = _rows(done.stdout.decode().splitlines())
    assert (row["document"], row["status"]) == ("LICENSE", "ready")
    assert run("delete", "LICENSE", *at) == (0, [], "")


def test_a_reader_who_leaves_is_no_failure(tmp_path: Path) -> None:
    claims = tmp_path / "claims.jsonl"
    row = json.dumps({"id": "x", "claim": "It rains.", "sources": ["It rains."]})
    claims.write_text("\n".join([row] * 3000))
    command = f'"{sys.executable}" "{ROOT / "cli.py"}" check --batch "{claims}" | head -1'
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.slow
def test_progress_is_drawn_on_a_terminal_only(tmp_path: Path) -> None:
    """The same call with its standard error on a terminal draws a bar there."""
    (tmp_path / "a.txt").write_text(LEASE)
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    done = subprocess.run(
        [sys.executable, ROOT / "cli.py", "ingest", tmp_path / "a.txt", "--workspace", "w"],
        env={**os.environ, "MUNIMENT_DATA": str(tmp_path / "data")},
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=False,
        timeout=60,
    )
    os.close(theirs)
    drawn = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "taking in" in drawn
    assert "reading" in drawn
    assert "document" in drawn


def test_the_data_folder_is_named_before_or_after_the_command(tmp_path: Path) -> None:
    before = cli.parser().parse_args(["--data", str(tmp_path), "doctor"])
    after = cli.parser().parse_args(["doctor", "--data", str(tmp_path)])
    assert before.data == after.data == tmp_path
    assert cli.parser().parse_args(["doctor"]).data is None
