"""Closing aiokafka's clients: nobody waits for a goodbye under TLS, and a dead broker holds nothing up.

    close() -> what is written goes out, and close_notify -> aborted after CLOSES_WITHIN_S

A client that stops waits until all its connections are closed. Under TLS the event loop waits for the
broker's close_notify, for up to 30 s. Kafka (4.1.2) reads the client's own only after it has answered the
request that is under way, such as a fetch that finds nothing; where both have come in one piece, it never
looks at it. Neither does a broker that stands still. Nothing is lost by not waiting: the requests under way
have failed by then, and nobody waits for their answers.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.conn import AIOKafkaConnection

CLOSES_WITHIN_S = 0.1
"""How long a connection under TLS may take to send what is written and to part in good order."""

_plain_close = AIOKafkaConnection.close
"""aiokafka's own method, from before the change."""


def close(self: Any, reason: Any = None, exc: Any = None) -> Any:
    """Close as aiokafka does, but not for longer than CLOSES_WITHIN_S."""
    writer = self._writer
    closed = _plain_close(self, reason, exc)
    if writer is not None and writer.get_extra_info("ssl_object") is not None and not closed.done():
        late = self._loop.call_later(CLOSES_WITHIN_S, writer.transport.abort)
        closed.add_done_callback(lambda _: late.cancel())
    return closed


async def stop(consumer: Any) -> None:
    """Give back a consumer's connections, also where the broker has died.

    aiokafka's own stop passes on that it has cancelled a fetch that waits after a failure, and then leaves
    its connections open; and it may take its caller's cancellation for that of its own task.

    Raises CancelledError where its own caller is cancelled meanwhile.
    """
    task = asyncio.current_task()
    cancelled = task.cancelling() if task is not None else 0
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        await consumer._client.close()
    if task is not None and task.cancelling() > cancelled:
        raise asyncio.CancelledError
