"""What is shown of statements: those of an id, and the chain of an account."""

from __future__ import annotations

from pipeline.domain.kernel.views import Row, Tables, time_text
from pipeline.domain.reconciliation.breaks.views import day_text
from pipeline.domain.reconciliation.chain.inputs import Closing
from pipeline.domain.reconciliation.chain.instances import standing
from pipeline.domain.reconciliation.chain.rows import CLASSES, NO_DAY, History, Instance, Link, Open, Series


def show_statements(tables: Tables, key: tuple[str, ...], value: bytes) -> Row:
    """Return the statements of an id; `key`: tenant, account, currency, id. Raises UnreadableRow."""
    series = CLASSES.decode(value, Series)
    return {
        **_account(key),
        "statement_id": key[3],
        "statements": [_instance(one) for one in series.instances],
        "repeated_lines": len(series.again),
    }


def show_chain(tables: Tables, key: tuple[str, ...], value: bytes) -> Row:
    """Return the newest part of a chain; `key`: tenant, account, currency. Raises UnreadableRow."""
    history = CLASSES.decode(value, History)
    begin = history.known_from_day
    return {
        **_account(key),
        "statements": [_link(one) for one in history.links],
        "older_pages": history.pages,
        "known_from": None if begin == NO_DAY else day_text(begin),
        "is_stale": bool(history.stale),
    }


def _account(key: tuple[str, ...]) -> Row:
    return {"tenant_id": key[0], "account_id": key[1], "currency": key[2]}


def _instance(one: Instance) -> Row:
    return {
        "number": one.number,
        "first_on": day_text(one.first_day),
        "last_on": day_text(one.last_day),
        "standing": standing(one),
        "lines": one.lines,
        "total_minor": one.total_minor,
        "closing": None if one.closing is None else _closing(one.closing),
        "open_breaks": _kinds(one.open),
    }


def _link(one: Link) -> Row:
    return {
        "statement_id": one.closing.statement_id,
        "number": one.number,
        **_closing(one.closing),
        "is_sound": one.sound,
        "is_copy": one.copies,
        "open_breaks": _kinds(one.open),
    }


def _closing(closing: Closing) -> Row:
    return {
        "opening_balance_minor": closing.opening_minor,
        "closing_balance_minor": closing.closing_minor,
        "announced_lines": closing.line_count,
        "closed_at": time_text(closing.closed_at),
        "sequence_no": closing.sequence_no,
        "page": closing.page,
    }


def _kinds(breaks: tuple[Open, ...]) -> list[str]:
    return [one.kind for one in breaks]
