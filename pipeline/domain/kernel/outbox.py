"""Outputs of a stream's rules: events to emit, records to forward, or a rejection of the input.

The domain never talks to Kafka. It appends to an `Outbox`; the runtime encodes its items and sends them
in the same transaction as the rows. Order in the outbox is the order in the output topic, per partition.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any, NamedTuple

from pipeline.domain.kernel.routing import cause_name

NAMESPACE = uuid.UUID("6f2a1f0e-3d0b-5a86-9a3c-2f9b4c1d7e55").bytes


def derived_id(cause: str, name: str) -> str:
    """Return the id of an event that a cause gives rise to: a UUIDv5 (RFC 9562), the same on every replay.

    `cause` is `routing.cause_name` of the causing event. `name` distinguishes the events of one cause.
    It uses hashlib directly because `uuid.uuid5` spends most of its time on building a UUID object.
    """
    named = NAMESPACE + f"{cause}\0{name}".encode()
    digest = hashlib.sha1(named).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def envelope(cause: Any, name: str) -> tuple[str, str, int, str, str]:
    """Return the first five fields of an event caused by `cause`: event_id to causation_id."""
    event_id = derived_id(cause_name(cause), name)
    return event_id, cause.tenant_id, cause.occurred_at, cause.correlation_id, cause.event_id


class Reject(Exception):
    """An input that cannot be applied: it goes to dead letters with `code` (snake_case) and `detail`.

    Raised before the first write and the first emit of an event. `detail` must not quote the payload.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class Arrival(NamedTuple):
    """The position and the time of an input record in its log."""

    recorded_at: int
    """Kafka's timestamp, microseconds UTC."""
    partition: int
    partitions: int
    offset: int = -1
    """-1 where it is not needed."""


class Outbox:
    """Outputs of a run of events, in order."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: list[tuple[str, str, Any]] = []
        """(topic, key, event). Of a forwarded record the event is None; key "*" means every partition."""

    def emit(self, topic: str, key: str, event: Any) -> None:
        """Send `event` (a Struct of `kernel.events`) to `topic` under `key` (tenant/account)."""
        self.items.append((topic, key, event))

    def forward(self, topic: str) -> None:
        """Forward the input record to `topic` unchanged: same key, same bytes, in order with the emits."""
        self.items.append((topic, "", None))

    def broadcast(self, topic: str) -> None:
        """Forward the input record, unchanged, to every partition of `topic`."""
        self.items.append((topic, "*", None))
