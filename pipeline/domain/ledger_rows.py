"""The rows of the ledger's table: accounts, payments, legs and the watermark.

An account is fixed-width, so that thousands of them can be read and written as one array. A payment is kept
for as long as its id must be remembered; a leg is remembered on the creditor's branch, so that a leg that is
sent again has no second effect.
"""

from __future__ import annotations

import struct

import msgspec
import numpy as np

from pipeline.domain.rows import Rows, row_key

LAYOUT = 1

OPEN, CLOSED = 0, 1
STATUS_NAMES = ("OPEN", "CLOSED")
ACCOUNT_TYPES = ("checking", "savings", "investment", "merchant", "nostro", "internal")

_ACCOUNT = struct.Struct("<BBBB3sxqqqqqq")
ACCOUNT_COLUMNS = np.dtype(
    [
        *((name, "u1") for name in ("layout", "status", "account_type", "unlimited")),
        ("currency", "S3"),
        ("unused", "u1"),
        *((name, "<i8") for name in ("overdraft_limit_minor", "debits_pending", "debits_posted")),
        *((name, "<i8") for name in ("credits_pending", "credits_posted", "sequence")),
    ]
)
"""The same row, so that thousands of accounts are one array."""
_PACK = _ACCOUNT.pack
_UNPACK = _ACCOUNT.unpack
_WATERMARK = struct.Struct("<Bq")
_WATERMARK_KEY = b"w"


class Account(msgspec.Struct, gc=False):
    """One account of the ledger. All amounts are minor units of `currency`; the four counters never fall,
    except that a pending counter gives back what is settled or released."""

    account_type: int
    """Index into ACCOUNT_TYPES."""
    currency: str
    status: int = OPEN
    overdraft_limit_minor: int | None = 0
    """How far the balance may go below zero; None = without limit."""
    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0
    sequence: int = 0
    """The number of postings so far."""

    @property
    def balance_minor(self) -> int:
        """Credits posted minus debits posted."""
        return self.credits_posted - self.debits_posted

    @property
    def available_minor(self) -> int:
        """The balance less what is held; an overdraft is not counted in."""
        return self.credits_posted - self.debits_posted - self.debits_pending

    def pack(self) -> bytes:
        """Return the row, 48 bytes of counters after an 8-byte head."""
        limit = self.overdraft_limit_minor
        return _PACK(
            LAYOUT,
            self.status,
            self.account_type,
            limit is None,
            self.currency.encode(),
            0 if limit is None else limit,
            self.debits_pending,
            self.debits_posted,
            self.credits_pending,
            self.credits_posted,
            self.sequence,
        )


def unpack_account(row: bytes) -> Account:
    """Return the account of a row; raise ValueError for a layout that this version does not know."""
    layout, status, kind, unlimited, currency, limit, *counters = _UNPACK(row)
    if layout != LAYOUT:
        raise ValueError(f"account row of unknown layout {layout}")
    return Account(kind, currency.decode(), status, None if unlimited else limit, *counters)


class Payment(msgspec.Struct, array_like=True, gc=False):
    """What the debtor's branch remembers of a payment: enough to answer a repeat and to end its life."""

    state: str
    """HELD (waits for a review), IN_FLIGHT (for its leg); at the end SETTLED, REJECTED, FAILED, CANCELLED."""
    code: str
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    reference: str
    occurred_at: int


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE_PAYMENT = msgspec.msgpack.Decoder(Payment).decode
_PREFIX = bytes([LAYOUT])


def account_key(tenant_id: str, account_id: str) -> bytes:
    """Return the row key of an account."""
    return row_key("a", tenant_id, account_id)


def payment_key(tenant_id: str, payment_id: str) -> bytes:
    """Return the row key of a payment."""
    return row_key("p", tenant_id, payment_id)


def leg_key(tenant_id: str, leg_id: str) -> bytes:
    """Return the row key of a leg."""
    return row_key("l", tenant_id, leg_id)


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


def unpack_payment(row: bytes) -> Payment:
    """Return the payment of a row; raise ValueError for a layout that this version does not know."""
    if row[0] != LAYOUT:
        raise ValueError(f"payment row of unknown layout {row[0]}")
    return _DECODE_PAYMENT(row[1:])


def pack_payment(payment: Payment | tuple[str | int, ...]) -> bytes:
    """Return the row of a payment, or of its fields in their order."""
    return _PREFIX + _ENCODE(payment)


def write_payment(rows: Rows, tenant_id: str, payment_id: str, payment: Payment) -> None:
    """Replace the row of a payment."""
    rows.put(payment_key(tenant_id, payment_id), pack_payment(payment))


def advance_watermark(rows: Rows, occurred_at: int, recorded_at: int) -> int:
    """Move the branch's event-time watermark to an event's time and return it, microseconds UTC.

    An event counts with its own time, but never later than Kafka's: a clock that runs ahead upstream
    cannot push the watermark into the future and make honest payments look too old.
    """
    known = read_watermark(rows)
    seen = min(occurred_at, recorded_at)
    if known is not None and seen <= known:
        return known
    write_watermark(rows, seen)
    return seen


def read_watermark(rows: Rows) -> int | None:
    """Return the branch's event-time watermark, microseconds UTC, or None before its first payment."""
    row = rows.get(_WATERMARK_KEY)
    return None if row is None else int(_WATERMARK.unpack(row)[1])


def write_watermark(rows: Rows, watermark: int) -> None:
    """Replace the branch's watermark."""
    rows.put(_WATERMARK_KEY, _WATERMARK.pack(LAYOUT, watermark))
