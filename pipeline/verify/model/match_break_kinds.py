"""Whether a break of an item is what its kind says, as far as the items tell.

    kind, item, counterparts -> what is wrong with it; the difference that it must have

Words and rates are not worked out again: what depends on them alone is not judged.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.verify.model.match_items import Item, Say
from pipeline.verify.model.match_texts import says_charge

ITEM_KINDS = (
    *("FEE", "PARTIAL", "DUPLICATE", "FX", "SIGN", "REFERENCE", "DATE", "CURRENCY", "AMOUNT"),
    *("MISSING_INTERNAL", "MISSING_EXTERNAL"),
)
STATEMENT_KINDS = (
    "OPENING_BALANCE",
    "CLOSING_BALANCE",
    "SEQUENCE_GAP",
    "GAP",
    "OVERLAP",
    "STALE",
    "DUPLICATE",
)
FEE_OF = 5
"""A fee is at most a fifth of what it is taken off."""
IN_TIME = range(-1, 32)
"""How many days after its posting a line is in time."""
VALUE_DAYS = 21
"""A value date that is further from the booking is a wrong one."""
NEED_A_PAIR = ("PARTIAL", "FX", "SIGN", "REFERENCE", "DATE", "CURRENCY", "AMOUNT")
MISSING = ("MISSING_INTERNAL", "MISSING_EXTERNAL")
ALONE = (*MISSING, "DUPLICATE")


def check_kind(kind: str, item: Item, others: Sequence[Item], difference: int | None, say: Say) -> None:
    """Check a break by its kind."""
    if kind not in ITEM_KINDS:
        return say("kind", f"{kind} is no kind of an item's break")
    sides = [one for one in others if one.is_line != item.is_line]
    if kind in NEED_A_PAIR and not sides:
        return say("kind", f"{kind} of {item.name} without anything of the other side")
    flaw = flaw_of(kind, item, list(others), sides)
    if flaw:
        say("kind", f"{item.name} is no {kind}: {flaw}")
    possible = differences(kind, item, others, sides)
    if difference is not None and difference not in possible:
        say(
            "difference",
            f"{kind} of {item.name} is of {' or '.join(map(str, possible))}, it says {difference}",
        )
    return None


def differences(kind: str, item: Item, others: Sequence[Item], sides: Sequence[Item]) -> list[int]:
    """Return what the bank may have and the books not."""
    alone = item.amount if item.is_line else -item.amount
    if kind in ALONE or not sides:
        return [alone]
    if any(one.currency != item.currency for one in others):
        return [0]
    every = dict.fromkeys((item, *others))
    both = sum(one.amount if one.is_line else -one.amount for one in every)
    return [both, alone] if kind == "FEE" and both != alone else [both]


def flaw_of(kind: str, item: Item, others: list[Item], sides: list[Item]) -> str | None:
    """Return why a break cannot be of a kind."""
    if kind in MISSING:
        return missing_flaw(kind, item, others)
    if kind == "DUPLICATE":
        same = [one for one in others if one.is_line == item.is_line and one is not item]
        equal = any((one.currency, one.amount) == (item.currency, item.amount) for one in same)
        return None if equal else "nothing of its side has its amount"
    if kind == "FEE":
        return fee_flaw(item, others, sides)
    if kind == "PARTIAL":
        total = max(abs(one.amount) for one in (item, *others))
        return None if any(abs(one.amount) < total for one in (item, *others)) else "all amounts are equal"
    other = sides[0]
    line, posting = (item, other) if item.is_line else (other, item)
    return pair_flaw(kind, line, posting)


def missing_flaw(kind: str, item: Item, others: list[Item]) -> str | None:
    """Return why an item is not missing on the other side; it may name what it takes back on its own."""
    if item.is_line != (kind == "MISSING_INTERNAL"):
        return "it is of the other side"
    takes_back = [(one.is_line, one.currency, one.amount) for one in others]
    if takes_back not in ([], [(item.is_line, item.currency, -item.amount)]):
        return "it has a counterpart that it does not take back"
    return None


def pair_flaw(kind: str, line: Item, posting: Item) -> str | None:
    """Return why one line and one posting do not differ in this way."""
    same_currency = line.currency == posting.currency
    is_equal = same_currency and line.amount == posting.amount
    if kind == "SIGN":
        turned = same_currency and line.amount == -posting.amount != 0
        return None if turned else f"{line.amount} is not {posting.amount} with the other sign"
    if kind == "REFERENCE":
        if line.names & posting.names:
            return "both have a reference in common"
        return None if is_equal else "the amounts differ"
    if kind == "DATE":
        if not is_equal:
            return "the amounts differ"
        days = {line.booked_day - posting.day, line.day - posting.day}
        if abs(line.day - line.booked_day) > VALUE_DAYS:
            return None
        return None if any(one not in IN_TIME for one in days) else "the line is in time"
    if kind == "CURRENCY":
        return "both are of one currency" if same_currency else None
    if kind == "FX":
        return "nothing was exchanged" if same_currency and not line.originals else None
    if kind == "AMOUNT" and not same_currency:
        return "the currencies differ"
    return "the amounts are equal" if is_equal else None


def fee_flaw(item: Item, others: list[Item], sides: list[Item]) -> str | None:
    """Return why an item is no fee, nor a payment less one."""
    if item.kind == "FEE" or (item.is_line and item.amount < 0 and says_charge(item.texts)):
        return None
    if sides and all(one.currency == item.currency for one in others):
        every = (item, *others)
        booked = sum(one.amount for one in every if not one.is_line)
        less = booked - sum(one.amount for one in every if one.is_line)
        if less > 0 and (less * FEE_OF <= abs(booked) or any(one.originals for one in every)):
            return None
    if item.amount < 0 and any(one.names & item.names for one in others):
        return None
    return "nobody says so, it is of no payment's reference, and no payment is larger by what a fee can be"
