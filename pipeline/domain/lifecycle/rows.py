"""The rows of the lifecycle: payments with their steps, due times, stuck payments, the clock.

    p tenant payment          the life of a payment: its content, its steps, its state
    q due tenant payment      one for each payment that waits; `due` is 16 hex digits, so rows sort by time
    s tenant debtor payment   one for each payment that is stuck
    w                         the clock: the event time reached, and the earliest due time
    e, f number               the queue of lives that have ended, and its buckets (`kernel.retention`)

A payment has a step for its screening, for its review, and for each change by the ledger. The ledger applies
a command once and refuses a repeat. Refusals are only counted, so the row stays small however often an
upstream repeats a command.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from pipeline.domain.kernel.layouts import RowKind, append_fields, unpacker
from pipeline.domain.kernel.retention import QueueKind
from pipeline.domain.kernel.rows import Rows, row_key

LIFE, DUE, STUCK = "p", "q", "s"
NOT_KEPT = ("too_old", "not_yet")
"""Codes of payments that the ledger rejects by their time alone, and whose ids it does not keep."""
UNSCREENED, SCREENED, NOT_ASKED = 0, 1, 2
"""Whether a payment was screened: no screening let it through; one did; it was said, or is not known."""


def _with_screening(content: bytes) -> bytes:
    """Add whether a payment was screened, as its steps tell it; without that step it is not known."""
    *fields, steps = _FIELDS(content)
    codes = [step[2] for step in steps if step[0] == "payment_screened"]
    screened = UNSCREENED if codes == ["decline"] else SCREENED if codes else NOT_ASKED
    return _ENCODE([*fields, steps, screened])


_FIELDS = msgspec.msgpack.Decoder(list[Any]).decode
_ENCODE = msgspec.msgpack.Encoder().encode
_UPGRADES = (_with_screening, append_fields(None), append_fields(None, None))
LIFE_ROW = RowKind("lifecycle", "life", LIFE, _UPGRADES)
DUE_ROW = RowKind("lifecycle", "due", DUE)
STUCK_ROW = RowKind("lifecycle", "stuck", STUCK)
CLOCK_ROW = RowKind("lifecycle", "clock", "w")
ENDED = QueueKind("lifecycle", "ended", "ef")
ENDED_ROW, ENDED_BUCKET_ROW = ENDED.state, ENDED.bucket
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1

WAITS_FOR = {
    "SCHEDULED": "execution",
    "SCREENED": "ledger",
    "RESERVED": "settlement",
    "HELD": "review",
    "AUTHORISED": "capture",
}
"""By state that is not final: what the payment waits for."""

_CLOCK_KEY = row_key(CLOCK_ROW.family)
_CLOCK = struct.Struct("<Bqq")


class Step(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One step of a payment: an event of the log, and the state after it. Times are microseconds UTC."""

    name: str
    state: str
    code: str
    occurred_at: int
    recorded_at: int
    """Kafka's timestamp of the event."""
    event_id: str
    causation_id: str | None
    correlation_id: str


class Life(msgspec.Struct, array_like=True, gc=False):
    """The life of a payment: its content, its state and its steps."""

    state: str
    """SCHEDULED, SCREENED, HELD, RESERVED, AUTHORISED; in the end SETTLED, REJECTED, FAILED, CANCELLED or
    EXPIRED."""
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    to_review: bool
    """Whether screening asked for a review that has not happened yet; it is held once it is reserved."""
    hold_expires_at: int | None = None
    """NO_END: it is held without an end; None: it is not held for captures."""
    """Until when it waits for captures, microseconds UTC; None: it is to be settled at once."""
    progressed_at: int = LONG_MIN
    """The event time of its last step, microseconds UTC, or the clock at that step if that was later."""
    due_at: int | None = None
    """When it becomes stuck, microseconds UTC; None: it does not wait, or is stuck already."""
    stuck_id: str | None = None
    """The event_id of its payment_stuck while it is stuck, else None."""
    refused: int = 0
    """The number of its commands that the ledger refused."""
    steps: list[Step] = []
    screened: int = UNSCREENED
    """UNSCREENED, SCREENED or NOT_ASKED."""
    screened_again_at: int | None = None
    """When its id was last screened again after it had ended, event time: the ledger's answer is still to
    come."""
    execute_at: int | None = None
    """When it is to be screened and executed, microseconds UTC; None: it was not scheduled."""
    link_id: str | None = None
    """The link with whose other payments it is settled, or is not; None: it is alone."""

    @property
    def has_ended(self) -> bool:
        """Whether it waits for nothing."""
        return self.due_at is None and self.stuck_id is None

    @property
    def needed_at(self) -> int:
        """When it was last needed: its windows begin there; microseconds UTC."""
        if self.screened_again_at is None:
            return self.progressed_at
        return max(self.progressed_at, self.screened_again_at)

    @property
    def is_forgotten(self) -> bool:
        """Whether the ledger rejected it without keeping its id, which may be used again."""
        return self.state == "REJECTED" and self.steps[-1].code in NOT_KEPT


class Clock(msgspec.Struct, gc=False):
    """The event time that a branch of the ledger has reached, and the earliest due time."""

    watermark: int = LONG_MIN
    earliest: int = LONG_MAX


def life_key(tenant_id: str, payment_id: str) -> bytes:
    """Return the row key of a life."""
    return row_key(LIFE, tenant_id, payment_id)


def due_key(due_at: int, *names: str) -> bytes:
    """Return the row key of a due time (microseconds UTC, not negative); `names`: tenant and payment.

    Without names the key sorts before all keys of that time, and after those of earlier times.
    """
    return row_key(DUE, f"{due_at:016x}", *names)


def read_due_key(key: bytes) -> tuple[int, str, str]:
    """Return the time, the tenant and the payment of a row key."""
    _, due_at, tenant_id, payment_id = key.decode().split("\0")
    return int(due_at, 16), tenant_id, payment_id


def stuck_key(tenant_id: str, debtor_account_id: str, payment_id: str) -> bytes:
    """Return the row key of a payment that is stuck."""
    return row_key(STUCK, tenant_id, debtor_account_id, payment_id)


def pack_life(life: Life) -> bytes:
    """Return the row of a life."""
    return LIFE_ROW.pack(life)


unpack_life = unpacker(LIFE_ROW, Life)
"""Return the life of a row. Raises UnreadableRow."""


def read_life(rows: Rows, tenant_id: str, payment_id: str) -> Life | None:
    """Return the life of a payment, None where the id is not known on this branch."""
    row = rows.get(life_key(tenant_id, payment_id))
    return None if row is None else unpack_life(row)


def read_clock(rows: Rows) -> Clock:
    """Return the clock of a branch. Raises UnreadableRow."""
    row = rows.get(_CLOCK_KEY)
    return Clock() if row is None else Clock(*CLOCK_ROW.unpacked(_CLOCK, row))


def write_clock(rows: Rows, clock: Clock) -> None:
    """Replace the clock of a branch."""
    rows.put(_CLOCK_KEY, _CLOCK.pack(CLOCK_ROW.layout, clock.watermark, clock.earliest))
