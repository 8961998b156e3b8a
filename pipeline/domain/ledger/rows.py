"""The rows of the ledger's table: all row kinds; the contents of accounts and numbers.

The contents of the other kinds are defined beside their rules. An account row has a fixed width, so that
thousands are one array. A payment row has the id, for repeats; so has a leg row, on the creditor's branch.
"""

from __future__ import annotations

import struct

import msgspec
import numpy as np

from pipeline.domain.kernel.layouts import (
    DAMAGE,
    RowKind,
    append_fields,
    append_to_items,
    fields_of_nothing,
    unpacker,
    wrap_fields,
)
from pipeline.domain.kernel.retention import Queue, QueueKind
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.ledger.payment_row import Payment

ACCOUNT_ROW = RowKind("ledger", "account", "a")
OPENING_ROW = RowKind("ledger", "opening", "b")
PAYMENT_ROW = RowKind(
    *("ledger", "payment", "p"),
    [append_fields("", *[None] * 4), append_fields(*[None] * 6), append_fields(None, 0)],
)
CHANGE_ROW = RowKind("ledger", "change", "e")
LEG_ROW = RowKind("ledger", "leg", "l", [fields_of_nothing(None, None)])
HOLD_ROW = RowKind("ledger", "hold", "h", (append_to_items(None, None), append_to_items(None)))
JOURNAL_ROW = RowKind(
    *("ledger", "journal", "j"),
    [append_fields(*[None] * 4), append_fields([], None), append_fields(None, None)],
)
JOURNAL_PART_ROW = RowKind(
    *("ledger", "journal_part", "g"),
    [append_fields(None), append_fields(None, None), append_fields(None)],
)
LINK_ROW = RowKind("ledger", "link", "k", [append_fields(None)])
LIMIT_ROW = RowKind("ledger", "limit", "t", [wrap_fields(None)])
FREEZE_ROW = RowKind("ledger", "freeze", "f")
EARLIER_DUE_ROW = RowKind("ledger", "due", "x")
DUE_ROW = RowKind("ledger", "due in order", "d")
ACCOUNT_DUE_ROW = RowKind("ledger", "due of account", "y")
OPEN_HOLDS_ROW = RowKind("ledger", "open holds", "o")
NEXT_DUE_ROW = RowKind("ledger", "next_due", "n")
PERIOD_ROW = RowKind("ledger", "period", "c")
RATE_ROW = RowKind("ledger", "rate", "q")
REVERSAL_ROW = RowKind("ledger", "reversal", "r")
PROPOSAL_ROW = RowKind("ledger", "proposal", "v")
OPEN_PROPOSALS_ROW = RowKind("ledger", "open proposals", "u")
SCHEDULED_ROW = RowKind("ledger", "scheduled journal", "s")
SCHEDULED_ON_ROW = RowKind("ledger", "scheduled on account", "i")
WATERMARK_ROW = RowKind("ledger", "watermark", "w")
ENDED = QueueKind("ledger", "ended", "mz")
ENDED_ROW, ENDED_BUCKET_ROW = ENDED.state, ENDED.bucket
WALK_ROW = RowKind("ledger", "walk", "W")
KINDS = (
    ACCOUNT_ROW, OPENING_ROW, CHANGE_ROW, PAYMENT_ROW, LEG_ROW, HOLD_ROW, JOURNAL_ROW, JOURNAL_PART_ROW,
    LINK_ROW, LIMIT_ROW, FREEZE_ROW, EARLIER_DUE_ROW, DUE_ROW, ACCOUNT_DUE_ROW, OPEN_HOLDS_ROW,
    NEXT_DUE_ROW, PERIOD_ROW, RATE_ROW, REVERSAL_ROW, PROPOSAL_ROW, OPEN_PROPOSALS_ROW, SCHEDULED_ROW,
    SCHEDULED_ON_ROW, WATERMARK_ROW, ENDED_ROW, ENDED_BUCKET_ROW, WALK_ROW,
)  # fmt: skip
_NUMBERS = {
    kind.family.encode()[0]: kind
    for kind in (OPEN_HOLDS_ROW, NEXT_DUE_ROW, PERIOD_ROW, REVERSAL_ROW, OPEN_PROPOSALS_ROW, WATERMARK_ROW)
}
"""Rows that hold one number, by the first byte of their keys."""

ENDED_STATES = frozenset({"SETTLED", "REJECTED", "FAILED", "CANCELLED", "EXPIRED"})
"""The last states of a payment."""
OPEN, CLOSED = 0, 1
STATUS_NAMES = ("OPEN", "CLOSED")
FROZEN_DEBIT, FROZEN_CREDIT, HAS_MAXIMUM = 1, 2, 4
"""Flags of an account."""
FROZEN_NAMES = ("NONE", "DEBIT", "CREDIT", "BOTH")

_ACCOUNT = struct.Struct("<BBBB3sBqqqqqq")
ACCOUNT_COLUMNS = np.dtype(
    [
        *((name, "u1") for name in ("layout", "status", "account_type", "unlimited")),
        ("currency", "S3"),
        ("flags", "u1"),
        *((name, "<i8") for name in ("limit_minor", "debits_pending", "debits_posted")),
        *((name, "<i8") for name in ("credits_pending", "credits_posted", "sequence")),
    ]
)
"""The fixed part of an account, so that thousands are one array; a maximum balance follows it."""
_NUMBER = struct.Struct("<q")
_PACK = _ACCOUNT.pack
_UNPACK = _ACCOUNT.unpack_from
_LAID_NUMBER = struct.Struct("<Bq")
_WATERMARK_KEY = row_key(WATERMARK_ROW.family)


class Account(msgspec.Struct, gc=False):
    """One account of the ledger. Amounts are minor units of `currency`.

    Invariants: no counter is negative; posted counters never decrease; a pending counter decreases only by
    what is settled or released.
    """

    account_type: int
    """Index into ACCOUNT_TYPES."""
    currency: str
    status: int = OPEN
    limit_minor: int | None = 0
    """The lowest balance allowed, negated. 0 or more: an overdraft limit; negative: a minimum balance, which
    the two properties below return; None: no limit."""
    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0
    sequence: int = 0
    """The number of postings so far."""
    frozen: int = 0
    """Flags (FROZEN_DEBIT, FROZEN_CREDIT) of the sides that accept no new holds or entries."""
    maximum_balance_minor: int | None = None
    """The most that balance plus pending credits may be; None: no maximum."""

    @property
    def overdraft_limit_minor(self) -> int | None:
        """How far the balance may go below zero; None: without limit."""
        return None if self.limit_minor is None else max(0, self.limit_minor)

    @property
    def minimum_balance_minor(self) -> int | None:
        """The balance that must stay in the account; None: there is no minimum."""
        return None if self.limit_minor is None or self.limit_minor >= 0 else -self.limit_minor

    @property
    def balance_minor(self) -> int:
        """Credits posted minus debits posted."""
        return self.credits_posted - self.debits_posted

    @property
    def available_minor(self) -> int:
        """The balance less the amounts held; an overdraft limit is not added."""
        return self.credits_posted - self.debits_posted - self.debits_pending

    def pack(self) -> bytes:
        """Return the row: 48 bytes of counters after an 8-byte head, then the maximum if there is one."""
        limit, maximum = self.limit_minor, self.maximum_balance_minor
        row = _PACK(
            ACCOUNT_ROW.layout,
            self.status,
            self.account_type,
            limit is None,
            self.currency.encode(),
            self.frozen if maximum is None else self.frozen | HAS_MAXIMUM,
            0 if limit is None else limit,
            self.debits_pending,
            self.debits_posted,
            self.credits_pending,
            self.credits_posted,
            self.sequence,
        )
        return row if maximum is None else row + _NUMBER.pack(maximum)


def unpack_account(row: bytes) -> Account:
    """Return the account of a row. Raises UnreadableRow."""
    try:
        now = row if row[0] == ACCOUNT_ROW.layout else ACCOUNT_ROW.current(row)
        _, status, kind, unlimited, currency, flags, limit, *counters = _UNPACK(now)
        account = Account(kind, currency.decode(), status, None if unlimited else limit, *counters)
        if flags:
            account.frozen = flags & ~HAS_MAXIMUM
            if flags & HAS_MAXIMUM:
                (account.maximum_balance_minor,) = _NUMBER.unpack_from(now, _ACCOUNT.size)
    except DAMAGE as error:
        raise ACCOUNT_ROW.unreadable(row, error) from None
    return account


unpack_payment = unpacker(PAYMENT_ROW, Payment)
"""Return the payment of a row. Raises UnreadableRow."""


def account_key(tenant_id: str, account_id: str) -> bytes:
    """Return the row key of an account."""
    return row_key(ACCOUNT_ROW.family, tenant_id, account_id)


def payment_key(tenant_id: str, payment_id: str) -> bytes:
    """Return the row key of a payment."""
    return row_key(PAYMENT_ROW.family, tenant_id, payment_id)


def leg_key(tenant_id: str, leg_id: str) -> bytes:
    """Return the row key of a leg."""
    return row_key(LEG_ROW.family, tenant_id, leg_id)


def read_account(rows: Rows, tenant_id: str, account_id: str) -> Account | None:
    """Return an account, or None where it was never opened on this branch."""
    row = rows.get(account_key(tenant_id, account_id))
    return None if row is None else unpack_account(row)


def write_account(rows: Rows, tenant_id: str, account_id: str, account: Account) -> None:
    """Replace the row of an account."""
    rows.put(account_key(tenant_id, account_id), account.pack())


def read_payment(rows: Rows, tenant_id: str, payment_id: str) -> Payment | None:
    """Return a payment by its id, or None where the id is not known."""
    row = rows.get(payment_key(tenant_id, payment_id))
    return None if row is None else unpack_payment(row)


def write_payment(rows: Rows, tenant_id: str, payment_id: str, payment: Payment) -> None:
    """Replace the row of a payment; note when it has ended."""
    key = payment_key(tenant_id, payment_id)
    if payment.state not in ENDED_STATES or payment.reversing:
        payment.ended_at = None
    elif payment.ended_at is None:
        payment.ended_at = ended(rows, key)
    rows.put(key, PAYMENT_ROW.pack(payment))


def ended(rows: Rows, key: bytes) -> int | None:
    """Note that a row has ended now, in the branch's event time, and return that; None before it begins."""
    watermark = read_watermark(rows)
    if watermark is not None:
        queue = Queue(ENDED, rows, 0)
        queue.enqueue(watermark, key)
        queue.write()
    return watermark


def advance_watermark(rows: Rows, occurred_at: int, recorded_at: int) -> int:
    """Move the branch's event-time watermark to an event's time and return it, microseconds UTC.

    An event counts with its own time, but never with a later one than Kafka's timestamp. So an upstream clock
    that is ahead cannot move the watermark into the future, which would make valid payments too old.
    """
    known = read_watermark(rows)
    seen = min(occurred_at, recorded_at)
    if known is not None and seen <= known:
        return known
    write_watermark(rows, seen)
    return seen


def read_watermark(rows: Rows) -> int | None:
    """Return the branch's event-time watermark, microseconds UTC, or None before its first payment."""
    return read_number(rows, _WATERMARK_KEY)


def write_watermark(rows: Rows, watermark: int) -> None:
    """Replace the branch's watermark."""
    write_number(rows, _WATERMARK_KEY, watermark)


def closed_key(tenant_id: str) -> bytes:
    """Return the row key of the end of a tenant's closed periods."""
    return row_key(PERIOD_ROW.family, tenant_id)


def taken_key(tenant_id: str, payment_id: str, currency: str | None = None) -> bytes:
    """Return the row key of how much of a payment was reversed; `currency`: in that of its creditor."""
    return row_key(REVERSAL_ROW.family, tenant_id, payment_id, *([] if currency is None else [currency]))


def read_number(rows: Rows, key: bytes) -> int | None:
    """Return the number of a row that holds one, or None where there is no row. Raises UnreadableRow."""
    row = rows.get(key)
    return None if row is None else unpack_number(key, row)


def unpack_number(key: bytes, row: bytes) -> int:
    """Return the number in a row of one of these kinds. Raises UnreadableRow."""
    return int(*_NUMBERS[key[0]].unpacked(_LAID_NUMBER, row))


def write_number(rows: Rows, key: bytes, number: int) -> None:
    """Replace a row that holds a number."""
    rows.put(key, _LAID_NUMBER.pack(_NUMBERS[key[0]].layout, number))
