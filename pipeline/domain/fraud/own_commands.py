"""Events of fraud-commands that say something of payments and accounts beside the payments themselves.

What the stream sends to itself (`OWN`) is taken as it is. A card that is none is a dead letter, as is a label
of a payment of which nothing is known any more.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

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
    take = _TAKES.get(type(event))
    if take is not None:
        take(run, place, event, recorded_at)


def _funds(run: Run, place: int, event: ev.FundsReceived, recorded_at: int) -> None:
    origins = [value for one in event.origins for value in (one.account, one.hops)]
    take_funds(run, place, event, recorded_at, origins)


def take_funds(
    run: Run, place: int, event: ev.FundsReceived, recorded_at: int, origins: Sequence[int]
) -> None:
    """Hand what an account received to a run. `origins`: account and hops, account and hops."""
    money, at_us = (event.amount_minor, event.currency), min(event.received_at, recorded_at)
    run.receive(place, event.tenant_id, event.account_id, event.payer_account_id, money, at_us, origins)


def _confirmed(run: Run, place: int, event: ev.PayeeFraudConfirmed, recorded_at: int) -> None:
    what = event.paid_at, event.label == "FRAUD", event.labelled_at
    at_us = min(event.occurred_at, recorded_at)
    run.confirm(place, event.tenant_id, event.creditor_account_id, what, at_us)


def _card(run: Run, place: int, event: ev.PayeeRiskChanged, recorded_at: int) -> None:
    run.know(place, event.tenant_id, event.payee_account_id, cards_of([event.card])[0])


def _labelled(run: Run, place: int, event: ev.PaymentLabelled, recorded_at: int) -> None:
    if not run.knows(place, event):
        raise Reject("unknown_payment")
    run.label(place, event, min(event.labelled_at, recorded_at))


def _reviewed(run: Run, place: int, event: ev.PaymentReviewed, recorded_at: int) -> None:
    run.review(place, event, min(event.occurred_at, recorded_at))


def _cancelled(run: Run, place: int, event: ev.PaymentCancelled, recorded_at: int) -> None:
    run.cancel(place, event)


def _posting(run: Run, place: int, event: ev.PostingRecorded, recorded_at: int) -> None:
    if event.payment_id is not None:
        if event.side == DEBIT:
            run.post(place, event.tenant_id, event.account_id)
    elif event.side != DEBIT:
        money, at_us = (event.amount_minor, event.currency), min(event.occurred_at, recorded_at)
        run.receive(place, event.tenant_id, event.account_id, None, money, at_us, ())


_TAKES: dict[type, Callable[[Run, int, Any, int], None]] = {
    ev.FundsReceived: _funds,
    ev.PayeeFraudConfirmed: _confirmed,
    ev.PayeeRiskChanged: _card,
    ev.PostingRecorded: _posting,
    ev.PaymentLabelled: _labelled,
    ev.PaymentReviewed: _reviewed,
    ev.PaymentCancelled: _cancelled,
}
"""Others say nothing here."""


def cards_of(texts: Sequence[str]) -> np.ndarray:
    """Return the words of cards as events have them, a row each.

    Raises Reject (invalid_card): one of them is none.
    """
    try:
        if any(len(text) > CARD_CHARS_MAX for text in texts):
            raise ValueError(f"more than {CARD_CHARS_MAX} characters")
        rows = [binascii.a2b_base64(text.encode("ascii"), strict_mode=True) for text in texts]
        return states_of(CARD, rows)
    except (UnreadableRow, ValueError, IndexError):
        raise Reject("invalid_card") from None
