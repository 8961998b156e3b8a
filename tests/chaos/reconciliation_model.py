"""A single-threaded model of one partition of reconciliation: our postings against the lines of the bank.

    records of one partition of reconciliation-items, in order -> ReconciliationBranch.apply -> dead-letter
    code, or what must come out: reconciliation-results, table rows

Every search looks at every item of the account that is not claimed yet, and takes the best. The product looks
at no more than 256 candidates; beyond that many of one reference or amount the two may differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, ClassVar

from tests.chaos.reconciliation_desk import (
    AMOUNT,
    CLAIMED,
    DUPLICATE,
    MISSING,
    OPEN,
    Desks,
    Line,
    Link,
    Posting,
    Waiting,
    number,
)
from tests.chaos.reconciliation_statements import check_chain, check_statement, statement_of
from tests.chaos.wire import DAY_US, Dead, msgpack

AMOUNT_MAX = 2**61
DUE_AT_ONCE = 100
"""How many items whose grace has run out one record settles; the rest wait for the account's next one."""
IDS = ("tenant_id", "account_id", "posting_id", "statement_id", "currency")
FIGURES = ("amount_minor", "opening_balance_minor", "closing_balance_minor")


def name_of(text: str | None) -> str:
    """Return a reference, empty where it names nothing."""
    return "" if text is None or not text.strip() or "\0" in text else text


def digest(*content: Any) -> bytes:
    """Return what tells contents apart."""
    return blake2b(msgpack(content), digest_size=16).digest()


# --- searching


def agree(books: ReconciliationBranch, left: Posting | Line, right: Posting | Line) -> bool:
    """Whether two amounts are one: the currency, the sign, and within the tolerance."""
    if abs(left.amount - right.amount) > books.tolerance:
        return False
    return left.currency == right.currency and (left.amount < 0) == (right.amount < 0)


def by_reference(books: ReconciliationBranch, item: Any, others: Waiting) -> Any:
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


def by_date(books: ReconciliationBranch, item: Any, others: Waiting) -> Any:
    """Return the nearest counterpart of the same amount, within the window."""
    fitting = [
        other
        for other in others.items.values()
        if agree(books, item, other) and other.ripe and other.state != AMOUNT
        if abs(other.day - item.day) <= books.window_days
    ]
    return min(fitting, key=lambda other: (abs(other.day - item.day), other.order), default=None)


def repeats(books: ReconciliationBranch, line: Line) -> str | None:
    """Return the tier in which a line's reference and amount were matched already; None: they were not."""
    claim = books.desk.claims.get((line.currency, line.reference, line.amount))
    if not line.reference or claim is None:
        return None
    day, tier, by_id = claim
    return tier if by_id or abs(day - line.day) <= books.window_days else None


# --- what becomes of items


def match(books: ReconciliationBranch, line: Line, posting: Posting, tier: str) -> None:
    """Claim a line and a posting for each other, for good."""
    desk = books.desk
    about = {"statement_id": line.statement_id, "line_no": line.line_no, "posting_ids": [posting.posting_id]}
    about |= {"tier": tier, "amount_minor": line.amount, "currency": line.currency}
    books.result("ItemMatched", f"item_matched/{line.statement_id}/{line.line_no}", **about)
    had = [item.break_id for item in (line, posting) if item.break_id]
    line.posting_id = posting.posting_id
    for item in (line, posting):
        item.state, item.break_id = CLAIMED, ""
        books.write_item(item)
    desk.free_lines.remove(line)
    desk.free_postings.remove(posting)
    if line.reference:
        claim = (line.day, tier, line.reference in posting.ids)
        desk.claims[line.currency, line.reference, line.amount] = claim
        books.write("c", list(claim), line.currency, line.reference, number(line.amount))
    for break_id in had:
        if books.resolve(break_id, "matched") == AMOUNT:
            for other in (*desk.free_lines.items.values(), *desk.free_postings.items.values()):
                if other.break_id == break_id:  # the other side of the break waits again
                    other.state, other.break_id = OPEN, ""
                    books.write_item(other)


def differ(books: ReconciliationBranch, line: Line, posting: Posting) -> None:
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


def miss(books: ReconciliationBranch, item: Posting | Line, state: str, kind: str, detail: str) -> None:
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


def move_on(books: ReconciliationBranch) -> None:
    """Let event time reach the present record, and settle what has waited long enough."""
    desk = books.desk
    desk.watermark = books.reached()
    books.write("w", [desk.watermark])
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


# --- the rules, one an event


def post(books: ReconciliationBranch, event: dict[str, Any]) -> None:
    desk = books.desk
    if event["posting_id"] in desk.postings:
        return
    ids = [text for text in (name_of(event["payment_id"]), name_of(event["entry_id"])) if text]
    names = [text for text in (name_of(event["reference"]), *ids) if text]
    posting = Posting(
        event["posting_id"],
        event["currency"],
        event["amount_minor"] if event["side"] == "CREDIT" else -event["amount_minor"],
        event["occurred_at"] // DAY_US,
        event["account_sequence"],
        books.due(event["occurred_at"]),
        ids,
        list(dict.fromkeys(names)),
    )
    desk.postings[posting.posting_id] = posting
    line = by_reference(books, posting, desk.free_lines)
    other = line or of_other_amount(posting, desk.free_lines)
    nearest = other or by_date(books, posting, desk.free_lines)
    desk.free_postings.add(posting)
    if line:
        match(books, line, posting, "REFERENCE")
    elif other:
        differ(books, other, posting)
    elif nearest:
        match(books, nearest, posting, "AMOUNT_DATE")
    else:
        books.write_item(posting)
    move_on(books)


def state(books: ReconciliationBranch, event: dict[str, Any]) -> None:
    desk, place = books.desk, (event["statement_id"], event["line_no"])
    if event["line_no"] < 0:
        raise Dead("line_no_must_not_be_negative")
    parts = ("external_reference", "amount_minor", "currency", "booked_at", "value_date", "description")
    content = digest(*(event[name] for name in parts))
    known = desk.lines.get(place)
    if known is not None:
        if known.content != content:
            subject, detail = known.subject, "the line number came again with other content"
            conflict(books, subject, content, event["amount_minor"], detail, line_no=place[1])
        return
    statement = statement_of(books, event)
    if abs(statement.total + event["amount_minor"]) > AMOUNT_MAX:
        raise Dead("overflow")
    statement.total += event["amount_minor"]
    statement.numbers.append(event["line_no"])
    check_statement(books, statement)
    reference = name_of(event["external_reference"])
    line = Line(
        *place,
        event["currency"],
        event["amount_minor"],
        event["value_date"],
        books.due(event["occurred_at"], event["booked_at"]),
        reference,
        content,
        ripe=not reference,
    )
    desk.lines[place] = line
    posting = by_reference(books, line, desk.free_postings)
    nearest = None if reference else by_date(books, line, desk.free_postings)
    other = of_other_amount(line, desk.free_postings)
    desk.free_lines.add(line)
    if posting:
        match(books, line, posting, "REFERENCE")
    elif nearest:
        match(books, line, nearest, "AMOUNT_DATE")
    elif repeats(books, line) == "REFERENCE":
        miss(books, line, *REPEATED)
    elif other:
        differ(books, line, other)
    else:
        books.write_item(line)
    move_on(books)


def close(books: ReconciliationBranch, event: dict[str, Any]) -> None:
    opening, closing = event["opening_balance_minor"], event["closing_balance_minor"]
    if event["line_count"] < 0:
        raise Dead("line_count_must_not_be_negative")
    statement = statement_of(books, event)
    figures = (opening, closing, event["line_count"], event["closed_at"])
    if statement.figures is not None:
        if statement.figures != figures:
            content = digest(event["currency"], *figures)
            detail = "the statement was closed again with other figures"
            conflict(books, statement.subject, content, closing, detail)
        return
    statement.figures = figures
    check_statement(books, statement)
    check_chain(books, Link(event["closed_at"], event["statement_id"], opening, closing))
    move_on(books)


def conflict(
    books: ReconciliationBranch, subject: str, content: bytes, amount: int, detail: str, **about: Any
) -> None:
    """Open a break for an id that came again with other content, once for each content."""
    event, ordinal = books.cause.fields, content.hex()
    if books.break_id(DUPLICATE, subject, ordinal) in books.desk.breaks:
        return
    about["statement_id"] = event["statement_id"]
    books.open_break(DUPLICATE, subject, ordinal, event["currency"], amount, detail, **about)
    move_on(books)


@dataclass
class ReconciliationBranch(Desks):
    """Reconciliation of one partition, as far as its log has been applied."""

    window_days: int = 3
    """How far the dates of two items may lie apart where the amount decides."""
    tolerance: int = 0
    """How far amounts may lie apart, minor units."""
    grace_days: int = 2
    """How long an item may wait, in event time."""
    rules: ClassVar = {"PostingRecorded": post, "StatementLine": state, "StatementClosed": close}

    def check_ids(self, event: dict[str, Any]) -> None:
        if any(not event[name] or "\0" in event[name] for name in IDS if name in event):
            raise Dead("malformed_id")
        if any(abs(event[name]) > AMOUNT_MAX for name in FIGURES if name in event):
            raise Dead("overflow")

    def reached(self) -> int:
        """Return the account's event time, the present record included; no clock runs ahead of Kafka's."""
        now: int = min(self.cause.fields["occurred_at"], self.cause.timestamp_ms * 1000)
        before = self.desk.watermark
        return now if before is None else max(before, now)

    def due(self, *times_us: int) -> int:
        """Return when the grace of an item runs out that happened at the earliest of the times."""
        return min(*times_us, self.cause.timestamp_ms * 1000) + self.grace_days * DAY_US

    def view(self) -> Iterable[dict[str, Any]]:
        """Yield the breaks that are open."""
        for (tenant, account), desk in self.desks.items():
            for break_id, opened in desk.breaks.items():
                yield {"tenant_id": tenant, "account_id": account, "break_id": break_id, **opened}
