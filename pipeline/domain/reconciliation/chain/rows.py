"""The rows of the chain, in the reconciliation table.

    n  tenant account content             a content: the place at which it was seen first
    p  tenant account content place       another place with that content
    i  tenant account currency statement  the statements under one id
    h  tenant account currency            the chain of an account's statements, its newest part
    g  tenant account currency page       the older parts of the chain, read where a statement comes late

Nothing grows without bound: `INSTANCES_MAX` statements an id, `RUNS_MAX` runs of line numbers a statement,
`AGAIN_MAX` repeated lines, `PAGES_MAX` pages of a chain.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from pipeline.domain.kernel.layouts import RowClasses, RowKind
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.reconciliation.chain.inputs import Closing
from pipeline.domain.reconciliation.sortable import sortable

CONTENT_ROW = RowKind("reconciliation", "line content", "n")
PLACE_ROW = RowKind("reconciliation", "line place", "p")
SERIES_ROW = RowKind("reconciliation", "statements of an id", "i")
HISTORY_ROW = RowKind("reconciliation", "chain of statements", "h")
PAGE_ROW = RowKind("reconciliation", "chain page", "g")

INSTANCES_MAX = 8
"""Statements of one id that are known at a time; of complete ones the oldest are forgotten first."""
AGAIN_MAX = 64
RUNS_MAX = 256
"""A statement of up to 1,000 lines has no more in any order of arrival, and one of any length in its own."""
PAGE_LINKS = 64
NEWEST_LINKS = 2 * PAGE_LINKS
"""How long the newest part gets before a page of it is put aside."""
PAGES_MAX = 28
"""With the newest part, a year of five statements a day. What is older has no place in the chain."""

NO_DAY = -(2**31)
"""Before any other day."""
CONTRADICTS = 0
"""How many lines have a content at a place: none, it contradicts another one there."""


class Content(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The first place of a content."""

    place: bytes
    held: int
    """How many lines have it there; `CONTRADICTS`: none."""
    at: int
    """When it came, event time of the account, microseconds UTC."""


class Place(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Another place of a content."""

    held: int
    at: int


class Open(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A break that is open on a statement."""

    kind: str
    ordinal: int
    amount_minor: int


class Instance(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One statement under an id, as far as it has arrived."""

    number: int
    """Which one under its id, from 1."""
    begun_day: int
    """The day of what came first of it: with `number`, it names the statement."""
    first_day: int
    last_day: int
    """What it covers as far as known: bookings, closing, the time that it tells of."""
    lines: int = 0
    moving: int = 0
    """Lines that move money."""
    total_minor: int = 0
    runs: tuple[tuple[int, int], ...] = ()
    """The numbers of its lines, as runs: first and last."""
    lowest: int = 0
    highest: int = 0
    twins: int = 0
    """Lines that move money whose content was at another place before."""
    twins_minor: int = 0
    closing: Closing | None = None
    """None: it is not closed."""
    open: tuple[Open, ...] = ()
    breaks: int = 0
    """How many breaks were opened on it."""


class Again(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A line that came again after its statement was closed: a repeat, or the same line of the next one."""

    line_no: int
    content: bytes
    moves_minor: int
    booked_day: int


class Series(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The statements under one id in one currency."""

    made: int = 0
    instances: tuple[Instance, ...] = ()
    again: tuple[Again, ...] = ()
    touched_at: int = 0
    """When it changed last, event time of the account, microseconds UTC."""


class Link(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A closed statement in the chain."""

    closing: Closing
    number: int
    begun_day: int
    sound: bool = False
    """Whether its lines are all there and make its closing balance."""
    moving: int = 0
    """As in its `Instance`, once its lines are all there; 0 before, as the next two."""
    twins: int = 0
    twins_minor: int = 0
    copies: bool = False
    """Whether it is a copy: the next one follows the one before it."""
    open: tuple[Open, ...] = ()
    breaks: int = 0


class History(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The chain of an account's statements in a currency: its newest part."""

    links: tuple[Link, ...] = ()
    """In the order of the chain; what was closed on `newest_from_day` or later."""
    anchor: Link | None = None
    """The link of the pages that the first of `links` follows."""
    newest_from_day: int = NO_DAY
    first_page: int = 0
    pages: int = 0
    forgotten: Link | None = None
    """The last link that was forgotten; the first page follows it."""
    known_from_day: int = NO_DAY
    """What was closed before is forgotten."""
    days: tuple[int, ...] = ()
    """The last days on which a statement was closed, for the rhythm."""
    stale: int = 0
    """The ordinal of the open STALE break; 0: none."""
    breaks: int = 0


class Page(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An older part of a chain."""

    links: tuple[Link, ...]


Account = tuple[str, str]
"""Tenant and account."""
_Row = TypeVar("_Row", bound=msgspec.Struct)

CLASSES = RowClasses(
    {
        Content: CONTENT_ROW,
        Place: PLACE_ROW,
        Series: SERIES_ROW,
        History: HISTORY_ROW,
        Page: PAGE_ROW,
    }
)


class StoredRows:
    """`ChainRows` over a table: every row is decoded and written as it is used."""

    def __init__(self, table: Rows) -> None:
        self._table = table

    def get(self, key: bytes, content: type[_Row]) -> _Row | None:
        """Return the row under a key, or None. Raises UnreadableRow."""
        return CLASSES.read(self._table, key, content)

    def put(self, key: bytes, row: msgspec.Struct | None) -> None:
        """Insert or replace a row; None: delete it."""
        if row is None:
            self._table.delete(key)
        else:
            self._table.put(key, CLASSES.pack(row))


def content_key(account: Account, content: bytes) -> bytes:
    """Return the row key of a content."""
    return row_key(CONTENT_ROW.family, *account, content.hex())


def place_key(account: Account, content: bytes, place: bytes) -> bytes:
    """Return the row key of another place of a content."""
    return row_key(PLACE_ROW.family, *account, content.hex(), place.hex())


def series_key(account: Account, currency: str, statement_id: str) -> bytes:
    """Return the row key of the statements under an id."""
    return row_key(SERIES_ROW.family, *account, currency, statement_id)


def history_key(account: Account, currency: str) -> bytes:
    """Return the row key of a chain."""
    return row_key(HISTORY_ROW.family, *account, currency)


def page_key(account: Account, currency: str, page: int) -> bytes:
    """Return the row key of an older part of a chain."""
    return row_key(PAGE_ROW.family, *account, currency, sortable(page))
