"""Rows of the stream before: their breaks get a life, and their open items arrive again, a few an event.

    b -> f          an open break as it is, without an event; a resolved one until its windows are over
    r e a u -> o l  an item in the newest form, out of the earlier indexes -> arrives

Breaks come first: an item that arrives may find its counterpart, and its break is resolved. What is matched
already stays as it is until its windows are over: it is only looked at where a line comes again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.rows import row_key
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.breaks import states
from pipeline.domain.reconciliation.breaks.ageing import materiality_of
from pipeline.domain.reconciliation.breaks.rows import Life
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.items import taken_over
from pipeline.domain.reconciliation.desk.rows import (
    CLAIMED,
    EARLIER,
    EARLIER_INDEXES,
    MISSING,
    OPEN,
    Entry,
    Line,
    Posting,
    earlier_line_item,
    item_of,
    posting_item,
)
from pipeline.domain.reconciliation.item_rows import (
    BREAK_ROW,
    CLAIM_ROW,
    STATEMENT_ROW,
    Break,
    line_digest,
)
from pipeline.domain.reconciliation.sortable import sortable

TAKEN_MAX = 16
"""Breaks and items that an event takes over."""
_UNREAD = BREAK_ROW.family + STATEMENT_ROW.family
"""Families of rows that the stream before has queued: breaks, which have lives now, and statements."""
_AMOUNT, _DUPLICATE = "AMOUNT", "DUPLICATE"
"""Statuses and kinds of before."""


_read_break = unpacker(BREAK_ROW, Break)
Arrive = Callable[[Entry], None]
"""Lets an item arrive that is in no index; it has its status and its break."""


def take_over(account: AccountDesk, scope: Scope, arrive: Arrive) -> bool:
    """Take over the next breaks and items of before; return whether any are left."""
    if not account.desk.earlier:
        return False
    part = row_key("", *account.account)
    room = TAKEN_MAX
    for key, value in list(islice(account.table.scan(BREAK_ROW.family.encode() + part + b"\0"), room)):
        _take_break(account, scope, key, _read_break(value))
        room -= 1
    for entry in islice(_open_items(account, part), room):
        arrive(modern(account, entry))
        room -= 1
    account.desk.earlier = room == 0
    return account.desk.earlier


def modern(account: AccountDesk, entry: Entry) -> Entry:
    """Take an item of before out of its indexes, and return it in the newest form, not written yet."""
    for key in _index_keys(entry):
        account.table.delete(key)
    status = entry.status if entry.status == OPEN else MISSING
    return msgspec.structs.replace(taken_over(entry), status=status)


def _open_items(account: AccountDesk, part: bytes) -> Iterator[Entry]:
    """Yield the items in the earlier indexes; each is taken out before the next is asked for."""
    for family in EARLIER_INDEXES:
        prefix = family.encode() + part + b"\0"
        while (found := next(account.table.scan(prefix), None)) is not None:
            entry = account.item(item_of(part, found[1]))
            if entry is None or entry.form != EARLIER:
                account.table.delete(found[0])  # it stands for nothing: else it would be found for ever
            else:
                yield entry


def _index_keys(entry: Entry) -> list[bytes]:
    """Return the keys of the index rows that an item of before has; its due row goes with its status."""
    account, day = (entry.tenant_id, entry.account_id, entry.currency), sortable(entry.day)
    amount = sortable(entry.amount_minor)
    if isinstance(entry, Posting):
        families, references, is_dated = "ra", entry.references, entry.status != _AMOUNT
        identity: tuple[str, ...] = (sortable(entry.sequence), entry.posting_id)
    else:
        references = (entry.reference,) if entry.reference else ()
        families, is_dated = "eu", entry.ripe and entry.status != _AMOUNT
        identity = (entry.statement_id, sortable(entry.line_no))
    found = [row_key(families[0], *account, text, amount, day, *identity) for text in references]
    return [*found, row_key(families[1], *account, day, amount, *identity)] if is_dated else found


# --- breaks


def _take_break(account: AccountDesk, scope: Scope, key: bytes, opened: Break) -> None:
    """Give a break of before its life; nobody is told, since it was told when it was opened."""
    account.table.delete(key)
    break_id = key.rpartition(b"\0")[2].decode()
    line, posting = _items_of(account, opened)
    day = line.day if line is not None else posting.day if posting is not None else None
    difference = _difference(opened, break_id, line)
    is_line = opened.line_no is not None or opened.posting_id is None
    both = line is not None and opened.posting_id is not None
    resolved = opened.resolution is not None
    life = Life(
        kind=opened.type,
        amount_minor=opened.amount_minor,
        difference_minor=difference,
        currency=opened.currency,
        is_line=is_line,
        statement_id=opened.statement_id,
        line_no=opened.line_no,
        line_id=None,
        posting_id=None if both else opened.posting_id,
        counterpart_lines=(),
        counterpart_postings=(opened.posting_id,) if both and opened.posting_id is not None else (),
        detail=opened.detail,
        since=opened.opened_at // MICROSECONDS_PER_DAY if day is None else day,
        opened_at=opened.opened_at,
        materiality=materiality_of(
            opened.type, difference or opened.amount_minor, opened.currency, scope.rules
        ),
        status=states.RESOLVED if resolved else states.OPEN,
        resolution=opened.resolution,
        changed_at=opened.opened_at if opened.resolved_at is None else opened.resolved_at,
    )
    scope.write(break_id, life)


def _items_of(account: AccountDesk, opened: Break) -> tuple[Line | None, Posting | None]:
    line = posting = None
    if opened.statement_id is not None and opened.line_no is not None:
        found = account.item(earlier_line_item(opened.statement_id, opened.line_no))
        line = found if isinstance(found, Line) else None
    if opened.posting_id is not None:
        other = account.item(posting_item(opened.posting_id))
        posting = other if isinstance(other, Posting) else None
    return line, posting


def _difference(opened: Break, break_id: str, line: Line | None) -> int:
    """Return what the bank has and the books have not, minor units; 0: no journal can explain it."""
    if opened.type in ("MISSING_INTERNAL", _AMOUNT):
        return opened.amount_minor
    if opened.type == "MISSING_EXTERNAL":
        return -opened.amount_minor
    # A line number that came again with other content is a DUPLICATE, too, and no item of ours.
    is_item = opened.type == _DUPLICATE and line is not None and line.break_id == break_id
    return opened.amount_minor if is_item else 0


# --- a line that comes again


def earlier_line(account: AccountDesk, statement_id: str, line_no: int) -> Line | None:
    """Return a line under the key that it had before, whatever form it has by now; or None."""
    found = account.item(earlier_line_item(statement_id, line_no))
    return found if isinstance(found, Line) else None


def repeats_earlier(known: Line, event: ev.StatementLine) -> bool:
    """Whether a line under an earlier key has just the content of one that comes; else they contradict.

    Only what the stream before looked at is compared: it has kept no more.
    """
    return line_digest(event) == known.content


# --- what is over


def sweep_earlier(account: AccountDesk, scope: Scope, key: bytes) -> bool:
    """Delete what the stream before has put into the queue; return whether the key that came up is of that.

    A matched line goes with its posting, and with what was remembered of its reference.
    """
    if chr(key[0]) in _UNREAD:
        account.table.delete(key)
        return True
    line = account.item(item_of(account.part, key))
    if not isinstance(line, Line) or line.form != EARLIER:
        return False
    if line.status == CLAIMED and scope.is_over(line.ended_at):
        posting = account.item(posting_item(line.posting_id))
        account.remove(line.key)
        about = (line.currency, line.reference, sortable(line.amount_minor))
        account.table.delete(row_key(CLAIM_ROW.family, *account.account, *about))
        if posting is not None and posting.status == CLAIMED and scope.is_over(posting.ended_at):
            account.remove(posting.key)
    return True
