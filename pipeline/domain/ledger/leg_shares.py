"""Shares in the legs of a journal: legs that say how much of their entry they take, not an amount.

    shares of one side of an entry and currency -> of what the other side gives in amounts
        share_ppm       so many millionths of it
        null            what is left of it: its amount less all other legs of the side

Shares are exact to the last unit. Together they are their sum's part of the whole, rounded down; each gets
its own part rounded down, and the units that are missing go to the largest remainders (where two are the
same, to the lower `leg_no`). They are worked out once, when the journal is submitted; what is stored and
posted, and compared with a repeat, are the amounts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.money import fits
from pipeline.domain.ledger.journals import LEGS_MAX, OTHER_SIDE, Journal, journal_of
from pipeline.domain.ledger.pairs import Leg, Refusal

WHOLE_PPM = 1_000_000
"""Millionths of the whole."""


def drawn_up(event: ev.JournalSubmitted) -> tuple[Journal, Refusal | None]:
    """Return a journal with amounts in the place of shares; or as it says, and why its shares are none."""
    journal = journal_of(event)
    legs = with_amounts(journal.legs, event.shares)
    if isinstance(legs, Refusal):
        return journal, legs
    journal.legs = legs
    return journal, None


def with_amounts(legs: list[Leg], shares: Sequence[ev.LegShare] | None) -> list[Leg] | Refusal:
    """Return legs, by their numbers, with the amounts of their shares; or why there are none."""
    if shares is None:
        return legs
    by_number = {leg.leg_no: leg for leg in legs}
    distinct = len({share.leg_no for share in shares}) == len(shares) and len(by_number) == len(legs)
    if not 0 < len(shares) <= LEGS_MAX or len(legs) > LEGS_MAX or not distinct:
        return Refusal("invalid_legs", None)
    asked: dict[tuple[int, str, str], dict[int, int | None]] = defaultdict(dict)
    for share in sorted(shares, key=lambda one: one.leg_no):
        leg, part = by_number.get(share.leg_no), share.share_ppm
        if leg is None or leg.amount_minor or (part is not None and not 0 < part <= WHOLE_PPM):
            return Refusal("invalid_legs", share.leg_no)
        asked[leg.entry_no, leg.currency, leg.side][share.leg_no] = part
    amounts: dict[int, int] = {}
    for (entry_no, currency, side), parts in asked.items():
        entry = [leg for leg in legs if (leg.entry_no, leg.currency) == (entry_no, currency)]
        whole = sum(leg.amount_minor for leg in entry if leg.side == OTHER_SIDE[side])
        rests = [leg_no for leg_no, part in parts.items() if part is None]
        above = sum(part or 0 for part in parts.values()) > WHOLE_PPM
        if whole <= 0 or (entry_no, currency, OTHER_SIDE[side]) in asked or len(rests) > 1 or above:
            return Refusal("invalid_legs", min(parts))
        amounts |= _shared(whole, {leg_no: part for leg_no, part in parts.items() if part is not None})
        given = sum(amounts.get(leg.leg_no, leg.amount_minor) for leg in entry if leg.side == side)
        amounts |= dict.fromkeys(rests, whole - given)
    return _replaced(legs, amounts)


def _shared(whole: int, parts: Mapping[int, int]) -> dict[int, int]:
    """Return the amounts of shares, millionths by leg number, of a whole."""
    amounts = {leg_no: whole * part // WHOLE_PPM for leg_no, part in parts.items()}
    missing = whole * sum(parts.values()) // WHOLE_PPM - sum(amounts.values())
    by_remainder = sorted(parts, key=lambda leg_no: (-(whole * parts[leg_no] % WHOLE_PPM), leg_no))
    for leg_no in by_remainder[:missing]:
        amounts[leg_no] += 1
    return amounts


def _replaced(legs: Iterable[Leg], amounts: Mapping[int, int]) -> list[Leg] | Refusal:
    for leg_no in sorted(amounts):
        if amounts[leg_no] <= 0:
            return Refusal("amount_must_be_positive", leg_no)
        if not fits(amounts[leg_no]):
            return Refusal("overflow", leg_no)
    return [
        structs.replace(leg, amount_minor=amounts[leg.leg_no]) if leg.leg_no in amounts else leg
        for leg in legs
    ]
