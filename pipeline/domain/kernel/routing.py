"""Which account (instrument, period) an event belongs to: its key, its partition, its name as a cause."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of

KEY_FIELDS: dict[type, str] = {
    ev.AccountOpened: "account_id",
    ev.AccountLimitSet: "account_id",
    ev.AccountClosed: "account_id",
    ev.AccountReopened: "account_id",
    ev.AccountFrozen: "account_id",
    ev.AccountUnfrozen: "account_id",
    ev.PeriodClosed: "period_id",
    ev.PaymentInitiated: "debtor_account_id",
    ev.PaymentReviewed: "debtor_account_id",
    ev.PaymentCancelled: "debtor_account_id",
    ev.PaymentCaptured: "debtor_account_id",
    ev.PaymentExtended: "debtor_account_id",
    ev.PaymentReversed: "debtor_account_id",
    ev.PaymentDecided: "debtor_account_id",
    ev.LegRequested: "account_id",
    ev.LegPosted: "debtor_account_id",
    ev.LegRefused: "debtor_account_id",
    ev.JournalSubmitted: "account_id",
    ev.JournalConfirmed: "account_id",
    ev.JournalVoided: "account_id",
    ev.JournalReversed: "account_id",
    ev.JournalLegsRequested: "account_id",
    ev.JournalLegsAnswered: "home_account_id",
    ev.JournalLegsEnded: "account_id",
    ev.PaymentScreened: "debtor_account_id",
    ev.PaymentReserved: "debtor_account_id",
    ev.PaymentSettled: "debtor_account_id",
    ev.PaymentRejected: "debtor_account_id",
    ev.PaymentFailed: "debtor_account_id",
    ev.PaymentCancelledOutcome: "debtor_account_id",
    ev.PaymentExpired: "debtor_account_id",
    ev.PaymentCapturedOutcome: "debtor_account_id",
    ev.PaymentExtendedOutcome: "debtor_account_id",
    ev.CommandRefused: "account_id",
    ev.TradeExecuted: "account_id",
    ev.TradeSettled: "account_id",
    ev.PriceQuoted: "instrument_id",
    ev.StatementLine: "account_id",
    ev.StatementClosed: "account_id",
    ev.PostingRecorded: "account_id",
    ev.HoldRecorded: "account_id",
}
"""The field that is the second part of the key of each event that a stream reads."""

BROADCAST = frozenset({ev.PriceQuoted, ev.PeriodClosed})
"""Events that are copied to every partition of a log; their key says nothing about the partition."""
JOURNAL_COMMANDS = frozenset(
    {
        *(ev.JournalSubmitted, ev.JournalConfirmed, ev.JournalVoided, ev.JournalReversed),
        *(ev.JournalLegsRequested, ev.JournalLegsAnswered, ev.JournalLegsEnded),
    }
)
"""What is said of journals of many legs."""
BETWEEN_BRANCHES = frozenset(
    {
        *(ev.LegRequested, ev.LegPosted, ev.LegRefused),
        *(ev.JournalLegsRequested, ev.JournalLegsAnswered, ev.JournalLegsEnded),
    }
)
"""What the ledger of one branch asks of another, and its answers: they come from nobody else."""
COMMANDS_OF_PARTS = frozenset({ev.PaymentCaptured, ev.PaymentReversed, ev.JournalReversed})
"""Of which several, with ids of their own, may be for one payment or journal."""
JOURNAL = frozenset({ev.PostingRecorded, ev.HoldRecorded})
"""What a branch says of its accounts; its internal ones are on its partition, wherever their key belongs."""
INTERNAL_PREFIX = "$"


def record_key(event: Any) -> str:
    """Return `tenant_id/<account, instrument or period>` of an event that a stream reads."""
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
    known = [field.name for field in msgspec.structs.fields(kind)]
    parts = [name for name in ("capture_id", "reversal_id") if name in known and kind in COMMANDS_OF_PARTS]
    if "debtor_account_id" in known:
        return attrgetter("tenant_id", "debtor_account_id", "payment_id", *parts, "event_id")
    possible = ("journal_id",) if kind in JOURNAL_COMMANDS else ("trade_id", "statement_id")
    subjects = [name for name in possible if name in known] + parts
    return attrgetter("tenant_id", KEY_FIELDS[kind], *subjects, "event_id")
