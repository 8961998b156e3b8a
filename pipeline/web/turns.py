"""Turns for answers that are large: lists, histories, statements. As many at once as memory is meant for.

    a turn (or 503 after WAITED_S) -> rows -> text -> sent -> the turn of the next

A list in the making is a thousand objects and their text. The allocator keeps what thousands of them have
needed at once, so they go one after another, and what they leave is given back to the system.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from pipeline.web.connections import SENT_WITHIN_S
from pipeline.web.problems import unavailable

LISTS_AT_ONCE = 8
PEERS_AT_ONCE = 8
"""Those of peers have turns of their own: two workers that wait for each other would wait for ever."""
WAITED_S = 2.0
GIVE_BACK_AFTER_S = 5.0


def _trim_of_libc() -> Callable[[int], int] | None:
    """Return glibc's malloc_trim; None where the system has another allocator."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


class Turns:
    """Turns of one kind of answer; used in the web server's event loop only."""

    def __init__(self, at_once: int, waited_s: float = WAITED_S) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._waited_s = waited_s
        self._trim = _trim_of_libc()
        self._giving_back: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it. Raises `Problem` 503 where it does not come soon."""
        try:
            async with asyncio.timeout(self._waited_s):
                await self._free.acquire()
        except TimeoutError:
            raise unavailable(
                "the worker makes as many lists as it can at once: ask again after Retry-After, or for fewer"
                " at a time"
            ) from None
        try:
            yield
        finally:
            self._free.release()
            if self._giving_back is None and self._trim is not None:
                loop = asyncio.get_running_loop()
                self._giving_back = loop.call_later(GIVE_BACK_AFTER_S, self._give_back)

    def _give_back(self) -> None:
        """Return free memory to the system, in another thread: it takes some milliseconds."""
        self._giving_back = None
        if self._trim is not None:
            asyncio.get_running_loop().run_in_executor(None, self._trim, 0)


async def sent(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Send an answer within its turn, and return it. Raises ConnectionError where nobody reads it."""
    try:
        async with asyncio.timeout(SENT_WITHIN_S):
            await response.prepare(request)
            await response.write_eof()
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the client does not read its answer") from None
    return response
