"""The invariants of the journal, checked at every record of it.

    zero_sum               an entry is one debit and one credit of the same amount, in consecutive postings
    sequence, balance      the numbers and balances of an account follow from its previous records
    held                   the amount held of an account follows from its previous records
    entry_once             an account has an entry only once

    posting_recorded -> all of these; hold_recorded -> balance and held of its account
    posting of a clearing account -> totals by hour of the day, as `clearing_counted`: the totals of all
                                     branches together show what is in flight between them (clearing)

Each entry sums to zero, so the postings of a branch sum to zero after each entry. A record that breaks an
invariant raises one alert, `invariant_broken`. The checks then continue from the values of this record, so
that a fault is not reported again for every later record. Records are never rejected here.

Alerts are limited: in WINDOW records at most ACCOUNT_ALERTS_MAX of an account and BRANCH_ALERTS_MAX of a
branch. Further faults are only counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pipeline.domain.invariants.rows import (
    BRANCH_KEY,
    CLEARING_PREFIX,
    UNKNOWN,
    CheckedAccount,
    CheckedBranch,
    FirstPosting,
    account_key,
    clearing_key,
    fingerprint,
    hour_of,
    letters,
    read_account,
    read_branch,
    read_clearing,
    wrapped,
)
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, derived_id
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import Rows

ALERTS = "invariant-alerts"
TOTALS = "clearing-totals"
JOURNAL = "postings"
WINDOW = 100_000
"""The length of a window, in records of a branch."""
ACCOUNT_ALERTS_MAX = 4
BRANCH_ALERTS_MAX = 100


class Fault(NamedTuple):
    """A broken invariant: what was expected, and what was found."""

    invariant: str
    expected: str
    found: str
    half: FirstPosting | None = None
    """The first posting of the broken entry, if the checked record belongs to another entry."""


def apply(event: Any, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Check one record of the journal; events of other classes are ignored."""
    if type(event) not in (ev.PostingRecorded, ev.HoldRecorded):
        return
    account = read_account(rows, event.tenant_id, event.account_id, letters(event.currency))
    branch = read_branch(rows)
    if isinstance(event, ev.PostingRecorded):
        faults = [*_entry(event, branch), *_posting(event, account)]
        if event.account_id.startswith(CLEARING_PREFIX):
            _count(event, at, rows, out)
    else:
        faults = list(_hold(event, account))
    for fault in faults:
        if _may_alert(branch, account):
            _emit_alert(fault, event, at, out)
    branch.records += 1
    rows.put(account_key(event.tenant_id, event.account_id), account.pack())
    rows.put(BRANCH_KEY, branch.pack())


def keys(event: Any) -> Iterable[bytes]:
    """Return the keys of the rows that applying `event` reads."""
    if type(event) not in (ev.PostingRecorded, ev.HoldRecorded):
        return
    yield BRANCH_KEY
    yield account_key(event.tenant_id, event.account_id)
    if event.account_id.startswith(CLEARING_PREFIX):
        yield clearing_key(event.tenant_id, event.account_id, hour_of(event.occurred_at))


def _entry(event: ev.PostingRecorded, branch: CheckedBranch) -> Iterator[Fault]:
    """Check that a posting completes the entry of the one before it, if that entry is incomplete."""
    first = branch.half
    own = FirstPosting(
        event.tenant_id, event.entry_id, event.account_id, event.side, event.amount_minor, event.currency
    )
    if first is not None:
        wanted = _money("CREDIT" if first.side == "DEBIT" else "DEBIT", first.amount_minor, first.currency)
        if (first.tenant_id, first.entry_id) == (own.tenant_id, own.entry_id):
            branch.half = None
            found = _money(own.side, own.amount_minor, own.currency)
            if found != wanted:
                yield Fault("zero_sum", wanted, found)
            return
        yield Fault("zero_sum", wanted, "nothing", first)
    branch.half = own
    if own.amount_minor <= 0:
        yield Fault("zero_sum", "an amount above 0", str(own.amount_minor))


def _posting(event: ev.PostingRecorded, account: CheckedAccount) -> Iterator[Fault]:
    """Check a posting against its account; then set the account to the values of the posting."""
    mark = fingerprint(event.entry_id)
    if mark in account.entries:
        yield Fault("entry_once", "an entry of its own", "an entry that this account has already")
    signed = event.amount_minor if event.side == "CREDIT" else -event.amount_minor
    sequence, balance = account.sequence + 1, account.balance_minor + signed
    held = account.held_minor
    allowed = {held, held - event.amount_minor} if event.side == "DEBIT" else {held}
    found = UNKNOWN if event.held_minor_after is None else event.held_minor_after
    fault = _currency(event, account)
    if fault is None and event.account_sequence != sequence:
        fault = Fault("sequence", str(sequence), str(event.account_sequence))
    if fault is None and event.balance_minor_after != balance:
        fault = Fault("balance", str(balance), str(event.balance_minor_after))
    if fault is not None:
        yield fault
    else:
        yield from _held(held, allowed, found)
    account.entries = (mark, *account.entries[:-1])
    account.currency = letters(event.currency)
    account.sequence = event.account_sequence
    account.balance_minor = event.balance_minor_after
    account.held_minor = found


def _hold(event: ev.HoldRecorded, account: CheckedAccount) -> Iterator[Fault]:
    """Check a hold against its account; then set the account to the values of the hold event."""
    held, found = account.held_minor, event.held_minor_after
    allowed = {
        "PLACED": {held + event.amount_minor},
        "RELEASED": {held - event.amount_minor},
    }.get(event.change, {found})  # an unknown change, of a later version, is not checked
    fault = _currency(event, account)
    if fault is None and event.balance_minor != account.balance_minor:
        fault = Fault("balance", str(account.balance_minor), str(event.balance_minor))
    if fault is None and event.amount_minor <= 0:
        fault = Fault("held", "an amount above 0", str(event.amount_minor))
    if fault is not None:
        yield fault
    else:
        yield from _held(held, allowed, found)
    account.currency = letters(event.currency)
    account.balance_minor = event.balance_minor
    account.held_minor = found


def _currency(event: Any, account: CheckedAccount) -> Fault | None:
    if event.currency.encode() == account.currency:
        return None
    return Fault("balance", account.currency.rstrip(b"\0").decode(errors="replace"), event.currency)


def _held(before: int, allowed: set[int], found: int) -> Iterator[Fault]:
    """Check that the amount held follows from the previous one; either may be UNKNOWN."""
    if found == UNKNOWN:
        return
    if found < 0:
        yield Fault("held", "0 or more", str(found))
    elif before != UNKNOWN and found not in allowed:
        yield Fault("held", " or ".join(map(str, sorted(allowed, reverse=True))), str(found))


def _money(side: str, amount: int, currency: str) -> str:
    return f"{side} {amount} {currency}"


def _count(event: ev.PostingRecorded, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Add a posting to the totals of its clearing account, and emit them."""
    hour = hour_of(event.occurred_at)
    key = clearing_key(event.tenant_id, event.account_id, hour)
    totals = read_clearing(rows, key)
    if event.side == "DEBIT":
        totals.debits += 1
        totals.debits_minor = wrapped(totals.debits_minor + event.amount_minor)
    else:
        totals.credits += 1
        totals.credits_minor = wrapped(totals.credits_minor + event.amount_minor)
    rows.put(key, totals.pack())
    out.emit(
        TOTALS,
        f"{event.tenant_id}/{event.account_id}/{hour}",
        ev.ClearingCounted(
            f"{event.event_id}:counted",
            event.tenant_id,
            event.occurred_at,
            event.correlation_id,
            event.event_id,
            event.account_id,
            event.currency,
            at.partition,
            hour,
            totals.debits,
            totals.debits_minor,
            totals.credits,
            totals.credits_minor,
        ),
    )


def _may_alert(branch: CheckedBranch, account: CheckedAccount) -> bool:
    """Return whether another alert is allowed in this window, and count it."""
    window = branch.records // WINDOW
    if branch.window != window:
        branch.window, branch.alerts = window, 0
    if account.window != window:
        account.window, account.alerts = window, 0
    if branch.alerts >= BRANCH_ALERTS_MAX or account.alerts >= ACCOUNT_ALERTS_MAX:
        branch.unsaid += 1
        return False
    branch.alerts += 1
    account.alerts += 1
    return True


def _emit_alert(fault: Fault, event: Any, at: Arrival, out: Outbox) -> None:
    """Emit an alert; its id is derived from the record's offset, so that a replay gives the same id."""
    half = fault.half
    account_id = event.account_id if half is None else half.account_id
    tenant_id = event.tenant_id if half is None else half.tenant_id
    entry_id = getattr(event, "entry_id", None) if half is None else half.entry_id
    out.emit(
        ALERTS,
        f"{tenant_id}/{account_id}",
        ev.InvariantBroken(
            derived_id(cause_name(event), f"{fault.invariant}:{at.partition}:{at.offset}"),
            tenant_id,
            event.occurred_at,
            event.correlation_id,
            event.event_id,
            fault.invariant,
            account_id,
            event.currency if half is None else half.currency,
            entry_id,
            fault.expected,
            fault.found,
            JOURNAL,
            at.partition,
            at.offset,
        ),
    )
