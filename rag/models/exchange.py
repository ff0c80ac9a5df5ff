"""One question to a model's server over HTTP: its lines as they come, stoppable at any moment.

Knows HTTP and no server's language. Only the address given is talked to: redirects are not
followed, proxies named in the environment are ignored, and what comes back is bounded.

Surprising: each exchange has a thread with an event loop of its own. A blocking read could not be
stopped before a server's first byte, and a model that is being loaded sends none for a minute;
cancelling the loop's task closes the connection at once, which is how these servers learn that
nobody listens any more. While nothing comes, the generator yields None about four times a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from dataclasses import dataclass, field

import httpx

from rag.errors import ModelUnavailable

HEARTBEAT_SECONDS = 0.25
CONNECT_SECONDS = 3.0
LONGEST_LINE = 1_000_000
MOST_BYTES = 32_000_000
MOST_OF_A_REFUSAL = 64_000
MOST_OF_A_LOOKUP = 16_000_000


class Refused(Exception):
    """The server answered with another status than 200; ``body`` is what it said."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


class Unreachable(Exception):
    """No connection came about."""


class CutShort(Exception):
    """The connection ended, or what came over it was no answer."""


class Silent(Exception):
    """Nothing came within the limit; ``first`` tells that not even a first line did."""

    def __init__(self, first: bool, seconds: float) -> None:
        super().__init__(first, seconds)
        self.first = first
        self.seconds = seconds


Failure = Refused | Unreachable | CutShort | Silent
FAILURES = (Refused, Unreachable, CutShort, Silent)


@dataclass(frozen=True, slots=True)
class Post:
    """A JSON body to be sent to ``url``, and how long to wait for the first and further lines."""

    url: str
    body: Mapping[str, object]
    first_seconds: float
    further_seconds: float
    headers: Mapping[str, str] = field(default_factory=dict)


def server_address(url: str, setting: str) -> str:
    """Return a server's address without a slash at its end.

    Raises:
        ModelUnavailable: it is no http or https address of a host.
    """
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.query:
        raise ModelUnavailable(
            f"The setting “{setting}” is no address of a server: {url!r}.",
            "It looks like http://127.0.0.1:11434.",
        )
    return str(parsed).rstrip("/")


def lines(post: Post) -> Generator[str | None, None, None]:
    """Yield each line of the answer that says something, and None now and then while waiting.

    Closing the generator closes the connection.

    Raises:
        Refused, Unreachable, CutShort, Silent: see there.
    """
    exchange = _Exchange(post)
    first = True
    try:
        while True:
            limit = post.first_seconds if first else post.further_seconds
            item = yield from exchange.next(first, limit)
            if item is None:
                return
            first = False
            yield item
    finally:
        exchange.stop()


class _Exchange:
    """The thread, its event loop, and the queue of lines that it fills."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._items: queue.SimpleQueue[str | Exception | None] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._fill())
        self._thread = threading.Thread(target=self._run, daemon=True, name="model-exchange")
        self._thread.start()

    def next(self, first: bool, limit: float) -> Generator[None, None, str | None]:
        """Return the next line, or None at the end; yield now and then while waiting."""
        deadline = time.monotonic() + limit
        while True:
            try:
                item = self._items.get(timeout=min(HEARTBEAT_SECONDS, limit))
            except queue.Empty:
                if time.monotonic() >= deadline:
                    raise Silent(first, limit) from None
                yield None
                continue
            if isinstance(item, Exception):
                raise item
            return item

    def stop(self) -> None:
        """Close the connection; returns when it is closed, or after a second."""
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(1.0)

    def _run(self) -> None:
        try:
            with contextlib.suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._task)
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()
            self._items.put(CutShort("the exchange ended"))  # whatever happened, nobody waits on

    async def _fill(self) -> None:
        try:
            async for line in _read(self._post):
                self._items.put(line)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self._items.put(Unreachable(str(error)))
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            self._items.put(CutShort(f"{type(error).__name__}: {error}"))
        except FAILURES as failure:
            self._items.put(failure)
        else:
            self._items.put(None)


async def _read(post: Post) -> AsyncIterator[str]:
    limits = httpx.Timeout(None, connect=CONNECT_SECONDS)
    headers = {"Accept-Encoding": "identity", "Content-Type": "application/json", **post.headers}
    content = json.dumps(post.body, ensure_ascii=False).encode()
    async with (
        httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=limits) as client,
        client.stream("POST", post.url, content=content, headers=headers) as response,
    ):
        if response.status_code != httpx.codes.OK:
            raise Refused(response.status_code, await _refusal(response))
        async for line in _split(response):
            if line and not line.startswith(":"):  # a comment only keeps the line open
                yield line


async def _refusal(response: httpx.Response) -> str:
    body = b""
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(CONNECT_SECONDS):
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > MOST_OF_A_REFUSAL:
                    break
    return body[:MOST_OF_A_REFUSAL].decode(errors="replace")


async def _split(response: httpx.Response) -> AsyncIterator[str]:
    rest = b""
    total = 0
    async for piece in response.aiter_raw():
        total += len(piece)
        *whole, rest = (rest + piece).split(b"\n")
        if total > MOST_BYTES or len(rest) > LONGEST_LINE:
            raise CutShort("more came back than an answer can be")
        for line in whole:
            yield line.decode().strip()
    yield rest.decode().strip()


class BoundedTransport(httpx.HTTPTransport):
    """For short look-ups: an answer of more than :data:`MOST_OF_A_LOOKUP` bytes breaks off."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, uncompressed, and bound what is read of its answer."""
        request.headers["Accept-Encoding"] = "identity"
        response = super().handle_request(request)
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _Bounded(response.stream)
        return response


class _Bounded(httpx.SyncByteStream):
    def __init__(self, inner: httpx.SyncByteStream) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        total = 0
        for piece in self._inner:
            total += len(piece)
            if total > MOST_OF_A_LOOKUP:
                raise httpx.ReadError("more came back than a look-up can be")
            yield piece

    def close(self) -> None:
        self._inner.close()
