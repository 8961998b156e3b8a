"""The keys of the rows that the work of a run needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from pipeline.domain.fraud import state_rows as at
from pipeline.domain.fraud.decisions import decision_key
from pipeline.domain.fraud.run_payments import StateKeys
from pipeline.domain.fraud.state_rows import FeatureRows
from pipeline.domain.kernel import events as ev

_BY_PAYMENT = (ev.PaymentInitiated, ev.PaymentReviewed, ev.PaymentCancelled, ev.PaymentLabelled)


class LabelKeys(NamedTuple):
    """The row keys of the states that a label changes."""

    payer: bytes
    pair: bytes
    population: bytes


class KeysToLoad:
    """Keys of states beside those of payments, read in one call each kind."""

    def __init__(self) -> None:
        self.labels: list[LabelKeys] = []
        self.receivers: list[bytes] = []
        self.cards: list[bytes] = []
        """Of receipts, and of cards that came."""

    def load(self, payments: StateKeys, features: FeatureRows) -> None:
        """Read the states of payments, and the others."""
        for kind, keys in (
            (features.payers, [*payments.payer, *(one.payer for one in self.labels)]),
            (features.receivers, [*payments.receiver, *self.receivers]),
            (features.cards, [*payments.card, *self.cards]),
            (features.pairs, [*payments.pair, *(one.pair for one in self.labels)]),
            (features.devices, list(filter(None, payments.device))),
            (features.populations, [*payments.population, *(one.population for one in self.labels)]),
        ):
            if keys:
                kind.load(keys)


def label_keys(tenant_id: str, debtor: str, creditor: str, currency: str) -> LabelKeys:
    """Return the row keys of the states that a label of a payment changes."""
    return LabelKeys(
        at.payer_key(tenant_id, debtor),
        at.pair_key(tenant_id, debtor, creditor),
        at.population_key(tenant_id, currency),
    )


def decision_keys(events: Iterable[Any]) -> list[bytes | None]:
    """Return the key of the decision that each event is about; None: about none."""
    return [
        decision_key(event.tenant_id, event.payment_id)
        if type(event) in _BY_PAYMENT or (type(event) is ev.PostingRecorded and event.payment_id is not None)
        else None
        for event in events
    ]
