"""The features' door: payments, receipts, labels and cards in the order of the log, many at a time.

    pay        payments of debtors: features, then the decision, then habits    -> features, origins
    receive    what accounts received, from the postings                        -> cards that are due
    learn      payments that a reviewer approved; on the debtor's partition
    unlearn    payments labelled fraud, when their label comes; relearn: the label is withdrawn
    confirm    the same on the creditor's partition; withdraw                   -> cards that are due
    know       cards of payees (`payee_risk_changed`)

Training, backtest and stream call these alike. Nothing is known before it is given here, so a call's answers
rest on earlier calls and on earlier places of its own columns alone. Many payments are judged in waves by
columns; keys that come too often in a batch are judged one by one, with the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from pipeline.domain.fraud.features import by_column, by_row, habits, paying
from pipeline.domain.fraud.features.amounts import SCALES, Rates
from pipeline.domain.fraud.features.catalogue import NAMES
from pipeline.domain.fraud.features.columns import (
    Card,
    Decide,
    Integers,
    Judged,
    Keys,
    Payments,
    Receipts,
    all_approved,
    keys_of,
)
from pipeline.domain.fraud.features.forms import ACCOUNT_KEPT_S, DEVICE_KEPT_S, PAIR_KEPT_S
from pipeline.domain.fraud.features.layout import (
    ACCOUNTS,
    C_SENT_S,
    CARD_WIDTH,
    CARRIED,
    DAY_S,
    DEVICE_WIDTH,
    FLOW_WIDTH,
    G_LAST_S,
    LAST,
    P_LAST_S,
    PAIR_WIDTH,
    PAYER_WIDTH,
    R_LAST_S,
    RECEIVER_WIDTH,
    TIME_MAX_S,
)
from pipeline.domain.fraud.features.paying import Paying
from pipeline.domain.fraud.features.population import Population
from pipeline.domain.fraud.features.receivers import LANES_MIN, ReceiverTables
from pipeline.domain.fraud.features.states import Kept, States, forget_many, is_over, waves

__all__ = (
    "Card",
    "Decide",
    "FeatureTables",
    "Integers",
    "Judged",
    "Keys",
    "Payments",
    "Receipts",
    "all_approved",
)
THRESHOLD = 10_000_00
"""Reporting threshold, minor units of EUR; amounts from NEAR_PERCENT of it on are near it."""
NEAR_PERCENT = 80
DEVICE_DAYS = 30


class FeatureTables(ReceiverTables):
    """The states of all keys of a partition."""

    def __init__(self, rates: Rates, threshold: int = THRESHOLD, lanes_min: int = LANES_MIN) -> None:
        """`threshold`: the reporting threshold; `lanes_min`: how many payments are worth columns."""
        super().__init__(rates, lanes_min)
        self._threshold, self.population, self.payers = threshold, Population(), States(PAYER_WIDTH)
        self.cards, self.pairs, self.devices = States(CARD_WIDTH), States(PAIR_WIDTH), States(DEVICE_WIDTH)

    def pay(self, payments: Payments, decide: Decide = all_approved, keys: Keys | None = None) -> Judged:
        """Return the features of payments, and count and learn from them."""
        count = len(payments.at_s)
        judged = Judged(np.empty((len(NAMES), count), np.int64), np.zeros((CARRIED, 2, count), np.int64))
        if not count:
            return judged
        keys = keys or keys_of(payments)
        facts = self._facts(payments, keys.device)
        rows = (
            self.payers.numbers(keys.payer),
            self.receivers.known(keys.receiver),
            self.cards.known(keys.card),
            self.pairs.numbers(keys.pair),
            self.population.numbers(keys.population),
        )
        for part in self.population.parts(rows[4], facts.at_s):
            here = np.arange(part.start, part.stop)
            facts.prior_mean[part], facts.prior_square[part] = self.population.prior(rows[4][part])
            many, rest = waves(rows[0][part], self._lanes_min)
            for wave in many:
                self._pay_many(here[wave], facts, rows, decide, judged)
            if rest:
                self._pay_each(here[rest], facts, rows, decide, judged)
        return judged

    def _facts(self, payments: Payments, devices: Sequence[Hashable]) -> Paying:
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
            scale=SCALES[payments.currency % len(SCALES)],
            amount=amount,
            known=known,
            near=near,
            prior_mean=nothing,
            prior_square=nothing.copy(),
            opened_s=payments.opened_s,
            device_accounts=self._devices(at_s, payments.device, payments.debtor, devices),
            debtor=payments.debtor,
        )

    def _devices(
        self, at_s: Integers, device: Integers, debtor: Integers, keys: Sequence[Hashable]
    ) -> Integers:
        """Count the accounts of each payment's device, this one among them."""
        found = np.zeros(len(at_s), np.int64)
        named = np.flatnonzero(device)
        if not len(named):
            return found
        rows = self.devices.numbers([keys[place] for place in named.tolist()])
        many, rest = waves(rows, self._lanes_min)
        for wave in many:
            m, here = self.devices.columns(rows[wave]), named[wave]
            newest = m[ACCOUNTS.at + LAST * ACCOUNTS.slots : ACCOUNTS.at + (LAST + 1) * ACCOUNTS.slots]
            forget_many(m, newest.max(axis=0), at_s[here], DEVICE_KEPT_S)
            by_column.see(m, ACCOUNTS, debtor[here], at_s[here], at_s[here])
            found[here] = by_column.used(m, ACCOUNTS, _device_since(by_column, at_s[here]), at_s[here])
            self.devices.put(rows[wave], m)
        kept = Kept(self.devices)
        for place in rest:
            one, at = kept.of(int(rows[place])), int(at_s[named[place]])
            times = one[ACCOUNTS.at + LAST * ACCOUNTS.slots : ACCOUNTS.at + (LAST + 1) * ACCOUNTS.slots]
            if is_over(max(times), at, DEVICE_KEPT_S):
                one[:] = [0] * DEVICE_WIDTH
            by_row.see(one, ACCOUNTS, int(debtor[named[place]]), at, at)
            found[named[place]] = by_row.used(one, ACCOUNTS, _device_since(by_row, at), at)
        kept.write()
        return found

    def _pay_many(self, here: Integers, facts: Paying, rows: Any, decide: Decide, judged: Judged) -> None:
        payer, receiver, card, pair, population = (one[here] for one in rows)
        m, g = self.payers.columns(payer), self.pairs.columns(pair)
        r, c = self.receivers.columns(receiver, FLOW_WIDTH), self.cards.columns(card)
        p = Paying(*(column[here] for column in facts))
        forget_many(m, m[P_LAST_S], p.at_s, ACCOUNT_KEPT_S)
        forget_many(r, r[R_LAST_S], p.at_s, ACCOUNT_KEPT_S)
        forget_many(c, c[C_SENT_S], p.at_s, ACCOUNT_KEPT_S)
        forget_many(g, g[G_LAST_S], p.at_s, PAIR_KEPT_S)
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
        self.population.add(population[learned], p.amount[learned])

    def _pay_each(self, here: Integers, facts: Paying, rows: Any, decide: Decide, judged: Judged) -> None:
        kept = [Kept(states) for states in (self.payers, self.receivers, self.cards, self.pairs)]
        lines = zip(*(column[here].tolist() for column in facts), strict=True)
        numbers = zip(*(one[here].tolist() for one in rows[:4]), strict=True)
        learned = np.zeros(len(here), bool)
        for line, (place, values, of) in enumerate(zip(here.tolist(), lines, numbers, strict=True)):
            m, r, c, g = [states.of(row) for states, row in zip(kept, of, strict=True)]
            p = Paying(*values)
            for one, last, kept_s in ((m, P_LAST_S, ACCOUNT_KEPT_S), (g, G_LAST_S, PAIR_KEPT_S)):
                if is_over(one[last], p.at_s, kept_s):
                    one[:] = [0] * len(one)
            r = [0] * RECEIVER_WIDTH if is_over(r[R_LAST_S], p.at_s, ACCOUNT_KEPT_S) else r
            c = [0] * CARD_WIDTH if is_over(c[C_SENT_S], p.at_s, ACCOUNT_KEPT_S) else c
            found = paying.judged(by_row, m, r, c, g, p)
            judged.features[:, place] = [found[name] for name in NAMES]
            judged.origins[:, :, place] = paying.carried(by_row, r, p)
            approved = bool(decide(here[line : line + 1], judged.features[:, place : place + 1])[0])
            if approved:
                habits.learn(by_row, m, g, p, approved)
            learned[line] = approved and p.known
        kept[0].write()
        kept[3].write()
        self.population.add(rows[4][here][learned], facts.amount[here][learned])

    def learn(self, payments: Payments, keys: Keys | None = None) -> None:
        """Add payments that a reviewer approved to their debtors' habits, and to the population."""
        p = self._change_habits(habits.learn, payments, np.ones(len(payments.at_s), bool), keys)
        population = self.population.numbers((keys or keys_of(payments)).population)
        self.population.add(population[p.known], p.amount[p.known])

    def unlearn(self, payments: Payments, approved: Integers, keys: Keys | None = None) -> None:
        """Take payments that are labelled fraud out of their debtors' habits; on the debtors' partition.

        `approved`: which of them were learned from. Few come at once, so they are taken one by one.
        """
        self._change_habits(habits.unlearn, payments, approved, keys)

    def relearn(self, payments: Payments, approved: Integers, keys: Keys | None = None) -> None:
        """Take back `unlearn` of payments that are genuine after all."""
        self._change_habits(habits.relearn, payments, approved, keys)

    def _change_habits(
        self, rule: Callable[..., None], payments: Payments, approved: Integers, keys: Keys | None
    ) -> Paying:
        keys = keys or keys_of(payments)
        payer, pair = self.payers.numbers(keys.payer).tolist(), self.pairs.numbers(keys.pair).tolist()
        payers, pairs = Kept(self.payers), Kept(self.pairs)
        nowhere = payments._replace(device=np.zeros_like(payments.device))
        facts = self._facts(nowhere, ())._replace(device=payments.device)
        lines = zip(*(column.tolist() for column in facts), strict=True)
        for values, m, g, learned in zip(lines, payer, pair, approved.tolist(), strict=True):
            rule(by_row, payers.of(m), pairs.of(g), Paying(*values), learned)
        payers.write()
        pairs.write()
        return facts

    def know(self, payees: Sequence[Hashable], cards: Sequence[Sequence[int] | Integers]) -> None:
        """Keep what is told of payees; of two cards of a payee the last one holds."""
        self.cards.put_rows(payees, cards)


def _device_since(f: Any, at_s: Any) -> Any:
    return f.most(at_s - DEVICE_DAYS * DAY_S, 0)
