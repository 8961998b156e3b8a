"""Times as the domain has them: integers, microseconds since 1970-01-01 UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_DAY = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONG_AGO = -(2**63)
"""Before any other time."""
FAR_AHEAD_US = 400 * MICROSECONDS_PER_DAY
"""How far ahead of event time payments and journals may be scheduled."""
NO_END = 2**63 - 1
"""The end of a hold that has none: later than every time, microseconds UTC."""


def hold_end(event: Any) -> int | None:
    """Return when the hold ends that a payment or a journal asks for; None if it asks for none."""
    if event.hold_expires_at is not None or not event.hold:
        return event.hold_expires_at  # type: ignore[no-any-return]
    return NO_END
