"""The rows of requests.

r tenant request    a request that came in: what it asks for, when, whether its commands are in the log
e tenant            the queue of a tenant's requests by their time, and its buckets (`kernel.retention`)
f tenant number
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.layouts import RowKind, unpacker
from pipeline.domain.kernel.retention import QueueKind
from pipeline.domain.kernel.rows import row_key

REQUEST_ROW = RowKind("requests", "request", "r")
CLAIMED = QueueKind("requests", "claimed", "ef")
CLAIMED_ROW, CLAIMED_BUCKET_ROW = CLAIMED.state, CLAIMED.bucket


class Command(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A command that a request asks for."""

    topic: str
    event: str
    """Its full record name."""
    event_id: str
    key: str
    """The key of its record: tenant and account, instrument or period."""


class Request(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The first request of an id."""

    content_hash: str
    claimed_at: int
    """When it came in, microseconds UTC."""
    claim_id: str
    """The event_id of its claim."""
    sent: bool
    """Whether all its commands are known to be in the log."""
    commands: tuple[Command, ...]


def request_key(tenant_id: str, request_id: str) -> bytes:
    """Return the row key of a request."""
    return row_key(REQUEST_ROW.family, tenant_id, request_id)


unpack_request = unpacker(REQUEST_ROW, Request)
"""Return the request of a row. Raises UnreadableRow."""
