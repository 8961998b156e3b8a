"""Which ids an upstream may use: those that fit into a key, a row and an address, and name one thing only."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from pipeline.domain.kernel.outbox import Reject

ID_CHARS_MAX = 256
IN_KEYS = (
    *("tenant_id", "account_id", "debtor_account_id", "creditor_account_id", "payment_id"),
    *("capture_id", "journal_id", "reversal_id", "period_id"),
)
"""Ids that a `/` follows in a record key or an address: with one inside, two things could have one name."""
_IDS = frozenset({*IN_KEYS, "event_id", "instrument_id", "trade_id", "statement_id"})


@cache
def _ids_of(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(kind) if field.name in _IDS)


def check_ids(event: Any) -> None:
    """Raise `Reject` (invalid_id) for an id that is empty, too long, or could be read as another one."""
    for name in _ids_of(event.__class__):
        value: str | None = getattr(event, name)
        if value is None:
            continue  # there is none
        if not value or len(value) > ID_CHARS_MAX or "\0" in value or ("/" in value and name in IN_KEYS):
            raise Reject("invalid_id", name)
