"""What must hold in a file: lines, sums, an unbroken chain. What does not is said; nothing is repaired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.domain.kernel.amounts import amount_text
from pipeline.domain.reconciliation.bounds import AMOUNT_LIMIT
from pipeline.statement_files.form import Statement


def problems_of(statements: Sequence[Statement], *, allow_empty: bool = False) -> Iterator[str]:
    """Yield what does not hold, with its place; `allow_empty`: a day without bookings is no problem."""
    for statement in statements:
        yield from _own(statement, allow_empty)
    yield from _twice(statements)
    chains: dict[tuple[str, str], list[Statement]] = {}
    seen: set[str] = set()
    for statement in statements:
        key = f"{statement.account}\0{statement.currency}\0{statement.statement_id}"
        if key not in seen and not statement.is_day:
            chains.setdefault((statement.account, statement.currency), []).append(statement)
        seen.add(key)
    for chain in chains.values():
        yield from _links(chain)


def _own(statement: Statement, allow_empty: bool) -> Iterator[str]:
    place, opening, closing = statement.place, statement.opening_minor, statement.closing_minor
    total = sum(line.amount_minor for line in statement.lines)
    is_quiet = not statement.lines and opening is not None and opening == closing
    if not statement.lines and not (is_quiet and allow_empty):
        yield f"{place}: it has no lines" + (
            " (--allow-empty: such a day is none to stop at)" if is_quiet else ""
        )
    if abs(total) > AMOUNT_LIMIT:
        yield f"{place}: the sum of its lines is larger than any that can be kept"
    if statement.is_day:
        return
    if opening is None or closing is None:
        missing = "opening" if opening is None else "closing"
        yield f"{place}: it has no {missing} balance, so it is not closed and counts as incomplete"
    elif opening + total != closing:
        made, said = (_money(one, statement.currency) for one in (opening + total, closing))
        yield f"{place}: opening balance and lines make {made}, the closing balance is {said}"


def _twice(statements: Sequence[Statement]) -> Iterator[str]:
    """Yield statements of one id that say different things; the same twice is one."""
    first: dict[tuple[str, str], Statement] = {}
    for statement in statements:
        other = first.setdefault((statement.account, statement.statement_id), statement)
        if other is not statement and _content(other) != _content(statement):
            yield f"{statement.place}: it has the id and day of {other.place}, and says something else"


def _content(statement: Statement) -> tuple[object, ...]:
    lines = tuple(
        (line.amount_minor, line.booked_us, line.value_day, line.description) for line in statement.lines
    )
    return statement.opening_minor, statement.closing_minor, statement.currency, lines


def _links(chain: list[Statement]) -> Iterator[str]:
    before: Statement | None = None
    for statement in _ordered(chain):
        if before is not None:
            yield from _link(before, statement)
        before = statement


def _ordered(chain: list[Statement]) -> Iterator[Statement]:
    """Yield statements by time and number; of one day, each after that with whose balance it opens."""
    left = sorted(chain, key=lambda one: (one.closed_us or 0, one.sequence_no or 0, one.page or 0))
    before: Statement | None = None
    at = 0
    while at < len(left):
        stop = at
        while stop < len(left) and left[stop].closed_us == left[at].closed_us:
            stop += 1
        same = left[at:stop]
        if len(same) <= 100 and len({one.sequence_no for one in same}) < len(same):
            same = _by_balance(same, before)
        yield from same
        before, at = same[-1], stop


def _by_balance(same: list[Statement], before: Statement | None) -> list[Statement]:
    ordered: list[Statement] = []
    left = list(same)
    if before is None:
        closings = {one.closing_minor for one in left}
        left.sort(key=lambda one: one.opening_minor in closings)
    while left:
        last = ordered[-1] if ordered else before
        fits = (one for one in left if last is not None and one.opening_minor == last.closing_minor)
        found = next(fits, left[0])
        left.remove(found)
        ordered.append(found)
    return ordered


def _link(before: Statement, statement: Statement) -> Iterator[str]:
    closed, opened = before.closing_minor, statement.opening_minor
    place, number, last = statement.place, statement.sequence_no, before.sequence_no
    said = False
    if closed is not None and opened is not None and closed != opened:
        one, other = _money(opened, statement.currency), _money(closed, statement.currency)
        is_overlap = statement.from_us is not None and (statement.from_us < (before.closed_us or 0))
        what = "they overlap" if is_overlap else "a statement is missing between them"
        said = True
        yield f"{place}: it opens with {one}, {before.place} closes with {other}: {what}"
    if not said and number is not None and last is not None and number > last + 1:
        yield f"{place}: it has number {number}, the one before {last}: statements between them are missing"


def _money(minor: int, currency: str) -> str:
    return f"{amount_text(minor, currency) or minor} {currency}"
