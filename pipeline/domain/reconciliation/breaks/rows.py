"""The rows of breaks' lives and of the figures of days, in the table of reconciliation.

f  tenant account break                  a break, from its opening on
y  tenant account currency day           what has come on a day, and what has become of it
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.layouts import RowKind, unpacker
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.reconciliation.breaks.states import OPEN
from pipeline.domain.reconciliation.sortable import sortable

LIFE_ROW = RowKind("reconciliation", "break life", "f")
DAY_ROW = RowKind("reconciliation", "day", "y")


class Leg(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A leg of a correction that waits, with the fields of `events.JournalLeg`."""

    leg_no: int
    entry_no: int
    account_id: str
    side: str
    amount_minor: int
    currency: str
    purpose: str | None = None
    rate_e8: int | None = None


class Correction(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What one person has asked for and another one decides; after that, what the ledger is asked for."""

    number: int
    """1, 2, ... of the break."""
    correction_id: str
    """The event_id of what asked for it."""
    maker: tuple[str | None, ...]
    """The fields of its Actor, in their order."""
    reason: str
    reference: str
    """The text that is booked."""
    before: str
    """What the break was before."""
    is_write_off: bool = False
    reverses: int | None = None
    """The number of the posted correction that it takes back."""
    legs: tuple[Leg, ...] = ()
    """None, where it takes one back or posts nothing; and once it is approved."""
    amount_minor: int = 0
    """What it posts on the account, a credit is positive."""
    came_minor: int = 0
    """How much of that has come back: the ledger posts a leg in as many parts as it has counterparts."""

    @property
    def actor(self) -> ev.Actor:
        """Who has asked for it."""
        return ev.Actor(*self.maker)  # type: ignore[arg-type]


class Line(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A line of a statement, with the fields of `events.LineRef`."""

    statement_id: str
    line_no: int
    line_id: str | None = None


class Life(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A break: as it was opened, and what has become of it."""

    kind: str
    amount_minor: int
    """Of its item, or what is wrong with a statement; a credit is positive."""
    difference_minor: int
    """What the bank has and the books have not, a credit is positive; 0: no journal can explain it."""
    currency: str
    is_line: bool
    """Whether its open item is a line; of a break of a statement, too."""
    statement_id: str | None
    line_no: int | None
    line_id: str | None
    posting_id: str | None
    counterpart_lines: tuple[Line, ...]
    counterpart_postings: tuple[str, ...]
    detail: str
    since: int
    """From which day on its age counts, days since 1970-01-01."""
    opened_at: int
    materiality: str
    status: str = OPEN
    assignee: str | None = None
    acted: tuple[bytes, ...] = ()
    """Digests of the ids of the actions that had an effect."""
    corrections: int = 0
    """How many were suggested."""
    correction: Correction | None = None
    """The one that waits for a person or for the ledger."""
    posted: int | None = None
    """The number of the correction that explains it, and that nobody has begun to take back."""
    posted_minor: int = 0
    """What that correction posts on the account."""
    explained_minor: int = 0
    """What all postings of its corrections come to, and of their reversals, on the account."""
    postings: tuple[str, ...] = ()
    """These postings; none where they cancel each other."""
    refused: str | None = None
    """Why the ledger has refused the last one."""
    resolution: str | None = None
    changed_at: int = 0
    """When its status was last set, event time, microseconds UTC."""
    ended_at: int | None = None
    """When it was over, event time of the account; None: it is not."""

    @property
    def left_minor(self) -> int:
        """What no correction has explained yet, a credit is positive, minor units."""
        return self.difference_minor - self.explained_minor

    @property
    def size_minor(self) -> int:
        """What is at stake, either sign, minor units."""
        return self.difference_minor or self.amount_minor


class Tally(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How many items, and how much they are."""

    count: int = 0
    minor: str = "0"
    """The sum of their amounts without signs, minor units, as text: it may be above 64 bits."""


class Day(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The items of a day in a currency, by what has become of them, and the statements of the day."""

    lines: dict[str, Tally] = {}
    """By standing (`summary`)."""
    postings: dict[str, Tally] = {}
    statements: int = 0
    """How many were closed."""
    unsound: int = 0
    """How many of them have an open break."""
    announced: int = 0
    """How many lines they say to have."""
    ended_at: int | None = None
    """When the row was begun, event time of the account, or the day itself where it is later: the row is kept
    for the windows from then on."""


unpack_life = unpacker(LIFE_ROW, Life)
"""Return the break of a row. Raises UnreadableRow."""
unpack_day = unpacker(DAY_ROW, Day)
"""Return the figures of a row. Raises UnreadableRow."""


def life_key(tenant_id: str, account_id: str, break_id: str) -> bytes:
    """Return the row key of a break."""
    return row_key(LIFE_ROW.family, tenant_id, account_id, break_id)


@lru_cache(1024)
def day_key(tenant_id: str, account_id: str, currency: str, day: int) -> bytes:
    """Return the row key of a day; `day`: days since 1970-01-01."""
    return row_key(DAY_ROW.family, tenant_id, account_id, currency, sortable(day))


def read_life(rows: Rows, key: bytes) -> Life | None:
    """Return a break, whether it is over or not, or None. Raises UnreadableRow."""
    row = rows.get(key)
    return None if row is None else unpack_life(row)


def legs_of(legs: tuple[ev.JournalLeg, ...]) -> tuple[Leg, ...]:
    """Return the legs of an event as a row has them."""
    return tuple(Leg(*msgspec.structs.astuple(leg)) for leg in legs)


def as_event_legs(legs: tuple[Leg, ...]) -> tuple[ev.JournalLeg, ...]:
    """Return the legs of a row as events have them."""
    return tuple(ev.JournalLeg(*msgspec.structs.astuple(leg)) for leg in legs)


def fields_of(actor: ev.Actor) -> tuple[Any, ...]:
    """Return an actor as a row has it."""
    return msgspec.structs.astuple(actor)
