"""Labels and reviews in the model of the fraud stream: what they teach, and what the payee's side is told.

The newest label of a payment counts. A review is one of a payment that waits for it, and of no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.verify.model.fraud_decided import Decided
from pipeline.verify.model.fraud_facts import euros
from pipeline.verify.model.wire import FRAUD_COMMANDS, LONG_MAX, Dead, row_key

if TYPE_CHECKING:
    from pipeline.verify.model.fraud_log import FraudBranch

FRAUD, GENUINE = "FRAUD", "GENUINE"


def label(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Apply a label of a payment whose decision is known."""
    known = decision_for(branch, event)
    if known is None:
        raise Dead("unknown_payment")
    at_us = min(event["labelled_at"], branch.cause.timestamp_ms * 1000)
    learn_of(branch, event, known, event["label"], at_us, is_review=False)


def decision_for(branch: FraudBranch, event: dict[str, Any]) -> Decided | None:
    return branch.decision_for(event["tenant_id"], event["payment_id"], event["debtor_account_id"])


def reviewed(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Take a review as a label, unless a second person may have to agree."""
    known = decision_for(branch, event)
    if known is None or may_need_two(branch, known, event):
        return
    at_us = min(event["occurred_at"], branch.cause.timestamp_ms * 1000)
    learn_of(branch, event, known, GENUINE if event["approved"] else FRAUD, at_us, is_review=True)


def may_need_two(branch: FraudBranch, known: Decided, event: dict[str, Any]) -> bool:
    """Whether a second person may have to approve a payment; of a link, whatever its amount is."""
    told = branch.tenants.setting(event["tenant_id"], "four_eyes") or {}
    assert known.payment is not None
    amount = LONG_MAX if event.get("link_id") is not None else known.payment.minor
    return any(amount >= least for least in told.get("reviews", {}).values())


def cancelled(branch: FraudBranch, event: dict[str, Any]) -> None:
    """A review of a cancelled payment teaches nothing any more."""
    known = decision_for(branch, event)
    if known is not None and known.waits:
        known.waits = False
        keep(branch, event, known)


def keep(branch: FraudBranch, event: dict[str, Any], known: Decided) -> None:
    if branch.with_rows:
        branch.row(row_key("d", event["tenant_id"], event["payment_id"]), known.row())


def learn_of(
    branch: FraudBranch, event: dict[str, Any], known: Decided, says: str, at_us: int, is_review: bool
) -> None:
    """Apply what is said of a payment; tell the payee's partition of a fraud, or that it was none."""
    if is_review and not known.waits:
        return
    if known.labelled_us is not None and at_us < known.labelled_us:
        return
    known.labelled_us = at_us
    if is_review and says == GENUINE and known.fraud_us is None:
        change(branch, event, known, "learn")
        known.learned = True
    known.waits = False
    told_us = None
    if says == FRAUD and known.fraud_us is None:
        change(branch, event, known, "unlearn")
        told_us = known.fraud_us = at_us
    elif says == GENUINE and known.fraud_us is not None:
        change(branch, event, known, "relearn")
        told_us, known.fraud_us = known.fraud_us, None
    keep(branch, event, known)
    if told_us is not None:
        names = {"debtor_account_id": known.debtor, "creditor_account_id": known.creditor}
        said = {"payment_id": event["payment_id"], **names, "paid_at": known.at_us}
        said |= {"label": says, "labelled_at": told_us}
        said_id = branch.id_of("payee_fraud_confirmed")
        branch.say(FRAUD_COMMANDS, known.creditor, "PayeeFraudConfirmed", said_id, **said)


def change(branch: FraudBranch, event: dict[str, Any], known: Decided, what: str) -> None:
    """Change the debtor's habits, where they are still known; amounts are by the rates that are known now."""
    tenant, payment = event["tenant_id"], known.payment
    assert payment is not None
    amount = euros(branch, tenant, payment.currency, payment.minor, payment.at_s)
    payment = payment._replace(amount=amount)
    states = branch.of(tenant)
    if payment.debtor not in states.payers or (payment.debtor, payment.payee) not in states.pairs:
        return
    if what == "learn":
        states.learn(payment)
        branch.kept.state(payment.at_s, "n", tenant, payment.currency)
    elif what == "unlearn":
        states.unlearn(payment, known.learned)
    else:
        states.relearn(payment, known.learned)
    branch.kept.state(payment.at_s, "p", tenant, known.debtor)
    branch.kept.state(payment.at_s, "k", tenant, known.debtor, known.creditor)
