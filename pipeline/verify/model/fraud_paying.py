"""What the model of the fraud stream makes of payments: their features, the decision, what is kept of it.

payment_initiated -> refused by its tenant's quota, waits, or is decided
reviewed, cancelled, captured, extended, reversed -> applied to what waits, or passed on to the ledger
branch_ticked     -> passed on, unless its time had not come
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.verify.model.currencies import CURRENCIES, DIGITS
from pipeline.verify.model.fraud_alerts import alert, alert_key, is_alerted, raise_alert
from pipeline.verify.model.fraud_decided import (
    UNSCORED,
    Decided,
    Verdict,
    again,
    content_of,
    is_of_thresholds,
    verdict_in,
)
from pipeline.verify.model.fraud_facts import UNKNOWN, euros, seconds_of
from pipeline.verify.model.fraud_labels import cancelled, reviewed
from pipeline.verify.model.fraud_payers import Payment, id63
from pipeline.verify.model.fraud_scheduled import answered_here, reach, waits_or_is_refused
from pipeline.verify.model.fraud_verdicts import OUTCOMES, Decision
from pipeline.verify.model.tenants import GATE_CODES
from pipeline.verify.model.wire import ALERTS, COMMANDS, PAYMENT_EVENTS, Expected, row_key

if TYPE_CHECKING:
    from pipeline.verify.model.fraud_log import FraudBranch

COUNTRY_CHARS, DEVICE_CHARS = 8, 256
Said = dict[str, Any] | None
"""What the stream has said of a payment; None where it is not taken from there."""


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
    said: Said = None
    if branch.witness is not None:
        said = branch.next_said(COMMANDS, "PaymentDecided", sure=True, payment_id=event["payment_id"])
    verdict, alert_id = screen(branch, event, at_us, said)
    branch.answer(verdict)
    if alert_id is not None:
        raise_alert(branch, alert_id, verdict)
    branch.days.tell()


def screen(branch: FraudBranch, event: dict[str, Any], at_us: int, said: Said) -> tuple[Verdict, str | None]:
    """Return the verdict on the present payment, and the alert that it raises or joins."""
    tenant, content = event["tenant_id"], content_of(event)
    newest = max(branch.kept.newest(tenant), at_us)
    if is_too_old(branch, at_us, newest, said):
        return UNSCORED, None
    earlier = branch.decision(event, newest)
    verdict = UNSCORED if earlier is None else again(earlier, content, branch.review_from)
    if earlier is not None and (said is None or is_like(said, verdict)):
        if said is not None:
            verdict = verdict._replace(score=said["score"])
        if verdict.outcome == "APPROVE" or has_alert(branch, newest):
            return verdict, None
        return verdict, alert(branch, at_us, newest, verdict)
    of_thresholds = said is not None and is_of_thresholds(said["rules_version"])
    if is_refused_by_ledger(event):
        return UNSCORED._replace(rules_version=said["rules_version"] if said and of_thresholds else ""), None
    if said is not None and of_thresholds:
        return of_earlier_version(branch, event, at_us, newest, verdict_in(said, said["rules_version"]))
    verdict = judge(branch, event, at_us, said)
    return verdict, None if verdict.outcome == "APPROVE" else alert(branch, at_us, newest, verdict)


def is_too_old(branch: FraudBranch, at_us: int, newest: int, said: Said) -> bool:
    """Whether a payment is too old for the ledger; how old that is is a setting, and as it is said."""
    too_old = newest - at_us > branch.too_old_us
    return too_old if said is None else too_old and said["rules_version"] == ""


def is_like(said: dict[str, Any], verdict: Verdict) -> bool:
    """Whether a verdict that was said is another one but for its score, of which a setting is the least."""
    return verdict_in(said, said["rules_version"])._replace(score=verdict.score) == verdict


def of_earlier_version(
    branch: FraudBranch, event: dict[str, Any], at_us: int, newest: int, verdict: Verdict
) -> tuple[Verdict, str | None]:
    """Take a decision of an earlier version as it was said: it counted nowhere where payments count now."""
    tenant, content = event["tenant_id"], content_of(event)
    known = Decided(at_us, content[0], content[1], content, verdict, None)
    branch.decisions[tenant, event["payment_id"]] = known
    branch.kept.decided(tenant, at_us, row_key("d", tenant, event["payment_id"]))
    if verdict.outcome == "APPROVE":
        return verdict, None
    return verdict, alert(branch, at_us, newest, verdict, alone=True)


def has_alert(branch: FraudBranch, newest: int) -> bool:
    """Whether a payment that comes again has an alert; how long one is known is a setting."""
    if branch.witness is None:
        return is_alerted(branch, newest)
    event = branch.cause.fields
    about = {"payment_id": event["payment_id"], "account_id": event["debtor_account_id"]}
    return (
        branch.next_said(ALERTS, "FraudAlertRaised", **about) is None and alert_key(branch) in branch.alerts
    )


def is_refused_by_ledger(event: dict[str, Any]) -> bool:
    """Whether the ledger surely refuses a payment: it says nothing of its debtor, and its id stays free."""
    debtor, creditor = event["debtor_account_id"], event["creditor_account_id"]
    of_clients = debtor != creditor and "$" not in (debtor[0], creditor[0])
    return event["amount_minor"] <= 0 or not of_clients or event["currency"] not in CURRENCIES


def judge(branch: FraudBranch, event: dict[str, Any], at_us: int, said: Said) -> Verdict:
    """Judge a payment by what is known, count it, and keep what is decided."""
    tenant, debtor, creditor = (
        event[name] for name in ("tenant_id", "debtor_account_id", "creditor_account_id")
    )
    known, payment = branch.of(tenant), seen(branch, event, at_us)
    features, origins = known.pay(payment), known.origins(payment)[1:]
    judges = branch.publications.judge
    decision = judges.decide(features, words_of(branch, event), tenant, at_us, outcome_in(said))
    verdict = verdict_of(decision, said)
    if verdict.outcome == "APPROVE":
        known.learn(payment)
    decided = Decided(at_us, debtor, creditor, content_of(event), verdict, payment, origins)
    decided.learned, decided.waits = verdict.outcome == "APPROVE", verdict.outcome == "REVIEW"
    branch.decisions[tenant, event["payment_id"]] = decided
    key = row_key("d", tenant, event["payment_id"])
    if branch.with_rows:
        branch.row(key, decided.row())
    branch.days.judged(tenant, at_us, decision, features)
    branch.kept.decided(tenant, at_us, key)
    branch.kept.state(payment.at_s, "p", tenant, debtor)
    branch.kept.state(payment.at_s, "k", tenant, debtor, creditor)
    if payment.device:
        branch.kept.state(payment.at_s, "v", tenant, event["device_id"][:DEVICE_CHARS])
    branch.kept.state(payment.at_s, "n", tenant, event["currency"])
    return verdict


def outcome_in(said: Said) -> tuple[str, int] | None:
    return None if said is None else (said["outcome"], said["score"])


def verdict_of(decision: Decision, said: Said) -> Verdict:
    """Return a decision as events have it; one by rules of another release is as the stream has said it."""
    live, _, strange = (None if one is None else one.sha256 for one in decision.models)
    version = version_of(decision.sets, live, strange)
    if said is not None and said["rules_version"] != version:
        return verdict_in(said, said["rules_version"])
    return Verdict(OUTCOMES[decision.rank], decision.score_bp // 100, decision.reasons, version)


@lru_cache(1_000)
def version_of(sets: tuple[str, ...], live: str | None, strange: str | None) -> str:
    """Return how a decision names what made it; decisions that are kept share the text."""
    words = [", ".join(sets)]
    words += [] if live is None else [f"model {live}"]
    words += [] if strange is None else [f"anomaly {strange}"]
    return "; ".join(words)


def seen(branch: FraudBranch, event: dict[str, Any], at_us: int) -> Payment:
    """Return a payment as the features see it."""
    tenant, currency, minor = event["tenant_id"], event["currency"], event["amount_minor"]
    at_s, words = seconds_of(at_us), words_of(branch, event)
    account = branch.accounts.get((tenant, event["debtor_account_id"]), UNKNOWN)
    return Payment(
        at_s,
        id63(event["debtor_account_id"]),
        id63(event["creditor_account_id"]),
        id63(words["device_id"]) if words["device_id"] else 0,
        id63(words["country"]) if words["country"] else 0,
        currency,
        minor,
        DIGITS[currency],
        euros(branch, tenant, currency, minor, at_s),
        account.opened_s,
    )


def words_of(branch: FraudBranch, event: dict[str, Any]) -> dict[str, str | None]:
    """Return the texts of a payment that rules ask for; an empty one is none."""
    country = event.get("counterparty_country")
    account = branch.accounts.get((event["tenant_id"], event["debtor_account_id"]), UNKNOWN)
    return {
        "debtor": event["debtor_account_id"],
        "payee": event["creditor_account_id"],
        "segment": account.segment,
        "device_id": (event.get("device_id") or "")[:DEVICE_CHARS] or None,
        "country": country.upper()[:COUNTRY_CHARS] if country else None,
        "channel": event.get("channel") or None,
    }


def command(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Apply a command to a payment that waits, or pass it on; a review of a held payment is a label."""
    reach(branch, event)
    if answered_here(branch, event):
        return
    pass_on(branch, event)
    if branch.cause.event == "PaymentReviewed":
        reviewed(branch, event)
    if branch.cause.event == "PaymentCancelled":
        cancelled(branch, event)


def pass_on(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Expect a record as it is: a review on both topics."""
    cause = branch.cause
    assert cause.event is not None
    for topic in (COMMANDS, PAYMENT_EVENTS) if cause.event == "PaymentReviewed" else (COMMANDS,):
        branch.out.append(Expected(topic, cause.key or b"", cause.event, event, cause.offset, cause.value))


def tick(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Pass a tick on, unless its time had not come when Kafka got it."""
    if event["occurred_at"] <= branch.cause.timestamp_ms * 1000:
        reach(branch, event)
        pass_on(branch, event)
