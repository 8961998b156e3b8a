"""The keys of the rows that the work of a run needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.domain.fraud import state_rows as at
from pipeline.domain.fraud.payment_work import PaymentKeys
from pipeline.domain.fraud.state_rows import FeatureRows

_PAYER, _RECEIVER, _PAIR = (kind.family.encode() for kind in (at.PAYER_ROW, at.RECEIVER_ROW, at.PAIR_ROW))


class StateKeys:
    """Keys of states and accounts, read in one call each kind."""

    def __init__(self) -> None:
        self.payments: list[PaymentKeys] = []
        self.labels: list[PaymentKeys] = []
        """Of these only payer, pair and population are read."""
        self.receivers: list[bytes] = []
        self.cards: list[bytes] = []
        """Of receipts, and of cards that came."""
        self.accounts: list[bytes] = []

    def load(self, features: FeatureRows) -> None:
        """Read the states."""
        payers, receivers, cards, pairs, devices, populations = _columns(self.payments)
        of_payers, _, _, of_pairs, _, of_populations = _columns(self.labels)
        for kind, keys in (
            (features.payers, (*payers, *of_payers)),
            (features.receivers, (*receivers, *self.receivers)),
            (features.cards, (*cards, *self.cards)),
            (features.pairs, (*pairs, *of_pairs)),
            (features.devices, tuple(filter(None, devices))),
            (features.populations, (*populations, *of_populations)),
        ):
            if keys:
                kind.load(keys)


def _columns(keys: Sequence[PaymentKeys]) -> Iterable[tuple[bytes, ...]]:
    return zip(*keys, strict=True) if keys else [()] * len(PaymentKeys._fields)


def keys_of(tenant_id: str, debtor: str, creditor: str, device: str | None, currency: str) -> PaymentKeys:
    """Return the row keys of the states of a payment."""
    of_debtor = f"\0{tenant_id}\0{debtor}".encode()
    return PaymentKeys(
        _PAYER + of_debtor,
        _RECEIVER + of_debtor,
        at.card_key(tenant_id, creditor),
        b"%s%s\0%s" % (_PAIR, of_debtor, creditor.encode()),
        at.device_key(tenant_id, device) if device else b"",
        at.population_key(tenant_id, currency),
    )
