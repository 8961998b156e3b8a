"""Features of a history: by the very tables of the stream, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipeline.backtest.history import History, Labels, Texts
from pipeline.backtest.states import BoundedTables
from pipeline.domain.fraud.deciding.facts import DEBTOR, SEGMENT, Facts
from pipeline.domain.fraud.expressions.by_column import Values
from pipeline.domain.fraud.features.amounts import Rates
from pipeline.domain.fraud.features.ids import NONE, id63
from pipeline.domain.fraud.features.replay import Labels as DueLabels
from pipeline.domain.fraud.features.replay import replay
from pipeline.domain.fraud.features.tables import Integers, Payments
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND

CHUNK = 20_000
"""Payments that are decided at once, at most; never of two days."""


class Part(NamedTuple):
    """Payments of one day that follow each other, with their features."""

    places: slice
    features: Integers


def payments_of(history: History) -> Payments:
    """Return a history as the tables take it."""
    accounts = _hashes(history.debtor.words)
    return Payments(
        at_s=history.at_us // MICROSECONDS_PER_SECOND,
        debtor=accounts[history.debtor.numbers],
        payee=accounts[history.creditor.numbers],
        device=_hashes(history.device.words)[history.device.numbers],
        country=_hashes(history.country.words)[history.country.numbers],
        currency=history.currency,
        minor=history.minor,
        opened_s=history.opened_us // MICROSECONDS_PER_SECOND,
    )


def _hashes(words: list[str]) -> Integers:
    """Return words as ids; the last one is of what is not named."""
    return np.array([*map(id63, words), NONE], np.int64)


def features_of(history: History, labels: Labels, rates: Rates) -> Iterator[Part]:
    """Yield all payments, in their order, with features that rest on what was known before each alone."""
    due = DueLabels(labels.place, -(-labels.at_us // MICROSECONDS_PER_SECOND), labels.fraud)
    days = history.at_us // MICROSECONDS_PER_DAY
    kept: list[Integers] = []
    begin = end = 0
    for places, judged in replay(BoundedTables(rates), payments_of(history), due):
        # A slice never goes over midnight, as its length divides the day.
        if kept and (days[places.start] != days[begin] or end - begin + judged.features.shape[1] > CHUNK):
            yield Part(slice(begin, end), np.concatenate(kept, axis=1))
            kept, begin = [], end
        kept.append(judged.features)
        end = places.stop
    if kept:
        yield Part(slice(begin, end), np.concatenate(kept, axis=1))


def facts_of(history: History, places: slice) -> Facts:
    """Return what is known of payments beside their features."""
    tenant = Values(np.zeros(places.stop - places.start, np.int64), None, (history.tenant,))
    words = {
        DEBTOR: history.debtor,
        "payee": history.creditor,
        "device_id": history.device,
        "country": history.country,
        "channel": history.channel,
        SEGMENT: history.segment,
    }
    texts = {name: _part(column, places) for name, column in words.items()}
    return Facts(history.at_us[places], tenant, texts)


def _part(column: Texts, places: slice) -> Values:
    """Return a part of a column of texts, with the words of that part alone."""
    numbers, codes = np.unique(column.numbers[places], return_inverse=True)
    known = None
    if len(numbers) and numbers[0] < 0:
        known = codes > 0
        return Values(codes, known, ("", *(column.words[number] for number in numbers[1:].tolist())))
    return Values(codes, known, tuple(column.words[number] for number in numbers.tolist()))
