"""What a partition knows for the features of payments: it counts one, and says its features.

pay        a payment: counted, then its features; `learn` if it is approved
receiver   an account that receives: a receipt, a confirmed fraud    -> the card that is due
unlearn    a payment proves to be fraud, on its debtor's partition
"""

from __future__ import annotations

from collections.abc import Hashable
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

Key = Hashable
ACCOUNTS_KEPT = 16
"""Of a device."""


ACCOUNT_KEPT_S, PAIR_KEPT_S, DEVICE_KEPT_S = 400 * DAY_S, 400 * DAY_S, 30 * DAY_S
"""A state is empty again for what comes so much later than the newest time in it."""


@dataclass
class Known:
    """All that one partition knows."""

    threshold: int = 10_000_00
    payers: dict[Key, Payer] = field(default_factory=dict)
    receivers: dict[Key, Receiver] = field(default_factory=dict)
    pairs: dict[Key, Pair] = field(default_factory=dict)
    devices: dict[Key, Remembered] = field(default_factory=dict)
    cards: dict[Key, Card] = field(default_factory=dict)
    population: Population = field(default_factory=Population)

    def pay(self, payment: Payment) -> Features:
        """Count a payment, and return its features."""
        at_s = payment.at_s
        payer, pair = self.payer(payment), self.pair(payment)
        found = itself(payment, payer, self.threshold)
        found |= probes(payment, payer)
        found |= habits(payment, payer, pair, self.population.usual(payment.currency, at_s))
        found |= of_pair(payment, pair)
        count(payment, payer, pair, bool(found["is_near_threshold"]))
        found |= windows(payment, payer)
        found |= self.used_with(payment)
        found |= flow(payment, payer, self.received_by(payment))
        card = self.cards.get(payment.payee)
        over = card is not None and at_s - (card.as_of_s or 0) > ACCOUNT_KEPT_S
        found |= of_payee(payment, None if over else card)
        return found

    def payer(self, payment: Payment) -> Payer:
        known = self.payers.get(payment.debtor)
        if known is None or payment.at_s - (known.newest_s or 0) > ACCOUNT_KEPT_S:
            known = self.payers[payment.debtor] = Payer()
        return known

    def pair(self, payment: Payment) -> Pair:
        names = payment.debtor, payment.payee
        known = self.pairs.get(names)
        if known is None or payment.at_s - known.last_s > PAIR_KEPT_S:
            known = self.pairs[names] = Pair()
        return known

    def receiver(self, account: int, at_s: int) -> Receiver:
        """Return an account that receives something, or of which something is known, at a time."""
        known = self.receivers.get(account)
        if known is None or at_s - known.newest_s > ACCOUNT_KEPT_S:
            known = self.receivers[account] = Receiver(account)
        return known

    def labelled(self, account: int) -> Receiver:
        """Return an account of which a payment is labelled: a label begins nothing anew."""
        return self.receivers.setdefault(account, Receiver(account))

    def received_by(self, payment: Payment) -> Receiver | None:
        known = self.receivers.get(payment.debtor)
        return None if known is None or payment.at_s - known.newest_s > ACCOUNT_KEPT_S else known

    def used_with(self, payment: Payment) -> Features:
        if not payment.device:
            return {"device_accounts_30d": None}
        known, at_s = self.devices.get(payment.device), payment.at_s
        if known is None or at_s - max(known.last_s.values()) > DEVICE_KEPT_S:
            known = self.devices[payment.device] = Remembered(ACCOUNTS_KEPT)
        known.note(payment.debtor, at_s)
        return {"device_accounts_30d": known.between(at_s - 30 * DAY_S, at_s + 1)}

    def learn(self, payment: Payment) -> None:
        """A payment is approved."""
        self.join(payment)
        self.population.add(payment.currency, payment.amount)

    def unlearn(self, payment: Payment, learned: bool) -> None:
        """A payment proves to be fraud."""
        payer = self.payer(payment)
        payer.frauds += 1
        if not learned:
            return
        payer.habits.unlearn(payment)
        for known, key in ((payer.devices, payment.device), (payer.countries, payment.country)):
            if key in known.approved:
                known.approved[key] -= 1
                if not known.approved[key]:
                    del known.approved[key]
        pair = self.pair(payment)
        pair.approved = max(pair.approved - 1, 0)

    def relearn(self, payment: Payment, learned: bool) -> None:
        """A payment proves to be genuine after all."""
        payer = self.payer(payment)
        payer.frauds = max(payer.frauds - 1, 0)
        if learned:
            self.join(payment)

    def join(self, payment: Payment) -> None:
        """Make a payment a habit of its debtor."""
        payer = self.payer(payment)
        payer.habits.learn(payment)
        for known, key in ((payer.devices, payment.device), (payer.countries, payment.country)):
            if key in known.last_s:
                known.approved[key] = known.approved.get(key, 0) + 1
        self.pair(payment).approved += 1

    def origins(self, payment: Payment) -> list[tuple[int, int]]:
        """Return where the money of a payment was, with the hops since."""
        receiver = self.received_by(payment)
        return [(payment.debtor, 1), *(receiver.carried(payment.at_s, payment.amount) if receiver else [])]
