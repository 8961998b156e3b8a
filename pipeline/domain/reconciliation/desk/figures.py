"""Where items and statements are counted in the figures of their days (`breaks.summary`).

    an item comes -> counted once, on its own day -> its row says under which standing -> moves with it
    a closed statement has an open break, or none any more -> unsound, or sound again

Each change of an item's standing goes through `stands`, so row and figures agree.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from pipeline.domain.reconciliation.breaks import states, summary
from pipeline.domain.reconciliation.breaks.kinds import kind_of
from pipeline.domain.reconciliation.breaks.rows import Day, Life, day_key
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.items import booked_day_of
from pipeline.domain.reconciliation.desk.rows import (
    CLAIMED,
    Entry,
    Line,
    Unsound,
    earlier_line_item,
    line_item,
    posting_item,
    unsound_key,
)


def comes(account: AccountDesk, scope: Scope, entry: Entry, tier: str | None = None) -> Entry:
    """Count an item that has come, under the standing that its break gives it; return it so, not written.

    `tier`: by what it is matched at once; it has no break then.
    """
    life = scope.life(entry.break_id) if entry.break_id else None
    standing = standing_by(life) if tier is None else tier
    key = day_of(account, entry)
    if counts_on(account, scope, entry):
        account.day_counts.add(key, isinstance(entry, Line), standing, 1, entry.amount_minor)
    else:
        arrived = partial(
            summary.arrived,
            is_line=isinstance(entry, Line),
            amount_minor=entry.amount_minor,
            standing=standing,
        )
        note(account, scope, entry.currency, booked_day_of(entry), arrived, begins=True)
    return entry if entry.standing == standing else msgspec.structs.replace(entry, standing=standing)


def stands(account: AccountDesk, scope: Scope, entry: Entry, standing: str) -> Entry:
    """Count an item under another standing; return it so, not written."""
    if standing == entry.standing:
        return entry
    moves(account, scope, entry, standing)
    return msgspec.structs.replace(entry, standing=standing)


def moves(account: AccountDesk, scope: Scope, entry: Entry, standing: str) -> None:
    """Count an item under another standing, which whoever writes it gives it."""
    key = day_of(account, entry)
    if counts_on(account, scope, entry):  # else its day is counted no more
        counts, is_line = account.day_counts, isinstance(entry, Line)
        counts.add(key, is_line, entry.standing, -1, entry.amount_minor)
        counts.add(key, is_line, standing, 1, entry.amount_minor)


def standing_by(life: Life | None) -> str:
    """Return how an item stands that is not matched, by its break."""
    said = None if life is None else summary.standing_of(life)
    return summary.WAITING if said is None else said


def closes(account: AccountDesk, scope: Scope, currency: str, day: int, lines: int) -> None:
    """Count a statement that is closed, with the lines that it says to have; its breaks come after it."""
    change = partial(summary.closed, lines_announced=lines, is_sound=True)
    note(account, scope, currency, day, change, begins=True)


def unsound(account: AccountDesk, scope: Scope, life: Life) -> None:
    """Count a break of a statement that was just opened; `life.since`: the day on which it was closed."""
    assert life.statement_id is not None
    key = unsound_key(*account.account, life.currency, life.since, life.statement_id)
    if account.get(key, Unsound) is None:
        account.put(key, Unsound(0, scope.watermark))
        account.end(scope.watermark, key)
    _count(account, scope, life, 1)


def follow(account: AccountDesk, scope: Scope, break_id: str, before: Life | None) -> None:
    """Count the item or the statement of a break as the break says now; `before`: the break as it was."""
    life = scope.life(break_id)
    if life is None:
        return
    entry = item_of_break(account, break_id, life)
    if entry is not None and entry.status != CLAIMED:
        account.write(stands(account, scope, entry, standing_by(life)))
    if _is_of_statement(life):
        _count(account, scope, life, _is_open(life) - _is_open(before))


def item_of_break(account: AccountDesk, break_id: str, life: Life) -> Entry | None:
    """Return the item that a break is about, or None: it is about a statement, or the item is over."""
    if life.line_id is not None:
        entry = account.item(line_item(life.line_id))
    elif life.posting_id is not None:
        entry = account.item(posting_item(life.posting_id))
    elif life.statement_id is not None and life.line_no is not None:
        entry = account.item(earlier_line_item(life.statement_id, life.line_no))
    else:
        return None
    return entry if entry is not None and entry.break_id == break_id else None


def note(
    account: AccountDesk,
    scope: Scope,
    currency: str,
    day: int,
    change: Callable[[Day], Day],
    *,
    begins: bool = False,
) -> None:
    """Change the figures of a day, in memory; `begins`: as of `summary.note`."""
    key = day_key(*account.account, currency, day)
    known = account.get(key, Day)
    noted = summary.noted(scope, known, key, day, change, begins)
    if noted is not None:
        account.put(key, noted)


def day_of(account: AccountDesk, entry: Entry) -> bytes:
    """Return the row key of an item's day."""
    return day_key(*account.account, entry.currency, booked_day_of(entry))


def counts_on(account: AccountDesk, scope: Scope, entry: Entry) -> bool:
    """Whether the day of an item has a row that counts on (`summary.noted`)."""
    known = account.day(day_of(account, entry))
    return known is not None and not scope.is_over(known.ended_at)


def _is_open(life: Life | None) -> bool:
    return life is not None and life.status not in states.ENDED


def _is_of_statement(life: Life) -> bool:
    """Whether a break is about a closed statement: of the chain, or that it was closed again otherwise."""
    if life.statement_id is None or life.line_no is not None or life.posting_id is not None:
        return False
    return life.kind != "STALE" and (kind_of(life.kind).is_structural or life.kind == "DUPLICATE")


def _count(account: AccountDesk, scope: Scope, life: Life, more: int) -> None:
    """Count one open break of a statement more or less; `life.since`: the day on which it was closed."""
    assert life.statement_id is not None
    key = unsound_key(*account.account, life.currency, life.since, life.statement_id)
    known = account.get(key, Unsound)
    if known is None or not more:
        return  # a break of before, whose statement was never counted; or nothing has changed
    breaks = known.breaks + more
    account.put(key, msgspec.structs.replace(known, breaks=breaks))
    if (breaks == 0) != (known.breaks == 0):
        change = partial(summary.proved, is_sound=breaks == 0)
        note(account, scope, life.currency, life.since, change)


def forget_unsound(account: AccountDesk, scope: Scope, key: bytes) -> bool:
    """Delete what is known of a statement's breaks whose key has come up; return whether it stays."""
    known = account.get(key, Unsound)
    if known is None:
        return False
    if known.breaks or not scope.is_over(known.begun_at):
        return True
    account.put(key, None)
    return False
