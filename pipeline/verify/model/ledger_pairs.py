"""Legs of a journal on one branch: which of them stand against which, and whether they can be held.

    legs by number -> their accounts -> pairs of a debit and a credit, clearing where a side is elsewhere

What never changes: the pairs follow from the legs alone, so a branch finds again what it has held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from pipeline.verify.model.ledger_accounts import Account, customer, room
from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.ledger_due import behind

PaymentOf = Callable[["Leg | None"], dict[str, str | None]]
"""Says of a leg which payment of a link it is of, if it is one."""


class Leg(NamedTuple):
    """One leg, its fields in the order of the rows."""

    leg_no: int
    entry_no: int
    account_id: str
    side: str
    amount_minor: int
    currency: str
    purpose: str | None
    rate_e8: int | None


class Side(NamedTuple):
    """What an account pays or is paid; clearing has no leg."""

    account_id: str
    amount: int
    leg: Leg | None


class Pair(NamedTuple):
    """An amount from an account to another; a side without a leg is clearing's."""

    debit: str
    credit: str
    amount: int
    currency: str
    legs: tuple[Leg | None, Leg | None]

    def own(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what the posting of each side says of its own leg."""
        debit, credit = (
            {} if leg is None else {"purpose": leg.purpose, "rate_e8": leg.rate_e8} for leg in self.legs
        )
        return debit, credit


class Refusal(NamedTuple):
    """Why a journal is refused, and the leg that stands against it."""

    code: str
    leg_no: int | None


def legs_of(fields: Iterable[dict[str, Any]]) -> list[Leg]:
    """Return the legs that an event names."""
    return [Leg(**leg) for leg in fields]


def in_order(legs: Iterable[Leg]) -> list[Leg]:
    return sorted(legs, key=lambda leg: leg.leg_no)


def by_entry(legs: Iterable[Leg]) -> dict[tuple[int, str], dict[str, list[Leg]]]:
    """Return debits and credits of each entry and currency, in the order of their first legs."""
    found: dict[tuple[int, str], dict[str, list[Leg]]] = {}
    for leg in in_order(legs):
        sides = found.setdefault((leg.entry_no, leg.currency), {"DEBIT": [], "CREDIT": []})
        sides[leg.side].append(leg)
    return found


def pairs_of(branch: Books, legs: Iterable[Leg]) -> list[Pair]:
    """Return who pays whom on this branch: the first debit the first credit, the smaller amount, and on."""
    pairs = []
    for (_, currency), sides in by_entry(legs).items():
        clearing = f"$clearing:{currency}:{branch.number}"
        debits, credits = (
            [Side(leg.account_id, leg.amount_minor, leg) for leg in sides[name]]
            for name in ("DEBIT", "CREDIT")
        )
        missing = sum(one.amount for one in debits) - sum(one.amount for one in credits)
        if missing:
            (credits if missing > 0 else debits).append(Side(clearing, abs(missing), None))
        while debits and credits:
            debit, credit = debits.pop(0), credits.pop(0)
            amount = min(debit.amount, credit.amount)
            pairs.append(Pair(debit.account_id, credit.account_id, amount, currency, (debit.leg, credit.leg)))
            for side, one in ((debits, debit), (credits, credit)):
                if one.amount > amount:
                    side.insert(0, one._replace(amount=one.amount - amount))
    return pairs


def why_not(branch: Books, legs: Iterable[Leg]) -> Refusal | None:
    """Return the first reason for which this branch cannot hold its legs."""
    legs = in_order(legs)
    for leg in legs:
        if leg.account_id.startswith("$"):
            continue  # a position, of which nobody but the ledger itself disposes
        who = "debtor" if leg.side == "DEBIT" else "creditor"
        account = branch.account(leg.account_id) if customer(leg.account_id) else None
        code = f"{who}_not_found" if account is None else account.refusal(leg.side, leg.currency)
        if code is not None:
            return Refusal(code, leg.leg_no)
    taken, coming = Counter[str](), Counter[str]()
    for pair in pairs_of(branch, legs):
        debit_leg, credit_leg = pair.legs
        payer, payee = branch.account(pair.debit), branch.account(pair.credit)
        if credit_leg is not None and payee is not None and payee.maximum is not None:
            if behind(branch, pair.credit, "CREDIT"):
                return Refusal("too_many_holds", credit_leg.leg_no)
            if payee.too_full(coming[pair.credit] + pair.amount):
                return Refusal("maximum_balance_exceeded", credit_leg.leg_no)
        if debit_leg is not None and payer is not None and payer.limit is not None:
            if behind(branch, pair.debit, "DEBIT"):
                return Refusal("too_many_holds", debit_leg.leg_no)
            if payer.too_poor(taken[pair.debit] + pair.amount):
                return Refusal("insufficient_funds", debit_leg.leg_no)
        sides: Sequence[tuple[Account | None, str, int]] = (
            (payer, "debits", taken[pair.debit] + pair.amount),
            (payee, "credits", coming[pair.credit] + pair.amount),
        )
        if not all(room(*side) for side in sides):
            blamed = debit_leg or credit_leg
            return Refusal("overflow", None if blamed is None else blamed.leg_no)
        taken[pair.debit] += pair.amount
        coming[pair.credit] += pair.amount
    return None


def no_payment(leg: Leg | None) -> dict[str, str | None]:
    """Return what a leg of a journal says of a payment: nothing."""
    return {}


def hold(branch: Books, journal_id: str, legs: Iterable[Leg], payment_of: PaymentOf = no_payment) -> None:
    """Hold legs beyond this command."""
    for index, pair in enumerate(opened(branch, legs)):
        branch.reserve(pair.debit, pair.credit, pair.amount)
        hold_id = payment_of(pair.legs[1]).get("payment_id") or journal_id
        branch.say_hold("PLACED", hold_id, pair.debit, pair.amount, f"hold_placed:{index}")


def release(branch: Books, journal_id: str, legs: Iterable[Leg], payment_of: PaymentOf = no_payment) -> None:
    for index, pair in enumerate(pairs_of(branch, legs)):
        branch.reserve(pair.debit, pair.credit, -pair.amount)
        hold_id = payment_of(pair.legs[1]).get("payment_id") or journal_id
        branch.say_hold("RELEASED", hold_id, pair.debit, pair.amount, f"hold_released:{index}")


def post(
    branch: Books,
    legs: Iterable[Leg],
    when: dict[str, int | None],
    held: bool,
    payment_of: PaymentOf = no_payment,
    **about: Any,
) -> None:
    """Post legs; `when` they count; `held`: out of what an earlier command has reserved.

    A leg of a link's payment names that, and no journal.
    """
    for index, pair in enumerate(opened(branch, legs)):
        if held:
            branch.reserve(pair.debit, pair.credit, -pair.amount)
        branch.enter(
            f"entry:{index}",
            pair.debit,
            pair.credit,
            pair.amount,
            when,
            pair.own(),
            **{"payment_id": None, **about, **linked(payment_of(pair.legs[1]))},
        )


def linked(payment: dict[str, str | None]) -> dict[str, str | None]:
    """Return what a posting says in the place of its journal if it is a payment's of a link."""
    return {**payment, "journal_id": None} if payment else {}


def opened(branch: Books, legs: Iterable[Leg]) -> list[Pair]:
    """Return the pairs of legs, with the clearing accounts that they need."""
    pairs = pairs_of(branch, legs)
    for pair in pairs:
        if None in pair.legs:
            branch.own("clearing", pair.currency)
    return pairs
