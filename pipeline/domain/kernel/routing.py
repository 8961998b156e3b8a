"""Which account (instrument, period) an event belongs to: its key, its partition, its name as a cause.

All of it is declared with the topics (`schemas/<topic>/topic.toml`) and stands in the event classes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

from pipeline.domain.kernel.events import EVENTS
from pipeline.domain.kernel.partitions import partition_of

KEY_FIELDS: dict[type, str] = {
    kind: field for kind in EVENTS.values() if (field := getattr(kind, "KEY_FIELD", None)) is not None
}
"""The field that is the second part of the key of each event that a stream reads."""
BROADCAST = frozenset(kind for kind in KEY_FIELDS if getattr(kind, "BROADCAST", False))
"""Events that are copied to every partition of a log; their key says nothing about the partition."""
JOURNAL = frozenset(kind for kind in KEY_FIELDS if getattr(kind, "STAYS_ON_BRANCH", False))
"""What a branch says of its accounts; its internal ones are on its partition, wherever their key belongs."""
INTERNAL_PREFIX = "$"


def record_key(event: Any) -> str:
    """Return `tenant_id/<account, instrument or period>` of an event that a stream reads.

    Raises KeyError for an event that none reads.
    """
    return f"{event.tenant_id}/{getattr(event, KEY_FIELDS[type(event)])}"


def home_of(event: Any, key: str, partitions: int) -> int:
    """Return the partition that an event under its record key belongs to."""
    if type(event) in JOURNAL and event.account_id.startswith(INTERNAL_PREFIX):
        branch: int = event.branch
        return branch
    return partition_of(key, partitions)


def cause_name(event: Any) -> str:
    """Return what ids of the events that `event` causes are derived from (`outbox.derived_id`).

    The event id alone would not do: two upstreams, or one that is wrong, may use one for two things, and
    entries of the journal must not get one id then. So it is the tenant, the account, the payment (trade,
    statement, journal), the capture or reversal and the event id, with NUL between them, which no id has.
    """
    return "\0".join(_named_by(event.__class__)(event))


@cache
def _named_by(kind: type) -> Callable[[Any], tuple[str, ...]]:
    return attrgetter("tenant_id", *kind.CAUSE_FIELDS, "event_id")  # type: ignore[attr-defined]
