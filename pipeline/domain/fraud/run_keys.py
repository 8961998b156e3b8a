"""The keys of the rows that the work of a run needs."""

from __future__ import annotations

from pipeline.domain.fraud import state_rows as at
from pipeline.domain.fraud.payment_work import PaymentKeys
from pipeline.domain.fraud.state_rows import FeatureRows

_PAYER, _RECEIVER, _PAIR = (kind.family.encode() for kind in (at.PAYER_ROW, at.RECEIVER_ROW, at.PAIR_ROW))


class StateKeys:
    """Keys of states and accounts, read in one call each kind."""

    def __init__(self) -> None:
        self.payers: list[bytes] = []
        self.receivers: list[bytes] = []
        self.cards: list[bytes] = []
        self.pairs: list[bytes] = []
        self.devices: list[bytes] = []
        self.populations: list[bytes] = []
        self.accounts: list[bytes] = []

    def payment(self, keys: PaymentKeys, account: bytes) -> None:
        """Add those of a payment."""
        self.label(keys)
        self.receivers.append(keys.receiver)
        self.cards.append(keys.card)
        self.accounts.append(account)
        if keys.device:
            self.devices.append(keys.device)

    def label(self, keys: PaymentKeys) -> None:
        """Add those of a label."""
        self.payers.append(keys.payer)
        self.pairs.append(keys.pair)
        self.populations.append(keys.population)

    def load(self, features: FeatureRows) -> None:
        """Read the states."""
        for kind, keys in (
            (features.payers, self.payers),
            (features.receivers, self.receivers),
            (features.cards, self.cards),
            (features.pairs, self.pairs),
            (features.devices, self.devices),
            (features.populations, self.populations),
        ):
            kind.load(keys)


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
