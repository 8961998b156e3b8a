"""A reader of topics whose broker has died closes, and says nothing about what aiokafka cancelled."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.runtime.kafka.bounded import BoundedConsumer


class Client:
    """Stands for aiokafka's: its connections."""

    def __init__(self) -> None:
        self.closed = False

    async def close(self) -> None:
        self.closed = True


class Consumer:
    """Stands for aiokafka's while a fetch waits after a failure: its stop passes on the cancellation."""

    def __init__(self) -> None:
        self._client = Client()

    async def stop(self) -> None:
        waiting = asyncio.ensure_future(asyncio.sleep(60))
        await asyncio.sleep(0)
        waiting.cancel()
        await waiting


def test_a_reader_whose_broker_has_died_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, consumer = BoundedConsumer({"bootstrap.servers": "127.0.0.1:9", "group.id": "g"}), Consumer()
    monkeypatch.setattr(reader, "_consumer", consumer)
    reader.close()
    assert consumer._client.closed
