"""A statement, or a page of one, is closed: a repeat, a contradiction, or a link of the chain."""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.reconciliation.chain.checks import check_statement
from pipeline.domain.reconciliation.chain.findings import (
    CLOSED,
    CONFLICT,
    DUPLICATE,
    STATEMENT_ARRIVED,
    ChainRows,
    Finding,
    Moment,
    Outcome,
    Work,
)
from pipeline.domain.reconciliation.chain.history import add_link
from pipeline.domain.reconciliation.chain.inputs import Closing, day_of, digest
from pipeline.domain.reconciliation.chain.instances import (
    begun,
    closed_by,
    contradicted,
    name_of,
    standing,
    with_closing,
    with_instance,
)
from pipeline.domain.reconciliation.chain.lines import adopt, read_series
from pipeline.domain.reconciliation.chain.places import held_at, hold
from pipeline.domain.reconciliation.chain.rows import CONTRADICTS, Instance, Series, series_key


def arrive_closing(rows: ChainRows, at: Moment, closing: Closing) -> Outcome:
    """Apply a closing. Raises Reject, with nothing written: line_count_must_not_be_negative."""
    if closing.line_count < 0:
        raise Reject("line_count_must_not_be_negative")
    work = Work(rows, at)
    content = digest("closing", *msgspec.structs.astuple(closing))
    known = held_at(work, content, content)
    key = series_key(work.account, closing.currency, closing.statement_id)
    series = read_series(work, key)
    if known.held is not None:
        if series.again:  # the whole statement came again: its lines were repeats
            rows.put(key, msgspec.structs.replace(series, again=()))
        return work.outcome
    rival = contradicted(series, closing)
    if rival is not None:
        hold(work, known, CONTRADICTS)
        _contradict(work, rival, closing, content)
        return work.outcome
    hold(work, known, 1)
    _close(work, key, series, closing)
    return work.outcome


def _close(work: Work, key: bytes, series: Series, closing: Closing) -> None:
    statement_id, currency, now = closing.statement_id, closing.currency, work.at.watermark
    instance = closed_by(series, closing) or begun(series, day_of(closing.closed_at))
    number = instance.number
    if not series.made:
        work.outcome.ended.append(key)
    series = with_instance(series, with_closing(instance, closing), now)
    series = adopt(work, statement_id, currency, series)
    instance = next(one for one in series.instances if one.number == number)
    instance = check_statement(work, statement_id, currency, instance, STATEMENT_ARRIVED, linked=False)
    add_link(work, instance)
    work.rows.put(key, with_instance(series, instance, now))
    work.outcome.what = CLOSED
    work.outcome.statement = _name(closing, instance)
    work.outcome.standing = standing(instance)


def _name(closing: Closing, instance: Instance) -> str:
    return name_of(closing.statement_id, closing.currency, instance.begun_day, instance.number)


def _contradict(work: Work, rival: Instance, closing: Closing, content: bytes) -> None:
    work.outcome.what, work.outcome.statement = CONFLICT, _name(closing, rival)
    finding = Finding(
        DUPLICATE,
        work.outcome.statement,
        content.hex(),
        closing.currency,
        closing.closing_minor,
        "the statement was closed again with other figures",
        closing.statement_id,
        day=None if rival.closing is None else day_of(rival.closing.closed_at),
    )
    work.outcome.opened.append(finding)
