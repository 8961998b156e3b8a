"""The payee's side in the model of the fraud stream: postings, receipts, confirmed frauds, and cards.

a debit of a payment     -> funds_received, to the partition of its creditor
a credit of a journal    -> what the account received
funds_received, payee_fraud_confirmed -> counted; payee_risk_changed where a card is due
payee_risk_changed       -> what is known of a payee on every partition
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from pipeline.verify.model import fraud_state_rows as rows
from pipeline.verify.model.currencies import CURRENCIES
from pipeline.verify.model.fraud_facts import euros, seconds_of
from pipeline.verify.model.fraud_labels import FRAUD
from pipeline.verify.model.fraud_payers import id63
from pipeline.verify.model.fraud_receiving import Card
from pipeline.verify.model.wire import FRAUD_COMMANDS, Dead

if TYPE_CHECKING:
    from pipeline.verify.model.fraud_log import FraudBranch

CARD_CHARS_MAX = 4_096


def post(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Take a posting: tell who is paid, or count what a journal booked."""
    if event["payment_id"] is None:
        if event["side"] == "CREDIT":
            at_us = min(event["occurred_at"], branch.cause.timestamp_ms * 1000)
            received(branch, event, event["account_id"], None, at_us, [])
        return
    known = branch.decision_for(event["tenant_id"], event["payment_id"], event["account_id"])
    if event["side"] != "DEBIT" or known is None or known.creditor.startswith("$"):
        return
    said = {"payment_id": event["payment_id"], "account_id": known.creditor}
    said |= {"payer_account_id": event["account_id"], "received_at": known.at_us}
    said |= {name: event[name] for name in ("amount_minor", "currency")}
    said["origins"] = [{"account": account, "hops": hops} for account, hops in known.origins]
    branch.say(FRAUD_COMMANDS, known.creditor, "FundsReceived", branch.id_of("funds_received"), **said)


def receive(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Count what an account was paid."""
    at_us = min(event["received_at"], branch.cause.timestamp_ms * 1000)
    origins = [(one["account"], one["hops"]) for one in event["origins"]][:4]
    received(branch, event, event["account_id"], event["payer_account_id"], at_us, origins)


def received(
    branch: FraudBranch,
    event: dict[str, Any],
    account: str,
    payer: str | None,
    at_us: int,
    origins: list[tuple[int, int]],
) -> None:
    """Count money that an account received; nobody paid what a journal booked."""
    tenant, currency, minor = event["tenant_id"], event["currency"], event["amount_minor"]
    if currency not in CURRENCIES:
        return
    at_s = seconds_of(at_us)
    amount = euros(branch, tenant, currency, minor, at_s)
    known = branch.of(tenant).receiver(id63(account), at_s)
    number = 0 if payer is None else id63(payer)
    card = known.receive(at_s, number, amount, [(number, 1), *origins] if number else [])
    branch.kept.state(at_s, "r", tenant, account)
    tell(branch, account, at_us, card)


def confirm(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Count a fraud with who was paid, or take it back."""
    tenant, account = event["tenant_id"], event["creditor_account_id"]
    at_us = min(event["occurred_at"], branch.cause.timestamp_ms * 1000)
    paid_s, labelled_s, at_s = map(seconds_of, (event["paid_at"], event["labelled_at"], at_us))
    states = branch.of(tenant)
    if event["label"] == FRAUD:
        card = states.labelled(id63(account)).confirm(paid_s, labelled_s)
    elif id63(account) in states.receivers:
        card = states.labelled(id63(account)).withdraw(paid_s, labelled_s, at_s)
    else:
        return
    branch.kept.state(labelled_s, "r", tenant, account)
    tell(branch, account, at_us, card)


def tell(branch: FraudBranch, account: str, at_us: int, card: Card | None) -> None:
    """Expect that every partition is told of a payee, where that is due."""
    if card is not None:
        text = base64.b64encode(rows.row_of(rows.words_of_card(card))).decode()
        said = {"payee_account_id": account, "as_of": at_us, "card": text}
        branch.say(FRAUD_COMMANDS, account, "PayeeRiskChanged", branch.id_of("payee_risk_changed"), **said)


def know(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Keep the card of a payee."""
    tenant, account = event["tenant_id"], event["payee_account_id"]
    card = card_of(event["card"])
    branch.of(tenant).cards[id63(account)] = card
    branch.kept.state(card.as_of_s or 0, "c", tenant, account)


def card_of(text: str) -> Card:
    """Return the card in an event. Raises Dead."""
    try:
        row = base64.b64decode(text.encode("ascii"), validate=True)
        if len(text) > CARD_CHARS_MAX:
            raise ValueError
        return rows.card_in(row)
    except (binascii.Error, ValueError, IndexError):
        raise Dead("invalid_card") from None
