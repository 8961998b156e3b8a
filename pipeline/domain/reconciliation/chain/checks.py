"""A statement by itself: are its lines all there, and do they make its closing balance?

    SEQUENCE_GAP      the lines are not exactly those that it announces, numbered from 0 or 1
    CLOSING_BALANCE   they are, and opening balance + lines != closing balance

While lines are missing the balances cannot agree, so that is not said besides.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.reconciliation.chain.findings import CLOSING, LINES_MISSING, Work
from pipeline.domain.reconciliation.chain.history import refresh_link
from pipeline.domain.reconciliation.chain.inputs import day_of
from pipeline.domain.reconciliation.chain.instances import difference, is_complete, name_of
from pipeline.domain.reconciliation.chain.rows import Instance
from pipeline.domain.reconciliation.chain.settling import Subject, Wanted, settle


def check_statement(
    work: Work, statement_id: str, currency: str, instance: Instance, why: str, *, linked: bool = True
) -> Instance:
    """Return a statement with its breaks as they are now. `linked`: the chain has it, and is told."""
    if instance.closing is None:
        return instance
    name = name_of(statement_id, currency, instance.begun_day, instance.number)
    subject = Subject(name, currency, statement_id, day_of(instance.closing.closed_at))
    open_, breaks = settle(work, subject, instance.open, instance.breaks, _wanted(instance), why)
    instance = msgspec.structs.replace(instance, open=open_, breaks=breaks)
    if linked:
        refresh_link(work, statement_id, currency, instance, why)
    return instance


def _wanted(instance: Instance) -> list[Wanted]:
    closing = instance.closing
    assert closing is not None
    if not is_complete(instance):
        seen = f", numbers {instance.lowest} to {instance.highest}" if instance.lines else ""
        return [Wanted(LINES_MISSING, 0, f"{instance.lines} lines of {closing.line_count}{seen}")]
    away = difference(instance)
    if not away:
        return []
    made = closing.opening_minor + instance.total_minor
    text = f"opening balance and lines make {made}, closing balance is {closing.closing_minor}"
    return [Wanted(CLOSING, away, text)]
