"""Statements under one id: which one a line or a closing belongs to, and how a statement stands.

Banks begin ids again each year, or use one id for all statements. So a line or a closing is looked at beside
the statements of its id that are near by their days:

    a line      its number is free, the statement is not closed or lacks it      it belongs there
                its number is taken, the statement is not closed or incomplete   it contradicts
                its number is behind the last, booked within a complete one      it belongs there: too many
                otherwise                                                        a new statement begins

    a closing   opens as a closed one does, or has its moment, and follows none  it contradicts
                a statement is not closed                                        it closes the best fitting
                otherwise                                                        a new statement begins
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.reconciliation.bounds import AMOUNT_LIMIT
from pipeline.domain.reconciliation.chain.inputs import Closing, Line, day_of
from pipeline.domain.reconciliation.chain.line_numbers import has, with_number
from pipeline.domain.reconciliation.chain.rows import INSTANCES_MAX, Again, Instance, Series

LONG_OVER_DAYS = 20
"""A statement that is not closed takes no line that is booked so long after its last one."""
BEFORE_DAYS = 120
"""A line this long before what is known of its statement still belongs to it: a quarter, and a month."""

NOT_CLOSED, EMPTY, BROKEN, SOUND = "OPEN", "EMPTY", "BROKEN", "SOUND"
"""How a statement stands. EMPTY: it announces no lines, and its balances agree. Only SOUND ones count as
reconciled."""


def is_complete(instance: Instance) -> bool:
    """Whether a closed statement has exactly the lines that it announces, numbered from 0 or 1.

    The lines of a later page may be numbered on from the page before, and be announced so.
    """
    closing = instance.closing
    if closing is None:
        return False
    in_one = instance.lines == 0 or instance.highest - instance.lowest + 1 == instance.lines
    if closing.page is not None and closing.page > 1 and instance.lowest > 1:
        return in_one and closing.line_count in (instance.lines, instance.highest)
    return in_one and instance.lines == closing.line_count and instance.lowest <= 1


def difference(instance: Instance) -> int:
    """Return by how much the closing balance of a closed statement is not opening balance and lines."""
    closing = instance.closing
    assert closing is not None
    return closing.closing_minor - closing.opening_minor - instance.total_minor


def standing(instance: Instance) -> str:
    """Return how a statement stands."""
    if instance.closing is None:
        return NOT_CLOSED
    if not is_complete(instance) or difference(instance):
        return BROKEN
    return SOUND if instance.lines else EMPTY


def has_break(series: Series) -> bool:
    """Whether a break is open on a statement of an id: then they all still count, however old they are."""
    return any(one.open for one in series.instances)


def name_of(statement_id: str, currency: str, begun_day: int, number: int) -> str:
    """Return the name of a statement, unique in its account."""
    return f"statement/{currency}/{begun_day}/{number}/{statement_id}"


def _waits_for(instance: Instance, line_no: int) -> bool:
    """Whether a statement lacks a line that may have this number, which is free."""
    closing = instance.closing
    if closing is None:
        return True
    if is_complete(instance) or instance.lines >= closing.line_count:
        return False
    if closing.page is not None and closing.page > 1:
        return True
    return line_no < closing.line_count + (0 if instance.lines and instance.lowest == 0 else 1)


def _distance(instance: Instance, day: int) -> int | None:
    """Return how far a day is from those of a statement; None: too far."""
    if day < instance.first_day:
        return instance.first_day - day if instance.first_day - day <= BEFORE_DAYS else None
    if day <= instance.last_day:
        return 0
    late = day - instance.last_day
    return late if instance.closing is None and late <= LONG_OVER_DAYS else None


def follows_in(instance: Instance, line: Line) -> bool:
    """Whether a statement that is not closed surely has a line: it is behind its last one, on its days."""
    return (
        instance.closing is None
        and line.line_no > instance.highest
        and instance.first_day <= line.booked_day <= instance.last_day
    )


def host_of(series: Series, line: Line) -> tuple[Instance | None, bool]:
    """Return the statement that a line belongs to, None for a new one; and whether it contradicts that."""
    if len(series.instances) == 1:
        (only,) = series.instances
        if follows_in(only, line):
            return only, False  # as nearly always
    near = [(days, one) for one in series.instances if (days := _distance(one, line.booked_day)) is not None]
    free = [(days, -one.number, one) for days, one in near if not has(one.runs, line.line_no)]
    waiting = [found for found in free if _waits_for(found[2], line.line_no)]
    if waiting:
        return min(waiting)[2], False
    for _, one in reversed(near):
        if has(one.runs, line.line_no) and not is_complete(one):
            return one, True
    for days, _, one in free:
        closing = one.closing
        if days == 0 and closing is not None and closing.page is None and line.line_no > one.highest > 0:
            return one, False
    return None, False


def contradicted(series: Series, closing: Closing) -> Instance | None:
    """Return the closed statement whose place a closing claims with other figures, or None."""
    for one in series.instances:
        known = one.closing
        if known is None or abs(day_of(known.closed_at) - day_of(closing.closed_at)) > BEFORE_DAYS:
            continue
        if _number(known) != _number(closing):
            continue
        follows = closing.opening_minor == known.closing_minor or closing.closing_minor == known.opening_minor
        if not follows and (
            known.closed_at == closing.closed_at or known.opening_minor == closing.opening_minor
        ):
            return one
    return None


def _number(closing: Closing) -> tuple[int, int]:
    return closing.sequence_no or 0, closing.page or 0


def closed_by(series: Series, closing: Closing) -> Instance | None:
    """Return the statement that a closing closes, None for a new one."""
    day, found = day_of(closing.closed_at), list[tuple[bool, int, int, Instance]]()
    for one in series.instances:
        away = max(one.first_day - day, day - one.last_day, 0)
        if one.closing is None and away <= BEFORE_DAYS:
            closed = with_closing(one, closing)
            found.append((standing(closed) not in (SOUND, EMPTY), away, one.number, one))
    return min(found)[3] if found else None


def begun(series: Series, day: int) -> Instance:
    """Return a new statement of an id, begun by what is of a day."""
    return Instance(series.made + 1, day, day, day)


def with_line(instance: Instance, line: Line | Again, *, is_twin: bool) -> Instance:
    """Return a statement with one more line. Raises Reject (overflow)."""
    moves = line.moves_minor
    twin = is_twin and moves != 0
    total, twins = instance.total_minor + moves, instance.twins_minor + (moves if twin else 0)
    if abs(total) > AMOUNT_LIMIT or abs(twins) > AMOUNT_LIMIT:
        raise Reject("overflow", "the sum of the statement's lines is too large")
    first, number, day = instance.lines == 0, line.line_no, line.booked_day
    return msgspec.structs.replace(
        instance,
        first_day=day if day < instance.first_day else instance.first_day,
        last_day=day if day > instance.last_day else instance.last_day,
        lines=instance.lines + 1,
        moving=instance.moving + (moves != 0),
        total_minor=total,
        runs=with_number(instance.runs, number),
        lowest=number if first or number < instance.lowest else instance.lowest,
        highest=number if first or number > instance.highest else instance.highest,
        twins=instance.twins + twin,
        twins_minor=twins,
    )


def with_closing(instance: Instance, closing: Closing) -> Instance:
    """Return a statement that is closed."""
    day = day_of(closing.closed_at)
    first = day if closing.from_at is None else min(day, day_of(closing.from_at))
    return msgspec.structs.replace(
        instance,
        first_day=min(instance.first_day, first),
        last_day=max(instance.last_day, day),
        closing=closing,
    )


def with_instance(series: Series, instance: Instance, touched_at: int) -> Series:
    """Return the statements of an id with one new or changed; of too many, the oldest complete one goes."""
    if len(series.instances) == 1 and series.instances[0].number == instance.number:
        return Series(series.made, (instance,), series.again, touched_at)
    kept: Sequence[Instance] = [one for one in series.instances if one.number != instance.number]
    kept = sorted((*kept, instance), key=lambda one: one.number)
    if len(kept) > INSTANCES_MAX:
        gone = min(kept[:-1], key=lambda one: (not is_complete(one), one.number))
        kept = [one for one in kept if one is not gone]
    made = max(series.made, instance.number)
    return msgspec.structs.replace(series, made=made, instances=tuple(kept), touched_at=touched_at)
