"""Notifications (camt.054) tell more about bookings that statements have; they never add one.

A booking is found by its account, the bank's reference (AcctSvcrRef), amount and currency. What a
notification says is filled in where the statement says nothing. What the line is known by (reference, amount,
days, text) stays as the statement has it, so a line that was imported before stays the same line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pipeline.statement_files.form import BATCH, Line, Notice, Statement

FILLED = (
    *("end_to_end_id", "transaction_code", "counterparty_name", "counterparty_account", "fee_minor"),
    *("original_amount_minor", "original_currency", "is_reversal"),
)


class Enriched(msgspec.Struct):
    """Statements with what notifications say; places of the changed lines; what fits nothing."""

    statements: list[Statement]
    changed: dict[int, set[int]] = {}
    left: list[str] = []


def enrich(statements: Sequence[Statement], notices: Sequence[Notice]) -> Enriched:
    """Fill lines in from notifications."""
    enriched = Enriched(list(statements))
    places: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
    for at, statement in enumerate(statements):
        for number, line in enumerate(statement.lines):
            if line.bank_reference is not None:
                places.setdefault(_key(statement.account, line), []).append((at, number))
    found: dict[int, dict[int, Line]] = {}
    for notice in notices:
        fits = places.get(_key(notice.account, notice.line), []) if notice.line.bank_reference else []
        known = {statements[at].statement_id for at, _ in fits}
        if len(fits) == 0 or len(known) < len(fits):
            enriched.left.append(_left(notice, len(fits)))
            continue
        for at, number in fits:
            told = found.setdefault(at, {})
            told[number] = filled(told.get(number, statements[at].lines[number]), notice.line)
    for at, changed in found.items():
        lines = list(statements[at].lines)
        for number, line in changed.items():
            if line != lines[number]:
                lines[number] = line
                enriched.changed.setdefault(at, set()).add(number)
        enriched.statements[at] = msgspec.structs.replace(statements[at], lines=tuple(lines))
    return enriched


def filled(line: Line, told: Line) -> Line:
    """Return a line with what is told where it says nothing."""
    new = {name: getattr(told, name) for name in FILLED if getattr(line, name) is None}
    if len(told.details) > len(line.details):
        new["details"] = told.details
    if line.entry_kind is None and told.entry_kind == BATCH:
        new["entry_kind"] = BATCH
    return msgspec.structs.replace(line, **new)


def _key(account: str, line: Line) -> tuple[Any, ...]:
    return account, line.bank_reference, line.amount_minor, line.currency


def _left(notice: Notice, count: int) -> str:
    if notice.line.bank_reference is None:
        return f"{notice.place}: without AcctSvcrRef it names no booking: nothing is added"
    name = notice.line.bank_reference[:40]
    if count:
        return (
            f"{notice.place}: several bookings have the reference {name!r} and this amount: nothing is added"
        )
    return (
        f"{notice.place}: no booking has the reference {name!r} and this amount: nothing is added;"
        " give the statement (camt.053) with it"
    )
