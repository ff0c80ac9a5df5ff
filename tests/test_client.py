"""The terminal and a running server: found by the lock, the same rows, strangers refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

import cli
from ingest.engine import open_engine
from rag import config
from rag.client import Local, Remote
from rag.errors import BadRequest, DataFolderBusy, NotFound, TooLarge
from rag.store.lock import owner
from tests import server
from tests.conftest import settings_for

QUESTION = "How much notice must the tenant give?"
LEASE = "Lease Suite 3 Ropewalk House 2022.pdf"
WORKSPACE = "Smith/Jones 100%"
Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served") / "data"


@pytest.fixture(scope="module")
def served(data: Path) -> Iterator[server.Server]:
    """A server, with two of the samples ingested through it by the terminal."""
    running = server.start(data, max_upload_mb=5)
    try:
        folder = config.shipped("samples") / "documents"
        files = [str(folder / name) for name in (LEASE, "Field Trip Policy.md")]
        at = ["--workspace", WORKSPACE, "--data", str(data)]
        assert cli.main(["ingest", *files, *at]) == 0
        yield running
    finally:
        running.stop()


@pytest.fixture
def remote(served: server.Server) -> Iterator[Remote]:
    with closing(Remote(served.url)) as found:
        yield found


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], served: server.Server, data: Path) -> Run:
    assert served.process.poll() is None

    def call(*arguments: str) -> tuple[int, list[str], str]:
        capsys.readouterr()
        code = cli.main([*arguments, "--workspace", WORKSPACE, "--data", str(data)])
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err

    return call


def _row(lines: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(lines[0])
    return row


def test_the_lock_tells_where_the_server_is(served: server.Server, data: Path) -> None:
    found = owner(data)
    assert found is not None
    assert found.pid == served.process.pid
    assert found.url == served.url
    response = httpx.get(f"{served.url}/healthz", trust_env=False)
    assert response.json() == {"status": "ok"}


def test_the_terminal_works_through_it(run: Run) -> None:
    code, lines, said = run("documents", "--json")
    assert (code, said) == (0, "")
    rows = [json.loads(line) for line in lines]
    assert [(row["document"], row["status"]) for row in rows] == [
        ("Field Trip Policy.md", "ready"),
        (LEASE, "ready"),
    ]
    _, lines, _ = run("search", QUESTION, "--json", "-k", "2")
    assert [hit["rank"] for hit in _row(lines)["hits"]] == [1, 2]
    code, lines, _ = run("ask", QUESTION, "--json")
    assert _row(lines)["outcome"] == "answered"
    assert _row(lines)["citations"][0]["document"] == LEASE
    code, lines, _ = run("ask", QUESTION)
    assert "months" in " ".join(lines)


def test_care_goes_through_it_too(run: Run, remote: Remote) -> None:
    count = int(run("reindex")[1][0].split()[0])
    assert count == sum(row["passages"] for row in remote.documents(WORKSPACE))
    assert remote.doctor(repair=False) == []


def test_the_same_rows_with_and_without_a_server(remote: Remote, tmp_path: Path) -> None:
    with open_engine(settings_for(tmp_path / "data")) as engine:
        local = Local(engine.assistant)
        assert local.create_workspace(" Smith/Jones  100% ") == WORKSPACE
        assert remote.create_workspace("smith/jones 100%") == WORKSPACE
        for name in (LEASE, "Field Trip Policy.md"):
            path = config.shipped("samples") / "documents" / name
            row = local.upload(WORKSPACE, name, path)
            assert set(remote.upload(WORKSPACE, name, path)) == set(row)
        assert engine.worker.wait_idle(60)
        for ours, theirs in zip(
            local.documents(WORKSPACE), remote.documents(WORKSPACE), strict=True
        ):
            assert {**ours, "id": 0} == {**theirs, "id": 0}
        for documents in (None, ["Field Trip Policy.md"]):
            rows = [desk.search(WORKSPACE, QUESTION, documents, 5) for desk in (local, remote)]
            assert _hits(rows[0]) == _hits(rows[1])
        events = [list(desk.ask(WORKSPACE, QUESTION, None)) for desk in (local, remote)]
        names = [[name for name, _ in each] for each in events]
        assert names[0] == names[1]
        assert names[0][0] == "retrieved"
        assert names[0][-1] == "finished"
        last = [each[-1][1] for each in events]
        assert last[0]["answer"] == last[1]["answer"]
        assert last[0]["sentences"] == last[1]["sentences"]
        assert set(last[0]) == set(last[1])


def _hits(row: dict[str, Any]) -> list[tuple[object, ...]]:
    return [(hit["document"], hit["page"], hit["start"], hit["text"]) for hit in row["hits"]]


def test_errors_keep_their_kind(remote: Remote, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no workspace"):
        remote.documents("None")
    with pytest.raises(NotFound, match="no document"):
        remote.delete(WORKSPACE, "missing.pdf")
    with pytest.raises(NotFound, match=r"missing\.pdf"):
        remote.search(WORKSPACE, QUESTION, ["missing.pdf"], 5)
    with pytest.raises(BadRequest, match="empty"):
        list(remote.ask(WORKSPACE, " ", None))
    with pytest.raises(BadRequest, match="not understood"):
        remote.search(WORKSPACE, "q" * 5000, None, 5)
    with pytest.raises(BadRequest, match="cannot be read"):
        remote.upload(WORKSPACE, "x.txt", tmp_path / "missing.txt")
    large = tmp_path / "large.txt"
    with large.open("wb") as file:
        file.truncate(40_000_000)
    with pytest.raises(TooLarge, match="5 MB"):
        remote.upload(WORKSPACE, "large.txt", large)
    assert len(remote.documents(WORKSPACE)) == 2


def test_a_refused_file_does_not_keep_out_the_others(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "a large.txt").open("wb") as file:
        file.truncate(6_000_000)
    (tmp_path / "b small.txt").write_text("The school closes at four.")
    code, lines, _ = run("ingest", str(tmp_path), "--json")
    rows = {row["document"]: row for row in map(json.loads, lines)}
    assert code == 1
    assert rows["a large.txt"]["status"] == "failed"
    assert "5 MB" in rows["a large.txt"]["reason"]
    assert rows["b small.txt"]["status"] == "ready"
    assert run("delete", "b small.txt") == (0, [], "")


def test_a_workspace_is_deleted_through_it(remote: Remote) -> None:
    assert remote.create_workspace("short/lived") == "short/lived"
    remote.delete_workspace("short/lived")
    with pytest.raises(NotFound):
        remote.documents("short/lived")


def test_an_answer_streams(served: server.Server) -> None:
    """The first event comes before the last: it is sent when it happens, not at the end."""
    body = {"question": QUESTION}
    headers = {"accept": "text/event-stream"}
    path = f"{served.url}/api/v1/workspaces/Smith%2FJones%20100%25/ask"
    with httpx.stream("POST", path, json=body, headers=headers, trust_env=False) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "content-length" not in response.headers
        blocks = [line for line in response.iter_lines() if line.startswith("event: ")]
    assert blocks[0] == "event: retrieved"
    assert blocks[-1] == "event: finished"


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/v1/workspaces", "/api/v1/docs"])
@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
    ],
    ids=str,
)
def test_strangers_are_refused(served: server.Server, path: str, headers: dict[str, str]) -> None:
    response = httpx.get(f"{served.url}{path}", headers=headers, trust_env=False)
    assert response.status_code == 403
    assert "Samples" not in response.text


def test_every_answer_has_the_security_headers(served: server.Server) -> None:
    for path in ("/", "/healthz", "/api/v1/docs", "/api/v1/nothing"):
        response = httpx.get(f"{served.url}{path}", trust_env=False)
        assert "default-src 'self'" in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"


def test_a_second_server_on_the_folder_is_refused(served: server.Server, data: Path) -> None:
    environment = server.environment(data, port=server.free_port())
    done = subprocess.run(
        [sys.executable, server.ROOT / "cli.py", "serve"],
        env=environment,
        cwd=server.ROOT,
        capture_output=True,
        check=False,
        timeout=60,
    )
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (1, b"")
    assert said.count("\n") == 1
    assert f"process {served.process.pid}" in said
    assert served.url in said
    assert httpx.get(f"{served.url}/healthz", trust_env=False).status_code == 200


def test_sigterm_ends_it_cleanly_and_lets_the_folder_go(tmp_path: Path) -> None:
    running = server.start(tmp_path / "data")
    with closing(Remote(running.url)) as remote:
        assert remote.create_workspace("w") == "w"
        running.stop()
        with pytest.raises(DataFolderBusy, match="does not answer"):
            remote.documents("w")
        with pytest.raises(DataFolderBusy, match="does not answer"):
            list(remote.ask("w", QUESTION, None))
    assert running.process.returncode in {0, -15}, running.log.read_text()
    assert "Traceback" not in running.log.read_text()
    assert owner(tmp_path / "data") is None
    with open_engine(settings_for(tmp_path / "data")) as engine:
        assert [each.name for each in engine.assistant.workspaces()] == ["w"]
