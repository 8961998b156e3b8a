"""The rows of a tenant's days: what rules and models beside the live ones would have done, and drift.

    B tenant                -> the days that have a row, ascending
    D tenant day partition  -> what is counted of the payments that were judged in the day

Days (UTC, since 1970-01-01) are those of the tenant's time on the partition. A day has a row if something is
counted in it; the row is deleted when the tenant's newest such day is DAYS_KEPT later.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.layouts import RowKind, unpacker
from pipeline.domain.kernel.rows import row_key

DAY_ROW = RowKind("fraud", "day", "D")
DAYS_ROW = RowKind("fraud", "days", "B")
DAYS_KEPT = 35
RULES_MAX = 100
"""Rules in state shadow that a day counts; of more those whose labels come first."""


class ShadowRule(msgspec.Struct, array_like=True, gc=False):
    """A rule in state shadow, on a day."""

    label: str
    """Its id and version, `fan_out@3`."""
    fired: int = 0
    added: int = 0
    """Payments of which no alert was made, and of which it would have made one."""


class ShadowModel(msgspec.Struct, array_like=True, gc=False):
    """The shadow model, on a day."""

    name: str
    payments: int = 0
    """That it scored."""
    alerts: int = 0
    """Of these: not approved, were it live."""
    added: int = 0
    """Of these: approved now, and not approved then."""
    lost: int = 0
    """Of these: not approved now, and approved then."""


class LiveModel(msgspec.Struct, array_like=True, gc=False):
    """The live model, on a day."""

    name: str
    payments: int = 0
    """That it scored."""
    counts: list[int] = []
    """How many of them are in each of its bins; none once the day is over."""
    moved: list[tuple[str, int]] | None = None
    """Once the day is over: what has moved, with its index in basis points. None: too few payments."""


class Day(msgspec.Struct, array_like=True, gc=False):
    """What is counted on a day."""

    is_over: bool = False
    rules: list[ShadowRule] = []
    """By label."""
    shadow: ShadowModel | None = None
    live: LiveModel | None = None


class Days(msgspec.Struct, array_like=True, gc=False):
    """The days of a tenant that have a row."""

    days: list[int] = []


read_day = unpacker(DAY_ROW, Day)
"""Return the day of a row. Raises UnreadableRow."""
read_days = unpacker(DAYS_ROW, Days)
"""Return the days of a row. Raises UnreadableRow."""


def day_key(tenant_id: str, day: int, partition: int) -> bytes:
    """Return the row key of a day, which is not before 1970."""
    return row_key(DAY_ROW.family, tenant_id, f"{day:09}", f"{partition:04}")


def days_key(tenant_id: str) -> bytes:
    """Return the row key of a tenant's days."""
    return row_key(DAYS_ROW.family, tenant_id)
