"""The features' door: payments, receipts, labels and cards in the order of the log, many at a time.

    pay        payments of debtors: features, then the decision, then habits    -> features, origins
    receive    what accounts received, from the postings                        -> cards that are due
    unlearn    payments labelled fraud, when their label comes, on the debtor's partition
    confirm    the same on the creditor's partition                             -> cards that are due
    know       cards of payees (`payee_risk_changed`)

Training, backtest and stream call these alike. Nothing is known before it is given here, so a call's answers
rest on earlier calls and on earlier places of its own columns alone. Many payments are judged in waves by
columns; keys that come too often in a batch are judged one by one, with the same answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pipeline.domain.fraud.features import by_column, by_row, habits, paying, receiving
from pipeline.domain.fraud.features.amounts import SCALES, Rates
from pipeline.domain.fraud.features.catalogue import NAMES
from pipeline.domain.fraud.features.layout import (
    ACCOUNTS,
    CARD_WIDTH,
    CARRIED,
    DAY_S,
    DEVICE_WIDTH,
    FLOW_WIDTH,
    PAIR_WIDTH,
    PAYER_WIDTH,
    RECEIVER_WIDTH,
    TIME_MAX_S,
)
from pipeline.domain.fraud.features.paying import Paying
from pipeline.domain.fraud.features.population import Population
from pipeline.domain.fraud.features.receiving import Receiving
from pipeline.domain.fraud.features.states import Kept, States, waves

Integers = np.ndarray
LANES_MIN = 12
"""Fewer payments are quicker one by one."""
THRESHOLD = 10_000_00
"""Reporting threshold, minor units of EUR; amounts from NEAR_PERCENT of it on are near it."""
NEAR_PERCENT = 80
DEVICE_DAYS = 30


class Payments(NamedTuple):
    """Payments as columns of int64; ids by `ids.id63`, 0 where none is named."""

    at_s: Integers
    debtor: Integers
    payee: Integers
    device: Integers
    country: Integers
    currency: Integers
    """`amounts.NUMBER`."""
    minor: Integers
    opened_s: Integers
    """When the debtor's account was opened; 0 where it is not known."""


class Receipts(NamedTuple):
    """What accounts received, as columns of int64."""

    at_s: Integers
    account: Integers
    payer: Integers
    currency: Integers
    minor: Integers
    origins: Integers
    """CARRIED x 2 x payments: what `pay` gave for them."""


class Card(NamedTuple):
    """What is told of a payee."""

    place: int
    """Of the receipt or label that it is due by."""
    payee: int
    values: list[int]


class Judged(NamedTuple):
    """What `pay` says."""

    features: Integers
    """A row for each feature, in the order of `catalogue.NAMES`."""
    origins: Integers
    """CARRIED x 2 x payments: accounts and hops, for the receivers."""


Decide = Callable[[Integers, Integers], Integers]
"""(places, features of these) -> which are approved; bool. Called for each wave, before it is learned."""


def all_approved(places: Integers, features: Integers) -> Integers:
    """Approve every payment, as a backtest does."""
    return np.ones(len(places), bool)


class FeatureTables:
    """The states of all keys of a partition."""

    def __init__(self, rates: Rates, threshold: int = THRESHOLD, lanes_min: int = LANES_MIN) -> None:
        """`threshold`: the reporting threshold; `lanes_min`: how many payments are worth columns."""
        self._rates, self._threshold, self._lanes_min = rates, threshold, lanes_min
        self._population = Population()
        self.payers, self.receivers = States(PAYER_WIDTH), States(RECEIVER_WIDTH)
        self.cards, self.pairs, self.devices = States(CARD_WIDTH), States(PAIR_WIDTH), States(DEVICE_WIDTH)

    def pay(self, payments: Payments, decide: Decide = all_approved) -> Judged:
        """Return the features of payments, and count and learn from them."""
        count = len(payments.at_s)
        judged = Judged(np.empty((len(NAMES), count), np.int64), np.zeros((CARRIED, 2, count), np.int64))
        if not count:
            return judged
        facts = self._facts(payments)
        debtors, payees = payments.debtor.tolist(), payments.payee.tolist()
        rows = (
            self.payers.numbers(debtors),
            self.receivers.known(debtors),
            self.cards.known(payees),
            self.pairs.numbers(zip(debtors, payees, strict=True)),
        )
        for part in self._population.parts(payments.currency, facts.at_s):
            here = np.arange(part.start, part.stop)
            mean, square = self._population.prior(payments.currency[part])
            facts.prior_mean[part], facts.prior_square[part] = mean, square
            many, rest = waves(rows[0][part], self._lanes_min)
            for wave in many:
                self._pay_many(here[wave], facts, rows, payments.currency, decide, judged)
            if rest:
                self._pay_each(here[rest], facts, rows, payments.currency, decide, judged)
        return judged

    def _facts(self, payments: Payments) -> Paying:
        at_s = np.clip(payments.at_s, 1, TIME_MAX_S)
        amount, known = self._rates.many(payments.currency, payments.minor, at_s)
        near = known & (amount >= self._threshold * NEAR_PERCENT // 100) & (amount < self._threshold)
        nothing = np.zeros(len(at_s), np.int64)
        return Paying(
            at_s=at_s,
            payee=payments.payee,
            device=payments.device,
            country=payments.country,
            minor=payments.minor,
            scale=SCALES[payments.currency],
            amount=amount,
            known=known,
            near=near,
            prior_mean=nothing,
            prior_square=nothing.copy(),
            opened_s=payments.opened_s,
            device_accounts=self._devices(at_s, payments.device, payments.debtor),
            debtor=payments.debtor,
        )

    def _devices(self, at_s: Integers, device: Integers, debtor: Integers) -> Integers:
        """Count the accounts of each payment's device, this one among them."""
        found = np.zeros(len(at_s), np.int64)
        named = np.flatnonzero(device)
        if not len(named):
            return found
        rows = self.devices.numbers(device[named].tolist())
        many, rest = waves(rows, self._lanes_min)
        for wave in many:
            m, here = self.devices.columns(rows[wave]), named[wave]
            by_column.see(m, ACCOUNTS, debtor[here], at_s[here], at_s[here])
            found[here] = by_column.used(m, ACCOUNTS, _device_since(by_column, at_s[here]), at_s[here])
            self.devices.put(rows[wave], m)
        kept = Kept(self.devices)
        for place in rest:
            one, at = kept.of(int(rows[place])), int(at_s[named[place]])
            by_row.see(one, ACCOUNTS, int(debtor[named[place]]), at, at)
            found[named[place]] = by_row.used(one, ACCOUNTS, _device_since(by_row, at), at)
        kept.write()
        return found

    def _pay_many(
        self, here: Integers, facts: Paying, rows: Any, currency: Integers, decide: Decide, judged: Judged
    ) -> None:
        payer, receiver, card, pair = (one[here] for one in rows)
        m, g = self.payers.columns(payer), self.pairs.columns(pair)
        r, c = self.receivers.columns(receiver, FLOW_WIDTH), self.cards.columns(card)
        p = Paying(*(column[here] for column in facts))
        found = paying.judged(by_column, m, r, c, g, p)
        values = np.stack([found[name] for name in NAMES])
        judged.features[:, here] = values
        for place, (origin, hops) in enumerate(paying.carried(by_column, r, p)):
            judged.origins[place, 0, here], judged.origins[place, 1, here] = origin, hops
        approved = decide(here, values)
        habits.learn(by_column, m, g, p, approved)
        self.payers.put(payer, m)
        self.pairs.put(pair, g)
        learned = approved & p.known
        self._population.add(currency[here][learned], p.amount[learned])

    def _pay_each(
        self, here: Integers, facts: Paying, rows: Any, currency: Integers, decide: Decide, judged: Judged
    ) -> None:
        kept = [Kept(states) for states in (self.payers, self.receivers, self.cards, self.pairs)]
        lines = zip(*(column[here].tolist() for column in facts), strict=True)
        numbers = zip(*(one[here].tolist() for one in rows), strict=True)
        learned = np.zeros(len(here), bool)
        for line, (place, values, of) in enumerate(zip(here.tolist(), lines, numbers, strict=True)):
            m, r, c, g = (states.of(row) for states, row in zip(kept, of, strict=True))
            p = Paying(*values)
            found = paying.judged(by_row, m, r, c, g, p)
            judged.features[:, place] = [found[name] for name in NAMES]
            judged.origins[:, :, place] = paying.carried(by_row, r, p)
            approved = bool(decide(here[line : line + 1], judged.features[:, place : place + 1])[0])
            if approved:
                habits.learn(by_row, m, g, p, approved)
            learned[line] = approved and p.known
        kept[0].write()
        kept[3].write()
        self._population.add(currency[here][learned], facts.amount[here][learned])

    def receive(self, receipts: Receipts) -> list[Card]:
        """Count receipts; return the cards that are due, in the order of the receipts."""
        at_s = np.clip(receipts.at_s, 1, TIME_MAX_S)
        amount, _ = self._rates.many(receipts.currency, receipts.minor, at_s)
        rows = self.receivers.numbers(receipts.account.tolist())
        many, rest = waves(rows, self._lanes_min)
        cards: list[Card] = []
        for here in many:
            m = self.receivers.columns(rows[here])
            origins = [(receipts.origins[i, 0, here], receipts.origins[i, 1, here]) for i in range(CARRIED)]
            p = Receiving(at_s[here], receipts.account[here], receipts.payer[here], amount[here], origins)
            due = np.flatnonzero(receiving.receive(by_column, m, p))
            if len(due):
                of, card = np.ascontiguousarray(m[:, due]), np.zeros((CARD_WIDTH, len(due)), np.int64)
                receiving.card(by_column, of, card, p.at_s[due])
                m[:, due] = of
                payees = p.account[due].tolist()
                cards += map(Card, here[due].tolist(), payees, card.T.tolist())
            self.receivers.put(rows[here], m)
        kept = Kept(self.receivers)
        for place in rest:
            one = kept.of(int(rows[place]))
            account, payer = int(receipts.account[place]), int(receipts.payer[place])
            told = receipts.origins[:, :, place].tolist()
            p = Receiving(int(at_s[place]), account, payer, int(amount[place]), told)
            if receiving.receive(by_row, one, p):
                cards.append(Card(place, account, _card(one, p.at_s)))
        kept.write()
        return sorted(cards)

    def unlearn(self, payments: Payments, approved: Integers) -> None:
        """Take payments that are labelled fraud out of their debtors' habits; on the debtors' partition.

        `approved`: which of them were learned from. Few come at once, so they are taken one by one.
        """
        debtors, payees = payments.debtor.tolist(), payments.payee.tolist()
        payer = self.payers.numbers(debtors).tolist()
        pair = self.pairs.numbers(zip(debtors, payees, strict=True)).tolist()
        payers, pairs = Kept(self.payers), Kept(self.pairs)
        lines = zip(*(column.tolist() for column in self._facts_of_labels(payments)), strict=True)
        for values, m, g, learned in zip(lines, payer, pair, approved.tolist(), strict=True):
            habits.unlearn(by_row, payers.of(m), pairs.of(g), Paying(*values), learned)
        payers.write()
        pairs.write()

    def confirm(self, payments: Payments, labelled_s: Integers) -> list[Card]:
        """Count payments that are labelled fraud with their payees, on their partition; return cards."""
        receivers, cards = Kept(self.receivers), []
        rows = self.receivers.numbers(payments.payee.tolist()).tolist()
        times = zip(*(np.clip(of, 1, TIME_MAX_S).tolist() for of in (payments.at_s, labelled_s)), strict=True)
        for place, (row, (at_s, known_s)) in enumerate(zip(rows, times, strict=True)):
            one = receivers.of(row)
            receiving.label_fraud(by_row, one, at_s, known_s)
            cards.append(Card(place, int(payments.payee[place]), _card(one, known_s)))
        receivers.write()
        return cards

    def _facts_of_labels(self, payments: Payments) -> Paying:
        nowhere = payments._replace(device=np.zeros_like(payments.device))
        return self._facts(nowhere)._replace(device=payments.device)

    def know(self, payees: list[int], cards: list[list[int]]) -> None:
        """Keep what is told of payees; of two cards of a payee the last one holds."""
        for row, values in zip(self.cards.numbers(payees).tolist(), cards, strict=True):
            self.cards.put_row(row, values)


def _card(m: list[int], at_s: int) -> list[int]:
    found = [0] * CARD_WIDTH
    receiving.card(by_row, m, found, at_s)
    return found


def _device_since(f: Any, at_s: Any) -> Any:
    return f.most(at_s - DEVICE_DAYS * DAY_S, 0)
