"""The peer's features are those counted one payment after the other; nothing is known before its time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.fraud_data import mixture
from tests.benchmarks.fraud_quality.features import (
    DAY_US,
    DELAY_US,
    NAMES,
    NEVER,
    WINDOWS,
    Columns,
    columns_of,
    features,
)
from tests.benchmarks.fraud_quality.plan import Plan
from tests.examples import examples

START_US = 1_767_571_200_000_000  # a Monday


def columns(rows: list[tuple[int, int, int, int, int | None]]) -> Columns:
    """Return payments of (debtor, creditor, amount, hour, hours until it is labelled a fraud)."""
    rows = sorted(rows, key=lambda row: row[3])
    hour = DAY_US // 24
    at = [START_US + row[3] * hour for row in rows]
    labelled = [NEVER if row[4] is None else when + row[4] * hour for when, row in zip(at, rows, strict=True)]
    debtor, creditor, amount = (np.array([row[place] for row in rows]) for place in range(3))
    return Columns(debtor, creditor, amount.astype(float), np.array(at), np.array(labelled))


def one_by_one(of: Columns, place: int) -> list[float]:
    """Return the features of a payment, by the book's words."""
    at = int(of.at[place])
    hour, weekday = at % DAY_US // (DAY_US // 24), (at // DAY_US + 3) % 7
    found = [float(of.amount[place]), float(weekday >= 5), float(hour <= 6)]
    before = [other for other in range(place + 1) if of.debtor[other] == of.debtor[place]]
    for days in WINDOWS:
        amounts = [of.amount[other] for other in before if at - of.at[other] < days * DAY_US]
        found += [len(amounts), sum(amounts) / len(amounts)]
    for days in WINDOWS:
        since, until = at - DELAY_US - days * DAY_US, at - DELAY_US
        theirs = [other for other in range(len(of.at)) if of.creditor[other] == of.creditor[place]]
        within = [other for other in theirs if since < of.at[other] <= until]
        frauds = [other for other in within if of.labelled_at[other] <= at]
        found += [len(within), len(frauds) / max(len(within), 1)]
    return found


_rows = st.tuples(
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(1, 500),
    st.integers(0, 45 * 24),
    st.one_of(st.none(), st.sampled_from([1, 7 * 24, 9 * 24, 40 * 24])),
)


@examples(100)
@given(st.lists(_rows, min_size=1, max_size=40))
def test_features_are_those_counted_one_by_one(rows: list[tuple[int, int, int, int, int | None]]) -> None:
    of = columns(rows)
    found = features(of)
    for place in range(len(of.at)):
        assert found[place].tolist() == pytest.approx(one_by_one(of, place), rel=1e-5), NAMES


def test_a_label_counts_from_its_time_and_not_before() -> None:
    days = [0, 0, 8, 12, 20]
    of = columns([(1, 9, 10_00, 24 * day, 24 * 11 if place == 0 else None) for place, day in enumerate(days)])
    risk = features(of)[:, NAMES.index("creditor_risk_30d")].tolist()
    # Labelled on day 11: unknown on day 8, one of two on day 12, one of four on day 20.
    assert risk == pytest.approx([0, 0, 0, 1 / 2, 1 / 4])
    unlabelled = replace(of, labelled_at=np.full(5, NEVER))
    assert features(unlabelled)[:3].tolist() == features(of)[:3].tolist()


def test_columns_of_tables_know_each_label() -> None:
    made = mixture.generate(1, mixture.SMALL)
    of = columns_of(made.payments, made.labels)
    known = of.labelled_at != NEVER
    assert known.sum() == made.labels.num_rows
    assert made.truth["fraud"].to_numpy()[known].all()
    ids = made.payments["payment_id"].take(pa.array(np.flatnonzero(known)))
    assert sorted(ids.to_pylist()) == sorted(made.labels["payment_id"].to_pylist())
    both = made.payments["debtor_account_id"].to_pylist()[3], made.payments["creditor_account_id"].to_pylist()
    same = [place for place, creditor in enumerate(both[1]) if creditor == both[0]]
    assert {*of.creditor[same]} <= {of.debtor[3]}


def test_a_week_is_trained_with_what_was_known_when_it_began() -> None:
    rows = [(place % 3, 5, 1_00, 24 * place, 24 * 8 if place in (9, 13) else None) for place in range(42)]
    of = columns(rows)
    first, second = Plan(weeks=2, train_days=14, days=42).over(of)
    assert first.test.tolist() == list(range(28, 35)) and second.test.tolist() == list(range(35, 42))
    assert first.train.tolist() == list(range(7, 21)) and second.train.tolist() == list(range(14, 28))
    assert np.flatnonzero(first.known).tolist() == [2, 6]
    late = replace(of, labelled_at=np.where(of.labelled_at == NEVER, NEVER, first.start_us + 1))
    assert not next(Plan(2, 14, 42).over(late)).known.any()
    # Debtor 0 paid the one known fraud (9), debtor 1 the other (13).
    assert of.debtor[first.test[first.fresh]].tolist() == [2, 2]
    assert {*of.debtor[second.test[second.fresh]].tolist()} == {0, 1, 2}
