"""The latest events as one line each: alerts, stuck payments, breaks, journals, dead letters, postings."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.cli.amounts import money
from pipeline.cli.records import TopicRecord
from pipeline.runtime.escaping import escaped
from pipeline.verify.decode import Event

TOPICS = frozenset(
    {
        *("fraud-alerts", "payment-alerts", "reconciliation-results", "journal-events", "invariant-alerts"),
        *("history-alerts", "dead-letters"),
    }
)
KEPT = 12
LOOKED_AT = 10 * KEPT
"""Most records of a fetch that are decoded. More than KEPT, because most journals are posted: no news."""
NOT_POSTED = ("REFUSED", "EXPIRED")
_WAITS_FOR = {"ledger": "first answer of the ledger"} | {
    name: name for name in ("execution", "settlement", "review", "capture")
}


OTHER_FIELDS = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What an event raises that has the name of one of ours, and another schema: anyone may write one."""


class News(NamedTuple):
    """One event for the dashboard."""

    at_ms: int
    """Timestamp of the record, milliseconds UTC."""
    kind: str
    text: str


def news_of(record: TopicRecord, event: Event | None) -> News | None:
    """Return the news of a record of `TOPICS`; None where it has none (a match, a resolved break, ...)."""
    if record.topic == "dead-letters":
        error = record.error
        place = f"{error.get('topic')}[{error.get('partition')}]@{error.get('offset')}"
        return News(record.timestamp_ms, "dead letter", escaped(f"{error.get('code')}: {place}"))
    try:
        return None if event is None else _told(record, event)
    except OTHER_FIELDS:
        return None


def _told(record: TopicRecord, event: Event) -> News | None:
    fields = event.fields
    account = f"{fields.get('tenant_id')}/{fields.get('account_id')}"
    if event.name == "FraudAlertRaised":
        verdict = "declined" if fields["outcome"] == "DECLINE" else "held for review"
        rules = ", ".join(reason["rule"].partition("@")[0] for reason in fields["reasons"])
        text = f"{account} {verdict}, score {fields['score']}: {rules}"
        return News(record.timestamp_ms, "alert", escaped(text))
    if event.name == "FraudModelDrifted":
        moved = ", ".join(f"{one['feature']} {one['psi_bp']:,} bp" for one in fields["drifted"])
        text = f"{fields['tenant_id']} model {fields['model_sha256'][:12]} has drifted: {moved}"
        return News(record.timestamp_ms, "drift", escaped(text))
    if event.name == "PaymentStuck":
        payment = f"{fields['tenant_id']}/{fields['payment_id']}"
        amount = money(fields["amount_minor"], fields["currency"])
        text = f"{payment} waits for its {_WAITS_FOR.get(fields['waiting_for'], 'next step')}, {amount}"
        return News(record.timestamp_ms, "stuck", escaped(text))
    if event.name == "PastOverdrawn":
        short = fields["short_minor"]
        how = "not checked" if short is None else f"{money(short, fields['currency'])} too low"
        text = f"{account} {how} in the past, by posting {fields['posting_id']}"
        return News(record.timestamp_ms, "past", escaped(text))
    if event.name == "BreakOpened":
        kind = str(fields["type"]).lower().replace("_", " ")
        text = f"{account} {kind}, {money(fields['amount_minor'], fields['currency'])}: {fields['detail']}"
        return News(record.timestamp_ms, "break", escaped(text))
    if event.name == "JournalUpdated" and fields["state"] in NOT_POSTED:
        leg = "" if fields["leg_no"] is None else f" (leg {fields['leg_no']})"
        state = str(fields["state"]).lower()
        text = f"{account} {state} {fields['journal_id']}: {fields['code']}{leg}"
        return News(record.timestamp_ms, "journal", escaped(text))
    if event.name == "InvariantBroken":
        where = f"{fields['topic']}[{fields['partition']}]@{fields['offset']}"
        about = "" if fields["account_id"] is None else f" of {account}"
        text = (
            f"{fields['invariant']}{about}: expected {fields['expected']}, found {fields['found']} at {where}"
        )
        return News(record.timestamp_ms, "broken", escaped(text))
    return None


def posting_line(event: Event) -> str:
    """Return a posting_recorded or hold_recorded on one line; empty where it has other fields than ours."""
    try:
        return _posting(event)
    except OTHER_FIELDS:
        return ""


def _posting(event: Event) -> str:
    fields = event.fields
    account, currency = f"{fields['tenant_id']}/{fields['account_id']}", fields["currency"]
    amount = money(fields["amount_minor"], currency)
    if event.name == "HoldRecorded":
        held = money(fields["held_minor_after"], currency)
        return escaped(f"{account} hold {str(fields['change']).lower()} {amount}, held {held}")
    after = money(fields["balance_minor_after"], currency)
    back = "" if fields.get("reverses") is None else f" taking back {fields['reverses']}"
    what = "" if fields.get("purpose") is None else f" {fields['purpose']}"
    return escaped(f"{account} {str(fields['side']).lower()}{what} {amount}{back}, balance {after}")
