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
from pipeline.domain.reconciliation.breaks.rows import Day
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.chain.next_line import next_line
from pipeline.domain.reconciliation.desk import figures, time
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.claims import claim
from pipeline.domain.reconciliation.desk.items import Texts, as_item, booked_day_of, line_of, posting_of
from pipeline.domain.reconciliation.desk.knowledge import note_unless_constant
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
        clock.advance(time_us)  # as `time.move_on`: the account wakes up later
        account.move_to(reached)
        account.desk.clock_at = clock.at
        sweep_due(account, scope)
    return is_taken


def _is_quiet(account: AccountDesk, clock: time.BranchClock, time_us: int, reached: int) -> bool:
    """Whether the time of an event has no effect but that it passes."""
    desk = account.desk
    if desk.earlier or desk.before_at is not None:
        return False
    if account.due_times.is_due(reached) and account.due_times.due(reached, 1):
        return False
    if desk.wakes_at is None or desk.wakes_at <= max(clock.at, time_us):
        return False
    if reached - time_us > account.keep_us:
        return False  # too old
    return not desk.stale or all(stale_at > reached for _, stale_at in desk.stale)


def _posting(account: AccountDesk, scope: Scope, event: ev.PostingRecorded) -> bool:
    name, currency = event.posting_id, event.currency
    if not 0 < event.amount_minor <= AMOUNT_LIMIT or not name or not currency:
        return False
    if "\0" in name or "\0" in currency:
        return False
    if event.journal_id is not None or event.reverses is not None:
        return False  # it may be of a correction
    key = posting_item(name)
    if account.item(key) is not None:
        return False
    posting, texts = posting_of(event)
    references = posting.references
    day = _day(account, scope, posting)
    if not references or day is None:
        return False
    found = _with_reference(account, references, is_line=False)
    if len(found) > 1:
        return False
    claimed = None
    if found:
        claimed = _counterpart(account, scope, found[0], posting)
        if claimed is None:
            return False
    if not note_unless_constant(account.desk.of_postings, references[posting.own_ids :]):
        return False
    _take(account, scope, key, posting, texts, day, claimed)
    return True


def _line(account: AccountDesk, scope: Scope, event: ev.StatementLine, rows: LineRows) -> bool:
    name, currency = event.statement_id, event.currency
    if not 0 < abs(event.amount_minor) <= AMOUNT_LIMIT or not name or not currency:
        return False
    if "\0" in name or "\0" in currency:
        return False
    what = rows.line
    added = next_line(account, scope.watermark, scope.keep_us, what, rows.content, rows.series)
    if added is None:
        return False
    line, texts = line_of(event, what.key.decode(), what.line.content, b"")
    key, references = b"l\0" + what.key, line.references
    if line.kind not in PLAIN or not references or account.item(key) is not None:
        return False
    found = _with_reference(account, references, is_line=True)
    day = _day(account, scope, line)
    if len(found) > 1 or day is None:
        return False
    claimed = None
    if found:
        claimed = _counterpart(account, scope, found[0], line)
        if claimed is None:
            return False
    if not note_unless_constant(account.desk.of_lines, references):
        return False
    account.put(rows.content, added.content)
    account.put(rows.series, added.series)
    account.end(scope.watermark, rows.content)
    if added.is_new:
        account.end(scope.watermark, rows.series)
    _take(account, scope, key, line, texts, day, claimed)
    return True


def _with_reference(account: AccountDesk, references: Sequence[str], *, is_line: bool) -> list[bytes]:
    """Return the items of the other side with one of some references; more than one if several may have.

    `is_line`: whose references they are.
    """
    looked_up = references[:REFERENCES_MAX]
    waiting = account.waiting.postings if is_line else account.waiting.lines
    found = account.raw_index.of_references(side_of(not is_line), looked_up, 2)
    for one in looked_up:
        key = waiting.get(one)
        if key is not None and key not in found:
            found = [*found, key] if key != SEVERAL else [SEVERAL, SEVERAL]
    return found


def _counterpart(
    account: AccountDesk, scope: Scope, key: bytes, arriving: Entry
) -> tuple[bytes, Entry, bytes] | None:
    """Return an open item, its key and its day's, if it and one that comes are a clean pair."""
    other = account.item(key)
    if other is None or other.status != OPEN or other.break_id:
        return None
    if other.amount_minor != arriving.amount_minor:
        return None  # as `is_clean` asks, too
    posting, line = (other, arriving) if isinstance(arriving, Line) else (arriving, other)
    day = _day(account, scope, other)
    if day is None or account.day(day) is None or not is_clean(as_item(posting), as_item(line)):
        return None
    return key, other, day


def _day(account: AccountDesk, scope: Scope, entry: Entry) -> bytes | None:
    """Return the key of an item's day, or None: it is counted no more, or is begun anew."""
    key = figures.day_of(account, entry)
    row = account.day(key)
    began_at = booked_day_of(entry) * MICROSECONDS_PER_DAY if row is None else row.ended_at
    return None if scope.is_over(began_at) else key


def _begin(account: AccountDesk, scope: Scope, entry: Entry, day: bytes) -> None:
    """Write the row of an item's day, if there is none."""
    if account.day(day) is None:
        figures.note(account, scope, entry.currency, booked_day_of(entry), _unchanged, begins=True)


def _unchanged(day: Day) -> Day:
    return day


def _take(
    account: AccountDesk,
    scope: Scope,
    key: bytes,
    entry: Entry,
    texts: Texts,
    day: bytes,
    claimed: tuple[bytes, Entry, bytes] | None,
) -> None:
    """Store a clean item: with `claimed`, its counterpart, or open."""
    _begin(account, scope, entry, day)
    if claimed is None:
        _wait(account, scope, key, entry, texts)
    else:
        _claim(account, scope, key, entry, day, claimed)


def _wait(account: AccountDesk, scope: Scope, key: bytes, entry: Entry, texts: Texts) -> None:
    due_at = scope.watermark + MICROSECONDS_PER_DAY
    account.wait(key, msgspec.structs.replace(entry, due_at=due_at), texts)


def _claim(
    account: AccountDesk,
    scope: Scope,
    key: bytes,
    arriving: Entry,
    day: bytes,
    claimed: tuple[bytes, Entry, bytes],
) -> None:
    """Make a clean pair one match. `day`: the key of the arriving item's."""
    other_key, other, other_day = claimed
    is_waiting = other_key in account.waiting.items
    if not is_waiting and account.edges(other_key):
        claim(account, scope, (figures.comes(account, scope, arriving, REFERENCE), other), REFERENCE)
        return
    is_line, reached, counts = isinstance(arriving, Line), scope.watermark, account.day_counts
    leader = key if is_line else other_key
    more: dict[str, Any] = {
        "status": CLAIMED,
        "standing": REFERENCE,
        "tier": REFERENCE,
        "leader": leader,
        "ended_at": reached,
    }
    partners = (other_key if is_line else key,)
    one = msgspec.structs.replace(arriving, partners=partners if is_line else (), **more)
    two = msgspec.structs.replace(
        other, words=(), counterparty=(), sought=(), partners=() if is_line else partners, **more
    )
    account.add_claimed(key, one)
    counts.add(day, is_line, REFERENCE, 1, one.amount_minor)
    if is_waiting:
        account.waiting_claimed(other_key, other)
        account.add_claimed(other_key, two)
    else:
        account.forget_texts(other_key)
        account.write(two)
        counts.add(other_day, not is_line, other.standing, -1, two.amount_minor)
    counts.add(other_day, not is_line, REFERENCE, 1, two.amount_minor)
    account.end(reached, row_of(account.part, leader))
    line, posting = (one, two) if is_line else (two, one)
    assert isinstance(line, Line) and isinstance(posting, Posting)
    account.desk.lags = with_lag(account.desk.lags, booked_day_of(line) - posting.day)
    scope.out.emit(TOPIC, account.record_key, pair_matched(scope.cause, line, posting.posting_id))
