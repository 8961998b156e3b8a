"""Journals of many legs: entries that are posted together, on one branch or on several, or not at all.

    journal_submitted -> home holds its legs -> journal_legs_requested -> the other branches hold theirs
                      -> journal_legs_answered -> all held: POSTED, or HELD to be confirmed; else REFUSED
                      -> journal_legs_ended -> the other branches post or release

What never changes: a branch holds its legs until home says how it ends, and home ends a journal once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.ledger_due import Due, plan
from pipeline.verify.model.ledger_endings import ENDS, has_ended
from pipeline.verify.model.ledger_pairs import (
    Leg,
    hold,
    in_order,
    post,
    release,
)
from pipeline.verify.model.ledger_room import change_room, set_aside
from pipeline.verify.model.wire import (
    COMMANDS,
    JOURNAL_EVENTS,
    row_key,
)


@dataclass
class Group:
    """The legs of a journal that are one branch's; HELD, POSTED, RELEASED or REFUSED."""

    legs: list[Leg]
    state: str
    payments: list[list[Any]] | None = None
    """Of a link: number of the leg, payment and reference, for each; None: they are a journal's."""

    def payment_of(self, leg: Leg | None) -> dict[str, str | None]:
        """Return the payment that a leg is of, and its reference; nothing for a leg of a journal."""
        named = [] if leg is None else [one for one in self.payments or () if one[0] == leg.leg_no]
        return {"payment_id": named[0][1], "reference": named[0][2]} if named else {}

    asked_at: int | None = None
    """When another branch, its home, has last said something of it."""
    home: int | None = None
    """That branch; None: this one is home."""
    room_for: list[int] | None = None
    """The entries for whose parts clearing sets room aside, as long as the legs are held; None: for none."""


@dataclass
class Journal:
    """A journal at home; SCHEDULED, PREPARING, HELD, POSTED, REFUSED, VOIDED or EXPIRED."""

    account_id: str
    state: str
    code: str
    leg_no: int | None
    legs: list[Leg]
    """By their numbers, in whatever order they came."""
    reference: str
    reason: str | None
    reverses: str | None
    """What it takes back: a payment if `reverses_payment`, else a journal."""
    reverses_payment: bool
    effective_at: int | None
    late: str
    expires_at: int | None
    waiting: list[int]
    """Branches that have not answered, ascending."""
    occurred_at: int
    correlation_id: str
    event_id: str
    reversed: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """What is taken back of its legs, by account, side and currency."""
    refusing: list[int] = field(default_factory=list)
    """Branches that hold nothing of it, ascending."""
    rest: bool = False
    """Of a reversal: whether all that was left was to be taken back."""
    metadata: dict[str, str] | None = None
    counts_at: int | None = None
    """When it counts in the books, once it is posted."""
    not_before: int | None = None
    """Of a reversal: when what it takes back counts."""
    parts: list[list[Any]] = field(default_factory=list)
    """What has confirmed it in parts: id, amounts by leg, whether the rest was given up, or was all."""
    execute_at: int | None = None
    """When it is to be submitted, or was."""
    ended_at: int | None = None
    """As of a payment, like `reversing`."""
    reversing: int | None = None

    @property
    def compared(self) -> dict[str, Any]:
        """What the same journal, submitted again, has to have in common with it."""
        return {
            "hold": self.expires_at is not None,
            "target": self.reverses,
            "expiry": self.expires_at,
            "legs": in_order(self.legs),
            "reference": self.reference,
            **self.compared_of_reversal,
            "execution_time": self.execute_at,
            "metadata": self.metadata,
        }

    @property
    def compared_of_reversal(self) -> dict[str, Any]:
        """What the same reversal has to have in common with it, besides what it takes back."""
        return {"reason": self.reason, "effective_time": self.effective_at, "late_rule": self.late}

    def content(self) -> list[Any]:
        """Return the fields of its row."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        fields["reversed"] = [[*place, amount] for place, amount in self.reversed.items()]
        return [*fields.values()]


def part_of(legs: list[Leg], amounts: dict[int, int]) -> tuple[list[Leg], list[Leg]]:
    """Return so much of legs, by their numbers, and what is left of them."""
    now, rest = [], []
    for leg in in_order(legs):
        amount = amounts.get(leg.leg_no, 0)
        if amount > 0:
            now.append(leg._replace(amount_minor=amount))
        if leg.amount_minor > amount:
            rest.append(leg._replace(amount_minor=leg.amount_minor - amount))
    return now, rest


def confirmed(journal: Journal) -> dict[int, int]:
    """Return what parts have posted of each leg."""
    found: dict[int, int] = {}
    for _, amounts, _, _ in journal.parts:
        for leg_no, amount in amounts:
            found[leg_no] = found.get(leg_no, 0) + amount
    return found


def left_of(journal: Journal) -> list[Leg]:
    """Return what no part has posted."""
    return part_of(journal.legs, confirmed(journal))[1]


def posted_of(journal: Journal) -> list[Leg]:
    """Return what is posted of a journal."""
    if journal.parts:
        return part_of(journal.legs, confirmed(journal))[0]
    return in_order(journal.legs) if journal.state == "POSTED" else []


def shares(branch: Books, legs: list[Leg]) -> dict[int, list[Leg]]:
    """Return the legs of each branch, by their numbers."""
    found: dict[int, list[Leg]] = {}
    for leg in in_order(legs):
        at_home = leg.account_id.startswith("$")  # a position of the branch that reverses
        home = branch.number if at_home else branch.home_of(leg.account_id)
        found.setdefault(home, []).append(leg)
    return found


# --- states


def change(
    branch: Books,
    journal_id: str,
    journal: Journal,
    state: str,
    code: str,
    leg_no: int | None = None,
    **said: Any,
) -> None:
    """Let a journal have another state; say and write it. `said`: what the event says otherwise."""
    journal.state, journal.code, journal.leg_no = state, code, leg_no
    branch.journals[branch.cause.fields["tenant_id"], journal.account_id, journal_id] = journal
    keep_journal(branch, journal_id, journal)
    if state in ENDS:
        release_original(branch, journal)
    say_state(branch, journal_id, journal, state, code, leg_no, **said)


def say_state(
    branch: Books, journal_id: str, journal: Journal, state: str, code: str, leg_no: int | None, **said: Any
) -> None:
    about = {"journal_id": journal_id, "account_id": journal.account_id, "reverses": journal.reverses}
    news = {"state": state, "code": code, "leg_no": leg_no, "legs": len(journal.legs)}
    event_id = branch.id_of(f"journal_{state.lower()}")
    branch.say(JOURNAL_EVENTS, journal.account_id, "JournalUpdated", event_id, **{**about, **news, **said})


def keep_journal(branch: Books, journal_id: str, journal: Journal) -> None:
    key = row_key("j", branch.cause.fields["tenant_id"], journal_id, journal.account_id)
    journal.ended_at = has_ended(branch, key, journal.state, journal.reversing, journal.ended_at)
    branch.structure(key, journal.content())


def release_original(branch: Books, journal: Journal) -> None:
    """Let what a reversal takes back be kept for it no longer."""
    tenant, subject = branch.cause.fields["tenant_id"], journal.reverses
    if subject is None:
        return
    if journal.reverses_payment:
        payment = branch.payments[tenant, subject]
        payment.reversing = (payment.reversing or 1) - 1
        return branch.keep_payment((tenant, subject), payment)
    original = branch.journals[tenant, journal.account_id, subject]
    original.reversing = (original.reversing or 1) - 1
    keep_journal(branch, subject, original)


def group_key(branch: Books, home_account_id: str, journal_id: str) -> tuple[str, str, str]:
    return branch.cause.fields["tenant_id"], home_account_id, journal_id


def keep_group(branch: Books, key: tuple[str, str, str], state: str | None = None) -> None:
    group = branch.groups[key]
    group.state = state or group.state
    content = [getattr(group, name) for name in Group.__dataclass_fields__]
    branch.structure(row_key("g", *key), content)


def hold_group(branch: Books, journal_id: str, group: Group) -> None:
    """Hold the legs of this branch, and room for their parts."""
    hold(branch, journal_id, group.legs, group.payment_of)
    change_room(branch, journal_id, "PLACED", set_aside(branch, group.legs, group.room_for or ()))


def release_group(branch: Books, journal_id: str, group: Group) -> None:
    """Give back all that is held of the legs of this branch, and their room."""
    release(branch, journal_id, group.legs, group.payment_of)
    change_room(branch, journal_id, "RELEASED", set_aside(branch, group.legs, group.room_for or ()))


def post_group(
    branch: Books, group: Group, when: dict[str, int | None], held: bool = True, **about: Any
) -> None:
    """Post all legs of this branch; the room for their parts is free again."""
    post(branch, group.legs, when, held, group.payment_of, **about)
    change_room(branch, about["journal_id"], "RELEASED", set_aside(branch, group.legs, group.room_for or ()))


def keep_held(branch: Books, journal_id: str, journal: Journal) -> None:
    """Let a journal wait to be confirmed or voided."""
    own = shares(branch, journal.legs).get(branch.number, [])
    plan(branch, due_of(branch, journal_id, journal), [(leg.account_id, leg.side) for leg in own])
    change(branch, journal_id, journal, "HELD", "ok")


def due_of(branch: Books, journal_id: str, journal: Journal) -> Due:
    assert journal.expires_at is not None
    tenant = branch.cause.fields["tenant_id"]
    return Due(journal.expires_at, "journal", tenant, journal.account_id, journal_id)


def post_all(
    branch: Books,
    journal_id: str,
    journal: Journal,
    held: bool = True,
    name: str | None = None,
    final: bool = True,
    **said: Any,
) -> None:
    """Post what is left of a journal on every branch; `name`: under which it is remembered as a part."""
    key = group_key(branch, journal.account_id, journal_id)
    about: dict[str, Any] = {"journal_id": journal_id, "reference": journal.reference}
    why: dict[str, Any] = {
        "reason": journal.reason,
        "reverses": journal.reverses,
        "metadata": journal.metadata,
    }
    if key in branch.groups and branch.groups[key].state == "HELD":
        when = branch.effective(journal.effective_at, journal.not_before)
        post_group(branch, branch.groups[key], when, held, **about, **why)
        keep_group(branch, key, "POSTED")
    counts_at = branch.counts_at(branch.effective(journal.effective_at, journal.not_before))
    journal.counts_at = counts_at if journal.counts_at is None else max(counts_at, journal.counts_at)
    tell_others(branch, journal_id, journal, posted=True)
    if name is not None:
        journal.parts.append(
            [name, [[leg.leg_no, leg.amount_minor] for leg in left_of(journal)], final, True]
        )
    change(branch, journal_id, journal, "POSTED", "ok", **said)


def too_late(branch: Books, journal: Journal) -> bool:
    """Whether a journal that must not be moved would count in a closed period if it were posted now."""
    return journal.late == "REFUSE" and branch.in_closed_period(journal.effective_at)


def release_all(
    branch: Books,
    journal_id: str,
    journal: Journal,
    state: str,
    code: str,
    leg_no: int | None = None,
    **said: Any,
) -> None:
    """Release a journal on every branch that holds legs of it."""
    key = group_key(branch, journal.account_id, journal_id)
    if key in branch.groups and branch.groups[key].state == "HELD":
        release_group(branch, journal_id, branch.groups[key])
        keep_group(branch, key, "RELEASED")
    tell_others(branch, journal_id, journal, posted=False)
    # What parts have posted stays posted, and so the journal is.
    change(branch, journal_id, journal, "POSTED" if journal.parts else state, code, leg_no, **said)


def tell_others(branch: Books, journal_id: str, journal: Journal, posted: bool) -> None:
    for number, legs in sorted(shares(branch, left_of(journal)).items()):
        if number != branch.number and number not in journal.refusing:
            tell_branch(branch, journal_id, journal, number, legs[0], posted)


def tell_branch(
    branch: Books, journal_id: str, journal: Journal, number: int, first: Leg, posted: bool, **part: Any
) -> None:
    """Tell another branch, by the account of its first leg, what becomes of what it holds."""
    branch.say(
        COMMANDS,
        first.account_id,
        "JournalLegsEnded",
        branch.id_of(f"legs_ended:{number}"),
        journal_id=journal_id,
        account_id=first.account_id,
        home_account_id=journal.account_id,
        posted=posted,
        reference=journal.reference,
        reason=journal.reason,
        reverses=journal.reverses,
        **branch.effective(journal.effective_at, journal.not_before),
        metadata=journal.metadata,
        **part,
    )


def give_back(branch: Books, journal: Journal) -> None:
    """Let what a refused reversal would have taken back be free again."""
    tenant = branch.cause.fields["tenant_id"]
    if journal.reverses is None:
        return
    if journal.reverses_payment:
        key = (tenant, journal.reverses)
        back, amount, *positions = in_order(journal.legs)
        return count_back(branch, key, -amount.amount_minor, -back.amount_minor, back if positions else None)
    original = branch.journals[tenant, journal.account_id, journal.reverses]
    take(original, journal.legs, -1)
    keep_journal(branch, journal.reverses, original)


def count_back(
    branch: Books, payment: tuple[str, str], amount: int, credited: int, between: Leg | None
) -> None:
    """Count what is taken back of a payment, with `between` (a leg in it) in the creditor's currency, too."""
    branch.taken_back[payment] = branch.taken_back.get(payment, 0) + amount
    branch.number_row(row_key("r", *payment), branch.taken_back[payment])
    if between is not None:
        branch.given_back[payment] = branch.given_back.get(payment, 0) + credited
        branch.number_row(row_key("r", *payment, between.currency), branch.given_back[payment])


def take(original: Journal, legs: list[Leg], sign: int) -> None:
    """Count legs of a reversal as taken back (+1), or as not (-1)."""
    for leg in legs:
        place = place_of(leg)
        original.reversed[place] = original.reversed.get(place, 0) + sign * leg.amount_minor
        if original.reversed[place] == 0:
            del original.reversed[place]


def place_of(leg: Leg) -> tuple[str, str, str]:
    """Return where a leg of a reversal takes back: account, side and currency of the original's legs."""
    return leg.account_id, "CREDIT" if leg.side == "DEBIT" else "DEBIT", leg.currency
