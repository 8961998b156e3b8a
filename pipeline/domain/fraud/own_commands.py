"""Events of fraud-commands that say something of payments and accounts beside the payments themselves.

What the stream sends to itself (`OWN`) is taken as it is. A card that is none is a dead letter, as is a label
of a payment of which nothing is known any more.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from typing import Any

from pipeline.domain.fraud.judging import Run
from pipeline.domain.fraud.state_rows import CARD, states_of
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.layouts import UnreadableRow
from pipeline.domain.kernel.outbox import Reject

OWN = (ev.FundsReceived, ev.PayeeFraudConfirmed, ev.PayeeRiskChanged)
DEBIT = "DEBIT"
CARD_CHARS_MAX = 4_096


def take_own(run: Run, place: int, event: Any, recorded_at: int) -> None:
    """Hand an event to a run; `recorded_at`: Kafka's timestamp, no time of an event counts as later.

    Raises Reject: invalid_card, unknown_payment. Nothing has changed then.
    """
    tenant_id = event.tenant_id
    match event:
        case ev.FundsReceived():
            money, at_us = (event.amount_minor, event.currency), min(event.received_at, recorded_at)
            origins = [value for one in event.origins for value in _pair(one)]
            names = tenant_id, event.account_id, event.payer_account_id
            run.receive(place, *names, money, at_us, origins)
        case ev.PayeeFraudConfirmed():
            what = event.paid_at, event.label == "FRAUD", event.labelled_at
            at_us = min(event.occurred_at, recorded_at)
            run.confirm(place, tenant_id, event.creditor_account_id, what, at_us)
        case ev.PayeeRiskChanged():
            run.know(place, tenant_id, event.payee_account_id, cards_of([event.card])[0])
        case ev.PostingRecorded():
            _posting(run, place, event, recorded_at)
        case ev.PaymentLabelled():
            if not run.knows(tenant_id, event.payment_id, event.debtor_account_id):
                raise Reject("unknown_payment")
            run.label(place, event, min(event.labelled_at, recorded_at))
        case ev.PaymentReviewed():
            run.review(place, event, min(event.occurred_at, recorded_at))
        case ev.PaymentCancelled():
            run.cancel(place, event)


def _posting(run: Run, place: int, event: ev.PostingRecorded, recorded_at: int) -> None:
    if event.payment_id is not None:
        if event.side == DEBIT:
            run.post(place, event.tenant_id, event.payment_id, event.account_id)
    elif event.side != DEBIT:
        money, at_us = (event.amount_minor, event.currency), min(event.occurred_at, recorded_at)
        run.receive(place, event.tenant_id, event.account_id, None, money, at_us, ())


def _pair(origin: Any) -> tuple[int, int]:
    """Return account and hops of an origin; of one that comes in a column it is a dict."""
    return (origin["account"], origin["hops"]) if isinstance(origin, dict) else (origin.account, origin.hops)


def cards_of(texts: Sequence[str]) -> list[list[int]]:
    """Return the words of cards as events have them. Raises Reject (invalid_card): one of them is none."""
    try:
        if any(len(text) > CARD_CHARS_MAX for text in texts):
            raise ValueError(f"more than {CARD_CHARS_MAX} characters")
        rows = [binascii.a2b_base64(text.encode("ascii"), strict_mode=True) for text in texts]
        found: list[list[int]] = states_of(CARD, rows).tolist()
    except (UnreadableRow, ValueError, IndexError):
        raise Reject("invalid_card") from None
    return found
