"""What the model of the fraud stream makes of each record: a payment, a command about one, a tick.

    payment_initiated -> refused by its tenant's quota, waits, or is decided
    reviewed, cancelled, captured, extended, reversed -> applied to what waits, or passed on to the ledger
    branch_ticked -> passed on, unless its time had not come

From the contract: schemas/README.md. Times are event time, amounts minor units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.verify.model.fraud_decisions import Decision, again, seen_by_rules, verdict_in
from pipeline.verify.model.fraud_rules import Verdict, judge
from pipeline.verify.model.fraud_scheduled import answered_here, reach, waits_or_is_refused
from pipeline.verify.model.tenants import GATE_CODES
from pipeline.verify.model.wire import ALERTS, COMMANDS, DAY_US, PAYMENT_EVENTS, Expected, row_key

if TYPE_CHECKING:
    from pipeline.verify.model.fraud import FraudBranch

HOUR_US = 3_600_000_000


def initiate(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Let a payment wait, or decide it, unless its tenant may not ask for it."""
    recorded_us = branch.cause.timestamp_ms * 1000
    if branch.witness is not None:
        about = {"payment_id": event["payment_id"], "account_id": event["debtor_account_id"]}
        command = {"command": "payment_initiated"}
        code = branch.said_code(GATE_CODES, PAYMENT_EVENTS, "CommandRefused", **about, **command)
    else:
        code = branch.buckets.refusal(branch.tenants, event["tenant_id"], event["occurred_at"], recorded_us)
        row = branch.buckets.row(event["tenant_id"])
        if row is not None and code != "tenant_closed":
            branch.row(row_key("q", event["tenant_id"]), row)
    if code is not None:
        return branch.refuse(code)
    reach(branch, event)
    if waits_or_is_refused(branch, event):
        return
    time, asked = event["occurred_at"], event.get("execute_at")
    if asked is not None and asked <= max(branch.calendar.now, time):
        time = max(time, asked)
    with branch.caused_by(event | {"occurred_at": time}) as command:
        branch.decide_now(command, min(time, recorded_us))


def decide(branch: FraudBranch, event: dict[str, Any], at_us: int) -> None:
    """Decide a payment; one that comes again gets its first verdict and counts nowhere."""
    verdict, alerting, newest = screen(branch, event, at_us)
    branch.answer(verdict)
    if alerting:
        branch.alert(at_us, newest, verdict)


def screen(branch: FraudBranch, event: dict[str, Any], at_us: int) -> tuple[Verdict, bool, int]:
    """Return the verdict on the present payment, whether it raises an alert, and its tenant's time."""
    debtor_id, creditor_id = event["debtor_account_id"], event["creditor_account_id"]
    harmless = Verdict("APPROVE", 0, ())
    content = (debtor_id, creditor_id, str(event["amount_minor"]), event["currency"])
    newest = max(branch.past.newest, at_us)
    if newest - at_us > branch.window_days * DAY_US + HOUR_US:
        return harmless, False, newest  # the ledger refuses it as too old
    earlier = branch.decision(newest)
    if earlier is not None:
        verdict = again(earlier, content)
        return verdict, branch.alerts_once(newest, verdict), newest
    if event["amount_minor"] <= 0 or debtor_id == creditor_id or "$" in (debtor_id[0], creditor_id[0]):
        return harmless, False, newest  # the ledger refuses it; the id stays free
    payment, debtor = seen_by_rules(event, at_us), branch.debtor
    debtor.clock_s = max(debtor.clock_s, payment.at_s)
    late = not debtor.covers("week", payment.at_s)
    verdict = judge(debtor, payment)
    debtor.ask(payment)
    if verdict.outcome == "APPROVE" and not late:
        debtor.learn(payment)
    held = payment if verdict.outcome == "REVIEW" and not late else None
    branch.keep(Decision(at_us, content, verdict, held))
    branch.forget_decisions(at_us)
    return verdict, verdict.outcome != "APPROVE", newest


def decide_as_said(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Take verdict and alert from what the stream says; all else must follow from the payment."""
    about = {"payment_id": event["payment_id"], "account_id": event["debtor_account_id"]}
    said = branch.next_said(COMMANDS, "PaymentDecided", sure=True, payment_id=event["payment_id"])
    verdict = Verdict("APPROVE", 0, ())
    if said is not None:
        verdict = verdict_in(said, said["rules_version"])
    branch.answer(verdict)
    # A payment that comes again has an alert already, unless its first decision is forgotten.
    said = branch.next_said(ALERTS, "FraudAlertRaised", **about)
    again = said is None and branch.alert_key in branch.alerts
    if verdict.outcome != "APPROVE" and not again:
        branch.alert(event["occurred_at"], event["occurred_at"], verdict)


def command(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Apply a command to a payment that waits, or pass it on; an approval makes a held payment the debtor's
    habit, once."""
    reach(branch, event)
    if answered_here(branch, event):
        return
    if branch.cause.event == "PaymentReviewed":
        learn(branch, event)
    pass_on(branch, event)


def learn(branch: FraudBranch, event: dict[str, Any]) -> None:
    known = branch.decision(branch.past.newest)
    approved = known is not None and event["approved"] and known.content[0] == event["debtor_account_id"]
    if known is not None and known.held is not None and approved and not may_need_two(branch, known.held):
        branch.debtor.learn(known.held)
        branch.keep(known._replace(held=None))


def may_need_two(branch: FraudBranch, held: Any) -> bool:
    """Whether a second person may have to approve a payment; its currency is not kept."""
    told = branch.tenants.setting(branch.cause.fields["tenant_id"], "four_eyes") or {}
    linked = branch.cause.fields.get("link_id") is not None
    return any(linked or held.amount >= least for least in told.get("reviews", {}).values())


def pass_on(branch: FraudBranch, event: dict[str, Any]) -> None:
    cause = branch.cause
    assert cause.event is not None
    for topic in (COMMANDS, PAYMENT_EVENTS) if cause.event == "PaymentReviewed" else (COMMANDS,):
        branch.out.append(Expected(topic, cause.key or b"", cause.event, event, cause.offset, cause.value))


def tick(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Pass a tick on, unless its time had not come when Kafka got it."""
    if event["occurred_at"] <= branch.cause.timestamp_ms * 1000:
        reach(branch, event)
        pass_on(branch, event)
