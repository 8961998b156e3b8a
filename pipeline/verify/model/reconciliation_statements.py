"""Whether a statement of the bank's is sound in itself: its lines, its closing balance, the one before it."""

from __future__ import annotations

import itertools
from typing import Any

from pipeline.verify.model.reconciliation_desk import Desks
from pipeline.verify.model.reconciliation_items import Link, Statement
from pipeline.verify.model.wire import Dead

CHAIN_LENGTH = 64
"""How many closed statements of an account and currency are remembered."""


def statement_of(books: Desks, event: dict[str, Any]) -> Statement:
    """Return the statement of an event, a new one if there is none; it is kept only once it is written."""
    statement = books.desk.statements.get(event["statement_id"])
    if statement is None or books.is_over(statement.ended_at):
        return Statement(event["statement_id"], event["currency"])
    if statement.currency != event["currency"]:
        raise Dead("currency_mismatch")
    return statement


def check_statement(books: Desks, statement: Statement) -> None:
    """Open and resolve the breaks of a closed statement; write it."""
    books.desk.statements[statement.statement_id] = statement
    numbers, figures = sorted(statement.numbers), statement.figures
    if figures is not None:
        opening, closing, count, _ = figures
        first = numbers[0] if numbers else 1
        whole = len(numbers) == count and first in (0, 1) and numbers == list(range(first, first + count))
        seen = f", numbers {numbers[0]} to {numbers[-1]}" if numbers else ""
        detail = f"{len(numbers)} lines of {count}{seen}"
        statement.gap_break = judge(books, statement, "SEQUENCE_GAP", 0, detail, statement.gap_break, whole)
        made = opening + statement.total
        detail = f"opening balance and lines make {made}, closing balance is {closing}"
        statement.balance_break = judge(
            books,
            statement,
            "CLOSING_BALANCE",
            closing - made,
            detail,
            statement.balance_break,
            closing == made,
        )
    ends = [numbers[0], numbers[-1]] if numbers else [0, 0]
    opening, closing, count, closed_at = figures or (0, 0, 0, 0)
    fields = [statement.currency, len(numbers), *ends, statement.total, figures is not None, opening, closing]
    fields += [count, closed_at, statement.gap_break, statement.balance_break, statement.breaks]
    sound = figures is not None and not statement.gap_break and not statement.balance_break
    statement.ended_at = books.reached() if sound else None
    fields.append(statement.ended_at)
    if sound:
        books.end("s", statement.statement_id)
    books.write("s", fields, statement.statement_id)


def judge(
    books: Desks,
    statement: Statement,
    kind: str,
    amount: int,
    detail: str,
    break_id: str,
    sound: bool,
) -> str:
    """Return the open break of a kind that a statement has from now on, or nothing."""
    if sound and break_id:
        books.resolve(break_id, "line_arrived")
    if sound or break_id:
        return "" if sound else break_id
    statement.breaks += 1
    where = (kind, statement.subject, str(statement.breaks), statement.currency, amount, detail)
    return books.open_break(*where, statement_id=statement.statement_id)


def check_chain(books: Desks, link: Link) -> None:
    """Put a closed statement among the others, by time, and check how it and the next one open."""
    currency = books.cause.fields["currency"]
    chain = books.desk.chains.setdefault(currency, [])
    place = sum((one.closed_at, one.statement_id) < (link.closed_at, link.statement_id) for one in chain)
    if place == 0 and len(chain) >= CHAIN_LENGTH:
        return  # what came before it is forgotten
    chain.insert(place, link)
    for before, after in list(itertools.pairwise(chain))[max(0, place - 1) : place + 1]:
        difference = after.opening - before.closing
        if not difference and after.break_id:
            books.resolve(after.break_id, "statement_arrived")
            after.break_id = ""
        elif difference and not after.break_id:
            detail = f"opens with {after.opening}, the statement before closed with {before.closing}"
            subject = f"statement/{after.statement_id}"
            about = (before.statement_id, currency, difference, detail)
            after.break_id = books.open_break(
                "OPENING_BALANCE", subject, *about, statement_id=after.statement_id
            )
    del chain[:-CHAIN_LENGTH]
    fields = ("closed_at", "statement_id", "opening", "closing", "break_id")
    books.write("k", [[getattr(one, name) for name in fields] for one in chain], currency)
