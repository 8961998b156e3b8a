"""Linked payments in the model of the fraud stream: screened one by one, decided as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.verify.model.fraud_alerts import raise_alert
from pipeline.verify.model.fraud_decided import Verdict, in_words
from pipeline.verify.model.fraud_paying import Said, screen
from pipeline.verify.model.fraud_scheduled import known_here, reach
from pipeline.verify.model.tenants import GATE_CODES
from pipeline.verify.model.wire import COMMANDS, PAYMENT_EVENTS, row_key

if TYPE_CHECKING:
    from pipeline.verify.model.fraud_log import FraudBranch

MONEY = ("creditor_account_id", "amount_minor", "currency")
PAYMENTS_MAX = 100


def link(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Screen the payments of a link one by one, and decide them as one."""
    payments = event["payments"]
    ids = {payment["payment_id"] for payment in payments}
    code = None if 0 < len(payments) == len(ids) <= PAYMENTS_MAX else "invalid_link"
    if code is None:
        code = quota(branch, event)
    if code is not None:
        return refuse(branch, code)
    reach(branch, event)
    for payment in payments:
        known = known_here(branch, {"tenant_id": event["tenant_id"], **payment})
        if known is not None:
            waits = {"payment_id": payment["payment_id"], "execute_at": known.event["execute_at"]}
            return refuse(branch, "exists_with_different_link", **waits)
    said: Said = None
    if branch.witness is not None:
        said = branch.next_said(COMMANDS, "PaymentsLinkDecided", sure=True, link_id=event["link_id"])
    verdicts, alerts, at_us = [], [], min(event["occurred_at"], branch.cause.timestamp_ms * 1000)
    for place, payment in enumerate(payments):
        with branch.about(place, payment) as fields:
            verdict, alert_id = screen(branch, fields, at_us, of_payment(said, place))
            verdicts.append(verdict)
            alerts.append(alert_id)
    answer(branch, verdicts)
    for place, (payment, verdict, alert_id) in enumerate(zip(payments, verdicts, alerts, strict=True)):
        with branch.about(place, payment):
            if alert_id is not None:
                raise_alert(branch, alert_id, verdict)
    branch.days.tell()


def of_payment(said: Said, place: int) -> Said:
    """Return what the stream has said of one payment of a link."""
    if said is None or place >= len(said["payments"]):
        return None
    return {**said["payments"][place], "rules_version": said["rules_version"]}


def quota(branch: FraudBranch, event: dict[str, Any]) -> str | None:
    """Return why a tenant may not ask for so many payments."""
    tenant = event["tenant_id"]
    if branch.witness is not None:
        about = {"command": "payments_linked", "link_id": event["link_id"]}
        return branch.said_code(GATE_CODES, PAYMENT_EVENTS, "CommandRefused", **about)
    times = event["occurred_at"], branch.cause.timestamp_ms * 1000
    code = branch.buckets.refusal(branch.tenants, tenant, *times, len(event["payments"]))
    row = branch.buckets.row(tenant)
    if row is not None and code != "tenant_closed":
        branch.row(row_key("q", tenant), row)
    return code


def answer(branch: FraudBranch, verdicts: list[Verdict]) -> None:
    """Expect the decision on the present link, and that each payment was screened."""
    event = branch.cause.fields
    debtor, decided_id = event["debtor_account_id"], branch.id_of("payments_link_decided")
    words = [in_words(verdict) for verdict in verdicts]
    names = ("outcome", "score", "reasons")
    payments = [
        {**payment, **{name: said[name] for name in names}}
        for payment, said in zip(event["payments"], words, strict=True)
    ]
    fields = {name: event[name] for name in ("link_id", "debtor_account_id", "open_account")}
    fields |= {"metadata": event["metadata"], "expected_sequence": event["expected_sequence"]}
    fields |= {"payments": payments, "rules_version": words[0]["rules_version"]}
    branch.say(COMMANDS, debtor, "PaymentsLinkDecided", decided_id, **fields)
    outcomes = [verdict.outcome for verdict in verdicts]
    worst = max(outcomes, key=("APPROVE", "REVIEW", "DECLINE").index)
    for place, payment in enumerate(event["payments"]):
        screened = {name: payment[name] for name in ("payment_id", *MONEY)}
        screened |= {"debtor_account_id": debtor, "outcome": worst, "decision_id": decided_id}
        screened["link_id"] = event["link_id"]
        screened_id = branch.id_of(f"payment_screened:{place}")
        branch.say(PAYMENT_EVENTS, debtor, "PaymentScreened", screened_id, **screened)


def refuse(branch: FraudBranch, code: str, **more: Any) -> None:
    """Expect the answer to what is no link, or may not be asked for."""
    debtor, link_id = branch.cause.fields["debtor_account_id"], branch.cause.fields["link_id"]
    about = {"command": "payments_linked", "account_id": debtor, "code": code, "link_id": link_id, **more}
    branch.say(PAYMENT_EVENTS, debtor, "CommandRefused", branch.id_of("refused:payments_linked"), **about)
