"""A journal on several branches: the others hold their share of the legs, answer, and are told the end."""

from __future__ import annotations

from typing import Any

from pipeline.verify.model.ledger_books import Books, times_of
from pipeline.verify.model.ledger_due import over, take
from pipeline.verify.model.ledger_endings import comes_late, ended_for, sender
from pipeline.verify.model.ledger_journals import (
    Group,
    give_back,
    group_key,
    hold_group,
    keep_group,
    keep_held,
    keep_journal,
    post_all,
    post_group,
    release_all,
    release_group,
    too_late,
)
from pipeline.verify.model.ledger_link_ends import link_answered
from pipeline.verify.model.ledger_links import PREFIX
from pipeline.verify.model.ledger_pairs import legs_of, why_not
from pipeline.verify.model.ledger_parts import post_here
from pipeline.verify.model.ledger_room import why_no_room
from pipeline.verify.model.wire import (
    COMMANDS,
    Dead,
    row_key,
)

# --- what other branches say and are told


def legs_requested(branch: Books, event: dict[str, Any]) -> None:
    key = group_key(branch, event["home_account_id"], event["journal_id"])
    if comes_late(branch):
        return answer(branch, event, "too_old", None)
    if key in branch.groups:
        raise Dead("legs_exist")
    legs, home = legs_of(event["legs"]), sender(branch)
    take(branch, [(leg.account_id, leg.side) for leg in legs])
    entries = event.get("room_for")
    refusal = why_not(branch, legs) or why_no_room(branch, legs, entries or ())
    named = event.get("payments")
    payments = None if not named else [[one["leg_no"], one["payment_id"], one["reference"]] for one in named]
    state = "HELD" if refusal is None else "REFUSED"
    group = Group(legs, state, payments, event["occurred_at"], home, entries)
    branch.groups[key] = group
    if refusal is None:
        hold_group(branch, event["journal_id"], group)
    else:
        ended_for(branch, home, row_key("g", *key))
    keep_group(branch, key)
    answer(branch, event, *(refusal or ("ok", None)))


def answer(branch: Books, event: dict[str, Any], code: str, leg_no: int | None) -> None:
    """Tell the home of a journal whether this branch holds its legs."""
    about = {name: event[name] for name in ("journal_id", "account_id", "home_account_id")}
    answer = {"branch": branch.number, "code": code, "leg_no": leg_no}
    event_id = branch.id_of("legs_answered")
    branch.say(COMMANDS, event["home_account_id"], "JournalLegsAnswered", event_id, **about, **answer)


def legs_answered(branch: Books, event: dict[str, Any]) -> None:
    journal_id = event["journal_id"]
    if journal_id.startswith(PREFIX):
        return link_answered(branch, event)
    journal = branch.journal(event["home_account_id"], journal_id)
    if journal is None or journal.state != "PREPARING" or event["branch"] not in journal.waiting:
        raise Dead("legs_not_expected")
    journal.waiting = [number for number in journal.waiting if number != event["branch"]]
    if event["code"] != "ok":
        journal.refusing = sorted([*journal.refusing, event["branch"]])
        named = event["leg_no"]
        if journal.leg_no is None or (named is not None and named < journal.leg_no):
            journal.code, journal.leg_no = event["code"], event["leg_no"]
    if journal.waiting:
        return keep_journal(branch, journal_id, journal)
    if journal.refusing:
        release_all(branch, journal_id, journal, "REFUSED", journal.code, journal.leg_no)
        return give_back(branch, journal)
    if journal.expires_at is None and too_late(branch, journal):
        release_all(branch, journal_id, journal, "REFUSED", "period_closed")
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
    names = ("journal_id", "reference", "reason", "reverses", "metadata")
    about = {name: event.get(name) for name in names}
    group.asked_at, before = max(group.asked_at or event["occurred_at"], event["occurred_at"]), group.asked_at
    if event.get("legs") is not None:
        amounts = {part["leg_no"]: part["amount_minor"] for part in event["legs"]}
        final = event["final"] in (None, True)
        if not post_here(branch, group, amounts, final, times_of(branch, event), **about):
            group.asked_at = before
            raise Dead("overflow")
        if group.state != "HELD":
            ended_for(branch, sender(branch), row_key("g", *key))
        return keep_group(branch, key)
    ended_for(branch, sender(branch), row_key("g", *key))
    if not event["posted"]:
        release_group(branch, event["journal_id"], group)
        return keep_group(branch, key, "RELEASED")
    post_group(branch, group, times_of(branch, event), True, **about)
    keep_group(branch, key, "POSTED")
