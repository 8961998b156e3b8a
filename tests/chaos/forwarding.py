"""Inputs: what intake passes on as it is, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterable

from tests.chaos.log_reader import Record
from tests.chaos.wire import (
    ACCOUNT_EVENTS,
    COMMANDS,
    ITEMS,
    JOURNAL_COMMANDS,
    PAYMENT_COMMANDS,
    POSITION_COMMANDS,
    STATEMENT_EVENTS,
    TRADE_EVENTS,
    Expected,
    has_impossible_id,
    misplaced,
)

FORWARDED = {
    "accounts": (COMMANDS, (*ACCOUNT_EVENTS, "PeriodClosed")),
    "journals": (COMMANDS, JOURNAL_COMMANDS),
    "statements": (ITEMS, STATEMENT_EVENTS),
    "trades": (POSITION_COMMANDS, TRADE_EVENTS),
    "prices": (POSITION_COMMANDS, ("PriceQuoted",)),
}
"""Inputs that are passed on as they are: to which log, and which events they may carry."""
DECISIONS = ("PaymentDecided", *PAYMENT_COMMANDS)
"""What the fraud stream says to the ledger."""


def predict_forwarding(records: Iterable[Record], partitions: int) -> tuple[dict[int, str], list[Expected]]:
    """Return what intake makes of an input: dead letters by offset, and what is passed on."""
    dead: dict[int, str] = {}
    passed: list[Expected] = []
    for record in records:
        code = misplaced(record, partitions) or refused_at_once(record)
        if code is not None:
            dead[record.offset] = code
            continue
        key, event, source = record.key or b"", record.event or "", record.offset
        target = FORWARDED[record.topic][0]
        passed.append(Expected(target, key, event, record.fields, source, record.value))
    return dead, passed


def refused_at_once(record: Record) -> str | None:
    """Return why intake refuses an event that is well-formed and in its place."""
    if record.event not in FORWARDED[record.topic][1]:
        return "unexpected_event"
    if has_impossible_id(record.fields):
        return "invalid_id"
    if record.event == "PeriodClosed":
        seen = min(record.fields["occurred_at"], record.timestamp_ms * 1000)
        return "period_not_over" if record.fields["closed_through"] > seen else None
    return None
