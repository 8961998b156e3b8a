"""Routing of events: the record key, the partition, and the name that derived ids start from.

The declarations stand beside the topics (`schemas/<topic>/topic.toml`) and are copied into the event classes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

from pipeline.domain.kernel.events import EVENTS

KEY_FIELDS: dict[type, str] = {
    kind: field for kind in EVENTS.values() if (field := getattr(kind, "KEY_FIELD", None)) is not None
}
"""By event class: the field (account, instrument, period) after the tenant in the record key."""
BROADCAST = frozenset(kind for kind in KEY_FIELDS if getattr(kind, "BROADCAST", False))
"""Events that are copied to every partition of a log, whatever their key."""
BRANCH_EVENTS = frozenset(kind for kind in KEY_FIELDS if getattr(kind, "STAYS_ON_BRANCH", False))
"""Events about a branch's accounts. Those about its internal accounts stay on the branch's partition,
whatever their key."""
INTERNAL_PREFIX = "$"


def record_key(event: Any) -> str:
    """Return `tenant_id/<account, instrument or period>` of an event that a stream reads.

    Raises KeyError for an event that none reads.
    """
    return f"{event.tenant_id}/{getattr(event, KEY_FIELDS[type(event)])}"


def cause_name(event: Any) -> str:
    """Return the text from which ids of the events that `event` causes are derived (`outbox.derived_id`).

    The event id alone is not enough: two upstreams, or a faulty one, may use the same event id twice, and two
    entries of the journal must never share an id. So the text joins the tenant, the account, the payment
    (trade, statement, journal), the capture or reversal, and the event id by NUL, which no id contains.
    """
    return "\0".join(_named_by(event.__class__)(event))


@cache
def _named_by(kind: type) -> Callable[[Any], tuple[str, ...]]:
    names: tuple[str, ...] = kind.CAUSE_FIELDS  # type: ignore[attr-defined]
    parts: Callable[[Any], tuple[str, ...]] = attrgetter("tenant_id", *names, "event_id")
    if not any("None" in kind.__annotations__[name] for name in names):
        return parts
    # A part that is not given is left out, so that ids are as they were before there was such a part.
    return lambda event: tuple(part for part in parts(event) if part is not None)
