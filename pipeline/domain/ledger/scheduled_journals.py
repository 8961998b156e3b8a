"""Journals that wait for their time (`execute_at`) at home, before anything is held for them.

    journal_submitted -> SCHEDULED -> its time has come (`falling_due`): submitted anew, with that time
                      -> refused: too_far_ahead, expired, too_many_scheduled
    journal_voided of one that waits -> VOIDED; journal_confirmed -> refused, it is not held

    row `s` NUL tenant NUL home NUL id                     the command
    row `i` NUL tenant NUL account NUL time NUL home NUL id    one for each account of it here

So a command on one of these accounts meets the journal executed (`due_on_accounts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.kernel.stored_commands import as_stored
from pipeline.domain.kernel.times import FAR_AHEAD_US, NO_END
from pipeline.domain.ledger import journal_ends, journal_home
from pipeline.domain.ledger.account_ids import can_be_opened, is_local
from pipeline.domain.ledger.approvals import ApprovedOutbox
from pipeline.domain.ledger.due import SCHEDULED as KIND
from pipeline.domain.ledger.due import Due, Place, behind_deleted, schedule, time_of, time_text, unschedule
from pipeline.domain.ledger.expected_sequence import moved_on
from pipeline.domain.ledger.journal_home import HomeJournal
from pipeline.domain.ledger.journals import LEGS_MAX, SCHEDULED, journal_key, read_journal
from pipeline.domain.ledger.leg_shares import drawn_up
from pipeline.domain.ledger.rows import SCHEDULED_ON_ROW, SCHEDULED_ROW, read_watermark

WAITING_MAX = 1000
"""The most journals that wait on one account."""


class Waiting(ev.JournalSubmitted, frozen=True, gc=False):
    """A journal as it waits: its command, and who has approved that."""

    approved_by: str | None = None
    """None: nobody had to."""


unpack_scheduled = unpacker(SCHEDULED_ROW, Waiting)
"""Return the command of a row. Raises UnreadableRow."""


def submit(
    holds_max: int, event: ev.JournalSubmitted, watermark: int, at: Arrival, rows: Rows, out: Outbox
) -> None:
    """Let a new journal wait whose time has not come; submit any other. Arguments: `HomeJournal.submit`."""
    time = event.execute_at
    if time is not None and read_journal(rows, event.tenant_id, event.account_id, event.journal_id) is None:
        if time > max(watermark, event.occurred_at):
            return _wait(event, watermark, at, rows, out)
        event = structs.replace(event, occurred_at=max(event.occurred_at, time))
    journal_home.submit(holds_max, event, watermark, at, rows, out)


def void(event: ev.JournalVoided, watermark: int, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Release a journal that is held, or take back one that waits."""
    journal = read_journal(rows, event.tenant_id, event.account_id, event.journal_id)
    if journal is None or journal.state != SCHEDULED:
        return journal_ends.void(event, watermark, at, rows, out)
    sequence = moved_on(event, event.account_id, rows)
    if sequence is not None:
        about = (out, event, "journal_voided", event.account_id, None, "sequence_mismatch")
        return refuse(*about, journal_id=event.journal_id, account_sequence=sequence)
    _forget(_command(rows, event.tenant_id, event.account_id, event.journal_id), at, rows)
    HomeJournal(event, event.journal_id, journal, at, rows, out).take_back()


def execute(holds_max: int, due: Due, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Submit a journal whose time has come, as if it had happened then; what it says has its approver."""
    command = _command(rows, due.tenant_id, due.account_id, due.id)
    _forget(command, at, rows)
    rows.delete(journal_key(due.tenant_id, due.account_id, due.id))
    watermark = read_watermark(rows)
    assert watermark is not None, "time has come"
    event = structs.replace(_without_approver(command), occurred_at=due.time)
    out = out if command.approved_by is None else ApprovedOutbox(out, command.approved_by)
    journal_home.submit(holds_max, event, watermark, at, rows, out)


def due_on_accounts(rows: Rows, tenant_id: str, accounts: Iterable[str], watermark: int) -> list[Due]:
    """Return the journals that are due on accounts, in order of time."""
    found = set[Due]()
    for account_id in dict.fromkeys(accounts):
        for due in _of_account(rows, tenant_id, account_id):
            if due.time > watermark:
                break
            found.add(due)
    return sorted(found)


def places_of(rows: Rows, due: Due, at: Arrival) -> list[Place]:
    """Return the places of a journal that waits, on the branch of a record."""
    legs = _command(rows, due.tenant_id, due.account_id, due.id).legs[:LEGS_MAX]
    return [(leg.account_id, leg.side) for leg in legs if is_local(due.tenant_id, leg.account_id, at)]


def _wait(event: ev.JournalSubmitted, watermark: int, at: Arrival, rows: Rows, out: Outbox) -> None:
    home = HomeJournal(event, event.journal_id, drawn_up(event)[0], at, rows, out)
    code = _refusal(event, watermark, at, rows)
    if code is not None:
        name, account_id = "journal_submitted", event.account_id
        return refuse(out, event, name, account_id, None, code, journal_id=event.journal_id)
    rows.put(_key(event), SCHEDULED_ROW.pack(as_stored(_with_approver(event, out))))
    for account_id in _accounts(event, at):
        rows.put(_account_key(event, account_id), SCHEDULED_ON_ROW.head)
    schedule(rows, _due_of(event))
    home.wait()


def _refusal(event: ev.JournalSubmitted, watermark: int, at: Arrival, rows: Rows) -> str | None:
    """Return why a journal may not wait, the first reason that holds, or None."""
    time, end = event.execute_at, event.hold_expires_at
    assert time is not None
    if time - watermark > FAR_AHEAD_US or time == NO_END:
        return "too_far_ahead"
    if end is not None and end <= time:
        return "expired"
    for account_id in _accounts(event, at):
        waiting = islice(_of_account(rows, event.tenant_id, account_id), WAITING_MAX)
        if sum(1 for _ in waiting) == WAITING_MAX:
            return "too_many_scheduled"
    return None


def _forget(command: ev.JournalSubmitted, at: Arrival, rows: Rows) -> None:
    rows.delete(_key(command))
    for account_id in _accounts(command, at):
        rows.delete(_account_key(command, account_id))
    unschedule(rows, _due_of(command))


def _command(rows: Rows, tenant_id: str, account_id: str, journal_id: str) -> Waiting:
    row = rows.get(row_key(SCHEDULED_ROW.family, tenant_id, account_id, journal_id))
    assert row is not None, "what waits has its command"
    return unpack_scheduled(row)


def _with_approver(event: ev.JournalSubmitted, out: Outbox) -> Waiting:
    said = {name: getattr(event, name) for name in ev.JournalSubmitted.__struct_fields__}
    return Waiting(**said, approved_by=out.approved_by if isinstance(out, ApprovedOutbox) else None)


def _without_approver(command: Waiting) -> ev.JournalSubmitted:
    return ev.JournalSubmitted(
        **{name: getattr(command, name) for name in ev.JournalSubmitted.__struct_fields__}
    )


def _accounts(event: ev.JournalSubmitted, at: Arrival) -> list[str]:
    """Return the accounts of a journal on its home branch, the home first.

    Legs have not been looked at yet: what can be the id of no account is left out, as it may fit into no key.
    """
    named = [leg.account_id for leg in event.legs[:LEGS_MAX] if can_be_opened(leg.account_id)]
    here = [account_id for account_id in named if is_local(event.tenant_id, account_id, at)]
    return list(dict.fromkeys([event.account_id, *here]))


def _of_account(rows: Rows, tenant_id: str, account_id: str) -> Iterator[Due]:
    prefix = row_key(SCHEDULED_ON_ROW.family, tenant_id, account_id, "")
    for key, _ in rows.scan(prefix, behind_deleted(prefix, rows)):
        time, home, journal_id = key[len(prefix) :].decode().split("\0")
        yield Due(time_of(time), KIND, tenant_id, home, journal_id)


def _due_of(event: ev.JournalSubmitted) -> Due:
    assert event.execute_at is not None, "what waits has a time"
    return Due(event.execute_at, KIND, event.tenant_id, event.account_id, event.journal_id)


def _key(event: ev.JournalSubmitted) -> bytes:
    return row_key(SCHEDULED_ROW.family, event.tenant_id, event.account_id, event.journal_id)


def _account_key(event: ev.JournalSubmitted, account_id: str) -> bytes:
    time, home = time_text(_due_of(event).time), event.account_id
    return row_key(SCHEDULED_ON_ROW.family, event.tenant_id, account_id, time, home, event.journal_id)
