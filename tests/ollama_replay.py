"""A server on loopback that answers as a real one did: recorded exchanges, byte for byte.

Only the time is shortened. It notes what it was asked, and when who asked hung up.
"""

from __future__ import annotations

import json
import select
import socketserver
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

EXCHANGES = Path(__file__).parent / "exchanges"
SPEED = 50.0
JSON_LINES = {"Content-Type": "application/x-ndjson", "Transfer-Encoding": "chunked"}


@dataclass(frozen=True)
class Exchange:
    """What is answered: each line with its time in milliseconds; ``cut`` ends without an end."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: dict(JSON_LINES))
    lines: tuple[tuple[float, str], ...] = ()
    cut: bool = False
    model: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The answer's text, put together from the lines of a chat."""
        parts = [json.loads(line).get("message", {}) for _, line in self.lines]
        return "".join(part.get("content", "") for part in parts)


def recorded(number: int) -> Exchange:
    """Return a recorded exchange, in shortened time."""
    (file,) = EXCHANGES.glob(f"{number:02}-*.json")
    row = json.loads(file.read_text(encoding="utf-8"))
    answer = row["response"]
    return Exchange(
        answer["status"],
        answer["headers"],
        tuple((at / SPEED, line) for at, line in answer["lines"]),
        cut="ends_with" in answer,
        model=(row["request"]["body"] or {}).get("model", ""),
        request=row["request"],
    )


def invented(*lines: object, status: int = 200, every: float = 0, cut: bool = False) -> Exchange:
    """Return an exchange of our own: values become JSON lines; ``every`` is in milliseconds."""
    texts = [line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines]
    timed = tuple((every * (at + 1), text) for at, text in enumerate(texts))
    return Exchange(status, lines=timed, cut=cut)


Routes = Mapping[str, Exchange | Iterable[Exchange]]


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Replay:
    """The server. ``routes`` maps "POST /api/chat" to one exchange or, by model, to several."""

    def __init__(self, routes: Routes) -> None:
        self.routes = {
            where: (what,) if isinstance(what, Exchange) else tuple(what)
            for where, what in routes.items()
        }
        self.asked: list[Asked] = []
        self.hung_up = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.replay = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def paths(self) -> list[str]:
        return [f"{asked.method} {asked.path}" for asked in self.asked]

    def exchange(self, asked: Asked) -> Exchange:
        found = self.routes.get(f"{asked.method} {asked.path}")
        if not found:
            return replace(invented("404 page not found", status=404), cut=False)
        model = asked.body.get("model") if isinstance(asked.body, dict) else None
        return next((item for item in found if _same(item.model, model)), found[-1])


def _same(one: str, other: str | None) -> bool:
    return one.removesuffix(":latest") == (other or "").removesuffix(":latest")


class _Server(ThreadingHTTPServer):
    replay: Replay
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: those who hang up do so on purpose."""


class _Handler(BaseHTTPRequestHandler):
    server: socketserver.BaseServer

    def _answer(self) -> None:
        assert isinstance(self.server, _Server)
        replay = self.server.replay
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        asked = Asked(self.command, self.path, dict(self.headers.items()), body)
        replay.asked.append(asked)
        self.close_connection = True
        try:
            self._play(replay.exchange(asked))
        except OSError:
            replay.hung_up.set()

    do_GET = do_POST = do_HEAD = _answer  # noqa: N815 - the base class wants these names

    def _play(self, exchange: Exchange) -> None:
        chunked = exchange.headers.get("Transfer-Encoding") == "chunked"
        begun = time.monotonic()
        head = [f"HTTP/1.1 {exchange.status} Recorded"]
        head += [f"{name}: {value}" for name, value in exchange.headers.items()]
        head += ["Connection: close", "", ""]
        for at, line in exchange.lines:
            self._wait(begun + at / 1000 - time.monotonic())
            data = line.encode()
            framed = b"%x\r\n%s\r\n" % (len(data), data) if chunked else data
            self.wfile.write("\r\n".join(head).encode() + framed)
            head = []
        if head:
            self.wfile.write("\r\n".join(head).encode())
        if chunked and not exchange.cut:
            self.wfile.write(b"0\r\n\r\n")

    def _wait(self, seconds: float) -> None:
        """Wait, but notice it when who asked is gone."""
        readable, _, _ = select.select([self.connection], [], [], max(0.0, seconds))
        if readable and not self.connection.recv(1):
            raise ConnectionResetError

    def log_message(self, *_: object) -> None:
        """Say nothing."""
