"""Rows and validation of journals of many legs.

    journal row       on the home branch, the branch of the journal's account (`journal_home`)
    branch legs row   on every branch that has an account of a leg (`journal_legs`)

Reversals are journals, too (`reversals`). The row of the reversed journal counts how much of it they took.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.money import fits
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.kernel.times import hold_end
from pipeline.domain.ledger.account_ids import can_be_opened
from pipeline.domain.ledger.pairs import Leg, Refusal, legs_of
from pipeline.domain.ledger.rows import (
    JOURNAL_PART_ROW,
    JOURNAL_ROW,
    ended,
    read_number,
    read_payment,
    taken_key,
    write_number,
    write_payment,
)

OTHER_SIDE = {"DEBIT": "CREDIT", "CREDIT": "DEBIT"}
LEGS_MAX = 100
"""The most legs of one journal."""
HELD, POSTED, RELEASED, REFUSED = "HELD", "POSTED", "RELEASED", "REFUSED"
PREPARING, VOIDED, EXPIRED, SCHEDULED = "PREPARING", "VOIDED", "EXPIRED", "SCHEDULED"
"""States of journals, and of the legs of one branch."""
ENDED_STATES = frozenset({POSTED, REFUSED, VOIDED, EXPIRED})
"""The last states of a journal: a state that is not among them keeps its row."""


class ReversedAmount(msgspec.Struct, array_like=True, gc=False):
    """How much of a journal's legs on one account and side was reversed so far."""

    account_id: str
    side: str
    """The side in the original journal, DEBIT or CREDIT."""
    currency: str
    amount_minor: int


class Confirmation(msgspec.Struct, array_like=True, gc=False):
    """What one journal_confirmed has posted of a held journal."""

    confirmation_id: str
    """The event id, where the command names no id."""
    amounts: list[tuple[int, int]]
    """Of each leg, by its number: how much, minor units; ascending."""
    final: bool
    """Whether the rest was to be released."""
    rest: bool
    """Whether the command named no legs: all that was left."""


class Journal(msgspec.Struct, array_like=True, gc=False):
    """A journal as its home branch stores it."""

    account_id: str
    state: str
    code: str
    leg_no: int | None
    """The leg that is the reason for a refusal."""
    legs: list[Leg]
    reference: str
    reason: str | None
    reverses: str | None
    """The id of the payment or journal that it reverses."""
    reverses_payment: bool
    effective_at: int | None
    late: str
    expires_at: int | None
    """When it expires if it is not confirmed, microseconds UTC, or NO_END; None: it is posted as soon as all
    legs are held."""
    waiting: list[int]
    """Branches that have not answered yet, ascending."""
    occurred_at: int
    correlation_id: str
    event_id: str
    """Of the event that submitted it."""
    reversed: list[ReversedAmount]
    refused: list[int]
    """Branches that have refused their legs, ascending."""
    rest: bool | None
    """Of a reversal: whether its command asked for all that was left; None in a row of layout 1."""
    metadata: dict[str, str] | None = None
    """The upstream's own labels, which its postings carry."""
    posted_at: int | None = None
    """When it counts in the books, the last part of it, microseconds UTC; None: not posted, or not known
    (layout 1)."""
    not_before: int | None = None
    """Of a reversal: when its original counts."""
    confirmations: list[Confirmation] = []
    """What has posted it in parts, as far as it is; none where it was posted at once (`journal_parts`)."""
    execute_at: int | None = None
    """When it was to be posted, microseconds UTC; None: at once."""
    ended_at: int | None = None
    """As `Payment.ended_at`; also `reversing`."""
    reversing: int | None = None


class LegPayment(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The payment of a link that a leg is of."""

    leg_no: int
    payment_id: str
    reference: str


class BranchLegs(msgspec.Struct, array_like=True, gc=False):
    """The legs of a journal on one branch, and whether they are HELD, POSTED, RELEASED or REFUSED."""

    legs: list[Leg]
    state: str
    payments: list[LegPayment] | None = None
    """Of a link, the payment of each leg; None: it is a journal."""
    asked_at: int | None = None
    """When its home last said something of them, event time; None at home, where the journal has its time."""
    home: int | None = None
    """The branch whose time that is; None: this branch's."""
    room_for: list[int] | None = None
    """The entries for whose parts clearing keeps room (`clearing_room`); None: for none, as in layout 3."""


unpack_journal = unpacker(JOURNAL_ROW, Journal)
"""Return the journal of a row. Raises UnreadableRow."""
unpack_branch_legs = unpacker(JOURNAL_PART_ROW, BranchLegs)
"""Return the legs of a row. Raises UnreadableRow."""


def journal_key(tenant_id: str, account_id: str, journal_id: str) -> bytes:
    """Return the row key of a journal at its home; the id comes first, so that a view finds it by that."""
    return row_key(JOURNAL_ROW.family, tenant_id, journal_id, account_id)


def earlier_key(tenant_id: str, journal_id: str) -> bytes:
    """Return the row key of a journal as it was before it named the account: one id, one journal a branch."""
    return row_key(JOURNAL_ROW.family, tenant_id, journal_id)


def part_key(tenant_id: str, home_account_id: str, journal_id: str) -> bytes:
    """Return the row key of a journal's legs on a branch."""
    return row_key(JOURNAL_PART_ROW.family, tenant_id, home_account_id, journal_id)


def read_journal(rows: Rows, tenant_id: str, account_id: str, journal_id: str) -> Journal | None:
    """Return a journal by its account and its id, or None where that account has none."""
    row = rows.get(journal_key(tenant_id, account_id, journal_id))
    return _under_earlier_key(rows, tenant_id, account_id, journal_id) if row is None else unpack_journal(row)


def read_branch_legs(rows: Rows, key: bytes) -> BranchLegs | None:
    """Return the legs of a journal on this branch by their row key, or None where it has none."""
    row = rows.get(key)
    return None if row is None else unpack_branch_legs(row)


def write_journal(rows: Rows, tenant_id: str, journal_id: str, journal: Journal) -> None:
    """Replace the row of a journal; one under an earlier key moves to the present one."""
    if _under_earlier_key(rows, tenant_id, journal.account_id, journal_id) is not None:
        rows.delete(earlier_key(tenant_id, journal_id))
    key = journal_key(tenant_id, journal.account_id, journal_id)
    if journal.state not in ENDED_STATES or journal.reversing:
        journal.ended_at = None
    elif journal.ended_at is None:
        journal.ended_at = ended(rows, key)
    rows.put(key, JOURNAL_ROW.pack(journal))


def _under_earlier_key(rows: Rows, tenant_id: str, account_id: str, journal_id: str) -> Journal | None:
    row = rows.get(earlier_key(tenant_id, journal_id))
    journal = None if row is None else unpack_journal(row)
    return journal if journal is not None and journal.account_id == account_id else None


def journal_of(event: ev.JournalSubmitted) -> Journal:
    """Return the row of a journal that has just been submitted."""
    return Journal(
        event.account_id, PREPARING, "ok", None, legs_of(event.legs), event.reference, event.reason, None,
        False, event.effective_at, event.late, hold_end(event), [], event.occurred_at,
        event.correlation_id, event.event_id, [], [], False, event.metadata,
        execute_at=event.execute_at,
    )  # fmt: skip


def refusal_of(journal: Journal, watermark: int, closed_through: int | None) -> Refusal | None:
    """Return the first reason to refuse a journal that does not depend on its accounts, or None.

    `watermark`: the event time of the branch; `closed_through`: the end of the tenant's closed periods;
    microseconds UTC.
    """
    legs = journal.legs
    numbers = {leg.leg_no for leg in legs}
    shaped = 2 <= len(legs) <= LEGS_MAX and len(numbers) == len(legs)
    if not shaped or any(leg.leg_no < 0 or leg.entry_no < 0 for leg in legs):
        return Refusal("invalid_legs", None)
    # A reversal has the home of what it reverses, and that home's legs may have been taken back before.
    if journal.reverses is None and journal.account_id not in {leg.account_id for leg in legs}:
        return Refusal("invalid_legs", None)
    sides = {(leg.entry_no, leg.currency, leg.account_id, leg.side) for leg in legs}
    sums: dict[tuple[int, str], dict[str, int]] = {}
    for leg in legs:
        if leg.amount_minor <= 0:
            return Refusal("amount_must_be_positive", leg.leg_no)
        if not can_be_opened(leg.account_id) and not journal.reverses_payment:
            return Refusal("debtor_not_found" if leg.side == "DEBIT" else "creditor_not_found", leg.leg_no)
        other = "CREDIT" if leg.side == "DEBIT" else "DEBIT"
        if (leg.entry_no, leg.currency, leg.account_id, other) in sides:
            return Refusal("accounts_must_differ", leg.leg_no)
        entry = sums.setdefault((leg.entry_no, leg.currency), {"DEBIT": 0, "CREDIT": 0})
        entry[leg.side] += leg.amount_minor
    if any(entry["DEBIT"] != entry["CREDIT"] for entry in sums.values()):
        return Refusal("legs_not_balanced", None)
    if not all(fits(entry["DEBIT"]) for entry in sums.values()):
        return Refusal("overflow", None)
    if journal.expires_at is not None and journal.expires_at <= watermark:
        return Refusal("expired", None)
    effective = journal.occurred_at if journal.effective_at is None else journal.effective_at
    if closed_through is not None and effective <= closed_through and journal.late == "REFUSE":
        return Refusal("period_closed", None)
    return None


def uncount_reversed(tenant_id: str, journal: Journal, rows: Rows) -> None:
    """Subtract a refused reversal from the reversed amount of its payment or journal.

    Nothing happens for a journal that reverses nothing.
    """
    if journal.reverses is None:
        return
    if journal.reverses_payment:
        back, amount, *others = journal.legs
        other = -back.amount_minor if others else None
        if read_number(rows, taken_key(tenant_id, journal.reverses)) is None:
            return  # an earlier version began it, and did not keep its original
        return count_reversed_payment(
            rows, tenant_id, journal.reverses, -amount.amount_minor, other, back.currency
        )
    original = read_journal(rows, tenant_id, journal.account_id, journal.reverses)
    if original is not None:
        count_reversed(original, journal.legs, -1)
        write_journal(rows, tenant_id, journal.reverses, original)


def let_go(tenant_id: str, journal: Journal, rows: Rows) -> None:
    """Note that a reversal has ended: its original is kept for it no longer. Nothing for another journal."""
    if journal.reverses is None:
        return
    if journal.reverses_payment:
        payment = read_payment(rows, tenant_id, journal.reverses)
        if payment is not None and payment.reversing:
            payment.reversing -= 1
            write_payment(rows, tenant_id, journal.reverses, payment)
        return
    original = read_journal(rows, tenant_id, journal.account_id, journal.reverses)
    if original is not None and original.reversing:
        original.reversing -= 1
        write_journal(rows, tenant_id, journal.reverses, original)


def count_reversed_payment(
    rows: Rows, tenant_id: str, payment_id: str, amount: int, other: int | None, currency: str
) -> None:
    """Add an amount to what was reversed of a payment, in minor units of the debtor's currency.

    `other`: the same in the creditor's `currency`, None where that is the debtor's.
    """
    counted = [(taken_key(tenant_id, payment_id), amount)]
    if other is not None:
        counted.append((taken_key(tenant_id, payment_id, currency), other))
    for key, more in counted:
        write_number(rows, key, (read_number(rows, key) or 0) + more)


def count_reversed(original: Journal, legs: Sequence[Leg], sign: int) -> None:
    """Add the legs of a reversal to the reversed amounts of its original (`sign` +1), or subtract (-1)."""
    for leg in legs:
        side = "CREDIT" if leg.side == "DEBIT" else "DEBIT"
        place = (leg.account_id, side, leg.currency)
        taken = next(
            (one for one in original.reversed if (one.account_id, one.side, one.currency) == place), None
        )
        if taken is None:
            taken = ReversedAmount(*place, 0)
            original.reversed.append(taken)
        taken.amount_minor += sign * leg.amount_minor
    original.reversed = [taken for taken in original.reversed if taken.amount_minor]
