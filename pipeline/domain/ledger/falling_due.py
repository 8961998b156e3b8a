"""When what is due takes effect: before a command that depends on it, in order of time.

    command -> all that is due on its accounts -> at most OTHERS_MAX of the rest -> its own rule

The bound is on the work of a command, never on truth. An account has at most `holds_max` holds of its money
open, and one with a maximum balance at most as many that bring it money. So a payment meets at most twice as
many that are due: `ended_max`. A command that meets more (a journal of many accounts, an account that got its
maximum later) ends as many, and is refused as `too_many_holds`: what its accounts have is not known yet. The
next one goes on.

A journal whose time has come is submitted before whatever touches an account of it on this branch; what is
due on its other accounts here comes with it, in order of time. Journals that meet only on other accounts are
in order of time as long as no more than OTHERS_MAX are due at once.

Holds that bring an account money matter only to an account with a maximum balance, and where it is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import merge
from itertools import groupby, islice
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.links import PAYMENTS_MAX
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.ledger import (
    approvals,
    freezes,
    holds,
    journal_ends,
    limits,
    link_commands,
    scheduled_journals,
)
from pipeline.domain.ledger.account_ids import can_be_opened
from pipeline.domain.ledger.due import (
    CREDIT,
    DEBIT,
    FREEZE,
    HOLD,
    JOURNAL,
    LIMIT,
    PROPOSAL,
    SCHEDULED,
    Due,
    Place,
    due_in_order,
    due_on,
    is_due,
    schedule,
    take_earlier,
    update_next,
)
from pipeline.domain.ledger.journals import LEGS_MAX, OTHER_SIDE, read_journal
from pipeline.domain.ledger.links import HELD, read_link
from pipeline.domain.ledger.open_holds import journal_places, payment_places
from pipeline.domain.ledger.rows import read_account, read_payment, read_watermark

Execute = Callable[[Due, Arrival, Rows, Outbox], None]
OTHERS_MAX = 100
"""The most items that a command applies beside those of its own accounts."""
OTHERS_OF_TICK = 1_000
"""The most items that a tick applies: it has no accounts of its own, and comes once a minute."""


def take(
    most: int,
    places: Iterable[Place],
    event: Any,
    at: Arrival,
    rows: Rows,
    out: Outbox,
    *,
    others: int = 0,
    incoming: bool = False,
    execute: Execute | None = None,
) -> None:
    """Apply what is due on the places that a command touches, and `others` of the rest.

    `most`: how many holds of its own places a command ends.
    `incoming`: also holds that bring money to an account without a maximum balance.
    `execute`: submits a journal whose time has come.
    """
    watermark = read_watermark(rows)
    if watermark is None or not is_due(rows, watermark):
        return
    for due in take_earlier(rows, watermark):
        schedule(rows, due, _places_of(due, at, rows))
    own = [place for place in dict.fromkeys(places) if can_be_opened(place[0])]
    accounts = [account_id for account_id, _ in own]
    journals = scheduled_journals.due_on_accounts(rows, event.tenant_id, accounts, watermark)
    theirs = [place for due in journals for place in scheduled_journals.places_of(rows, due, at)]
    places = [place for place in dict.fromkeys([*own, *theirs]) if can_be_opened(place[0])]
    found = _due_on(places, event.tenant_id, watermark, rows, incoming, most)
    for due in sorted([*found, *journals]):
        _apply(due, at, rows, out, execute)
    for due in due_in_order(rows, watermark, others):
        _apply(due, at, rows, out, execute)
    update_next(rows)


def _due_on(
    places: Iterable[Place], tenant_id: str, watermark: int, rows: Rows, incoming: bool, most: int
) -> list[Due]:
    """Return what is due on places, in order: all limits and freezes, and holds as far as it ends them."""
    found: set[Due] = set()
    held = []
    for account_id, side in places:
        begun = limits.due_limits(rows, tenant_id, account_id, watermark)
        found.update(Due(one.effective_at, LIMIT, tenant_id, account_id, one.event_id) for one in begun)
        found.update(freezes.due_ends(rows, tenant_id, account_id, watermark))
        account = read_account(rows, tenant_id, account_id)
        maxima = [None if account is None else account.maximum_balance_minor, *(one.maximum for one in begun)]
        if side == DEBIT or incoming or any(maximum is not None for maximum in maxima):
            held.append(due_on(rows, tenant_id, (account_id, side), watermark))
    distinct = (due for due, _ in groupby(merge(*held)))
    return sorted(found.union(islice(distinct, most)))


def touched(event: Any, rows: Rows) -> list[Place]:
    """Return the places that a command touches: whose money it asks for, and who gets it."""
    tenant, kind = event.tenant_id, type(event)
    if kind is ev.JournalSubmitted or kind is ev.JournalLegsRequested:
        return [(leg.account_id, leg.side) for leg in event.legs[:LEGS_MAX]]
    if kind is ev.JournalReversed:
        original = read_journal(rows, tenant, event.account_id, event.journal_id)
        legs = event.legs[:LEGS_MAX]
        if legs or original is None:
            return [(leg.account_id, leg.side) for leg in legs]
        return [(leg.account_id, OTHER_SIDE[leg.side]) for leg in original.legs]
    if kind is ev.JournalConfirmed or kind is ev.JournalVoided:
        return [(event.account_id, DEBIT)]
    places = [(event.debtor_account_id, DEBIT)]
    if kind is ev.PaymentDecided:
        places.append((event.creditor_account_id, CREDIT))
    if kind is ev.PaymentCaptured:
        held = read_payment(rows, tenant, event.payment_id)
        if held is not None and held.capture_tolerance_bp:  # it may bring more than was held for it
            places.append((held.creditor_account_id, CREDIT))
    if kind is ev.PaymentsLinkDecided:
        places += [(one.creditor_account_id, CREDIT) for one in event.payments[:PAYMENTS_MAX]]
    if kind is ev.PaymentReviewed and event.link_id is not None:
        link = read_link(rows, tenant, event.debtor_account_id, event.link_id)
        if link is not None and link.state == HELD:
            places += link_commands.places_of(link)
    if kind is ev.PaymentReversed:
        payment = read_payment(rows, tenant, event.payment_id)
        places.append((event.debtor_account_id, CREDIT))
        if payment is not None:
            places.append((payment.creditor_account_id, DEBIT))
    return places


def _apply(due: Due, at: Arrival, rows: Rows, out: Outbox, execute: Execute | None) -> None:
    if due.kind == HOLD:
        holds.expire(due, at, rows, out)
    elif due.kind == JOURNAL:
        journal_ends.expire(due, at, rows, out)
    elif due.kind == FREEZE:
        freezes.end_freeze(due, rows, out)
    elif due.kind == SCHEDULED:
        assert execute is not None, "a ledger says how"
        execute(due, at, rows, out)
    elif due.kind == PROPOSAL:
        approvals.end_proposal(due, rows, out)
    else:
        limits.begin_limit(due, rows, out)


def _places_of(due: Due, at: Arrival, rows: Rows) -> list[Place]:
    """Return where an item of the earlier form holds money."""
    if due.kind == HOLD:
        payment = read_payment(rows, due.tenant_id, due.id)
        assert payment is not None, "what falls due is held"
        return payment_places(due.tenant_id, payment, at)
    if due.kind == JOURNAL:
        journal = read_journal(rows, due.tenant_id, due.account_id, due.id)
        assert journal is not None, "what falls due is held"
        return journal_places(due.tenant_id, journal.legs, at)
    return []
