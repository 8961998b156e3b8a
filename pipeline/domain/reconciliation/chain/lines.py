"""A line arrives: a repeat, a contradiction, or a line of a statement that is there or begins.

A line that comes again has no effect. Where its statement was closed by then, it is remembered for a while
(`Again`): if the next statement under the same id lacks just these lines, and its sum fits with them, they
were lines of their own, and are adopted. That happens with banks that give all statements of a day one id.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.reconciliation.chain.checks import check_statement
from pipeline.domain.reconciliation.chain.findings import (
    CONFLICT,
    DUPLICATE,
    INFORMATION,
    LINE_ARRIVED,
    NEW,
    Adopted,
    ChainRows,
    Finding,
    Moment,
    Outcome,
    Work,
)
from pipeline.domain.reconciliation.chain.inputs import Line, Named, digest, key_of, named
from pipeline.domain.reconciliation.chain.instances import (
    begun,
    difference,
    has_break,
    host_of,
    is_complete,
    name_of,
    standing,
    with_instance,
    with_line,
)
from pipeline.domain.reconciliation.chain.line_numbers import has
from pipeline.domain.reconciliation.chain.places import Known, held_at, hold
from pipeline.domain.reconciliation.chain.rows import (
    AGAIN_MAX,
    CONTRADICTS,
    Again,
    Instance,
    Series,
    series_key,
)


def arrive_line(rows: ChainRows, at: Moment, line: Line) -> Outcome:
    """Apply a line; as `arrive_named`, which wants to be told what names it."""
    return arrive_named(rows, at, named(line))


def arrive_named(rows: ChainRows, at: Moment, what: Named) -> Outcome:
    """Apply a line. Raises Reject, with nothing written: line_no_must_not_be_negative, overflow."""
    line = what.line
    if line.line_no < 0:
        raise Reject("line_no_must_not_be_negative")
    work = Work(rows, at)
    known = held_at(work, line.content, what.place)
    key = series_key(work.account, line.currency, line.statement_id)
    series = read_series(work, key)
    if known.held is not None:
        if known.held != CONTRADICTS:
            work.outcome.key = what.key
            _remember(work, key, series, line)
        return work.outcome
    host, contradicts = host_of(series, line)
    if host is not None and contradicts:
        _contradict(work, known, host, line)
        return work.outcome
    instance = with_line(host or begun(series, line.booked_day), line, is_twin=bool(known.twin))
    hold(work, known, 1)
    work.outcome.what = NEW if line.moves_minor else INFORMATION
    work.outcome.key = what.key
    work.outcome.twin = known.twin
    instance = check_statement(work, line.statement_id, line.currency, instance, LINE_ARRIVED)
    _write(work, key, series, line, instance)
    return work.outcome


def read_series(work: Work, key: bytes) -> Series:
    """Return the statements of an id that still count."""
    series = work.rows.get(key, Series)
    if series is None or (work.at.is_over(series.touched_at) and not has_break(series)):
        return Series()
    return series


def _write(work: Work, key: bytes, series: Series, line: Line, instance: Instance) -> None:
    if not series.made:
        work.outcome.ended.append(key)
    series = with_instance(series, instance, work.at.watermark)
    if series.again:
        series = adopt(work, line.statement_id, line.currency, series)
        instance = next(one for one in series.instances if one.number == instance.number)
    work.rows.put(key, series)
    work.outcome.statement = name_of(line.statement_id, line.currency, instance.begun_day, instance.number)
    work.outcome.standing = standing(instance)


def _contradict(work: Work, known: Known, host: Instance, line: Line) -> None:
    hold(work, known, CONTRADICTS)
    statement = name_of(line.statement_id, line.currency, host.begun_day, host.number)
    work.outcome.what, work.outcome.statement = CONFLICT, statement
    finding = Finding(
        DUPLICATE,
        f"line/{line.line_no}/{statement}",
        line.content.hex(),
        line.currency,
        line.amount_minor,
        "the line number came again with other content",
        line.statement_id,
        line.line_no,
    )
    work.outcome.opened.append(finding)


def _remember(work: Work, key: bytes, series: Series, line: Line) -> None:
    """Remember a line that came again, unless a statement that is not closed has it; adopt what fits."""
    not_closed = [one for one in series.instances if one.closing is None]
    if not series.made or any(has(one.runs, line.line_no) for one in not_closed):
        return
    again = Again(line.line_no, line.content, line.moves_minor, line.booked_day)
    kept = (*(one for one in series.again if one != again), again)[-AGAIN_MAX:]
    series = msgspec.structs.replace(series, again=kept)
    work.rows.put(key, adopt(work, line.statement_id, line.currency, series))


def adopt(work: Work, statement_id: str, currency: str, series: Series) -> Series:
    """Return the statements of an id; lines that came again are now lines of one that lacks just them."""
    for instance in series.instances if series.again else ():
        closing = instance.closing
        if closing is None or is_complete(instance):
            continue
        wanted = {
            again.line_no: again
            for again in series.again
            if again.line_no <= closing.line_count
            and not has(instance.runs, again.line_no)
            and instance.first_day <= again.booked_day <= instance.last_day
        }
        complete = _with_all(instance, [wanted[number] for number in sorted(wanted)])
        if is_complete(complete) and difference(complete) == 0:
            _take(work, statement_id, currency, tuple(wanted.values()))
            complete = check_statement(work, statement_id, currency, complete, LINE_ARRIVED)
            left = tuple(again for again in series.again if again not in wanted.values())
            series = with_instance(msgspec.structs.replace(series, again=left), complete, work.at.watermark)
    return series


def _with_all(instance: Instance, lines: list[Again]) -> Instance:
    """Return a statement with more lines; as it is if their sum is too large to be one."""
    complete = instance
    try:
        for again in lines:
            complete = with_line(complete, again, is_twin=True)
    except Reject:
        return instance
    return complete


def _take(work: Work, statement_id: str, currency: str, lines: tuple[Again, ...]) -> None:
    for again in lines:
        place = digest(statement_id, currency, again.line_no)
        known = held_at(work, again.content, place)
        held = (known.held or 0) + 1
        hold(work, known, held)
        adopted = Adopted(key_of(again.content, place, held), key_of(again.content, place, 1), again.line_no)
        work.outcome.adopted.append(adopted)
