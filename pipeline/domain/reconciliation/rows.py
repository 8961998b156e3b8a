"""The rows of the reconciliation table, and the indexes over the items that are still open.

    w  tenant account                        event-time watermark
    o  tenant account posting                posting of the books          l  tenant account statement line_no
    s  tenant account statement              statement                     k  tenant account currency  chain
    b  tenant account break                  break, open or resolved       c  ... last claim of a reference
    r / e  currency reference amount date    open postings / lines by reference
    a / u  currency date amount              open postings / lines by date
    d  tenant account due_at                 open items by the end of their grace period
    q  tenant account                        queue of what has ended     x  ... number  its buckets

The value of an index row is the key of its item, without a layout byte. Which index rows an item has
follows from its status alone (`index_keys`), so the indexes are right after every transition (`items`).
Numbers in keys are `sortable`.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.layouts import RowClasses, RowKind, append_fields, unpacker
from pipeline.domain.kernel.rows import row_key
from pipeline.domain.reconciliation.item_rows import (
    BREAK_ROW,
    ENDED,
    IN_FORCE,
    LINE_ROW,
    POSTING_ROW,
    WATERMARK_ROW,
    Break,
)
from pipeline.domain.reconciliation.sortable import number_at, sortable

_NOT_KNOWN = append_fields(None)
"""When it has ended: earlier versions did not say it, so such a row is never over."""
STATEMENT_ROW = RowKind("reconciliation", "statement", "s", [_NOT_KNOWN])
CHAIN_ROW = RowKind("reconciliation", "chain", "k")
CLAIM_ROW = RowKind("reconciliation", "claim", "c", [_NOT_KNOWN])
ENDED_ROW, ENDED_BUCKET_ROW = ENDED.state, ENDED.bucket
INDEXES = "reaud"
"""The families of the indexes; their rows have no layout."""

OPEN, MISSING, AMOUNT, DUPLICATE, CLAIMED = "OPEN", "MISSING", "AMOUNT", "DUPLICATE", "CLAIMED"
"""Statuses of an item: OPEN until the end of its grace period, then MISSING; AMOUNT or DUPLICATE with a break
of that type; CLAIMED, from any of them, once it is matched."""

CANDIDATES_MAX = 256
"""The most items that one scan of an index reads; it bounds the work of an event."""


class Watermark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The event time that an account has reached, microseconds UTC."""

    reached_at: int


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
    """The end of its grace period, event time, microseconds UTC."""
    ids: tuple[str, ...]
    """References that no other payment has: payment_id, entry_id."""
    references: tuple[str, ...]
    """All references by which a line may refer to it: `ids` and the free text."""
    status: str = OPEN
    break_id: str = ""
    """The open break of the item, or empty."""
    breaks: int = 0
    """How many breaks were opened for it."""
    ended_at: int | None = None
    """When it was claimed, event time of the account; None: it is not, or that is not known."""

    @property
    def order(self) -> tuple[int, str]:
        """The order among postings that match equally well."""
        return self.sequence, self.posting_id


class BankLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
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
    """The external reference, or empty."""
    content: bytes
    """Digest of its content, to distinguish a repeat from another line under the same number."""
    ripe: bool
    """Whether it may be matched by amount and date: it has no reference, or its grace period is over."""
    status: str = OPEN
    break_id: str = ""
    breaks: int = 0
    posting_id: str = ""
    """The posting it has claimed, or empty."""
    ended_at: int | None = None
    """As a posting's."""

    @property
    def order(self) -> tuple[str, int]:
        """The order among lines that match equally well."""
        return self.statement_id, self.line_no


class Claim(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last line that matched under a reference and an amount."""

    day: int
    tier: str
    by_id: bool
    """Whether the reference was one of our ids, which no second line may have at any date."""
    ended_at: int | None = None
    """When it was made, as a posting's."""


class Statement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A statement as far as it has arrived; balances and `line_count` are set when it is closed."""

    currency: str
    lines: int = 0
    lowest: int = 0
    highest: int = 0
    total_minor: int = 0
    closed: bool = False
    opening_minor: int = 0
    closing_minor: int = 0
    line_count: int = 0
    closed_at: int = 0
    gap_break_id: str = ""
    balance_break_id: str = ""
    breaks: int = 0
    ended_at: int | None = None
    """When it was last looked at and was closed, without a break; else None."""


class Link(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """A closed statement in the chain of an account's statements, ordered by time of closing."""

    closed_at: int
    statement_id: str
    opening_minor: int
    closing_minor: int
    break_id: str = ""


_CLASSES = RowClasses(
    {
        Watermark: WATERMARK_ROW,
        Posting: POSTING_ROW.as_of(IN_FORCE),
        BankLine: LINE_ROW.as_of(IN_FORCE),
        Statement: STATEMENT_ROW,
        Break: BREAK_ROW,
        Claim: CLAIM_ROW,
    }
)
pack, decode, read = _CLASSES.pack, _CLASSES.decode, _CLASSES.read

pack_chain = CHAIN_ROW.pack
"""Return the row of a chain of links."""
unpack_chain = unpacker(CHAIN_ROW, list[Link])
"""Return the links of a row, in their order. Raises UnreadableRow."""


def posting_key(tenant_id: str, account_id: str, posting_id: str) -> bytes:
    """Return the row key of a posting."""
    return row_key(POSTING_ROW.family, tenant_id, account_id, posting_id)


def line_key(tenant_id: str, account_id: str, statement_id: str, line_no: int) -> bytes:
    """Return the row key of a statement line."""
    return row_key(LINE_ROW.family, tenant_id, account_id, statement_id, sortable(line_no))


def statement_key(tenant_id: str, account_id: str, statement_id: str) -> bytes:
    """Return the row key of a statement."""
    return row_key(STATEMENT_ROW.family, tenant_id, account_id, statement_id)


def chain_key(tenant_id: str, account_id: str, currency: str) -> bytes:
    """Return the row key of the chain of closed statements of an account."""
    return row_key(CHAIN_ROW.family, tenant_id, account_id, currency)


def break_key(tenant_id: str, account_id: str, break_id: str) -> bytes:
    """Return the row key of a break."""
    return row_key(BREAK_ROW.family, tenant_id, account_id, break_id)


def claim_key(line: BankLine) -> bytes:
    """Return the row key of the last claim under the line's reference and amount."""
    head = (CLAIM_ROW.family, line.tenant_id, line.account_id, line.currency, line.reference)
    return row_key(*head, sortable(line.amount_minor))


def watermark_key(tenant_id: str, account_id: str) -> bytes:
    """Return the row key of an account's watermark."""
    return row_key(WATERMARK_ROW.family, tenant_id, account_id)


def due_prefix(tenant_id: str, account_id: str) -> bytes:
    """Return the prefix of an account's due items, in the order in which they fall due."""
    return row_key("d", tenant_id, account_id, "")


def key_of(item: Posting | BankLine) -> bytes:
    """Return the row key of an item."""
    if type(item) is Posting:
        return posting_key(item.tenant_id, item.account_id, item.posting_id)
    assert type(item) is BankLine
    return line_key(item.tenant_id, item.account_id, item.statement_id, item.line_no)


def indexed_as(item: Posting | BankLine) -> tuple[str, tuple[str, ...], str]:
    """Return the indexes that an unclaimed item is in: the family by reference, the references, the family
    by date or an empty string."""
    if type(item) is Posting:
        return "r", item.references, "a" if item.status != AMOUNT else ""
    assert type(item) is BankLine
    references = (item.reference,) if item.reference else ()
    return "e", references, "u" if item.ripe and item.status != AMOUNT else ""


def due_at_of(entry: bytes, prefix: bytes) -> int:
    """Return when the item of an index row under `due_prefix` falls due."""
    return number_at(entry, len(prefix))


def index_keys(item: Posting | BankLine) -> list[bytes]:
    """Return the keys of the index rows that an item has in its status."""
    if item.status == CLAIMED:
        return []
    by_reference, references, by_date = indexed_as(item)
    if isinstance(item, Posting):
        identity: tuple[str, ...] = (sortable(item.sequence), item.posting_id)
    else:
        identity = (item.statement_id, sortable(item.line_no))
    account = (item.tenant_id, item.account_id, item.currency)
    day, amount = sortable(item.day), sortable(item.amount_minor)
    found = [row_key(by_reference, *account, text, amount, day, *identity) for text in references]
    if by_date:
        found.append(row_key(by_date, *account, day, amount, *identity))
    if item.status == OPEN:
        prefix = due_prefix(item.tenant_id, item.account_id)
        found.append(prefix + row_key(sortable(item.due_at)) + b"\0" + key_of(item))
    return found
