"""A request's body as a file to read, for code that reads files and runs in a thread.

Senders who stop sending must not stop everybody else, and the server has forty threads for all it
does. So bodies are read in a few threads of their own, :data:`THREADS`, and silence ends one.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
import anyio.from_thread
from starlette.requests import ClientDisconnect
from typing_extensions import Buffer

THREADS = anyio.CapacityLimiter(16)
"""For ``anyio.to_thread.run_sync(…, limiter=THREADS)``: so many bodies are read at once."""

SILENCE_SECONDS = 60.0
"""A sender who sends nothing for so long has gone."""


class Body(io.RawIOBase):
    """A readable stream over a body that arrives on the event loop.

    To be read in a thread started by ``anyio.to_thread.run_sync``; nothing is held but the block
    that arrived last, so a file of any size passes in little memory. ``silence`` is in seconds.
    """

    def __init__(self, blocks: AsyncIterator[bytes], silence: float = SILENCE_SECONDS) -> None:
        self._blocks = blocks
        self._silence = silence
        self._left = b""

    def readable(self) -> bool:
        """Tell that this stream can be read."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Fill the buffer with what has arrived; 0 at the end.

        Raises:
            ConnectionError: the sender left before the end.
            TimeoutError: the sender was silent for too long.
        """
        view = memoryview(buffer)
        while not self._left:
            try:
                self._left = anyio.from_thread.run(self._next)
            except StopAsyncIteration:
                return 0
            except ClientDisconnect as error:
                raise ConnectionError("the sender left") from error
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    async def _next(self) -> bytes:
        with anyio.fail_after(self._silence):
            return await anext(self._blocks)


async def drain(blocks: AsyncIterator[bytes]) -> None:
    """Read the rest of a body for nothing: a sender cut off in mid-sending never reads the reason.

    One who has left, or is silent for too long, is let go.
    """
    with suppress(ClientDisconnect, TimeoutError, StopAsyncIteration):
        while True:
            with anyio.fail_after(SILENCE_SECONDS):
                await anext(blocks)
