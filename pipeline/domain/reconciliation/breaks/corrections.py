"""Corrections: the journals by which the books become what the bank says, and whether one is one.

A correction has one leg on the account of the break, in its currency, of exactly what the bank has and the
books have not (less what is explained already, where a correction was taken back in part). The other legs
say what it was: a fee, a rate, a write-off. So a correction that is posted explains its break by
construction, and line and postings add up.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from pipeline.domain.reconciliation.bounds import AMOUNT_LIMIT
from pipeline.domain.reconciliation.breaks.bounds import LEGS_MAX, TEXT_CHARS_MAX
from pipeline.domain.reconciliation.breaks.rows import Leg, Life
from pipeline.domain.tenants.break_rules import BreakRules, is_account_id

WRITE_OFF = "write-off"
"""The purpose of the leg on the account for write-offs, and the text that is booked."""
_SIDES = ("DEBIT", "CREDIT")


def signed(leg: Leg) -> int:
    """Return the amount of a leg as its account sees it: a credit is positive, minor units."""
    return leg.amount_minor if leg.side == "CREDIT" else -leg.amount_minor


def flaw_of(legs: Sequence[Leg], account_id: str, life: Life) -> str | None:
    """Return why legs cannot correct a break, or None; the ledger asks for more when it posts them."""
    if not life.left_minor:
        return "nothing_to_correct"
    if not 2 <= len(legs) <= LEGS_MAX or not all(map(_is_leg, legs)):
        return "invalid_legs"
    if len({leg.leg_no for leg in legs}) < len(legs) or _pays_itself(legs):
        return "invalid_legs"
    sums: Counter[tuple[int, str]] = Counter()
    for leg in legs:
        sums[leg.entry_no, leg.currency] += signed(leg)
    if any(sums.values()):
        return "legs_not_balanced"
    own = [leg for leg in legs if leg.account_id == account_id]
    if len(own) != 1 or own[0].currency != life.currency or signed(own[0]) != life.left_minor:
        return "correction_does_not_explain"
    return None


def _is_leg(leg: Leg) -> bool:
    return (
        leg.leg_no >= 0
        and leg.side in _SIDES
        and 0 < leg.amount_minor <= AMOUNT_LIMIT
        and re.fullmatch("[A-Z]{3}", leg.currency) is not None
        and is_account_id(leg.account_id)
        and len(leg.purpose or "") <= TEXT_CHARS_MAX
    )


def _pays_itself(legs: Sequence[Leg]) -> bool:
    """Whether an entry debits and credits one account."""
    debited = {(leg.entry_no, leg.currency, leg.account_id) for leg in legs if leg.side == "DEBIT"}
    return any(
        (leg.entry_no, leg.currency, leg.account_id) in debited for leg in legs if leg.side == "CREDIT"
    )


def write_off_legs(account_id: str, life: Life, rules: BreakRules) -> tuple[Leg, ...] | None:
    """Return the legs by which a break is written off: none where no amount is at stake.

    None in their place: the tenant has no account for it in this currency.
    """
    amount = life.left_minor
    if not amount:
        return ()
    other = rules.write_off_accounts.get(life.currency)
    if other is None or other == account_id or abs(amount) > AMOUNT_LIMIT:
        return None
    own, counter = _SIDES[amount > 0], _SIDES[amount < 0]
    return (
        Leg(1, 1, account_id, own, abs(amount), life.currency),
        Leg(2, 1, other, counter, abs(amount), life.currency, WRITE_OFF),
    )
