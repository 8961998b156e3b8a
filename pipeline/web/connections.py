"""The web server's connections: how many, how long they may be idle, and how long an answer may take to send.

    accept -> room? (else the longest idle one goes; none idle: 503) -> the head of a request within IDLE_S
           -> handler -> sent within SENT_WITHIN_S -> next request's head within IDLE_S

Each connection is a file descriptor, and RocksDB and the Kafka clients need some of the same process. So
their number is bounded; and as an idle one gives way to a new one, whoever opens many and says nothing does
not keep others out.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from pipeline.web.problems import HEADERS, RETRY_AFTER_S, problem_response

LOG = logging.getLogger(__name__)

SPARED_S = 1.0
"""An idle connection gives way only after so long: a client that has just connected is about to ask."""
REFUSED_MAX = 64
"""Connections that are being told that there is no room; more are closed without a word."""
REFUSED_S = 0.5
"""How long such a client may take to read it."""
IDLE_S = 10.0
"""A connection without a whole head of a request for so long is closed, however many bytes trickle in."""
SENT_WITHIN_S = 10.0
"""How long a client may take to read an answer, beyond what the system's buffers hold."""
CLOSED_WITHIN_S = 5.0
"""How long a connection that is closed may take to send what it has left."""
STOPPED_WITHIN_S = 2.0
"""How long the requests that are being answered may hold up the end of the worker."""
HEADERS_MAX = 64
NO_ROOM_TEXT = "the worker has no connection left: ask again in a moment"
_NO_ROOM = (
    "".join(
        f"{line}\r\n"
        for line in (
            "HTTP/1.1 503 Service Unavailable",
            *(f"{name}: {value}" for name, value in HEADERS.items()),
            "Content-Type: text/plain",
            "Connection: close",
            f"Retry-After: {RETRY_AFTER_S}",
            f"Content-Length: {len(NO_ROOM_TEXT)}",
            "",
        )
    ).encode()
    + NO_ROOM_TEXT.encode()
)
"""Sent as it is: a request that is not going to be answered is not read either."""


class Connection(RequestHandler):
    """One connection of a client."""

    __slots__ = ("idle_since",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, if there is room."""
        self.idle_since = self._loop.time()
        super().connection_made(transport)
        opened, server = cast(asyncio.Transport, transport), cast(Server, self._manager)
        if self._task_handler is not None:
            self._task_handler.add_done_callback(lambda _: self._abort_later(opened))
        if not server.make_room_for(self):
            opened.write(_NO_ROOM)
            self._close = True  # what it sends is read, and not looked at: a reset would take our words back
            self._loop.call_later(REFUSED_S if server.may_refuse else 0.0, self.force_close)

    @property
    def is_idle(self) -> bool:
        """Whether no request of it is being answered."""
        return self._waiter is not None and not self._messages

    @property
    def is_closing(self) -> bool:
        """Whether it is on its way out."""
        return bool(self._force_close or self._close)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; a client that does not read it in time loses the connection."""
        transport = self.transport
        last = None
        if transport is not None:
            last = self._loop.call_later(SENT_WITHIN_S, transport.abort)
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if last is not None:
                last.cancel()
            self.idle_since = self._loop.time()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what is no request, or to one that failed outside of the pages.

        Raises ConnectionError where a part of another answer is sent already.
        """
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        if status >= 500:
            LOG.error("a request failed", exc_info=exc)
            detail = "the request failed; the worker's log says why"
        else:
            detail = "this is no HTTP/1.1 request with a Host, or a line of it is too long: check the client"
        response = problem_response(status, detail, {})
        response.force_close()
        return response

    def _abort_later(self, transport: asyncio.Transport) -> None:
        """Give a client that does not read a moment to take what is left, then end the connection."""
        if transport.get_write_buffer_size():
            self._loop.call_later(CLOSED_WITHIN_S, transport.abort)


class Server(web.Server):
    """Makes the connections, and keeps their number within bounds."""

    def __init__(self, made: web.Server, connections_max: int) -> None:
        """`made`: aiohttp's server of the application."""
        super().__init__(
            made.request_handler, request_factory=made.request_factory, loop=made._loop, **made._kwargs
        )
        self._most = connections_max

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return Connection(self, loop=self._loop, **self._kwargs)

    def make_room_for(self, new: Connection) -> bool:
        """Close the longest idle connection if there are too many; return whether there is room now."""
        opened = [one for one in cast(list[Connection], self.connections) if not one.is_closing]
        if len(opened) <= self._most:
            return True
        longest = min((one for one in opened if one.is_idle), key=lambda one: one.idle_since, default=new)
        if longest is new or self._loop.time() - longest.idle_since < SPARED_S:
            return False
        longest.force_close()
        return True

    @property
    def may_refuse(self) -> bool:
        """Whether one more client may be told that there is no room."""
        return len(self.connections) <= self._most + REFUSED_MAX


class Runner(web.AppRunner):
    """Runs an application behind bounded connections."""

    def __init__(self, application: web.Application, connections_max: int) -> None:
        super().__init__(
            application,
            access_log=None,
            keepalive_timeout=IDLE_S,
            lingering_time=0.0,  # no page reads a body
            max_headers=HEADERS_MAX,
            shutdown_timeout=STOPPED_WITHIN_S,
        )
        self._most = connections_max

    async def _make_server(self) -> web.Server:
        return Server(await super()._make_server(), self._most)


def bound(server: Any, connections_max: int) -> None:
    """Have Faust's web server run behind bounded connections; before it starts."""
    server._runner = Runner(server.web_app, connections_max)
