"""Killed at random moments while it reads forty documents, the server loses and doubles nothing."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests import server as servers

DOCUMENTS = 40
KILLS = 20
WORKSPACE = "crash"


def _text(number: int) -> bytes:
    pick = random.Random(number)
    words = [
        "tenant",
        "landlord",
        "rent",
        "notice",
        "clause",
        "pupil",
        "teacher",
        "trip",
        "policy",
        "fee",
        "deposit",
        "repair",
    ]
    lines = [
        f"{line}. The {pick.choice(words)} of document {number} concerns {pick.choice(words)} "
        f"{pick.randint(1, 999)} and the {pick.choice(words)} of {pick.randint(1990, 2030)}."
        for line in range(1, 60)
    ]
    return "\n\n".join(lines).encode()


def _upload(url: str, number: int) -> bool:
    try:
        response = httpx.put(
            f"{url}/api/v1/workspaces/{WORKSPACE}/documents",
            params={"name": f"document-{number:02}.txt"},
            content=io.BytesIO(_text(number)).read(),
            trust_env=False,
            timeout=30,
        )
    except httpx.HTTPError:
        return False
    return response.status_code == 201


def _rows(url: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = httpx.get(
        f"{url}/api/v1/workspaces/{WORKSPACE}/documents", trust_env=False, timeout=30
    ).json()
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    chance = random.Random(20261121)
    waiting = set(range(DOCUMENTS))
    for round_number in range(KILLS):
        server = servers.start(data)
        httpx.post(
            f"{server.url}/api/v1/workspaces", json={"name": WORKSPACE}, trust_env=False, timeout=30
        )
        until = time.monotonic() + chance.uniform(0.0, 1.5)
        batch = sorted(waiting)[: -(-DOCUMENTS // KILLS) * (round_number + 1)]
        for number in batch:
            if time.monotonic() > until:
                break
            if _upload(server.url, number):
                waiting.discard(number)
        time.sleep(max(0.0, until - time.monotonic()))
        server.kill()
    server = servers.start(data)
    try:
        for number in sorted(waiting):
            assert _upload(server.url, number)
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            rows = _rows(server.url)
            if all(row["status"] in {"ready", "failed"} for row in rows):
                break
            time.sleep(0.2)
        assert [row["document"] for row in rows] == [
            f"document-{number:02}.txt" for number in range(DOCUMENTS)
        ]
        assert {row["status"] for row in rows} == {"ready"}
        assert {row["version"] for row in rows} == {1}
        assert len({row["sha256"] for row in rows}) == DOCUMENTS
    finally:
        server.stop()
    examined = subprocess.run(
        [sys.executable, str(servers.ROOT / "cli.py"), "doctor", "--json"],
        env=servers.environment(data),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (examined.returncode, examined.stdout) == (0, ""), examined.stdout + examined.stderr
    found = subprocess.run(
        [
            *(sys.executable, str(servers.ROOT / "cli.py"), "search", "document 17 rent"),
            *("--workspace", WORKSPACE, "--document", "document-17.txt", "--json"),
        ],
        env=servers.environment(data),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(found.stdout)["hits"][0]["document"] == "document-17.txt"
