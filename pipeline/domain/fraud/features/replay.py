"""Features of a whole history, for training and backtest: by the very tables of the stream, in order of time.

Payments come in slices of event time. Before a slice come the labels that are known by then and the receipts
of the slices before it, and the cards that these make: so what an account received, and what is told of a
payee, is known `slice_s` later at most, as in a stream it is some seconds later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipeline.domain.fraud.features.tables import Card, FeatureTables, Integers, Judged, Payments, Receipts

SLICE_S = 600
SLICE_PAYMENTS_MAX = 5_000


class Labels(NamedTuple):
    """Which payments are confirmed as frauds, and when; each label says something new of its payment."""

    place: Integers
    """Of the payment among all payments."""
    labelled_s: Integers
    fraud: Integers | None = None
    """bool: False takes an earlier label of the payment back. None: none is taken back."""


def replay(
    tables: FeatureTables, payments: Payments, labels: Labels, slice_s: int = SLICE_S
) -> Iterator[tuple[slice, Judged]]:
    """Yield slices of the payments with their features. Every payment is approved and settled.

    `payments` are in the order of their time. A label that comes before its payment counts from the slice
    after it.
    """
    order = np.argsort(labels.labelled_s, kind="stable")
    due_place, due_s = labels.place[order], labels.labelled_s[order]
    waiting = np.ones(len(order), bool)
    told_s: dict[int, int] = {}
    begin, count = 0, len(payments.at_s)
    until = 0
    while begin < count:
        start_s = int(payments.at_s[begin])
        end = int(np.searchsorted(payments.at_s, start_s - start_s % slice_s + slice_s, side="left"))
        end = max(begin + 1, min(end, begin + SLICE_PAYMENTS_MAX))
        until = int(np.searchsorted(due_s, start_s, side="right"))
        now = np.flatnonzero(waiting[:until] & (due_place[:until] < begin))
        if len(now):
            waiting[now] = False
            for part_of, is_fraud in _runs(now, labels.fraud, order):
                of, at_s = Payments(*(column[due_place[part_of]] for column in payments)), due_s[part_of]
                approved = np.ones(len(part_of), bool)
                if is_fraud:
                    told_s.update(zip(due_place[part_of].tolist(), at_s.tolist(), strict=True))
                    tables.unlearn(of, approved)
                    _tell(tables, tables.confirm(of, at_s))
                else:
                    since_s = np.array([told_s.pop(one) for one in due_place[part_of].tolist()], np.int64)
                    tables.relearn(of, approved)
                    _tell(tables, tables.withdraw(of, since_s, at_s))
        part = Payments(*(column[begin:end] for column in payments))
        judged = tables.pay(part)
        yield slice(begin, end), judged
        receipts = Receipts(part.at_s, part.payee, part.debtor, part.currency, part.minor, judged.origins)
        _tell(tables, tables.receive(receipts))
        begin = end


def _runs(now: Integers, fraud: Integers | None, order: Integers) -> Iterator[tuple[Integers, bool]]:
    """Yield labels that are due, in their order, as many at once as say the same."""
    if fraud is None:
        yield now, True
        return
    says = fraud[order[now]]
    for part in np.split(now, np.flatnonzero(np.diff(says)) + 1):
        yield part, bool(fraud[order[part[0]]])


def _tell(tables: FeatureTables, cards: list[Card]) -> None:
    if cards:
        tables.know([card.payee for card in cards], [card.values for card in cards])
