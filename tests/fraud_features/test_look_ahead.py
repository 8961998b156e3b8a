"""What comes later changes nothing: a payment's features are the same with and without it."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.domain.fraud.features.replay import Labels, replay
from pipeline.domain.fraud.features.tables import Payments
from tests.fraud_features.histories import DAY_S, HOUR_S, cut, fresh, random_payments


def found(of: Payments, labels: Labels, slice_s: int) -> np.ndarray:
    """Return the features of a history."""
    return np.concatenate([judged.features for _, judged in replay(fresh(), of, labels, slice_s)], axis=1)


def history(seed: int) -> tuple[Payments, Labels]:
    """Return payments in the order of their time, and labels of some of them, days later."""
    of = random_payments(seed, 300, span_s=12 * DAY_S)
    order = np.argsort(of.at_s, kind="stable")
    of = Payments(*(column[order] for column in of))
    places = np.arange(seed, 300, 11)
    return of, Labels(places, of.at_s[places] + DAY_S + places * HOUR_S // 4)


@pytest.mark.parametrize("end", [1, 57, 150, 151, 299])
@pytest.mark.parametrize("slice_s", [600, DAY_S])
def test_without_what_comes_later_nothing_changes(end: int, slice_s: int) -> None:
    of, labels = history(end % 3)
    now_s = int(of.at_s[end - 1])
    known = (labels.labelled_s <= now_s) & (labels.place < end)
    before = found(cut(of, 0, end), Labels(labels.place[known], labels.labelled_s[known]), slice_s)
    assert np.array_equal(found(of, labels, slice_s)[:, :end], before)


def test_later_places_of_a_batch_change_nothing() -> None:
    of = random_payments(4, 200)
    whole = fresh().pay(of).features
    for end in (1, 40, 133):
        assert np.array_equal(fresh().pay(cut(of, 0, end)).features, whole[:, :end])


def test_a_label_counts_from_its_time_on() -> None:
    of, labels = history(5)
    without = found(of, Labels(labels.place[:0], labels.labelled_s[:0]), 600)
    with_labels = found(of, labels, 600)
    early = of.at_s < labels.labelled_s.min()
    assert early.sum() > 20
    assert np.array_equal(with_labels[:, early], without[:, early])
    assert not np.array_equal(with_labels, without)
