"""Times as the domain has them: integers, microseconds since 1970-01-01 UTC."""

from __future__ import annotations

from datetime import UTC, datetime

MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_DAY = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
