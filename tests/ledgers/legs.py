"""The legs of a tale's journals: with amounts, with shares, in parts."""

from __future__ import annotations

from msgspec import structs

from pipeline.domain.kernel import events as ev
from tests.ledgers.words import CURRENCY, Words, minor


def part_of(text: str) -> ev.LegPart | None:
    """Return a part of a leg, `2:5.00`; None for another word."""
    number, colon, amount = text.partition(":")
    return ev.LegPart(int(number), minor(amount)) if colon else None


def legs_of(words: Words) -> tuple[ev.JournalLeg, ...]:
    """Return legs that have amounts. Raises: ValueError."""
    legs, shares = legs_and_shares(words)
    if shares is not None:
        raise ValueError("only a new journal has shares")
    return legs


def legs_and_shares(words: Words) -> tuple[tuple[ev.JournalLeg, ...], tuple[ev.LegShare, ...] | None]:
    """Return legs: `A -9.00` debits A, `B 9.00` credits B; a currency is of the leg before it.

    `B 50%` credits B with a share, `B rest` with what is left; `A -50%` and `A -rest` debit A.
    Raises: ValueError.
    """
    legs: list[ev.JournalLeg] = []
    shares: list[ev.LegShare] = []
    entry = 0
    while words.rest:
        if words.next_if("/".__eq__):
            entry += 1
            continue
        account, amount = words.account(), words.next("an amount")
        side = "DEBIT" if amount.startswith("-") else "CREDIT"
        currency = words.next_if(CURRENCY.fullmatch) or "EUR"
        amount = amount.removeprefix("-")
        shared = amount == "rest" or amount.endswith("%")
        if shared:
            shares.append(ev.LegShare(len(legs) + 1, _millionths(amount)))
        value = 0 if shared else minor(amount)
        legs.append(ev.JournalLeg(len(legs) + 1, entry, account, side, value, currency))
    numbers = words.options.pop("numbers", None)
    if numbers is not None:
        pairs = zip(legs, numbers.split(","), strict=True)
        legs = [structs.replace(leg, leg_no=int(number)) for leg, number in pairs]
        shares = [structs.replace(one, leg_no=legs[one.leg_no - 1].leg_no) for one in shares]
    return tuple(legs), tuple(shares) or None


def _millionths(share: str) -> int | None:
    return None if share == "rest" else round(float(share.removesuffix("%")) * 10_000)
