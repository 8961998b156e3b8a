"""Consistency of bank statements: complete lines, correct balances, an unbroken chain of statements.

A closed statement is checked at once and again with every line that arrives later:

    SEQUENCE_GAP      the lines are not exactly those that line_count announces, numbered from 1 (or from 0)
    CLOSING_BALANCE   opening balance + sum of the lines seen != closing balance
    OPENING_BALANCE   the opening balance is not the closing balance of the statement closed before it

So a statement whose lines are missing never counts as reconciled. A statement without lines is consistent
only if it announces none and its balances are equal.
"""

from __future__ import annotations

from bisect import bisect_left

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.reconciliation.results import Scope, Subject, open_break, resolve_break
from pipeline.domain.reconciliation.rows import (
    Link,
    Statement,
    chain_key,
    pack_chain,
    statement_key,
    unpack_chain,
)
from pipeline.domain.reconciliation.settings import AMOUNT_LIMIT

CHAIN_LENGTH = 64
"""How many closed statements of an account and currency are remembered, to check a late one against."""


def with_line(statement: Statement | None, line: ev.StatementLine) -> Statement:
    """Return the statement with one more line. Raises Reject (currency_mismatch, overflow)."""
    if statement is None:
        statement = Statement(line.currency)
    elif statement.currency != line.currency:
        raise Reject("currency_mismatch", "the line's currency is not the statement's")
    total = statement.total_minor + line.amount_minor
    if abs(total) > AMOUNT_LIMIT:
        raise Reject("overflow", "the sum of the statement's lines is too large")
    first = statement.lines == 0
    return msgspec.structs.replace(
        statement,
        lines=statement.lines + 1,
        lowest=line.line_no if first else min(statement.lowest, line.line_no),
        highest=line.line_no if first else max(statement.highest, line.line_no),
        total_minor=total,
    )


def with_closing(statement: Statement | None, event: ev.StatementClosed) -> Statement:
    """Return the statement with the figures of its closing. Raises Reject (currency_mismatch)."""
    if statement is None:
        statement = Statement(event.currency)
    elif statement.currency != event.currency:
        raise Reject("currency_mismatch", "the statement's currency is not that of its lines")
    return msgspec.structs.replace(
        statement,
        closed=True,
        opening_minor=event.opening_balance_minor,
        closing_minor=event.closing_balance_minor,
        line_count=event.line_count,
        closed_at=event.closed_at,
    )


def _is_complete(statement: Statement) -> bool:
    # BankLine numbers are distinct and not negative, so counting them is enough.
    if statement.lines != statement.line_count:
        return False
    return not statement.lines or (
        statement.lowest <= 1 and statement.highest - statement.lowest + 1 == statement.lines
    )


def check_statement(scope: Scope, statement_id: str, statement: Statement) -> None:
    """Write a statement; open and resolve its breaks."""
    if statement.closed:
        statement = _check_sequence(scope, statement_id, statement)
        statement = _check_closing_balance(scope, statement_id, statement)
    sound = statement.closed and not statement.gap_break_id and not statement.balance_break_id
    statement = msgspec.structs.replace(statement, ended_at=scope.watermark if sound else None)
    key = statement_key(scope.cause.tenant_id, scope.cause.account_id, statement_id)
    scope.rows.put(key, statement)
    if sound:
        scope.rows.end(scope.watermark, key)


def _subject(statement_id: str, statement: Statement) -> Subject:
    ordinal = str(statement.breaks + 1)
    return Subject(f"statement/{statement_id}", statement.currency, statement_id, ordinal=ordinal)


def _check_sequence(scope: Scope, statement_id: str, statement: Statement) -> Statement:
    complete = _is_complete(statement)
    if complete and statement.gap_break_id:
        resolve_break(scope, statement.gap_break_id, "line_arrived")
        return msgspec.structs.replace(statement, gap_break_id="")
    if complete or statement.gap_break_id:
        return statement
    seen = f", numbers {statement.lowest} to {statement.highest}" if statement.lines else ""
    detail = f"{statement.lines} lines of {statement.line_count}{seen}"
    opened = open_break(scope, "SEQUENCE_GAP", _subject(statement_id, statement), 0, detail)
    return msgspec.structs.replace(statement, gap_break_id=opened, breaks=statement.breaks + 1)


def _check_closing_balance(scope: Scope, statement_id: str, statement: Statement) -> Statement:
    expected = statement.opening_minor + statement.total_minor
    difference = statement.closing_minor - expected
    if not difference and statement.balance_break_id:
        resolve_break(scope, statement.balance_break_id, "line_arrived")
        return msgspec.structs.replace(statement, balance_break_id="")
    if not difference or statement.balance_break_id:
        return statement
    detail = f"opening balance and lines make {expected}, closing balance is {statement.closing_minor}"
    opened = open_break(scope, "CLOSING_BALANCE", _subject(statement_id, statement), difference, detail)
    return msgspec.structs.replace(statement, balance_break_id=opened, breaks=statement.breaks + 1)


def check_chain(scope: Scope, event: ev.StatementClosed) -> None:
    """Insert a closed statement into the chain, ordered by closing time; check it and the next one.

    A late statement between two others is checked against both. If the chain is full, a statement older than
    all of it has no known predecessor and is not checked.
    """
    key = chain_key(event.tenant_id, event.account_id, event.currency)
    row = scope.rows.table.get(key)
    chain = [] if row is None else unpack_chain(row)
    link = Link(event.closed_at, event.statement_id, event.opening_balance_minor, event.closing_balance_minor)
    place = bisect_left(chain, link)
    if place == 0 and len(chain) >= CHAIN_LENGTH:
        return
    chain.insert(place, link)
    for index in (place, place + 1):
        if 0 < index < len(chain):
            chain[index] = _checked_link(scope, chain[index - 1], chain[index], event.currency)
    scope.rows.table.put(key, pack_chain(chain[-CHAIN_LENGTH:]))


def _checked_link(scope: Scope, before: Link, link: Link, currency: str) -> Link:
    difference = link.opening_minor - before.closing_minor
    if not difference and link.break_id:
        resolve_break(scope, link.break_id, "statement_arrived")
        return msgspec.structs.replace(link, break_id="")
    if not difference or link.break_id:
        return link
    subject = Subject(
        f"statement/{link.statement_id}", currency, link.statement_id, ordinal=before.statement_id
    )
    detail = f"opens with {link.opening_minor}, the statement before closed with {before.closing_minor}"
    return msgspec.structs.replace(
        link, break_id=open_break(scope, "OPENING_BALANCE", subject, difference, detail)
    )
