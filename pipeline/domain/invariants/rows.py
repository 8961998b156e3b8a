"""The rows of the invariants: the state of a branch as it follows from the records of its journal.

    account   a tenant account       sequence, balance and amount held after the last record; last entries
    clearing  c tenant account hour  debits and credits of a clearing account in one hour of the day
    branch    p                      number of records, alerts; the first posting of an incomplete entry

The ledger, which writes the journal, shares no code with these rows, so that the check is independent.
"""

from __future__ import annotations

import hashlib
import struct

import msgspec
import numpy as np

from pipeline.domain.kernel.layouts import DAMAGE, RowKind, unpacker
from pipeline.domain.kernel.rows import Rows, row_key

ACCOUNT_ROW = RowKind("invariants", "account", "a")
CLEARING_ROW = RowKind("invariants", "clearing totals", "c")
BRANCH_ROW = RowKind("invariants", "branch", "p")

ENTRIES = 8
"""How many entries of an account are remembered, to detect a repeated one."""
UNKNOWN = -(2**63)
"""The amount held where the last posting did not state it (version 1 of the event)."""
HOURS = 24
CLEARING_PREFIX = "$clearing:"
HOUR_US = 3_600_000_000

ACCOUNT_COLUMNS = np.dtype(
    [
        ("layout", "u1"),
        ("currency", "S3"),
        ("alerts", "<u4"),
        *((name, "<i8") for name in ("window", "sequence", "balance_minor", "held_minor")),
        ("entries", "<u8", (ENTRIES,)),
    ]
)
COUNTERS = ("debits", "debits_minor", "credits", "credits_minor")
CLEARING_COLUMNS = np.dtype([("layout", "u1"), *((name, "<i8") for name in COUNTERS)])
_ACCOUNT = struct.Struct(f"<B3sIqqqq{ENTRIES}Q")
_CLEARING = struct.Struct("<Bqqqq")
assert _ACCOUNT.size == ACCOUNT_COLUMNS.itemsize and _CLEARING.size == CLEARING_COLUMNS.itemsize
BRANCH_KEY = row_key(BRANCH_ROW.family)


class CheckedAccount(msgspec.Struct, gc=False):
    """An account after its last record in the journal; amounts in minor units."""

    currency: bytes
    """Three letters."""
    alerts: int = 0
    """The number of alerts emitted about the account in its window."""
    window: int = 0
    sequence: int = 0
    balance_minor: int = 0
    held_minor: int = 0
    entries: tuple[int, ...] = (0,) * ENTRIES
    """Fingerprints of the last entries, the newest first; 0: none."""

    def pack(self) -> bytes:
        """Return the row."""
        return _ACCOUNT.pack(
            ACCOUNT_ROW.layout, self.currency, self.alerts, self.window, self.sequence, self.balance_minor,
            self.held_minor, *self.entries,
        )  # fmt: skip


class FirstPosting(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The first posting of an entry whose second posting has not come yet."""

    tenant_id: str
    entry_id: str
    account_id: str
    side: str
    amount_minor: int
    currency: str


class CheckedBranch(msgspec.Struct, array_like=True, gc=False):
    """Progress in the journal of a branch, and the numbers of alerts."""

    records: int = 0
    """The number of postings and holds checked so far."""
    window: int = 0
    alerts: int = 0
    """The number of alerts emitted in the window."""
    unsaid: int = 0
    """The number of faults that raised no alert, since the start, because their window had reached its
    limit."""
    half: FirstPosting | None = None
    """Of the entry that is not complete yet."""

    def pack(self) -> bytes:
        """Return the row."""
        return BRANCH_ROW.pack(self)


_unpack_branch = unpacker(BRANCH_ROW, CheckedBranch)


class Clearing(msgspec.Struct, gc=False):
    """Numbers and sums (minor units) of debits and credits of a clearing account in one hour of the day."""

    debits: int = 0
    debits_minor: int = 0
    credits: int = 0
    credits_minor: int = 0

    def pack(self) -> bytes:
        """Return the row."""
        return _CLEARING.pack(
            CLEARING_ROW.layout, self.debits, self.debits_minor, self.credits, self.credits_minor
        )


def account_key(tenant_id: str, account_id: str) -> bytes:
    """Return the row key of an account."""
    return row_key(ACCOUNT_ROW.family, tenant_id, account_id)


def clearing_key(tenant_id: str, account_id: str, hour: int) -> bytes:
    """Return the row key of an hour of a clearing account."""
    return row_key(CLEARING_ROW.family, tenant_id, account_id, str(hour))


def hour_of(time: int) -> int:
    """Return the hour of the day (0..23, UTC) of a time in microseconds UTC."""
    return time // HOUR_US % HOURS


def read_branch(rows: Rows) -> CheckedBranch:
    """Return the row of the branch, a new one where there is none. Raises UnreadableRow."""
    row = rows.get(BRANCH_KEY)
    return CheckedBranch() if row is None else _unpack_branch(row)


def read_account(rows: Rows, tenant_id: str, account_id: str, currency: bytes) -> CheckedAccount:
    """Return an account; a new one gets the currency of its first record. Raises UnreadableRow."""
    row = rows.get(account_key(tenant_id, account_id))
    if row is None:
        return CheckedAccount(currency)
    try:
        now = row if row[0] == ACCOUNT_ROW.layout else ACCOUNT_ROW.current(row)
        _, known, alerts, window, sequence, balance, held, *entries = _ACCOUNT.unpack(now)
    except DAMAGE as error:
        raise ACCOUNT_ROW.unreadable(row, error) from None
    return CheckedAccount(known, alerts, window, sequence, balance, held, tuple(entries))


def read_clearing(rows: Rows, key: bytes) -> Clearing:
    """Return an hour of a clearing account. Raises UnreadableRow."""
    row = rows.get(key)
    return Clearing() if row is None else Clearing(*CLEARING_ROW.unpacked(_CLEARING, row))


def letters(currency: str) -> bytes:
    """Return a currency as rows store it: three bytes, cut or padded with NUL."""
    return currency.encode()[:3].ljust(3, b"\0")


def fingerprint(entry_id: str) -> int:
    """Return a 64-bit hash of an entry's id; never 0."""
    return int.from_bytes(hashlib.blake2b(entry_id.encode(), digest_size=8).digest(), "little") | 1


def wrapped(number: int) -> int:
    """Return a sum wrapped to a signed 64-bit number: totals of a broken journal may overflow."""
    return (number + 2**63) % 2**64 - 2**63
