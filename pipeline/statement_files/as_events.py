"""Statements as events: the same content of a file is the same event with the same id, whoever imports it.

    Statement --> statement_line of each line, numbered from 1 --> statement_closed

Without both balances there is no statement_closed: such a statement never counts as complete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from hashlib import sha256

import msgspec

from pipeline.domain.kernel.times import EPOCH
from pipeline.events import StatementClosed, StatementDetail, StatementLine
from pipeline.input_event import InputEvent
from pipeline.statement_files.accounts import Account
from pipeline.statement_files.form import Line, Statement

_ENCODE = msgspec.json.Encoder(order="deterministic").encode


def events_of(
    statement: Statement, account: Account, only: Collection[int] | None = None
) -> Iterator[InputEvent]:
    """Yield the events of a statement; `only`: of lines at these places alone, and no closing."""
    for place, line in enumerate(statement.lines):
        if only is None or place in only:
            yield _line(statement, place + 1, line, account)
    if only is None and statement.opening_minor is not None and statement.closing_minor is not None:
        yield _closed(statement, account)


def count_of(statement: Statement) -> int:
    """Return how many events a statement has."""
    is_closed = statement.opening_minor is not None and statement.closing_minor is not None
    return len(statement.lines) + is_closed


def _line(statement: Statement, number: int, line: Line, account: Account) -> StatementLine:
    fields = msgspec.structs.asdict(line)
    for name in ("place", "booked_us", "value_day", "details"):
        del fields[name]
    booked = EPOCH + timedelta(microseconds=line.booked_us)
    content = msgspec.structs.replace(line, place="")
    return StatementLine(
        event_id=_id("line", account, statement.statement_id, number, content),
        tenant_id=account.tenant_id,
        account_id=account.account_id,
        occurred_at=booked,
        correlation_id=_correlation(statement, account),
        statement_id=statement.statement_id,
        line_no=number,
        booked_at=booked,
        value_date=EPOCH.date() + timedelta(days=line.value_day),
        details=tuple(StatementDetail(**msgspec.structs.asdict(one)) for one in line.details) or None,
        **fields,
    )


def _closed(statement: Statement, account: Account) -> StatementClosed:
    assert statement.opening_minor is not None and statement.closing_minor is not None
    closed_us = statement.closed_us or 0
    last_us = max((line.booked_us for line in statement.lines), default=closed_us)
    closed = EPOCH + timedelta(microseconds=closed_us)
    content = msgspec.structs.replace(statement, place="", lines=())
    return StatementClosed(
        event_id=_id("closed", account, statement.statement_id, len(statement.lines), content),
        tenant_id=account.tenant_id,
        account_id=account.account_id,
        occurred_at=EPOCH + timedelta(microseconds=max(closed_us, last_us)),
        correlation_id=_correlation(statement, account),
        statement_id=statement.statement_id,
        currency=statement.currency,
        opening_balance_minor=statement.opening_minor,
        closing_balance_minor=statement.closing_minor,
        line_count=len(statement.lines),
        closed_at=closed,
        sequence_no=statement.sequence_no,
        from_at=None if statement.from_us is None else EPOCH + timedelta(microseconds=statement.from_us),
        page=statement.page,
    )


def _id(kind: str, account: Account, statement_id: str, number: int, content: Line | Statement) -> str:
    """Return an id that names what an event says."""
    named = _ENCODE([kind, account.tenant_id, account.account_id, statement_id, number, content])
    return f"statement-{sha256(named).hexdigest()[:40]}"


def _correlation(statement: Statement, account: Account) -> str:
    return f"{account.account_id}/{statement.statement_id}"[:256]
