"""Alerts of the fraud stream: a payment that is not approved raises one, and an hour of an account is one.

a tenant account payment -> the alert on a payment      G tenant account -> the alert that is open
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pipeline.verify.model.fraud_decided import Verdict, in_words
from pipeline.verify.model.wire import ALERTS, DAY_US, LAYOUT, msgpack, row_key

if TYPE_CHECKING:
    from pipeline.verify.model.fraud_log import FraudBranch

TOGETHER_US = 3_600_000_000
ALERT_LAYOUT = 2


class OpenAlert(NamedTuple):
    """The alert of an account that payments may still join."""

    alert_id: str
    from_us: int
    payment_id: str
    payments: int


def alert_key(branch: FraudBranch) -> bytes:
    names = ("tenant_id", "debtor_account_id", "payment_id")
    return row_key("a", *[branch.cause.fields[name] for name in names])


def is_alerted(branch: FraudBranch, newest: int) -> bool:
    """Whether the present payment has an alert."""
    known = branch.alerts.get(alert_key(branch))
    return known is not None and newest - known <= branch.keep_days * DAY_US


def alert(branch: FraudBranch, at_us: int, newest: int, verdict: Verdict, alone: bool = False) -> str:
    """Keep an alert on the present payment; return the id of the alert that it belongs to.

    `alone`: an earlier version raised it, and each alert was one.
    """
    event = branch.cause.fields
    alert_id = branch.id_of("fraud_alert_raised") if alone else together(branch, at_us)
    payment = [event[name] for name in ("creditor_account_id", "amount_minor", "currency")]
    key, keep_us = alert_key(branch), branch.keep_days * DAY_US
    branch.alerts[key] = at_us
    branch.row(key, bytes([ALERT_LAYOUT]) + msgpack([at_us, verdict, *payment, alert_id]))
    for old in branch.kept.alerted(event["tenant_id"], newest, key, keep_us):
        if old in branch.alerts and newest - branch.alerts[old] > keep_us:
            del branch.alerts[old]
            branch.row(old, None)
            _, tenant, account, payment_id = old.decode().split("\0")
            known = branch.open_alerts.get((tenant, account))
            if known is not None and known.payment_id == payment_id:
                del branch.open_alerts[tenant, account]
                branch.row(row_key("G", tenant, account), None)
    return alert_id


def together(branch: FraudBranch, at_us: int) -> str:
    """Return the alert that the present payment joins or begins."""
    event = branch.cause.fields
    names = event["tenant_id"], event["debtor_account_id"]
    known = branch.open_alerts.get(names)
    if known is not None and abs(at_us - known.from_us) < TOGETHER_US:
        joined = known._replace(payment_id=event["payment_id"], payments=known.payments + 1)
        return keep_open(branch, names, joined)
    begun = OpenAlert(branch.id_of("fraud_alert_raised"), at_us, event["payment_id"], 1)
    if known is None or at_us > known.from_us:
        keep_open(branch, names, begun)
    return begun.alert_id


def keep_open(branch: FraudBranch, names: tuple[str, str], one: OpenAlert) -> str:
    branch.open_alerts[names] = one
    branch.row(row_key("G", *names), bytes([LAYOUT]) + msgpack([*one]))
    return one.alert_id


def raise_alert(branch: FraudBranch, alert_id: str, verdict: Verdict) -> None:
    """Expect what is said of the alert on the present payment."""
    event, event_id = branch.cause.fields, branch.id_of("fraud_alert_raised")
    account_id = event["debtor_account_id"]
    about = {"alert_id": alert_id, "payment_id": event["payment_id"], "account_id": account_id}
    branch.say(ALERTS, account_id, "FraudAlertRaised", event_id, **about, **in_words(verdict))
