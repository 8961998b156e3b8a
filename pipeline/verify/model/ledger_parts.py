"""Journals that are confirmed in parts: what of their legs is posted, what is still held, here and elsewhere.

    amounts of legs, which balance -> posted out of what is held -> the rest held on, or given back

What never changes: of each leg, what is posted, given back and still held is its amount.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pipeline.verify.model.ledger_accounts import room
from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.ledger_journals import (
    Group,
    Journal,
    change,
    group_key,
    keep_group,
    left_of,
    part_of,
    release_group,
    shares,
    tell_branch,
)
from pipeline.verify.model.ledger_pairs import by_entry, post, release
from pipeline.verify.model.ledger_repeats import answer, taken
from pipeline.verify.model.ledger_room import change_room, set_aside, through_clearing
from pipeline.verify.model.wire import LONG_MAX

PARTS_MAX = 100
LEGS_MAX = 100


class Wanted(NamedTuple):
    """What a confirmation asks for. `amounts`: minor units by leg, None: all that is held."""

    name: str
    amounts: dict[int, int] | None
    final: bool


def wanted_by(event: dict[str, Any]) -> Wanted:
    """Return what a confirmation asks for; the earlier versions ask for the whole."""
    given, legs = event.get("confirmation_id"), event.get("legs")
    amounts = None if legs is None else {part["leg_no"]: part["amount_minor"] for part in legs}
    return Wanted(event["event_id"] if given is None else given, amounts, event.get("final") in (None, True))


def known_part(journal: Journal, event: dict[str, Any]) -> str | None:
    """Return the answer to a confirmation whose id has posted something, None if none has."""
    wanted = wanted_by(event)
    for name, amounts, final, rest in journal.parts:
        if name == wanted.name:
            # Each leg that is named counts, also one that is named twice.
            legs = [[part["leg_no"], part["amount_minor"]] for part in event.get("legs") or ()]
            said = None if event.get("legs") is None else sorted(legs)
            first, again = taken(None if rest else amounts, amounts, said) if said != [] else (amounts, said)
            return answer({"final": final, "legs": first}, {"final": wanted.final, "legs": again})
    return None


def why_no_part(journal: Journal, event: dict[str, Any]) -> str | None:
    """Return why a held journal cannot be confirmed so."""
    given, held = event.get("legs"), {leg.leg_no: leg for leg in left_of(journal)}
    if given is not None:
        numbers = [part["leg_no"] for part in given]
        if not given or len(given) > LEGS_MAX or len(set(numbers)) != len(numbers):
            return "invalid_legs"
        if min(part["amount_minor"] for part in given) <= 0:
            return "amount_must_be_positive"
        if any(part["leg_no"] not in held for part in given):
            return "exceeds_held_amount"
        parts = [held[part["leg_no"]]._replace(amount_minor=part["amount_minor"]) for part in given]
        if any(part.amount_minor > held[part.leg_no].amount_minor for part in parts):
            return "exceeds_held_amount"
        for sides in by_entry(parts).values():
            debits, credits = (sum(leg.amount_minor for leg in legs) for legs in sides.values())
            if debits != credits:
                return "legs_not_balanced"
    return "too_many_captures" if len(journal.parts) >= PARTS_MAX else None


def post_part(branch: Books, event: dict[str, Any], journal: Journal) -> str | None:
    """Post what a confirmation names, on all branches; return why not, with nothing changed, or None."""
    journal_id, wanted, left = event["journal_id"], wanted_by(event), left_of(journal)
    assert wanted.amounts is not None
    when = branch.effective(journal.effective_at, journal.not_before)
    now, rest = part_of(left, wanted.amounts)
    key = group_key(branch, journal.account_id, journal_id)
    mine = [leg for leg in now if branch.here(leg.account_id)]
    group = branch.groups.get(key)
    about = {"journal_id": journal_id, "reference": journal.reference}
    why = {"reason": journal.reason, "reverses": journal.reverses, "metadata": journal.metadata}
    if mine and group is not None:
        if not post_here(branch, group, wanted.amounts, wanted.final, when, **about, **why):
            return "overflow"
        keep_group(branch, key)
    elif wanted.final and group is not None and group.state == "HELD":
        release_group(branch, journal_id, group)
        keep_group(branch, key, "RELEASED")
    told = [number for number in shares(branch, now) if number != branch.number]
    for number in sorted(told):
        legs = [
            {"leg_no": leg.leg_no, "amount_minor": leg.amount_minor} for leg in shares(branch, now)[number]
        ]
        first = shares(branch, left)[number][0]
        tell_branch(branch, journal_id, journal, number, first, True, legs=legs, final=wanted.final)
    for number, legs_there in sorted(shares(branch, rest).items()) if wanted.final else ():
        if number not in (branch.number, *told):
            tell_branch(branch, journal_id, journal, number, legs_there[0], False)
    journal.parts.append([wanted.name, sorted(map(list, wanted.amounts.items())), wanted.final, False])
    counts_at = branch.counts_at(when)
    journal.counts_at = counts_at if journal.counts_at is None else max(journal.counts_at, counts_at)
    ended = wanted.final or not rest
    said = {"confirmation_id": event["confirmation_id"]}
    change(branch, journal_id, journal, "POSTED" if ended else "HELD", "ok", **said)
    return None


def post_here(
    branch: Books,
    group: Group,
    amounts: dict[int, int],
    final: bool,
    when: dict[str, int | None],
    **about: Any,
) -> bool:
    """Post a part of what this branch holds; return whether its own accounts have room for that.

    They always have, but where an earlier version holds the legs, and has set nothing aside for parts.
    """
    now, rest = part_of(group.legs, amounts)
    entries = group.room_for or ()
    bare = ([leg for leg in legs if leg.entry_no not in entries] for legs in (group.legs, now, rest))
    before, *both = (through_clearing(branch, legs) for legs in bare)
    after = both[0] + both[1]
    more = {
        branch.own("clearing", currency): after[currency, "debits"] - before[currency, "debits"]
        for currency in dict.fromkeys(leg.currency for leg in [*now, *rest])
        if after[currency, "debits"] > before[currency, "debits"]
    }
    for account_id, amount in more.items():
        account = branch.account(account_id)
        if amount > LONG_MAX or not all(room(account, side, amount) for side in ("debits", "credits")):
            return False
    for index, (account_id, amount) in enumerate(more.items()):
        branch.reserve(account_id, account_id, amount)
        branch.say_hold("PLACED", about["journal_id"], account_id, amount, f"hold_placed:{index}")
    post(branch, now, when, held=True, **about)
    if final:
        release(branch, about["journal_id"], rest)
    free = set_aside(branch, now, entries)
    if final:
        free.update(set_aside(branch, rest, entries))
    change_room(branch, about["journal_id"], "RELEASED", free)
    goes_on = bool(rest) and not final
    group.legs, group.state = (rest, "HELD") if goes_on else (now, "POSTED")
    return True
