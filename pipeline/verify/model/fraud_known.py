"""What a partition knows for the features of payments: it counts one, and says its features.

pay        a payment: counted, then its features; `learn` if it is approved
receiver   an account that receives: a receipt, a confirmed fraud    -> the card that is due
unlearn    a payment proves to be fraud, on its debtor's partition
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from pipeline.verify.model.fraud_features import (
    Features,
    flow,
    habits,
    itself,
    of_pair,
    of_payee,
    probes,
    windows,
)
from pipeline.verify.model.fraud_habits import Population
from pipeline.verify.model.fraud_payers import Pair, Payer, Payment, count
from pipeline.verify.model.fraud_receiving import Card, Receiver
from pipeline.verify.model.fraud_windows import DAY_S, Remembered

ACCOUNTS_KEPT = 16
"""Of a device."""


@dataclass
class Known:
    """All that one partition knows."""

    threshold: int = 10_000_00
    payers: dict[int, Payer] = field(default_factory=lambda: defaultdict(Payer))
    receivers: dict[int, Receiver] = field(default_factory=dict)
    pairs: dict[tuple[int, int], Pair] = field(default_factory=lambda: defaultdict(Pair))
    devices: dict[int, Remembered] = field(
        default_factory=lambda: defaultdict(lambda: Remembered(ACCOUNTS_KEPT))
    )
    cards: dict[int, Card] = field(default_factory=dict)
    population: Population = field(default_factory=Population)

    def pay(self, payment: Payment) -> Features:
        """Count a payment, and return its features."""
        payer, pair = self.payers[payment.debtor], self.pairs[payment.debtor, payment.payee]
        found = itself(payment, payer, self.threshold)
        found |= probes(payment, payer)
        found |= habits(payment, payer, pair, self.population.usual(payment.currency, payment.at_s))
        found |= of_pair(payment, pair)
        count(payment, payer, pair, bool(found["is_near_threshold"]))
        found |= windows(payment, payer)
        found |= self.used_with(payment)
        found |= flow(payment, payer, self.receivers.get(payment.debtor))
        found |= of_payee(payment, self.cards.get(payment.payee))
        return found

    def receiver(self, account: int) -> Receiver:
        return self.receivers.setdefault(account, Receiver(account))

    def used_with(self, payment: Payment) -> Features:
        if not payment.device:
            return {"device_accounts_30d": None}
        accounts = self.devices[payment.device]
        accounts.note(payment.debtor, payment.at_s)
        return {"device_accounts_30d": accounts.between(payment.at_s - 30 * DAY_S, payment.at_s + 1)}

    def learn(self, payment: Payment) -> None:
        """A payment is approved."""
        payer = self.payers[payment.debtor]
        payer.habits.learn(payment)
        for known, key in ((payer.devices, payment.device), (payer.countries, payment.country)):
            if key in known.last_s:
                known.approved[key] = known.approved.get(key, 0) + 1
        self.pairs[payment.debtor, payment.payee].approved += 1
        self.population.add(payment.currency, payment.amount)

    def unlearn(self, payment: Payment, approved: bool) -> None:
        """A payment proves to be fraud."""
        self.payers[payment.debtor].frauds += 1
        if approved:
            payer = self.payers[payment.debtor]
            payer.habits.unlearn(payment)
            for known, key in ((payer.devices, payment.device), (payer.countries, payment.country)):
                if key in known.approved:
                    known.approved[key] -= 1
                    if not known.approved[key]:
                        del known.approved[key]
            pair = self.pairs[payment.debtor, payment.payee]
            pair.approved = max(pair.approved - 1, 0)

    def origins(self, payment: Payment) -> list[tuple[int, int]]:
        """Return where the money of a payment was, with the hops since."""
        receiver = self.receivers.get(payment.debtor)
        return [(payment.debtor, 1), *(receiver.carried(payment.at_s, payment.amount) if receiver else [])]
