"""A broker that does not say goodbye under TLS keeps no client from stopping."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from pipeline.runtime.kafka import closing
from tests.progress import SILENCE_S
from tests.security.certificates import Authority
from tests.security.test_tls import client_context, listening, server_context

STOPS_WITHIN_S = 10.0
"""Generous for a busy machine, and far below the 30 s that an event loop waits for close_notify."""
ASKED_BYTES = 30_000


class RudeBroker:
    """Answers the first request, takes the second, and never parts from a client in good order."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.got = 0
        self.heard = threading.Event()
        self.may_end = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        with self.context.wrap_socket(connection, server_side=True) as channel:
            (correlation_id,) = struct.unpack_from(">i", self._request(channel), 4)
            supports_nothing = struct.pack(">ihi", correlation_id, 0, 0)
            channel.sendall(struct.pack(">i", len(supports_nothing)) + supports_nothing)
            self.got = len(self._request(channel))
            self.heard.set()
            self.may_end.wait(SILENCE_S)

    def _request(self, channel: ssl.SSLSocket) -> bytes:
        (size,) = struct.unpack(">i", self._exactly(channel, 4))
        return self._exactly(channel, size)

    def _exactly(self, channel: ssl.SSLSocket, size: int) -> bytes:
        got = b""
        while len(got) < size:
            more = channel.recv(size - len(got))
            if not more:
                raise ConnectionError
            got += more
        return got


async def ask_and_close(port: int, context: ssl.SSLContext) -> None:
    """Ask something, and close at once. Raises TimeoutError where that takes more than STOPS_WITHIN_S."""
    connection = AIOKafkaConnection("127.0.0.1", port, ssl_context=context, security_protocol="SSL")
    await connection.connect()
    connection._versions = {MetadataRequest.API_KEY: (0, 0)}
    asked = asyncio.ensure_future(connection.send(MetadataRequest(["a" * ASKED_BYTES])))
    await asyncio.sleep(0)
    await asyncio.wait_for(connection.close(), STOPS_WITHIN_S)
    with pytest.raises(KafkaConnectionError):
        await asked


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AIOKafkaConnection, "close", closing.close)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_stop_does_not_wait_for_a_broker_that_says_no_goodbye(
    authority: Authority, installed: None, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    broker = RudeBroker(server_context(authority.sign("broker")))
    with listening(broker) as port:
        run(ask_and_close(port, client_context(authority)))
        assert broker.heard.wait(SILENCE_S) and broker.got > ASKED_BYTES  # what was written has gone out
        broker.may_end.set()


class Stuck:
    """A consumer whose stop passes on that it has cancelled a fetch of its own, or waits for ever."""

    def __init__(self, waits: bool = False) -> None:
        self.closed = False
        self.waits = waits
        self._client = self

    async def stop(self) -> None:
        if self.waits:
            await asyncio.Event().wait()
        raise asyncio.CancelledError

    async def close(self) -> None:
        self.closed = True


async def test_a_consumer_whose_broker_has_died_is_given_back() -> None:
    consumer = Stuck()
    await closing.stop(consumer)
    assert consumer.closed


async def test_who_is_cancelled_while_a_consumer_stops_stays_so() -> None:
    consumer = Stuck(waits=True)
    stopping = asyncio.ensure_future(closing.stop(consumer))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert consumer.closed


class Swallowing(Stuck):
    """Takes its caller's cancellation for that of its own task, as aiokafka's fetcher does."""

    async def stop(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


async def test_who_is_cancelled_is_told_although_the_consumer_swallows_it() -> None:
    stopping = asyncio.ensure_future(closing.stop(Swallowing()))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping


async def test_an_earlier_cancellation_is_not_told_twice() -> None:
    """Whoever is cancelled and gives back a consumer on the way out goes out with what he was told."""

    async def cleans_up() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await closing.stop(Stuck())
        return "cleaned up"

    working = asyncio.ensure_future(cleans_up())
    await asyncio.sleep(0)
    working.cancel()
    assert await working == "cleaned up"
