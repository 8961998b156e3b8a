"""The rows of the desk, and what an item's index rows are. README.md has the table of all keys.

Postings and lines keep their families: layout 3 appends to those of before, and an item of an earlier layout
has form 0. Such an item is in the earlier indexes `r e a u` until it is taken over (`earlier`).
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.layouts import RowClasses, RowKind
from pipeline.domain.kernel.rows import row_key
from pipeline.domain.kernel.times import LONG_AGO
from pipeline.domain.reconciliation.item_rows import LINE_ROW, POSTING_ROW, WATERMARK_ROW
from pipeline.domain.reconciliation.scoring.lags import NO_LAGS, Lags
from pipeline.domain.reconciliation.sortable import sortable

DESK_ROW = RowKind("reconciliation", "desk", "z")
EDGES_ROW = RowKind("reconciliation", "edges", "m")
WORDS_ROW = RowKind("reconciliation", "words", "v")
RATES_ROW = RowKind("reconciliation", "rates", "R")
WEIGHTS_ROW = RowKind("reconciliation", "weights", "W")
CLOCK_ROW = RowKind("reconciliation", "branch clock", "T")
UNSOUND_ROW = RowKind("reconciliation", "unsound statement", "U")

INDEX, DUE, WAKE = "j", "d", "t"
"""Families of rows that only mark that something exists: they have no layout."""
MARK = b"\x01"
"""The value of an index row and of a wake-up."""
EARLIER_INDEXES = "reau"
NEVER = 2**63 - 1

EARLIER, NEWEST = 0, 1
"""Forms of an item: EARLIER rows have raw references, and are in the earlier indexes."""
OPEN, MISSING, CLAIMED, INFORMATION = "OPEN", "MISSING", "CLAIMED", "INFORMATION"
"""OPEN: nothing is decided for good. MISSING: it has a break, whatever its kind, and still waits. CLAIMED: it
is matched. INFORMATION: it moves no money. Earlier rows also say AMOUNT and DUPLICATE, which are MISSING."""
AGAIN, ARRIVED, MET, ASKED = -1, 0, 1, 2
"""Stages of an open item: it waits for its reference; its candidates are known; people were asked. AGAIN: it
waits as one that has arrived, and its words are counted already."""
REFERENCE, SCORED, PERSON, CORRECTION = "REFERENCE", "SCORED", "PERSON", "CORRECTION"
"""Tiers of matches, beside those of groups: symbols of MatchTier."""
REJECTED_MAX = 16
"""Sets of items that are remembered as rejected, an item."""


class Posting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A posting of a nostro account; the amount is signed, a credit is positive."""

    tenant_id: str
    account_id: str
    posting_id: str
    currency: str
    amount_minor: int
    day: int
    """Days since 1970-01-01 of its occurred_at."""
    sequence: int
    due_at: int
    """When its next step is due, event time, microseconds UTC."""
    ids: tuple[str, ...]
    """Of an earlier row: raw ids that no other payment has. Else empty."""
    references: tuple[str, ...]
    """In normal form, own ids first; of an earlier row raw, in another order."""
    status: str = OPEN
    break_id: str = ""
    breaks: int = 0
    """How many breaks were opened for it."""
    ended_at: int | None = None
    """When it was claimed, event time of the account; None: it is not, or that is not known."""
    form: int = NEWEST
    own_ids: int = 0
    """How many of `references` are ids that no other payment has."""
    words: tuple[str, ...] = ()
    counterparty: tuple[str, ...] = ()
    sought: tuple[str, ...] = ()
    """The words by which it is in the index."""
    information: int = 0
    """What its words said when it met the others, tenths of a bit; 0: it has not, or they say nothing."""
    stage: int = ARRIVED
    standing: str = "WAITING"
    """Under which standing its day counts it (`breaks.summary`)."""
    leader: bytes = b""
    """Once it is claimed: the item whose row names the items of the match."""
    partners: tuple[bytes, ...] = ()
    """Of a leader: the other items of its match, lines first."""
    rejected: tuple[bytes, ...] = ()
    """Digests of sets of items that a person has rejected."""
    tier: str = ""
    """By what it is claimed."""

    @property
    def key(self) -> bytes:
        """Its key in its account."""
        return b"o\0" + self.posting_id.encode()  # as `posting_item`, without a call: it is asked for often


class Line(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A line of a statement; the amount is signed, a credit is positive."""

    tenant_id: str
    account_id: str
    statement_id: str
    line_no: int
    currency: str
    amount_minor: int
    day: int
    """Days since 1970-01-01 of its value date."""
    due_at: int
    reference: str
    """Of an earlier row: the raw reference. Else empty."""
    content: bytes
    """The chain's digest of its content; of an earlier row another digest."""
    ripe: bool
    """Of an earlier row: whether it is in the index by date."""
    status: str = OPEN
    break_id: str = ""
    breaks: int = 0
    posting_id: str = ""
    """Of an earlier row: the posting it has claimed, or empty."""
    ended_at: int | None = None
    form: int = NEWEST
    line_id: str = ""
    """The chain's key, 32 hex digits; of an earlier row empty."""
    references: tuple[str, ...] = ()
    booked_day: int | None = None
    """None: an earlier row does not say it."""
    words: tuple[str, ...] = ()
    counterparty: tuple[str, ...] = ()
    kind: str = ""
    original: tuple[int, str] | None = None
    fee_minor: int = 0
    details: tuple[tuple[int, str, tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = ()
    """Of a batch booking, for each payment: amount, currency, references, words, counterparty."""
    sought: tuple[str, ...] = ()
    information: int = 0
    stage: int = ARRIVED
    standing: str = "WAITING"
    leader: bytes = b""
    partners: tuple[bytes, ...] = ()
    rejected: tuple[bytes, ...] = ()
    tier: str = ""
    twin: bytes = b""
    """The key of the line that had its content first, at another place, or empty."""

    @property
    def key(self) -> bytes:
        """Its key in its account."""
        if self.line_id:
            return b"l\0" + self.line_id.encode()
        return earlier_line_item(self.statement_id, self.line_no)


Entry = Posting | Line
"""A posting or a line as its row has it."""


class Watermark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The event time that an account has reached, microseconds UTC."""

    reached_at: int


class Desk(msgspec.Struct, array_like=True, gc=False):
    """What an account knows beside its items. The rules change it in place."""

    earlier: bool = False
    """Whether it may have items of earlier rows."""
    clock_at: int = LONG_AGO
    """The branch's clock at the account's last event or continuation, microseconds UTC."""
    wakes_at: int | None = None
    """The time of the branch under which it is in the wake-ups; None: it is in none."""
    continues: bool = False
    """Whether a continuation of it is on its way."""
    met: int = 0
    """How many items were met: what words are counted against."""
    lags: Lags = NO_LAGS
    of_postings: dict[int, int] = {}
    """Counters of references, other than own ids, by their checksum: which are constants (`knowledge`)."""
    of_lines: dict[int, int] = {}
    stale: tuple[tuple[str, int], ...] = ()
    """By currency: when its statements have stopped, if no more come."""
    before_at: int | None = None
    """The account's time when the desk has taken it over: lines of before may come again; None: it is new."""


class Edges(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The edges of an item."""

    others: tuple[tuple[bytes, bytes], ...] = ()
    """The other end, and the evidence of the pair: a byte for the bucket of each feature."""


class Words(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A page of the words of an account: how many items have each, by its checksum."""

    counts: dict[int, int] = {}


class Rates(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The rates of a tenant: (source, target, [(day from which on, rate)]), in the order of currencies."""

    pairs: tuple[tuple[str, str, tuple[tuple[int, int], ...]], ...] = ()


class PublishedWeights(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Weights of a tenant: (from when on, microseconds UTC; canonical JSON, or empty for the defaults)."""

    sets: tuple[tuple[int, str], ...] = ()


class Clock(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The latest event time of a partition, microseconds UTC."""

    reached_at: int
    wakes_from: int = NEVER
    """When the first of its accounts wakes up, by this clock; NEVER: none does."""


class Unsound(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The breaks of a closed statement, from the first one on."""

    breaks: int
    """How many are open."""
    begun_at: int
    """When the first one was opened, event time of the account."""


CLASSES = RowClasses(
    {
        Posting: POSTING_ROW,
        Line: LINE_ROW,
        Watermark: WATERMARK_ROW,
        Desk: DESK_ROW,
        Edges: EDGES_ROW,
        Words: WORDS_ROW,
        Rates: RATES_ROW,
        PublishedWeights: WEIGHTS_ROW,
        Clock: CLOCK_ROW,
        Unsound: UNSOUND_ROW,
    }
)
pack, decode, read = CLASSES.pack, CLASSES.decode, CLASSES.read


def posting_item(posting_id: str) -> bytes:
    """Return the key of a posting in its account."""
    return b"o\0" + posting_id.encode()


def line_item(line_id: str) -> bytes:
    """Return the key of a line in its account; `line_id`: the chain's key."""
    return b"l\0" + line_id.encode()


def earlier_line_item(statement_id: str, line_no: int) -> bytes:
    """Return the key of a line of before in its account."""
    return b"l\0" + statement_id.encode() + b"\0" + sortable(line_no).encode()


def unsound_key(tenant_id: str, account_id: str, currency: str, day: int, statement_id: str) -> bytes:
    """Return the row key of the breaks of a statement; `day`: when it was closed, days since 1970-01-01."""
    return row_key(UNSOUND_ROW.family, tenant_id, account_id, currency, sortable(day), statement_id)


def row_of(account: bytes, item: bytes) -> bytes:
    """Return the row key of an item; `account`: NUL tenant NUL account."""
    return item[:1] + account + item[1:]


def item_of(account: bytes, row: bytes) -> bytes:
    """Return the key of an item by its row key."""
    return row[:1] + row[1 + len(account) :]


def due_key(account: bytes, due_at: int, item: bytes) -> bytes:
    """Return the key of the row by which an open item falls due; as earlier versions wrote it."""
    return b"d" + account + b"\0" + sortable(due_at).encode() + b"\0" + row_of(account, item)
