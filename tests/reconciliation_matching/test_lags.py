"""Lags: what is usual, how long an item waits, and that a bank that changes is followed."""

from __future__ import annotations

from pipeline.domain.reconciliation.scoring.lags import (
    COUNTED_MAX,
    DAYS_MAX,
    LONGEST_WAIT_DAYS,
    NO_LAGS,
    Lags,
    usual_lag,
    wait_days,
    with_lag,
)


def counted(*days: int, times: int = 1) -> Lags:
    lags = NO_LAGS
    for _ in range(times):
        for one in days:
            lags = with_lag(lags, one)
    return lags


def test_nothing_is_usual_before_enough_pairs_are_known() -> None:
    assert usual_lag(counted(3, times=19)) == 0
    assert usual_lag(counted(3, times=19), or_else=2) == 2
    assert usual_lag(counted(3, times=20), or_else=2) == 3


def test_the_usual_lag_is_the_median() -> None:
    assert usual_lag(counted(0, 1, 1, 2, 30, times=10)) == 1


def test_an_item_waits_for_the_99th_percentile_and_a_day() -> None:
    assert wait_days(NO_LAGS) == LONGEST_WAIT_DAYS
    assert wait_days(counted(*[1] * 98, 7, 20, times=3)) == 8
    assert wait_days(counted(1, times=300)) == 2


def test_lags_out_of_bounds_count_as_the_nearest_one() -> None:
    lags = counted(-5, 10_000)
    assert (lags[0], lags[DAYS_MAX], sum(lags)) == (1, 1, 2)


def test_a_bank_that_becomes_slower_is_followed_and_counts_stay_bounded() -> None:
    lags = counted(1, times=COUNTED_MAX * 3)
    for _ in range(COUNTED_MAX * 2):
        lags = with_lag(lags, 5)
        assert sum(lags) < COUNTED_MAX
    assert usual_lag(lags) == 5
