"""Clean references in a run: what comes and waits for its reference, or whose counterpart waits for it.

    posting or line -> nothing is due, nothing is special about it -> its references
        -> nobody has one                                   it waits
        -> one open item has, and they are a clean pair     claimed
        -> anything else                                    the rules of `stream` apply it

What is said, and the rows, are those of `stream.apply_to`. Here stands which events these are, and the effect
that the rules have on them: no words, and for what comes and goes within a run no index either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Outbox
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.reconciliation.assigning.blocking import REFERENCES_MAX, side_of
from pipeline.domain.reconciliation.assigning.clean import is_clean
from pipeline.domain.reconciliation.bounds import AMOUNT_LIMIT
from pipeline.domain.reconciliation.breaks.outputs import TOPIC
from pipeline.domain.reconciliation.breaks.rows import day_key
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.chain.findings import Moment
from pipeline.domain.reconciliation.chain.next_line import next_line
from pipeline.domain.reconciliation.desk import figures, time
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.claims import claim
from pipeline.domain.reconciliation.desk.items import Texts, as_item, booked_day_of, line_of, posting_of
from pipeline.domain.reconciliation.desk.knowledge import items_with, note_references
from pipeline.domain.reconciliation.desk.reads import LineRows
from pipeline.domain.reconciliation.desk.results import pair_matched
from pipeline.domain.reconciliation.desk.rows import (
    CLAIMED,
    OPEN,
    REFERENCE,
    Entry,
    Line,
    Posting,
    posting_item,
    row_of,
)
from pipeline.domain.reconciliation.desk.stream import sweep_due
from pipeline.domain.reconciliation.desk.waiting import SEVERAL
from pipeline.domain.reconciliation.scoring.item import PLAIN
from pipeline.domain.reconciliation.scoring.lags import with_lag
from pipeline.domain.reconciliation.texts.placeholders import is_constant
from pipeline.domain.tenants.break_rules import BreakRules


def take(
    account: AccountDesk,
    clock: time.BranchClock,
    event: Any,
    time_us: int,
    line: LineRows | None,
    out: Outbox,
    rules: BreakRules,
) -> bool:
    """Apply a clean posting or line; return False, with nothing changed, for any other event.

    `time_us`: of the event. Raises Reject: overflow.
    """
    watermark = account.watermark
    if watermark is None:
        return False
    reached = max(watermark, time_us)
    if not _is_quiet(account, clock, time_us, reached):
        return False
    scope = Scope(event, reached, account.table, out, rules, account.keep_us, account.end)
    if line is not None:
        is_taken = _line(account, scope, event, line)
    else:
        is_taken = isinstance(event, ev.PostingRecorded) and _posting(account, scope, event)
    if is_taken:
        time.move_on(account, clock, time_us)
        sweep_due(account, scope)
    return is_taken


def _is_quiet(account: AccountDesk, clock: time.BranchClock, time_us: int, reached: int) -> bool:
    """Whether the time of an event has no effect but that it passes."""
    desk = account.desk
    if desk.earlier or desk.before_at is not None or account.due_times.is_due(reached):
        return False
    if desk.wakes_at is None or desk.wakes_at <= max(clock.at, time_us):
        return False
    if reached - time_us > account.keep_us:
        return False  # too old
    return not desk.stale or all(stale_at > reached for _, stale_at in desk.stale)


def _posting(account: AccountDesk, scope: Scope, event: ev.PostingRecorded) -> bool:
    name, currency = event.posting_id, event.currency
    if not 0 < event.amount_minor <= AMOUNT_LIMIT or not _is_id(name) or not _is_id(currency):
        return False
    if event.journal_id is not None or event.reverses is not None:
        return False  # it may be of a correction
    key = posting_item(name)
    if account.item(key) is not None:
        return False
    posting, texts = posting_of(event)
    counters, others = account.desk.of_postings, posting.references[posting.own_ids :]
    if not posting.references or _may_be_constant(counters, others):
        return False
    keys = _with_reference(account, posting)
    if len(keys) > 1 or not _is_counted(account, scope, posting):
        return False
    if not keys:
        _wait(account, scope, key, posting, texts)
    else:
        found = account.item(keys[0])
        if not isinstance(found, Line) or not _is_clean(account, scope, posting, found):
            return False
        _claim(account, scope, posting, found)
    note_references(counters, others)
    return True


def _line(account: AccountDesk, scope: Scope, event: ev.StatementLine, rows: LineRows) -> bool:
    if not 0 < abs(event.amount_minor) <= AMOUNT_LIMIT:
        return False
    if not _is_id(event.statement_id) or not _is_id(event.currency):
        return False
    line, place, key = rows.line
    moment = Moment(*account.account, scope.watermark, account.keep_us)
    added = next_line(account, moment, line, place, rows.content, rows.series)
    if added is None:
        return False
    entry, texts = line_of(event, key.decode(), line.content, b"")
    item_key, counters = entry.key, account.desk.of_lines
    if entry.kind not in PLAIN or not entry.references or account.item(item_key) is not None:
        return False
    keys = _with_reference(account, entry)
    if len(keys) > 1 or _may_be_constant(counters, entry.references):
        return False
    found = account.item(keys[0]) if keys else None
    if found is not None and not (isinstance(found, Posting) and _is_clean(account, scope, found, entry)):
        return False
    if not _is_counted(account, scope, entry):
        return False
    account.put(rows.content, added.content)
    account.put(rows.series, added.series)
    account.end(scope.watermark, rows.content)
    if found is None:
        _wait(account, scope, item_key, entry, texts)
    else:
        _claim(account, scope, entry, found)
    note_references(counters, entry.references)
    return True


def _is_id(text: str) -> bool:
    return bool(text) and "\0" not in text


def _may_be_constant(counters: dict[int, int], references: Sequence[str]) -> bool:
    """Whether a reference may be a constant once these have been counted."""
    return any(is_constant(items_with(counters, one) + len(references)) for one in references)


def _with_reference(account: AccountDesk, entry: Entry) -> list[bytes]:
    """Return the items of the other side with a reference of an item; more than one if several may have."""
    is_line = isinstance(entry, Line)
    references = entry.references[:REFERENCES_MAX]
    waiting = account.waiting.postings if is_line else account.waiting.lines
    found = account.raw_index.of_references(side_of(not is_line), references, 2)
    for one in references:
        key = waiting.get(one)
        if key is not None and key not in found:
            found = [*found, key] if key != SEVERAL else [SEVERAL, SEVERAL]
    return found


def _is_clean(account: AccountDesk, scope: Scope, arriving: Entry, other: Entry) -> bool:
    """Whether two items are a clean pair, and nothing is special about the one that waits."""
    if other.status != OPEN or other.break_id or other.amount_minor != arriving.amount_minor:
        return False
    posting, line = (other, arriving) if isinstance(arriving, Line) else (arriving, other)
    return is_clean(as_item(posting), as_item(line)) and _is_counted(account, scope, other)


def _is_counted(account: AccountDesk, scope: Scope, entry: Entry) -> bool:
    """Whether the day of an item has a row that counts on."""
    row = account.day(_day_of(account, entry))
    return row is not None and not scope.is_over(row.ended_at)


def _day_of(account: AccountDesk, entry: Entry) -> bytes:
    return day_key(*account.account, entry.currency, booked_day_of(entry))


def _wait(account: AccountDesk, scope: Scope, key: bytes, entry: Entry, texts: Texts) -> None:
    due_at = scope.watermark + MICROSECONDS_PER_DAY
    account.wait(key, msgspec.structs.replace(entry, due_at=due_at), texts)


def _claim(account: AccountDesk, scope: Scope, arriving: Entry, other: Entry) -> None:
    """Make a clean pair one match."""
    if other.key not in account.waiting.items:  # it was there before this run, or somebody has looked at it
        claim(account, scope, (figures.comes(account, scope, arriving, REFERENCE), other), REFERENCE)
        return
    line, posting = (arriving, other) if isinstance(arriving, Line) else (other, arriving)
    assert isinstance(line, Line) and isinstance(posting, Posting)
    account.waiting_claimed(other)
    leader, reached = line.key, scope.watermark
    more: dict[str, Any] = {
        "status": CLAIMED,
        "standing": REFERENCE,
        "tier": REFERENCE,
        "leader": leader,
        "ended_at": reached,
    }
    account.add_claimed(leader, msgspec.structs.replace(line, partners=(posting.key,), **more))
    account.add_claimed(posting.key, msgspec.structs.replace(posting, **more))
    for one in (line, posting):
        day, is_line = _day_of(account, one), one is line
        account.day_counts.add(day, is_line, REFERENCE, 1, one.amount_minor)
    account.end(reached, row_of(account.part, leader))
    account.desk.lags = with_lag(account.desk.lags, booked_day_of(line) - posting.day)
    scope.out.emit(TOPIC, account.record_key, pair_matched(scope.cause, line, posting.posting_id))
