"""A plain model of what people do about breaks, and of why an action is refused. See `break_cases`."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from pipeline.verify.model.break_cases import (
    OVER,
    Asked,
    BreakCases,
    Case,
    Said,
    changed,
    journal_of,
    named,
    resolved,
    signed_of,
)

COUNTED_TO, TALKED_TO = 256, 200
ACTIONS = {
    "BreakAssigned": "break_assigned",
    "BreakCommented": "break_commented",
    "CorrectionSuggested": "correction_suggested",
    "CorrectionApproved": "correction_approved",
    "CorrectionRejected": "correction_rejected",
    "BreakWrittenOff": "break_written_off",
    "BreakDisputed": "break_disputed",
    "BreakReopened": "break_reopened",
}


class BreakLives(BreakCases):
    """The breaks of one account, and what people do about them."""

    def act(self, kind: str, event: dict[str, Any], now: int) -> Said:
        """A person does something about a break."""
        case = self.case(event["break_id"], now)
        if now - event["occurred_at"] > self.keep_us:
            return refused(kind, event, "too_old")
        if case is None:
            return refused(kind, event, "break_not_found")
        if event["event_id"] in case.seen:
            return refused(kind, event, "exists")
        if event["actor"] is None:
            return refused(kind, event, "actor_required")
        done = getattr(self, ACTIONS[kind])(case, event, now)
        if isinstance(done, str):
            return refused(kind, event, done)
        case.seen.add(event["event_id"])
        return list(done)

    def break_assigned(self, case: Case, event: dict[str, Any], now: int) -> Said | str:
        if case.status in OVER:
            return "break_ended"
        if len(case.seen) >= TALKED_TO:
            return "too_many_actions"
        case.assignee = event["assignee"]
        if case.status in ("OPEN", "ASSIGNED", "REOPENED") and case.assignee:
            case.status = "ASSIGNED"
        elif case.status == "ASSIGNED":
            case.status = "OPEN"
        return [changed(event["break_id"], case, "ASSIGNED")]

    def break_commented(self, case: Case, event: dict[str, Any], now: int) -> Said | str:
        if len(case.seen) >= TALKED_TO:
            return "too_many_actions"
        return [changed(event["break_id"], case, "COMMENTED", text=event["text"])]

    def break_disputed(self, case: Case, event: dict[str, Any], now: int) -> Said | str:
        if case.status in OVER:
            return "break_ended"
        if case.asked is not None:
            return "correction_pending"
        if case.status == "DISPUTED":
            return "already_disputed"
        if len(case.seen) >= TALKED_TO:
            return "too_many_actions"
        case.status = "DISPUTED"
        return [changed(event["break_id"], case, "DISPUTED", text=event["reason"])]

    def break_reopened(self, case: Case, event: dict[str, Any], now: int) -> Said | str:
        if case.asked is not None:
            return "correction_pending"
        if case.explained and case.status in OVER:
            return "correction_posted"
        if case.status == "RESOLVED":
            return "break_ended"
        if case.status not in ("DISPUTED", "WRITTEN_OFF"):
            return "not_disputed"
        if len(case.seen) >= COUNTED_TO:
            return "too_many_actions"
        self.turn(case, "REOPENED", now)
        return [changed(event["break_id"], case, "REOPENED", text=event["reason"])]

    def correction_suggested(self, case: Case, event: dict[str, Any], now: int) -> Said | str:
        if case.asked is not None:
            return "correction_pending"
        if event["reverses"] is None and case.status in OVER:
            return "break_ended"
        if event["reverses"] is not None and case.status not in OVER:
            return "correction_not_found"
        if len(case.seen) >= COUNTED_TO:
            return "too_many_actions"
        if event["reverses"] is not None:
            if case.posted is None or named(event["reverses"]) != (event["break_id"], case.posted):
                return "correction_not_found"
            if event["legs"]:
                return "invalid_legs"
        elif flaw := self.flaw(case, event["legs"]):
            return flaw
        takes_back = None if event["reverses"] is None else case.posted
        return self.ask(case, event, event["legs"], takes_back=takes_back)

    def break_written_off(self, case: Case, event: dict[str, Any], now: int) -> Said | str:
        if case.asked is not None:
            return "correction_pending"
        if case.status in OVER:
            return "break_ended"
        if len(case.seen) >= COUNTED_TO:
            return "too_many_actions"
        if case.difference == 0:
            return self.ask(case, event, [], write_off=True)
        left = case.difference - case.explained
        other = self.write_off_accounts.get(case.currency)
        if other in (None, self.account):
            return "write_off_account_missing"
        sides = ("CREDIT", "DEBIT") if left > 0 else ("DEBIT", "CREDIT")
        legs = [
            {
                "account_id": account,
                "side": side,
                "amount_minor": abs(left),
                "currency": case.currency,
            }
            for account, side in zip((self.account, other), sides, strict=True)
        ]
        return self.ask(case, event, legs, write_off=True)

    def ask(self, case: Case, event: dict[str, Any], legs: list[dict[str, Any]], **more: Any) -> Said:
        by = (event["actor"]["issuer"], event["actor"]["subject"])
        asked = Asked(case.asked_so_far + 1, event["event_id"], by, case.status, legs, **more)
        case.asked, case.asked_so_far, case.over_at = asked, asked.number, None
        case.status = "CORRECTION_SUGGESTED"
        asked.amount = -case.posted_amount if asked.takes_back else 0
        if legs:
            asked.amount = case.difference - case.explained
        proposed = {
            "correction_id": asked.name,
            "journal_id": journal_of(event["break_id"], asked.number),
            "write_off": asked.write_off,
            "amount_minor": asked.amount,
        }
        said = changed(event["break_id"], case, "CORRECTION_SUGGESTED", asked, text=event["reason"])
        return [said, ("CorrectionProposed", proposed)]

    def flaw(self, case: Case, legs: list[dict[str, Any]]) -> str | None:
        """Return why legs cannot be a correction."""
        if case.difference == case.explained:
            return "nothing_to_correct"
        sides: dict[Any, set[str]] = defaultdict(set)
        sums: dict[Any, int] = defaultdict(int)
        for leg in legs:
            account, entry = leg["account_id"], (leg["entry_no"], leg["currency"])
            bad_id = not account or len(account) > 256 or set("/\0") & set(account) or account[0] == "$"
            if bad_id or leg["leg_no"] < 0 or not 1 <= leg["amount_minor"] <= 2**61:
                return "invalid_legs"
            if not re.fullmatch("[A-Z]{3}", leg["currency"]) or len(leg["purpose"] or "") > 2000:
                return "invalid_legs"
            sides[entry, account].add(leg["side"])
            sums[entry] += signed_of(leg)
        unique = len({leg["leg_no"] for leg in legs}) == len(legs)
        if not 2 <= len(legs) <= 20 or not unique or any(len(found) > 1 for found in sides.values()):
            return "invalid_legs"
        if any(sums.values()):
            return "legs_not_balanced"
        own = [(leg["currency"], signed_of(leg)) for leg in legs if leg["account_id"] == self.account]
        return (
            None
            if own == [(case.currency, case.difference - case.explained)]
            else "correction_does_not_explain"
        )

    def correction_approved(self, case: Case, event: dict[str, Any], now: int) -> Said | str:
        asked = proposal(case, event)
        if isinstance(asked, str):
            return asked
        actor = event["actor"]
        if actor["key_id"] is not None or actor["session_id"] is None:
            return "programs_cannot_approve"
        if (actor["issuer"], actor["subject"]) == asked.by:
            return "maker_cannot_approve"
        journal = journal_of(event["break_id"], asked.number)
        if not asked.legs and asked.takes_back is None:
            case.asked = None
            self.turn(case, "WRITTEN_OFF", now)
            return [
                changed(event["break_id"], case, "WRITTEN_OFF", asked),
                resolved(event["break_id"], "accepted"),
            ]
        case.status = "CORRECTION_APPROVED"
        said = [changed(event["break_id"], case, "CORRECTION_APPROVED", asked)]
        if asked.takes_back is None:
            legs = sorted((leg["account_id"], signed_of(leg), leg["currency"]) for leg in asked.legs)
            return [*said, ("JournalSubmitted", {"journal_id": journal, "by": asked.by, "legs": legs})]
        original = journal_of(event["break_id"], asked.takes_back)
        reversal = {"journal_id": original, "reversal_id": journal, "by": asked.by}
        return [*said, ("JournalReversed", reversal)]

    def correction_rejected(self, case: Case, event: dict[str, Any], now: int) -> Said | str:
        asked = proposal(case, event)
        if isinstance(asked, str):
            return asked
        self.give_up(case, asked, now)
        return [changed(event["break_id"], case, "CORRECTION_REJECTED", asked, text=event["reason"])]


def proposal(case: Case, event: dict[str, Any]) -> Asked | str:
    """Return the correction that a decision is about, or the code that refuses the decision."""
    if case.status == "CORRECTION_APPROVED":
        return "already_decided"
    if case.asked is None:
        return "correction_not_found"
    if len(case.seen) >= COUNTED_TO:
        return "too_many_actions"
    return case.asked if case.asked.name == event["correction_id"] else "correction_not_found"


def refused(kind: str, event: dict[str, Any], code: str) -> Said:
    """Return that an action had no effect."""
    return [("BreakActionRefused", {"action": ACTIONS[kind], "break_id": event["break_id"], "code": code})]
