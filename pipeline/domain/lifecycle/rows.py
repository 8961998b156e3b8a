"""The rows of the lifecycle's table: steps of payments, when they are due, which are stuck, the clock.

    p tenant payment          the life: what the payment is, every step, and what it waits for
    q due tenant payment      one for each life that waits; due is 16 hex digits, so they are in order of time
    s tenant debtor payment   one for each payment that is stuck
    w                         the clock: the event time reached, and nothing is due before `earliest`

A life has a step for its screening, one for its review, and one for each time that the ledger changed the
payment: it does that once for each command, and refuses one that comes again. Of refusals a life has only
their number, so however often an upstream repeats itself, its row stays small.
"""

from __future__ import annotations

import struct

import msgspec

from pipeline.domain.kernel.layouts import RowKind, unpacker
from pipeline.domain.kernel.rows import Rows, row_key

LIFE, DUE, STUCK = "p", "q", "s"
LIFE_ROW = RowKind("lifecycle", "life", LIFE)
DUE_ROW = RowKind("lifecycle", "due", DUE)
STUCK_ROW = RowKind("lifecycle", "stuck", STUCK)
CLOCK_ROW = RowKind("lifecycle", "clock", "w")
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1

WAITS_FOR = {"SCREENED": "ledger", "RESERVED": "settlement", "HELD": "review", "AUTHORISED": "capture"}
"""The states that are no end, and what a payment waits for in them."""

_CLOCK_KEY = row_key(CLOCK_ROW.family)
_CLOCK = struct.Struct("<Bqq")


class Step(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One step of a life: an event of the log, and the state after it. Times are microseconds UTC."""

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
    """A payment: what it is, its state and its steps."""

    state: str
    """SCREENED, HELD, RESERVED or AUTHORISED; at the end SETTLED, REJECTED, FAILED, CANCELLED or EXPIRED."""
    debtor_account_id: str
    creditor_account_id: str
    amount_minor: int
    currency: str
    to_review: bool
    """Whether it is held as soon as it is reserved: it was screened so, and nobody has reviewed it yet."""
    hold_expires_at: int | None = None
    """Until when it waits for captures, microseconds UTC; None: it is to be settled at once."""
    progressed_at: int = LONG_MIN
    """The event time of its last step, microseconds UTC; never earlier than the clock was then."""
    due_at: int | None = None
    """When it will be stuck; None: it does not wait, or is stuck already."""
    stuck_id: str | None = None
    """The event_id of its payment_stuck, while it is."""
    refused: int = 0
    """How many commands about it the ledger has refused."""
    steps: list[Step] = []

    @property
    def is_forgotten(self) -> bool:
        """Whether the ledger rejected it as too old, so does not remember its id: it may come again."""
        return self.state == "REJECTED" and self.steps[-1].code == "too_old"


class Clock(msgspec.Struct, gc=False):
    """The event time that a branch of the ledger has reached, and when something may be due."""

    watermark: int = LONG_MIN
    earliest: int = LONG_MAX


def life_key(tenant_id: str, payment_id: str) -> bytes:
    """Return the row key of a life."""
    return row_key(LIFE, tenant_id, payment_id)


def due_key(due_at: int, *names: str) -> bytes:
    """Return the row key of what is due at a time (not negative): tenant and payment follow.

    Without them it is below every key of that time, and above those of earlier ones.
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
"""Return the life of a row. Raises UnknownLayout."""


def read_life(rows: Rows, tenant_id: str, payment_id: str) -> Life | None:
    """Return the life of a payment, None where the id is not known on this branch."""
    row = rows.get(life_key(tenant_id, payment_id))
    return None if row is None else unpack_life(row)


def read_clock(rows: Rows) -> Clock:
    """Return the clock of a branch. Raises UnknownLayout."""
    row = rows.get(_CLOCK_KEY)
    return Clock() if row is None else Clock(*_CLOCK.unpack(CLOCK_ROW.current(row))[1:])


def write_clock(rows: Rows, clock: Clock) -> None:
    """Replace the clock of a branch."""
    rows.put(_CLOCK_KEY, _CLOCK.pack(CLOCK_ROW.layout, clock.watermark, clock.earliest))
