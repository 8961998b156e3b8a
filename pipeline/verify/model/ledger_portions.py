"""Legs that take a portion of what their entry is about: millionths of it, or all that the others leave.

What never changes: the portions that are named add up to their part of the whole, to the last unit.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from pipeline.verify.model.ledger_pairs import Leg, Refusal, in_order
from pipeline.verify.model.wire import LONG_MAX

LEGS_MAX = 100
MILLION = 1_000_000


def flaw_of(legs: list[Leg], portions: list[dict[str, Any]]) -> Refusal | None:
    """Return why portions make no sense for legs, before any is worked out."""
    named = sorted(one["leg_no"] for one in portions)
    numbers = [leg.leg_no for leg in legs]
    if not 1 <= len(named) <= LEGS_MAX or len(legs) > LEGS_MAX:
        return Refusal("invalid_legs", None)
    if len(set(named)) != len(named) or len(set(numbers)) != len(numbers):
        return Refusal("invalid_legs", None)
    known = {leg.leg_no: leg for leg in legs}
    of = {one["leg_no"]: one["share_ppm"] for one in portions}
    for leg_no in named:
        out_of_bounds = of[leg_no] is not None and not 1 <= of[leg_no] <= MILLION
        if leg_no not in known or known[leg_no].amount_minor != 0 or out_of_bounds:
            return Refusal("invalid_legs", leg_no)
    for leg_no in named:
        leg = known[leg_no]
        mates = [one for one in named if same_side(known[one], leg)]
        facing = [one for one in legs if faces(one, leg)]
        relative = any(one.leg_no in of for one in facing)
        total = sum(of[one] or 0 for one in mates)
        rests = sum(of[one] is None for one in mates)
        if relative or sum(one.amount_minor for one in facing) <= 0 or total > MILLION or rests > 1:
            return Refusal("invalid_legs", leg_no)
    return None


def same_side(one: Leg, other: Leg) -> bool:
    return (one.entry_no, one.currency, one.side) == (other.entry_no, other.currency, other.side)


def faces(one: Leg, other: Leg) -> bool:
    """Whether two legs are of the two sides of an entry."""
    return (one.entry_no, one.currency) == (other.entry_no, other.currency) and one.side != other.side


def worked_out(legs: list[Leg], portions: list[dict[str, Any]] | None) -> tuple[list[Leg], Refusal | None]:
    """Return legs with amounts in the place of portions; or as they are, and why that is not possible."""
    if portions is None:
        return legs, None
    flaw = flaw_of(legs, portions)
    if flaw is not None:
        return legs, flaw
    of = {one["leg_no"]: one["share_ppm"] for one in portions}
    amounts: dict[int, int] = {}
    for leg in in_order(legs):
        if leg.leg_no not in of or leg.leg_no in amounts:
            continue
        mates = [one for one in in_order(legs) if same_side(one, leg)]
        whole = sum(one.amount_minor for one in legs if faces(one, leg))
        exact = {one.leg_no: Fraction(whole * of[one.leg_no], MILLION) for one in mates if of.get(one.leg_no)}
        units = {leg_no: int(portion) for leg_no, portion in exact.items()}
        while sum(units.values()) < int(sum(exact.values(), Fraction())):
            # One unit each, to whom most is missing; the first of those who miss the same.
            poorest = max(exact, key=lambda leg_no: (exact[leg_no] - units[leg_no], -leg_no))
            units[poorest] += 1
        fixed = sum(one.amount_minor for one in mates)
        rest = whole - fixed - sum(units.values())
        amounts |= {one.leg_no: units.get(one.leg_no, rest) for one in mates if one.leg_no in of}
    for leg_no, amount in sorted(amounts.items()):
        if amount <= 0:
            return legs, Refusal("amount_must_be_positive", leg_no)
        if amount > LONG_MAX:
            return legs, Refusal("overflow", leg_no)
    return [leg._replace(amount_minor=amounts.get(leg.leg_no, leg.amount_minor)) for leg in legs], None
