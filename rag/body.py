"""A request's body as a file to read, for code that reads files and runs in a thread."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import anyio.from_thread
from starlette.requests import ClientDisconnect
from typing_extensions import Buffer


class Body(io.RawIOBase):
    """A readable stream over a body that arrives on the event loop.

    To be read in a thread started by ``anyio.to_thread.run_sync``; nothing is held but the block
    that arrived last, so a file of any size passes in little memory.
    """

    def __init__(self, blocks: AsyncIterator[bytes]) -> None:
        self._blocks = blocks
        self._left = b""

    def readable(self) -> bool:
        """Tell that this stream can be read."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Fill the buffer with what has arrived; 0 at the end.

        Raises:
            ConnectionError: the sender left before the end.
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
        return await anext(self._blocks)
