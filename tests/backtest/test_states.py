"""Tables in bounded memory say the same as others."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.backtest.states import BoundedTables
from pipeline.domain.fraud.features.replay import Labels, replay
from pipeline.domain.fraud.features.tables import FeatureTables
from tests.fraud_features.histories import DAY_S, RATES, random_payments


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_states_that_rest_are_the_same_when_they_wake(seed: int) -> None:
    payments = random_payments(seed, 1_500, accounts=60, span_s=9 * DAY_S)
    order = np.argsort(payments.at_s, kind="stable")
    payments = type(payments)(*(column[order] for column in payments))
    chance = np.random.default_rng(seed)
    place = chance.integers(0, 1_500, 60)
    first = np.unique(place)
    told_s = payments.at_s[first] + chance.integers(0, 3 * DAY_S, len(first))
    back_s = told_s + chance.integers(1, DAY_S, len(first))
    taken = chance.random(len(first)) < 0.3
    labels = Labels(
        np.concatenate((first, first[taken])),
        np.concatenate((told_s, back_s[taken])),
        np.concatenate((np.ones(len(first), bool), np.zeros(int(taken.sum()), bool))),
    )
    plain, bounded = FeatureTables(RATES), BoundedTables(RATES, states_max=7)
    sizes = []
    for one, other in zip(replay(plain, payments, labels), replay(bounded, payments, labels), strict=True):
        assert one[0] == other[0]
        assert np.array_equal(one[1].features, other[1].features)
        assert np.array_equal(one[1].origins, other[1].origins)
        sizes.append(len(bounded.payers))
    assert max(sizes) < len(plain.payers) and len(plain.payers) > 50
