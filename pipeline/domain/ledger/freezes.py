"""Frozen sides of accounts: frozen until a time, or until they are freed.

    account_frozen   -> the side accepts no new holds or entries -> its `until` comes (`due`), or
    account_unfrozen -> it accepts them again

Invariants: a freeze never shortens another one. Of two ends of a side the later one counts, and a freeze
without an end outlasts every other. A side with an end has a row `f` and a due item; a side without has none.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.outbox import Arrival, Outbox, derived_id
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.ledger.accounts import account_after_due, present
from pipeline.domain.ledger.books import save_account
from pipeline.domain.ledger.due import FREEZE, Due, Take, schedule, unschedule
from pipeline.domain.ledger.rows import FREEZE_ROW, FROZEN_CREDIT, FROZEN_DEBIT, read_account

_SIDES = {
    "DEBIT": (FROZEN_DEBIT,),
    "CREDIT": (FROZEN_CREDIT,),
    "BOTH": (FROZEN_DEBIT, FROZEN_CREDIT),
}


class FreezeEnd(NamedTuple):
    """When the freeze of one side ends."""

    side: int
    """FROZEN_DEBIT or FROZEN_CREDIT."""
    until: int
    """Microseconds UTC."""
    event_id: str
    """Of the command that froze it until then."""
    correlation_id: str


unpack_ends = unpacker(FREEZE_ROW, list[FreezeEnd])
"""Return the ends of a row, by side. Raises UnreadableRow."""


def freeze_account(take: Take, event: ev.AccountFrozen, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Freeze one side of an account, or both: it accepts no new holds or entries.

    `take`: applies what is due on accounts: a journal was due before the freeze, and is not stopped by it.
    Raises: Reject for an account of the ledger's own.
    """
    account = account_after_due(take, event, "account_frozen", at, rows, out)
    if account is None:
        return
    until = event.until
    if until is not None and until <= present(event, at, rows):
        return refuse(out, event, "account_frozen", event.account_id, None, "expired")
    ends = _read_ends(rows, event.tenant_id, event.account_id)
    after, longer = dict(ends), False
    for side in _SIDES[event.side]:
        known = ends.get(side)
        if account.frozen & side and (known is None or (until is not None and until <= known.until)):
            continue
        longer = True
        account.frozen |= side
        after.pop(side, None)
        if until is not None:
            after[side] = FreezeEnd(side, until, event.event_id, event.correlation_id)
    if not longer:
        return refuse(out, event, "account_frozen", event.account_id, None, "exists")
    _write_ends(rows, event.tenant_id, event.account_id, ends, after)
    save_account(rows, out, event, event.account_id, account)


def unfreeze_account(take: Take, event: ev.AccountUnfrozen, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Unfreeze one side of an account, or both, whenever it would have ended.

    `take`: applies what is due on accounts: a freeze may be over and wait for that.
    Raises: Reject for an account of the ledger's own.
    """
    account = account_after_due(take, event, "account_unfrozen", at, rows, out)
    if account is None:
        return
    sides = sum(_SIDES[event.side])
    if not account.frozen & sides:
        return refuse(out, event, "account_unfrozen", event.account_id, None, "account_not_frozen")
    account.frozen &= ~sides
    ends = _read_ends(rows, event.tenant_id, event.account_id)
    after = {side: end for side, end in ends.items() if not side & sides}
    _write_ends(rows, event.tenant_id, event.account_id, ends, after)
    save_account(rows, out, event, event.account_id, account)


def end_freeze(due: Due, rows: Rows, out: Outbox) -> None:
    """Unfreeze the sides whose time has come, of a closed account, too."""
    account = read_account(rows, due.tenant_id, due.account_id)
    ends = _read_ends(rows, due.tenant_id, due.account_id)
    over = [end for end in ends.values() if (end.until, end.event_id) == (due.time, due.id)]
    assert account is not None and over, "what falls due is frozen"
    for end in over:
        account.frozen &= ~end.side
    after = {side: end for side, end in ends.items() if end not in over}
    _write_ends(rows, due.tenant_id, due.account_id, ends, after)
    frozen = ev.AccountUnfrozen(
        due.id, due.tenant_id, due.time, over[0].correlation_id, None, due.account_id, "", "its time is over"
    )
    ended = structs.replace(frozen, event_id=derived_id(cause_name(frozen), "freeze_ended"))
    save_account(rows, out, ended, due.account_id, account)


def due_ends(rows: Rows, tenant_id: str, account_id: str, watermark: int) -> list[Due]:
    """Return the ends of an account's freezes whose time has come by `watermark`."""
    over = [one for one in _read_ends(rows, tenant_id, account_id).values() if one.until <= watermark]
    return [Due(one.until, FREEZE, tenant_id, account_id, one.event_id) for one in over]


def _read_ends(rows: Rows, tenant_id: str, account_id: str) -> dict[int, FreezeEnd]:
    """Return the ends of an account's frozen sides, by side; a side that has none is not there."""
    row = rows.get(row_key(FREEZE_ROW.family, tenant_id, account_id))
    return {} if row is None else {end.side: end for end in unpack_ends(row)}


def _write_ends(
    rows: Rows, tenant_id: str, account_id: str, before: dict[int, FreezeEnd], after: dict[int, FreezeEnd]
) -> None:
    """Replace the ends of an account's frozen sides, and what is scheduled for them."""
    if before == after:
        return
    old, new = (
        {Due(end.until, FREEZE, tenant_id, account_id, end.event_id) for end in ends.values()}
        for ends in (before, after)
    )
    for due in sorted(old - new):
        unschedule(rows, due)
    for due in sorted(new - old):
        schedule(rows, due)
    key = row_key(FREEZE_ROW.family, tenant_id, account_id)
    if after:
        rows.put(key, FREEZE_ROW.pack(sorted(after.values())))
    else:
        rows.delete(key)
