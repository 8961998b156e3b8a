"""Validity of ids from upstream: each must fit into a key, a row and a URL, and be unambiguous there."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from pipeline.domain.kernel.outbox import Reject

ID_CHARS_MAX = 256
IN_KEYS = (
    *("tenant_id", "account_id", "debtor_account_id", "creditor_account_id", "payment_id"),
    *("capture_id", "journal_id", "confirmation_id", "reversal_id", "period_id", "link_id", "request_id"),
)
"""Ids that are joined by `/` in record keys and URLs, so they must not contain one."""
_IDS = frozenset({*IN_KEYS, "event_id", "instrument_id", "trade_id", "statement_id", "proposal_id"})


@cache
def _ids_of(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(kind) if field.name in _IDS)


def check_ids(event: Any) -> None:
    """Check all ids of an event, and those of its payments where it has several.

    Raises Reject (invalid_id) for an id that is empty, longer than ID_CHARS_MAX or contains NUL, and for one
    of IN_KEYS that contains `/`.
    """
    for part in getattr(event, "payments", None) or ():
        check_ids(part)
    for name in _ids_of(event.__class__):
        value: str | None = getattr(event, name)
        if value is None:
            continue  # optional, and not given
        if not value or len(value) > ID_CHARS_MAX or "\0" in value or ("/" in value and name in IN_KEYS):
            raise Reject("invalid_id", name)
