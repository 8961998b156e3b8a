"""Whether matches may stand: each item is claimed once, by something that its tier allows.

    ItemMatched, PostingsNetted -> claimed -> the items of the match, or what is wrong with it
    match_rejected              -> undone

The best assignment is not searched again: what was said is checked. Where a confirmed pair could be exchanged
for another one at no loss, it was taken and not found (`match_rivals`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pipeline.verify.model.match_fields import check_matched
from pipeline.verify.model.match_items import Account, Item, Match, Say
from pipeline.verify.model.match_references import is_inside, placeholders_of
from pipeline.verify.model.match_rivals import check_rivals

EARLY_DAYS = 3
"""How long before its posting a line may be booked."""
REVERSAL_DAYS = 60
"""How long after an item its reversal may come."""
FEE_OF = 5
"""A fee of a group is at most a fifth of what it is taken off."""
LESS_OF = 2
"""A scored pair's line has at least half of its posting: of a small amount a fee is a large part."""
MORE_OF = 5
"""It has at most a fifth more."""
NEVER_ONE_TO_ONE = ("FEE", "REVERSAL", "INFORMATION")
TIERS = ("REFERENCE", "SCORED", "GROUP", "REVERSAL", "CORRECTION", "PERSON")


class Terms(NamedTuple):
    """What matches of a tenant go by."""

    has_rates: bool = False
    """Whether there is any rate between currencies."""
    has_margin: bool = False
    """Whether by the weights a pair has to be better than any other one."""
    is_nearest_first: bool = False
    """Whether by the weights more days never say more."""


def claimed(account: Account, said: dict[str, Any], terms: Terms, say: Say) -> Match | None:
    """Claim the items of a match that was said; return it, or None where it has none that is known."""
    items = named(account, said, say)
    tier = said["tier"]
    if tier not in TIERS:
        say("tier", f"{tier} is no tier of this stream")
    twice = [item for item in items if item.match is not None]
    for item in twice:
        say("claimed twice", f"{item.name} is matched already")
    if len(set(items)) != len(items):
        say("claimed twice", "an item is named twice")
    items = list(dict.fromkeys(item for item in items if item.match is None))
    if not items:
        return None
    if not twice:
        check_tier(account, said, items, terms, say)
        if tier != "PERSON" and is_rejected(items):
            say("rejected before", "a person has said that this is not one thing")
    match = Match(tuple(items), tier)
    check_matched(said, match.items, say)
    account.claim(match)
    return match


def named(account: Account, said: dict[str, Any], say: Say) -> list[Item]:
    """Return the items that a match names; what is not known is said."""
    items: list[Item] = []
    for name in said["posting_ids"]:
        posting = account.postings.get(name)
        if posting is None:
            say("unknown item", f"claims posting {name}, which the account does not have")
        else:
            items.append(posting)
    if "statement_id" not in said:
        return items
    alone = not said.get("other_lines")
    for ref in (said, *(said.get("other_lines") or ())):
        line = account.line(ref, said["amount_minor"] if alone else None)
        if line is None:
            say(
                "unknown item",
                f"claims line {ref['line_no']} of {ref['statement_id']}, which nobody has sent",
            )
        else:
            items.append(line)
    return items


def is_rejected(items: list[Item]) -> bool:
    """Whether a person has rejected just this set, and every item of it still knows."""
    return bool(items) and all(frozenset(items) in item.rejected for item in items)


def check_tier(account: Account, said: dict[str, Any], items: list[Item], terms: Terms, say: Say) -> None:
    """Check what the tier of a match promises."""
    tier = said["tier"]
    lines = [item for item in items if item.is_line]
    postings = [item for item in items if not item.is_line]
    if len(items) < 2:
        say("sides", f"{tier} with {len(items)} item")
    elif tier in ("REFERENCE", "SCORED"):
        if len(lines) != 1 or len(postings) != 1:
            return say("sides", f"{tier} is one line and one posting")
        check_pair(postings[0], lines[0], said, terms.has_rates, say)
        if tier == "SCORED" and terms.has_margin:
            check_rivals(account, postings[0], lines[0], terms.is_nearest_first, say)
    elif tier == "REVERSAL":
        check_reversal(lines, postings, say)
    elif tier in ("GROUP", "CORRECTION"):
        check_sums(lines, postings, tier, said, say)
    if said.get("difference_minor") and tier in ("SCORED", "GROUP"):
        check_named(items, say)
    if lines and not said.get("other_lines") and said["amount_minor"] != lines[0].amount:
        say("amounts", f"{lines[0].name} is of {lines[0].amount}, the match says {said['amount_minor']}")


def check_named(items: list[Item], say: Say) -> None:
    """Check that a break has said what is between the two sides, which the match ends."""
    if not any(item.has_ended for item in items):
        say(
            "difference not named",
            f"{items[0].name} differs from what it is matched with, and no break says so",
        )


def check_pair(posting: Item, line: Item, said: dict[str, Any], has_rates: bool, say: Say) -> None:
    """Check one line and one posting."""
    if line.kind in NEVER_ONE_TO_ONE:
        say("kind of line", f"{line.name} is {line.kind}, which is confirmed with no posting by itself")
    if line.booked_day < posting.day - EARLY_DAYS:
        say("line before posting", f"{line.name} is booked {posting.day - line.booked_day} days before it")
    if said["tier"] == "REFERENCE":
        if (posting.currency, posting.amount) != (line.currency, line.amount):
            say("amounts", f"{posting.name} is {posting.amount}, {line.name} is {line.amount}")
        check_reference(posting, line, say)
    elif posting.currency != line.currency:
        if posting.currency not in line.originals and not has_rates:
            say("currencies", f"{posting.currency} and {line.currency}, and no rate says what they come to")
        if (posting.amount < 0) != (line.amount < 0):
            say("amounts", f"{posting.name} is {posting.amount}, {line.name} has the other sign")
        if said.get("difference_minor"):
            say("difference", "amounts of two currencies have none")
    else:
        check_amounts(posting, line, said, say)


def check_amounts(posting: Item, line: Item, said: dict[str, Any], say: Say) -> None:
    """Check the amounts of a scored pair of one currency."""
    difference = line.amount - posting.amount
    is_turned = difference and (posting.amount < 0) != (line.amount < 0)
    most_of = LESS_OF if difference < 0 else MORE_OF
    is_far = abs(difference) * most_of > abs(posting.amount) and not line.originals
    if is_turned or is_far:
        say("amounts", f"{posting.name} is {posting.amount}, {line.name} is {line.amount}")
    if (said.get("difference_minor") or 0) != difference:
        say("difference", f"the amounts differ by {difference}, it says {said.get('difference_minor')}")


def check_reference(posting: Item, line: Item, say: Say) -> None:
    """Check that both have a reference that is one."""
    common = posting.names & line.names
    common |= {one for one in posting.names if is_inside(one, line.text)}
    common |= {one for one in line.names if is_inside(one, posting.text)}
    constants = posting.constants | line.constants
    if common - constants:
        return
    if common:
        say("constant as reference", f"{', '.join(sorted(common))} names nothing: so many items had it")
    elif placeholders := placeholders_of(posting.texts) & placeholders_of(line.texts):
        say("placeholder as reference", f"{', '.join(sorted(placeholders))} is no reference")
    else:
        say("no common reference", f"{posting.name} and {line.name} have none in common")


def check_reversal(lines: list[Item], postings: list[Item], say: Say) -> None:
    """Check items of one side that cancel each other."""
    items = lines + postings
    if lines and postings:
        return say("sides", "a reversal is of one side")
    if len({item.currency for item in items}) != 1:
        return say("currencies", "a reversal is of one currency")
    if sum(item.amount for item in items):
        say("amounts", f"the items of a reversal make {sum(item.amount for item in items)}")
    days = [item.booked_day for item in items]
    if max(days) - min(days) > REVERSAL_DAYS and not any(
        abs(one.day - other.day) <= REVERSAL_DAYS for one in items for other in items if one is not other
    ):
        say("days", f"a reversal comes within {REVERSAL_DAYS} days, not {max(days) - min(days)}")
    return None


def check_sums(lines: list[Item], postings: list[Item], tier: str, said: dict[str, Any], say: Say) -> None:
    """Check that lines make what postings make, or that less a fee."""
    if len({item.currency for item in (*lines, *postings)}) != 1:
        return say("currencies", f"{tier} is of one currency")
    if tier == "GROUP" and (not lines or not postings):
        return say("sides", "a group has lines and postings")
    booked = sum(item.amount for item in postings)
    difference = sum(item.amount for item in lines) - booked
    told = said.get("difference_minor") or 0
    if difference and tier == "CORRECTION":
        say("amounts", f"lines, postings and correction do not add up by {difference}")
    elif difference and not (difference < 0 and -difference * FEE_OF <= abs(booked)):
        say("amounts", f"the lines make {difference} more than the postings, which no fee explains")
    elif difference and said.get("kind") not in (None, "FEE"):
        say("difference", f"the amounts differ by {difference}, and it says that this is {said['kind']}")
    if told != difference:
        say("difference", f"the amounts differ by {difference}, it says {told}")
    return None


# --- what people reject


def undone(account: Account, items: list[Item], say: Say) -> tuple[Item, ...]:
    """A person says that items are not one thing; return those that are open again.

    Of a match it is undone as a whole, whichever of its items are named; any other set is remembered.
    """
    match = items[0].match if items else None
    if match is None or any(item.match is not match for item in items):
        remember(tuple(dict.fromkeys(items)))
        return ()
    if match.tier == "CORRECTION":
        say("rejection", "a correction explains the match: it is taken back, not rejected")
    remember(match.items)
    for item in match.items:
        account.open(item)
    return match.items


def remember(items: tuple[Item, ...]) -> None:
    """Let each of the items know that the set was rejected."""
    together = frozenset(items)
    for item in items:
        if together in item.rejected:
            item.rejected.remove(together)
        item.rejected.append(together)
