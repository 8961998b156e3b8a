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

from pipeline.verify.model.reconciliation_desk import Desks
from pipeline.verify.model.reconciliation_items import DUPLICATE, Line, Link, Posting
from pipeline.verify.model.reconciliation_matching import (
    REPEATED,
    by_date,
    by_reference,
    differ,
    match,
    miss,
    move_on,
    of_other_amount,
    repeats,
)
from pipeline.verify.model.reconciliation_statements import check_chain, check_statement, statement_of
from pipeline.verify.model.wire import DAY_US, Dead, msgpack

AMOUNT_MAX = 2**61
IDS = ("tenant_id", "account_id", "posting_id", "statement_id", "currency")
TIMES = ("BranchTicked", "ReconciliationContinued")
"""Events that only say that time goes on."""
FIGURES = ("amount_minor", "opening_balance_minor", "closing_balance_minor")


def name_of(text: str | None) -> str:
    """Return a reference, empty where it names nothing."""
    return "" if text is None or not text.strip() or "\0" in text else text


def digest(*content: Any) -> bytes:
    """Return what tells contents apart."""
    return blake2b(msgpack(content), digest_size=16).digest()


# --- the rules, one an event


def pass_over(books: ReconciliationBranch, event: dict[str, Any]) -> None:
    """Let time have no effect: an account's own events say what time it is."""


def post(books: ReconciliationBranch, event: dict[str, Any]) -> None:
    desk = books.desk
    books.check_age()
    known = desk.postings.get(event["posting_id"])
    if known is not None and not books.is_over(known.ended_at):
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
    books.check_age()
    parts = ("external_reference", "amount_minor", "currency", "booked_at", "value_date", "description")
    content = digest(*(event[name] for name in parts))
    known = desk.lines.get(place)
    if known is not None and not books.is_over(known.ended_at):
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
    books.check_age()
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

    rules: ClassVar = {
        "PostingRecorded": post,
        "StatementLine": state,
        "StatementClosed": close,
        **dict.fromkeys(TIMES, pass_over),
    }

    def check_ids(self, event: dict[str, Any]) -> None:
        if self.cause.event in TIMES:
            return  # a branch's time is of no tenant
        if any(not event[name] or "\0" in event[name] for name in IDS if name in event):
            raise Dead("malformed_id")
        if any(abs(event[name]) > AMOUNT_MAX for name in FIGURES if name in event):
            raise Dead("overflow")

    def check_age(self) -> None:
        """Raise `Dead` for a record so old that what it repeats may be forgotten."""
        at = min(self.cause.fields["occurred_at"], self.cause.timestamp_ms * 1000)
        if self.reached() - at > self.keep_days * DAY_US:
            raise Dead("too_old")

    def view(self) -> Iterable[dict[str, Any]]:
        """Yield the breaks that are open."""
        for (tenant, account), desk in self.desks.items():
            for break_id, opened in desk.breaks.items():
                yield {"tenant_id": tenant, "account_id": account, "break_id": break_id, **opened}
