"""What accounts received and what is labelled of it, many at a time; cards that are due.

The part of the features' door (`tables`) for the partition of whoever is paid.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from pipeline.domain.fraud.features import by_column, by_row, receiving
from pipeline.domain.fraud.features.amounts import Rates
from pipeline.domain.fraud.features.columns import Card, Integers, Payments, Receipts, list_of
from pipeline.domain.fraud.features.forms import ACCOUNT_KEPT_S
from pipeline.domain.fraud.features.layout import (
    CARD_WIDTH,
    CARRIED,
    R_LAST_S,
    RECEIVER_WIDTH,
    TIME_MAX_S,
)
from pipeline.domain.fraud.features.receiving import Receiving
from pipeline.domain.fraud.features.states import Kept, States, forget_many, is_over, waves

LANES_MIN = 12
"""Fewer payments are quicker one by one."""


class ReceiverTables:
    """The states of accounts that are paid."""

    def __init__(self, rates: Rates, lanes_min: int) -> None:
        self._rates, self._lanes_min = rates, lanes_min
        self.receivers = States(RECEIVER_WIDTH)

    def receive(
        self,
        receipts: Receipts,
        keys: Sequence[Hashable] | None = None,
        written: Callable[[Integers], list[Any]] = list_of,
    ) -> list[Card]:
        """Count receipts; return the cards that are due, in the order of the receipts.

        `keys`: of the accounts' states; `written`: makes the values of cards of an array, a row each.
        """
        at_s = np.clip(receipts.at_s, 1, TIME_MAX_S)
        amount, _ = self._rates.many(receipts.currency, receipts.minor, at_s)
        rows = self.receivers.numbers(receipts.account.tolist() if keys is None else keys)
        many, rest = waves(rows, self._lanes_min)
        cards: list[Card] = []
        for here in many:
            m = self.receivers.columns(rows[here])
            forget_many(m, m[R_LAST_S], at_s[here], ACCOUNT_KEPT_S)
            origins = [(receipts.origins[i, 0, here], receipts.origins[i, 1, here]) for i in range(CARRIED)]
            p = Receiving(at_s[here], receipts.account[here], receipts.payer[here], amount[here], origins)
            due = np.flatnonzero(receiving.receive(by_column, m, p))
            if len(due):
                of, card = np.ascontiguousarray(m[:, due]), np.zeros((CARD_WIDTH, len(due)), np.int64)
                receiving.card(by_column, of, card, p.at_s[due])
                m[:, due] = of
                payees = p.account[due].tolist()
                cards += map(Card, here[due].tolist(), payees, written(np.ascontiguousarray(card.T)))
            self.receivers.put(rows[here], m)
        kept = Kept(self.receivers)
        for place in rest:
            one, at = kept.of(int(rows[place])), int(at_s[place])
            if is_over(one[R_LAST_S], at, ACCOUNT_KEPT_S):
                one[:] = [0] * RECEIVER_WIDTH
            account, payer = int(receipts.account[place]), int(receipts.payer[place])
            told = receipts.origins[:, :, place].tolist()
            p = Receiving(at, account, payer, int(amount[place]), told)
            if receiving.receive(by_row, one, p):
                cards.append(Card(place, account, *written(np.array([_card(one, at)]))))
        kept.write()
        return sorted(cards, key=lambda card: card.place)

    def confirm(
        self, payments: Payments, labelled_s: Integers, keys: Sequence[Hashable] | None = None
    ) -> list[Card]:
        """Count payments that are labelled fraud with their payees, on their partition; return cards."""
        return self._label(receiving.label_fraud, payments, labelled_s, labelled_s, keys)

    def withdraw(
        self,
        payments: Payments,
        labelled_s: Integers,
        at_s: Integers,
        keys: Sequence[Hashable] | None = None,
    ) -> list[Card]:
        """Take back `confirm`, whose times `labelled_s` are; `at_s`: when they are withdrawn."""
        return self._label(receiving.withdraw_fraud, payments, labelled_s, at_s, keys)

    def _label(
        self,
        rule: Callable[..., None],
        payments: Payments,
        labelled_s: Integers,
        at_s: Integers,
        keys: Sequence[Hashable] | None,
    ) -> list[Card]:
        receivers, cards = Kept(self.receivers), []
        rows = self.receivers.numbers(payments.payee.tolist() if keys is None else keys).tolist()
        times = zip(
            *(np.clip(of, 1, TIME_MAX_S).tolist() for of in (payments.at_s, labelled_s, at_s)), strict=True
        )
        for place, (row, (paid_s, known_s, now_s)) in enumerate(zip(rows, times, strict=True)):
            one = receivers.of(row)
            rule(by_row, one, paid_s, known_s)
            cards.append(Card(place, int(payments.payee[place]), _card(one, now_s)))
        receivers.write()
        return cards


def _card(m: list[int], at_s: int) -> list[int]:
    found = [0] * CARD_WIDTH
    receiving.card(by_row, m, found, at_s)
    return found
