"""A real server in a process of its own, for tests that go through HTTP or a browser."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """A running ``muniment serve``."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it as a user would."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()


def environment(data: Path, **settings: object) -> dict[str, str]:
    """Return this process's environment with the settings of a server."""
    given = {"data": data, "ollama_url": "http://127.0.0.1:9", **settings}
    extra = {f"MUNIMENT_{name.upper()}": str(value) for name, value in given.items()}
    return {**os.environ, "PYTHONWARNINGS": "default", **extra}


def start(data: Path, **settings: object) -> Server:
    """Start a server on a free port and wait until it answers."""
    port = free_port()
    data.mkdir(parents=True, exist_ok=True)
    log = data.parent / f"{data.name}-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "cli.py"), "serve"],
            cwd=ROOT,
            env=environment(data, port=port, **settings),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(process, f"http://127.0.0.1:{port}", log)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        if _answers(server.url):
            return server
        time.sleep(0.1)
    server.kill()
    raise AssertionError(log.read_text())


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
