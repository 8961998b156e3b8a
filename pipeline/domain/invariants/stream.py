"""The invariants of the journal, checked at every record of it.

    posting_recorded -> its entry: one debit and one credit of one amount, one after the other: zero_sum
                     -> its account: the next number, the balance and the holds that follow from the
                        records before, no entry twice: sequence, balance, held, entry_once
    hold_recorded    -> its account: the balance as it is, the holds that follow: balance, held
    clearing account -> what has gone through it, by hour of the day: whoever sees the totals of all
                        branches can tell what is on the way between them: clearing

Each entry sums to zero and follows the last one, so the postings of a branch sum to zero after each. A record
that breaks an invariant is said once, as `invariant_broken`; the checks go on from what it says, so that one
fault is not found again in every record after it. A record is never refused here: the journal is what it is.

What is said is bounded: of WINDOW records, ACCOUNT_ALERTS_MAX alerts of one account and BRANCH_ALERTS_MAX of
a branch; faults beyond that are counted.
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
"""Records of a branch."""
ACCOUNT_ALERTS_MAX = 4
BRANCH_ALERTS_MAX = 100


class Fault(NamedTuple):
    """Something that had to hold and does not."""

    invariant: str
    expected: str
    found: str
    half: FirstPosting | None = None
    """The posting whose entry is at fault, where that is not the record's own."""


def apply(event: Any, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Check one record of the journal; another event says nothing about money and is left alone."""
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
    """Hold a posting against the one before it, if that one's entry is still to be completed."""
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
    """Hold a posting against its account; the account is then what the posting says."""
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
    """Hold a change of what is held against its account; the account is then what it says."""
    held, found = account.held_minor, event.held_minor_after
    allowed = {
        "PLACED": {held + event.amount_minor},
        "RELEASED": {held - event.amount_minor},
    }.get(event.change, {found})  # a change of a later version has rules of its own
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
    """Find out whether what is held follows from what was held; either may be unknown."""
    if found == UNKNOWN:
        return
    if found < 0:
        yield Fault("held", "0 or more", str(found))
    elif before != UNKNOWN and found not in allowed:
        yield Fault("held", " or ".join(map(str, sorted(allowed, reverse=True))), str(found))


def _money(side: str, amount: int, currency: str) -> str:
    return f"{side} {amount} {currency}"


def _count(event: ev.PostingRecorded, at: Arrival, rows: Rows, out: Outbox) -> None:
    """Add a posting to the totals of its clearing account, and say them."""
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
    """Whether the window has room for another alert, of which it then has one more."""
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
    """Emit an alert; its id is that of the record's place in the log, so that a replay says the same."""
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
