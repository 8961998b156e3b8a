"""What an arrival brings to light: breaks to open and to resolve, and what is to be done with the line.

The id of a break follows from kind, name and ordinal: the desk derives it, and the chain remembers none.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

NEW, INFORMATION, REPEAT, CONFLICT, CLOSED = "NEW", "INFORMATION", "REPEAT", "CONFLICT", "CLOSED"
"""What an arrival is. NEW: a line that is to be matched. INFORMATION: a line that moves no money. REPEAT: it
was here before, no effect. CONFLICT: it contradicts what is known, a DUPLICATE break. CLOSED: a statement
ends."""

LINES_MISSING = "SEQUENCE_GAP"
"""The lines of a statement are not exactly those that it announces."""
CLOSING = "CLOSING_BALANCE"
"""All lines are there, and opening balance and lines do not make the closing balance."""
OPENING = "OPENING_BALANCE"
"""A statement opens with another balance than the one before closed with, and none is missing between."""
GAP = "GAP"
"""A statement is missing before this one."""
OVERLAP = "OVERLAP"
"""A statement covers what another one covers."""
STALE = "STALE"
"""An account's statements have stopped."""
DUPLICATE = "DUPLICATE"
"""A line or a closing came again with other content."""

STATEMENT_ARRIVED, LINE_ARRIVED = "statement_arrived", "line_arrived"
"""Why a break is resolved."""

_Row = TypeVar("_Row", bound=msgspec.Struct)


class ChainRows(Protocol):
    """The rows of one account while an event is applied."""

    def get(self, key: bytes, content: type[_Row]) -> _Row | None:
        """Return the row under a key, or None."""
        ...

    def put(self, key: bytes, row: msgspec.Struct | None) -> None:
        """Insert or replace a row; None: delete it."""
        ...


class Moment(msgspec.Struct, frozen=True, gc=False):
    """Whose event it is, and when."""

    tenant_id: str
    account_id: str
    watermark: int
    """Event time of the account, this event included, microseconds UTC."""
    keep_us: int
    """How long what has ended is remembered, event time."""

    def is_over(self, ended_at: int) -> bool:
        """Whether what has ended at a time counts as absent."""
        return self.watermark - ended_at > self.keep_us


class Finding(msgspec.Struct, frozen=True, gc=False):
    """A break to open."""

    kind: str
    name: str
    """Its subject, unique in the account."""
    ordinal: str
    """Distinguishes breaks of one kind on one subject."""
    currency: str
    amount_minor: int
    """What is missing, of an OVERLAP what is there twice, signed; 0 where no amount is known."""
    detail: str
    statement_id: str | None = None
    line_no: int | None = None
    day: int | None = None
    """When the statement that it is about was closed, days since 1970-01-01; None: about no closed one."""


class Resolved(msgspec.Struct, frozen=True, gc=False):
    """A break to resolve: the one that was opened with this kind, name and ordinal."""

    kind: str
    name: str
    ordinal: str
    why: str


class Adopted(msgspec.Struct, frozen=True, gc=False):
    """A line that was taken for a repeat, and is one more line of the same content."""

    key: bytes
    like: bytes
    """The key of the line whose content it has."""
    line_no: int


class Outcome(msgspec.Struct, gc=False):
    """What an arrival means."""

    what: str = REPEAT
    key: bytes = b""
    """The key of a NEW line or an INFORMATION; of the line that a REPEAT repeats, and may tell more of."""
    twin: bytes = b""
    """The key of a line with the same content at another place, or empty: a line may be a DUPLICATE where it
    has a twin and no posting of its own."""
    statement: str = ""
    """The name of the statement that it belongs to: id, currency and which of that id."""
    standing: str = ""
    """How that statement stands (`instances.standing`)."""
    opened: list[Finding] = []
    resolved: list[Resolved] = []
    adopted: list[Adopted] = []
    ended: list[bytes] = []
    """Keys for the queue of what has ended, with the account's event time (`sweeping`)."""
    stale_at: int | None = None
    """After a closing: when the account's statements have stopped, event time; then `fall_stale` is due."""


class Work:
    """One arrival while it is applied: the rows, and what it has brought to light."""

    def __init__(self, rows: ChainRows, at: Moment) -> None:
        self.rows, self.at = rows, at
        self.outcome = Outcome()

    @property
    def account(self) -> tuple[str, str]:
        """Tenant and account."""
        return self.at.tenant_id, self.at.account_id
