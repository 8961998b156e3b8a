"""Searching a counterpart, and what becomes of items: matched, in a break, or missing.

Every search looks at every item of the account that is not claimed yet, and takes the best.
"""

from __future__ import annotations

from typing import Any

from pipeline.verify.model.reconciliation_desk import Desks
from pipeline.verify.model.reconciliation_items import (
    AMOUNT,
    CLAIMED,
    DUPLICATE,
    MISSING,
    OPEN,
    Line,
    Posting,
    Waiting,
    number,
)
from pipeline.verify.model.wire import row_key

DUE_AT_ONCE = 100
"""How many items whose grace has run out one record settles; the rest wait for the account's next one."""


# --- searching


def agree(books: Desks, left: Posting | Line, right: Posting | Line) -> bool:
    """Whether two amounts are one: the currency, the sign, and within the tolerance."""
    if abs(left.amount - right.amount) > books.tolerance:
        return False
    return left.currency == right.currency and (left.amount < 0) == (right.amount < 0)


def by_reference(books: Desks, item: Any, others: Waiting) -> Any:
    """Return the best counterpart that is named and agrees in amount."""
    return min(
        (other for other in others.named(item) if agree(books, item, other)),
        key=lambda other: (abs(other.amount - item.amount), abs(other.day - item.day), other.order),
        default=None,
    )


def of_other_amount(item: Any, others: Waiting) -> Any:
    """Return the nearest counterpart that is named; those in a break of their own take no part."""
    fitting = [other for other in others.named(item) if other.state in (OPEN, MISSING)]
    return min(fitting, key=lambda other: (abs(other.day - item.day), other.order), default=None)


def by_date(books: Desks, item: Any, others: Waiting) -> Any:
    """Return the nearest counterpart of the same amount, within the window."""
    fitting = [
        other
        for other in others.items.values()
        if agree(books, item, other) and other.ripe and other.state != AMOUNT
        if abs(other.day - item.day) <= books.window_days
    ]
    return min(fitting, key=lambda other: (abs(other.day - item.day), other.order), default=None)


def repeats(books: Desks, line: Line) -> str | None:
    """Return the tier in which a line's reference and amount were matched already; None: they were not."""
    claim = books.desk.claims.get((line.currency, line.reference, line.amount))
    if not line.reference or claim is None or books.is_over(claim[3]):
        return None
    day, tier, by_id, _ = claim
    return tier if by_id or abs(day - line.day) <= books.window_days else None


# --- what becomes of items


def match(books: Desks, line: Line, posting: Posting, tier: str) -> None:
    """Claim a line and a posting for each other, for good."""
    desk = books.desk
    about = {"statement_id": line.statement_id, "line_no": line.line_no, "posting_ids": [posting.posting_id]}
    about |= {"tier": tier, "amount_minor": line.amount, "currency": line.currency}
    books.result("ItemMatched", f"item_matched/{line.statement_id}/{line.line_no}", **about)
    had = [item.break_id for item in (line, posting) if item.break_id]
    line.posting_id = posting.posting_id
    for item in (line, posting):
        item.state, item.break_id, item.ended_at = CLAIMED, "", books.reached()
        books.write_item(item)
    books.end("l", *line.key)
    desk.free_lines.remove(line)
    desk.free_postings.remove(posting)
    if line.reference:
        claim = (line.day, tier, line.reference in posting.ids, books.reached())
        desk.claims[line.currency, line.reference, line.amount] = claim
        books.write("c", list(claim), line.currency, line.reference, number(line.amount))
    for break_id in had:
        if books.resolve(break_id, "matched") == AMOUNT:
            for other in (*desk.free_lines.items.values(), *desk.free_postings.items.values()):
                if other.break_id == break_id:  # the other side of the break waits again
                    other.state, other.break_id = OPEN, ""
                    books.write_item(other)


def differ(books: Desks, line: Line, posting: Posting) -> None:
    """Open an AMOUNT break on both; they are no longer missing."""
    for item, arrived in ((line, "posting_arrived"), (posting, "line_arrived")):
        if item.break_id:
            books.resolve(item.break_id, arrived)
    detail = f"the statement says {line.amount}, the books say {posting.amount}"
    subject, about = f"{line.subject}/{posting.subject}", line.about | {"posting_id": posting.posting_id}
    difference = line.amount - posting.amount
    opened = books.open_break(AMOUNT, subject, "1", line.currency, difference, detail, **about)
    for item in (line, posting):
        item.state, item.break_id = AMOUNT, opened
        books.write_item(item)


def miss(books: Desks, item: Posting | Line, state: str, kind: str, detail: str) -> None:
    """Open a break on one item."""
    item.breaks += 1
    ordinal = str(item.breaks)
    item.break_id = books.open_break(
        kind, item.subject, ordinal, item.currency, item.amount, detail, **item.about
    )
    item.state = state
    books.write_item(item)


REPEATED = (DUPLICATE, DUPLICATE, "repeats the reference and amount of a line already matched")
NO_POSTING = (MISSING, "MISSING_INTERNAL", "no posting within the grace period")
NO_LINE = (MISSING, "MISSING_EXTERNAL", "no statement line within the grace period")


def move_on(books: Desks) -> None:
    """Let event time reach the present record, settle what has waited long enough, forget what is over."""
    desk = books.desk
    desk.watermark = books.reached()
    books.write("w", [desk.watermark])
    settle(books)
    forget(books)


def forget(books: Desks) -> None:
    """Delete what is over, of the rows that have come up."""
    desk = books.desk
    keys, desk.passed = desk.passed, []
    for key in keys:
        family, _, _, *parts = key.decode().split("\0")
        if family == "b" and parts[0] in desk.resolved:
            desk.resolved.remove(parts[0])
            books.row(key, None)
        elif family == "s":
            statement = desk.statements.get(parts[0])
            if statement is not None and books.is_over(statement.ended_at):
                del desk.statements[parts[0]]
                books.row(key, None)
        elif family == "l":
            forget_match(books, key, (parts[0], int(parts[1]) - 2**63))


def forget_match(books: Desks, key: bytes, place: tuple[str, int]) -> None:
    """Delete a line, its posting and what is known of its reference."""
    desk = books.desk
    line = desk.lines.get(place)
    if line is None or not books.is_over(line.ended_at):
        return
    del desk.lines[place]
    books.row(key, None)
    posting = desk.postings.get(line.posting_id)
    if posting is not None and books.is_over(posting.ended_at):
        del desk.postings[line.posting_id]
        books.row(row_key("o", *books.owner, line.posting_id), None)
    name = line.currency, line.reference, line.amount
    if name in desk.claims and books.is_over(desk.claims[name][3]):
        del desk.claims[name]
        books.row(row_key("c", *books.owner, *name[:2], number(line.amount)), None)


def settle(books: Desks) -> None:
    """Settle what has waited long enough."""
    desk = books.desk
    assert desk.watermark is not None
    if desk.next_due is None or desk.next_due > desk.watermark:
        return
    waiting = (*desk.free_lines.items.values(), *desk.free_postings.items.values())
    due = [item for item in waiting if item.state == OPEN and item.due_at <= desk.watermark]
    due.sort(key=lambda item: (item.due_at, isinstance(item, Posting), item.key))
    for item in due[:DUE_AT_ONCE]:
        if item.state != OPEN:
            continue  # one that was settled just now has claimed it
        if isinstance(item, Posting):
            line = by_date(books, item, desk.free_lines)
            match(books, line, item, "AMOUNT_DATE") if line else miss(books, item, *NO_LINE)
            continue
        posting = by_date(books, item, desk.free_postings)
        if posting:
            match(books, item, posting, "AMOUNT_DATE")
        else:
            item.ripe = True
            miss(books, item, *(REPEATED if repeats(books, item) else NO_POSTING))
    desk.next_due = min((item.due_at for item in waiting if item.state == OPEN), default=None)
