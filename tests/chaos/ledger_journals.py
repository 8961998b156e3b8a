"""Journals of many legs: entries that are posted together, on one branch or on several, or not at all.

    journal_submitted -> home holds its legs -> journal_legs_requested -> the other branches hold theirs
                      -> journal_legs_answered -> all held: POSTED, or HELD to be confirmed; else REFUSED
                      -> journal_legs_ended -> the other branches post or release

What never changes: a branch holds its legs until home says how it ends, and home ends a journal once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.chaos.ledger_accounts import customer
from tests.chaos.ledger_books import Books
from tests.chaos.ledger_due import Due, advance, envelope_of, forget, over, plan
from tests.chaos.ledger_pairs import Leg, Refusal, by_entry, hold, in_order, legs_of, post, release, why_not
from tests.chaos.wire import COMMANDS, DAY_US, JOURNAL_EVENTS, LONG_MAX, Dead, cause_of, derived, row_key

LEGS_MAX = 100


@dataclass
class Group:
    """The legs of a journal that are one branch's; HELD, POSTED, RELEASED or REFUSED."""

    legs: list[Leg]
    state: str


@dataclass
class Journal:
    """A journal at home; PREPARING, HELD, POSTED, REFUSED, VOIDED or EXPIRED."""

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

    def content(self) -> list[Any]:
        """Return the fields of its row."""
        fields = [getattr(self, name) for name in self.__dataclass_fields__]
        fields[-2] = [[*place, amount] for place, amount in self.reversed.items()]
        return fields


def submit(branch: Books, event: dict[str, Any]) -> None:
    advance(branch)
    journal = submitted(event, event["account_id"], legs_of(event["legs"]), event["reference"])
    journal.effective_at, journal.late = event["effective_at"], event["late"]
    journal.expires_at = event["hold_expires_at"]
    known = branch.journals.get(branch.key("journal_id"))
    if known is None:
        return start(branch, event["journal_id"], journal)
    names = ("account_id", "legs", "reference", "reason", "effective_at", "late", "expires_at", "reverses")
    same = all(getattr(known, name) == getattr(journal, name) for name in names)
    code = "exists" if same else "exists_with_different_content"
    branch.refuse("journal_submitted", event["account_id"], code, journal_id=event["journal_id"])


def submitted(event: dict[str, Any], account_id: str, legs: list[Leg], reference: str) -> Journal:
    """Return a journal as an event starts it, with nothing held yet."""
    reason, caused = event["reason"], [event[name] for name in ("occurred_at", "correlation_id", "event_id")]
    content: tuple[Any, ...] = (in_order(legs), reference, reason, None, False, None, "NEXT_PERIOD", None, [])
    return Journal(account_id, "", "ok", None, *content, *caused)


def start(branch: Books, journal_id: str, journal: Journal) -> None:
    """Hold the legs that are home's, and ask the other branches for theirs."""
    assert branch.watermark is not None
    if branch.watermark - journal.occurred_at > branch.window_days * DAY_US:
        say_state(branch, journal_id, journal, "REFUSED", "too_old", None)  # and is forgotten
        return give_back(branch, journal)
    refusal = malformed(branch, journal)
    own = shares(branch, journal).get(branch.number, [])
    refusal = refusal or why_not(branch, own)
    if refusal is not None:
        change(branch, journal_id, journal, "REFUSED", *refusal)
        return give_back(branch, journal)
    key = group_key(branch, journal.account_id, journal_id)
    if own:
        branch.groups[key] = Group(own, "HELD")
    others = [number for number in sorted(shares(branch, journal)) if number != branch.number]
    if not others and journal.expires_at is None:
        return post_all(branch, journal_id, journal, held=False)
    if own:
        hold(branch, journal_id, own)
        keep_group(branch, key)
    if not others:
        return keep_held(branch, journal_id, journal)
    journal.waiting = others
    change(branch, journal_id, journal, "PREPARING", "ok")
    for number in others:
        legs = shares(branch, journal)[number]
        asked = {"journal_id": journal_id, "home_account_id": journal.account_id}
        branch.say(
            COMMANDS,
            legs[0].account_id,
            "JournalLegsRequested",
            branch.id_of(f"legs_requested:{number}"),
            **asked,
            account_id=legs[0].account_id,
            legs=[leg._asdict() for leg in legs],
        )


def malformed(branch: Books, journal: Journal) -> Refusal | None:
    """Return the first reason for which a journal is refused before any account is looked at."""
    legs = in_order(journal.legs)
    numbers = [leg.leg_no for leg in legs]
    negative = any(leg.leg_no < 0 or leg.entry_no < 0 for leg in legs)
    strange = journal.reverses is None and journal.account_id not in {leg.account_id for leg in legs}
    if not 2 <= len(legs) <= LEGS_MAX or negative or len(set(numbers)) < len(numbers) or strange:
        return Refusal("invalid_legs", None)
    places = {(leg.entry_no, leg.currency, leg.account_id, leg.side) for leg in legs}
    for leg in legs:
        who, other = ("debtor", "CREDIT") if leg.side == "DEBIT" else ("creditor", "DEBIT")
        if leg.amount_minor <= 0:
            return Refusal("amount_must_be_positive", leg.leg_no)
        if not customer(leg.account_id):
            return Refusal(f"{who}_not_found", leg.leg_no)
        if (leg.entry_no, leg.currency, leg.account_id, other) in places:
            return Refusal("accounts_must_differ", leg.leg_no)
    sums = [
        [sum(leg.amount_minor for leg in sides[side]) for side in ("DEBIT", "CREDIT")]
        for sides in by_entry(legs).values()
    ]
    if any(debits != credits for debits, credits in sums):
        return Refusal("legs_not_balanced", None)
    if any(debits > LONG_MAX for debits, _ in sums):
        return Refusal("overflow", None)
    if over(branch, journal.expires_at):
        return Refusal("expired", None)
    counts = journal.occurred_at if journal.effective_at is None else journal.effective_at
    closed = branch.closed_through.get(branch.cause.fields["tenant_id"])
    if journal.late == "REFUSE" and closed is not None and counts <= closed:
        return Refusal("period_closed", None)
    return None


def shares(branch: Books, journal: Journal) -> dict[int, list[Leg]]:
    """Return the legs of each branch, by their numbers."""
    found: dict[int, list[Leg]] = {}
    for leg in in_order(journal.legs):
        found.setdefault(branch.home_of(leg.account_id), []).append(leg)
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
    branch.journals[branch.cause.fields["tenant_id"], journal_id] = journal
    keep_journal(branch, journal_id, journal)
    say_state(branch, journal_id, journal, state, code, leg_no, **said)


def say_state(
    branch: Books, journal_id: str, journal: Journal, state: str, code: str, leg_no: int | None, **said: Any
) -> None:
    about = {"journal_id": journal_id, "account_id": journal.account_id, "reverses": journal.reverses}
    news = {"state": state, "code": code, "leg_no": leg_no, "legs": len(journal.legs)}
    event_id = branch.id_of(f"journal_{state.lower()}")
    branch.say(JOURNAL_EVENTS, journal.account_id, "JournalUpdated", event_id, **{**about, **news, **said})


def keep_journal(branch: Books, journal_id: str, journal: Journal) -> None:
    branch.structure(row_key("j", branch.cause.fields["tenant_id"], journal_id), journal.content())


def group_key(branch: Books, home_account_id: str, journal_id: str) -> tuple[str, str, str]:
    return branch.cause.fields["tenant_id"], home_account_id, journal_id


def keep_group(branch: Books, key: tuple[str, str, str], state: str | None = None) -> None:
    group = branch.groups[key]
    group.state = state or group.state
    branch.structure(row_key("g", *key), [group.legs, group.state])


def keep_held(branch: Books, journal_id: str, journal: Journal) -> None:
    """Let a journal wait to be confirmed or voided."""
    plan(branch, due_of(branch, journal_id, journal))
    change(branch, journal_id, journal, "HELD", "ok")


def due_of(branch: Books, journal_id: str, journal: Journal) -> Due:
    assert journal.expires_at is not None
    tenant = branch.cause.fields["tenant_id"]
    return Due(journal.expires_at, "journal", tenant, journal.account_id, journal_id)


def post_all(branch: Books, journal_id: str, journal: Journal, held: bool = True) -> None:
    """Post a journal on every branch."""
    key = group_key(branch, journal.account_id, journal_id)
    about = {"journal_id": journal_id, "reference": journal.reference}
    why = {"reason": journal.reason, "reverses": journal.reverses}
    if key in branch.groups:
        post(branch, branch.groups[key].legs, journal.effective_at, held, **about, **why)
        keep_group(branch, key, "POSTED")
    tell_others(branch, journal_id, journal, posted=True)
    change(branch, journal_id, journal, "POSTED", "ok")


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
    if key in branch.groups:
        release(branch, journal_id, branch.groups[key].legs)
        keep_group(branch, key, "RELEASED")
    tell_others(branch, journal_id, journal, posted=False)
    change(branch, journal_id, journal, state, code, leg_no, **said)


def tell_others(branch: Books, journal_id: str, journal: Journal, posted: bool) -> None:
    for number, legs in sorted(shares(branch, journal).items()):
        if number == branch.number or number in journal.refusing:
            continue
        branch.say(
            COMMANDS,
            legs[0].account_id,
            "JournalLegsEnded",
            branch.id_of(f"legs_ended:{number}"),
            journal_id=journal_id,
            account_id=legs[0].account_id,
            home_account_id=journal.account_id,
            posted=posted,
            reference=journal.reference,
            reason=journal.reason,
            reverses=journal.reverses,
            effective_at=journal.effective_at,
        )


def give_back(branch: Books, journal: Journal) -> None:
    """Let what a refused reversal would have taken back be free again."""
    tenant = branch.cause.fields["tenant_id"]
    if journal.reverses is None:
        return
    if journal.reverses_payment:
        key = (tenant, journal.reverses)
        branch.taken_back[key] -= journal.legs[0].amount_minor
        return branch.number_row(row_key("r", *key), branch.taken_back[key])
    original = branch.journals[tenant, journal.reverses]
    take(original, journal.legs, -1)
    keep_journal(branch, journal.reverses, original)


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


# --- what other branches say and are told


def legs_requested(branch: Books, event: dict[str, Any]) -> None:
    key = group_key(branch, event["home_account_id"], event["journal_id"])
    if key in branch.groups:
        raise Dead("legs_exist")
    legs = legs_of(event["legs"])
    refusal = why_not(branch, legs)
    branch.groups[key] = Group(legs, "HELD" if refusal is None else "REFUSED")
    if refusal is None:
        hold(branch, event["journal_id"], legs)
    keep_group(branch, key)
    code, leg_no = refusal or ("ok", None)
    about = {name: event[name] for name in ("journal_id", "account_id", "home_account_id")}
    answer = {"branch": branch.number, "code": code, "leg_no": leg_no}
    event_id = branch.id_of("legs_answered")
    branch.say(COMMANDS, event["home_account_id"], "JournalLegsAnswered", event_id, **about, **answer)


def legs_answered(branch: Books, event: dict[str, Any]) -> None:
    journal_id, journal = event["journal_id"], branch.journals.get(branch.key("journal_id"))
    if journal is None or journal.state != "PREPARING" or event["branch"] not in journal.waiting:
        raise Dead("legs_not_expected")
    journal.waiting = [number for number in journal.waiting if number != event["branch"]]
    if event["code"] != "ok":
        journal.refusing = sorted([*journal.refusing, event["branch"]])
        if journal.leg_no is None or event["leg_no"] < journal.leg_no:
            journal.code, journal.leg_no = event["code"], event["leg_no"]
    if journal.waiting:
        return keep_journal(branch, journal_id, journal)
    if journal.refusing:
        release_all(branch, journal_id, journal, "REFUSED", journal.code, journal.leg_no)
        return give_back(branch, journal)
    if journal.expires_at is None:
        return post_all(branch, journal_id, journal)
    if over(branch, journal.expires_at):
        return release_all(branch, journal_id, journal, "EXPIRED", "expired")
    keep_held(branch, journal_id, journal)


def legs_ended(branch: Books, event: dict[str, Any]) -> None:
    key = group_key(branch, event["home_account_id"], event["journal_id"])
    group = branch.groups.get(key)
    if group is None or group.state != "HELD":
        raise Dead("legs_not_expected")
    if not event["posted"]:
        release(branch, event["journal_id"], group.legs)
        return keep_group(branch, key, "RELEASED")
    about = {name: event[name] for name in ("journal_id", "reference", "reason", "reverses")}
    post(branch, group.legs, event["effective_at"], held=True, **about)
    keep_group(branch, key, "POSTED")


# --- the end of a held journal


def held(branch: Books, event: dict[str, Any], command: str) -> Journal | None:
    """Return a journal that waits to be confirmed or voided; otherwise answer why not."""
    advance(branch)
    journal = branch.journals.get(branch.key("journal_id"))
    if journal is None or journal.account_id != event["account_id"]:
        code = "journal_not_found"
    elif journal.state != "HELD":
        code = "already_settled" if journal.state == "POSTED" else "journal_not_held"
    elif over(branch, journal.expires_at):
        code = "expired"
    else:
        forget(branch, due_of(branch, event["journal_id"], journal))
        return journal
    branch.refuse(command, event["account_id"], code, journal_id=event["journal_id"])
    return None


def confirm(branch: Books, event: dict[str, Any]) -> None:
    journal = held(branch, event, "journal_confirmed")
    if journal is not None:
        post_all(branch, event["journal_id"], journal)


def void(branch: Books, event: dict[str, Any]) -> None:
    journal = held(branch, event, "journal_voided")
    if journal is not None:
        release_all(branch, event["journal_id"], journal, "VOIDED", "cancelled")


def journal_is_due(branch: Books, due: Due) -> None:
    journal = branch.journals[due.tenant, due.subject]
    subject = {"account_id": journal.account_id, "journal_id": due.subject}
    fields = {"tenant_id": due.tenant, **subject, "event_id": journal.event_id}
    submitted_by = branch.cause._replace(event="JournalSubmitted", fields=fields)
    event_id = derived(cause_of(submitted_by), "journal_expired")
    said: dict[str, Any] = {"event_id": event_id, "causation_id": journal.event_id}
    with branch.caused_by("JournalVoided", envelope_of(due, event_id, journal.correlation_id, **subject)):
        release_all(branch, due.subject, journal, "EXPIRED", "expired", **said)
