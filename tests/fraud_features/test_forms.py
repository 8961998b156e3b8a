"""Rows and columns: one answer, bit for bit, and the same states."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.domain.fraud.features.bounds import MISSING
from pipeline.domain.fraud.features.catalogue import COMPUTED
from pipeline.domain.fraud.features.tables import FeatureTables, Integers
from tests.fraud_features.histories import (
    BOTH,
    COLUMNS,
    DAY_S,
    HOUR_S,
    ROWS,
    START_S,
    cut,
    fresh,
    random_payments,
    receipts,
)

STATES = ("payers", "receivers", "cards", "pairs", "devices")


def decide(places: Integers, features: Integers) -> Integers:
    """Decline some payments, by what their features are."""
    return (features[0] + features[8] + features[40]) % 5 != 0


def told(tables: FeatureTables, seed: int, batches: int = 6, size: int = 120) -> list[object]:
    """Return all that tables say of a history with late payments, labels and a long pause."""
    found: list[object] = []
    from_s = START_S
    for number in range(batches):
        of = random_payments(seed * 100 + number, size, from_s=from_s)
        from_s += 6 * HOUR_S if number != 3 else 9 * DAY_S
        judged = tables.pay(of, decide)
        cards = tables.receive(receipts(of, judged))
        some = np.arange(seed % 7, size, 13)
        frauds = type(of)(*(column[some] for column in of))
        tables.unlearn(frauds, some % 2 == 0)
        cards += tables.confirm(frauds, frauds.at_s + DAY_S)
        tables.know([one.payee for one in cards], [one.values for one in cards])
        found += [judged.features.tolist(), judged.origins.tolist(), cards]
    return [*found, [getattr(tables, name).all() for name in STATES]]


@pytest.mark.parametrize("seed", range(4))
def test_rows_columns_and_both_say_the_same(seed: int) -> None:
    expected = told(fresh(ROWS), seed)
    assert told(fresh(COLUMNS), seed) == expected
    assert told(fresh(BOTH), seed) == expected


def test_batches_of_any_size_say_the_same() -> None:
    of = random_payments(7, 200)
    whole, parts = fresh(BOTH), fresh(BOTH)
    found = whole.pay(of).features
    sizes = [1, 2, 50, 7, 90, 50]
    ends = np.cumsum(sizes).tolist()
    each = [parts.pay(cut(of, end - size, end)).features for size, end in zip(sizes, ends, strict=True)]
    assert np.array_equal(np.concatenate(each, axis=1), found)
    assert whole.payers.all() == parts.payers.all()


def test_every_feature_is_within_its_bounds_and_known_unless_it_may_be_unknown() -> None:
    tables = fresh()
    for number in range(6):
        of = random_payments(50 + number, 150, from_s=START_S + number * DAY_S)
        features = tables.pay(of).features
        for one, values in zip(COMPUTED, features, strict=True):
            known = values[values != MISSING]
            assert one.nullable or len(known) == len(values), one.name
            assert one.unit.kind != "boolean" or np.isin(known, [0, 1]).all(), one.name
            assert ((known >= one.least) & (known <= one.most)).all(), one.name


def test_a_batch_without_payments_says_nothing() -> None:
    of = cut(random_payments(1, 3), 0, 0)
    judged = fresh().pay(of)
    assert judged.features.shape[1] == 0
    assert fresh().receive(receipts(of, judged)) == []
    assert fresh().confirm(of, of.at_s) == []
    fresh().unlearn(of, np.zeros(0, bool))
