"""Features that are computed wrongly on purpose: the judges of the other tests would find each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.domain.fraud.features import by_column, by_row, habits, paying, receiving
from pipeline.domain.fraud.features.replay import Labels, replay
from tests.fraud_features import test_flow, test_forms, test_habits, test_look_ahead, test_windows
from tests.fraud_features.histories import ROWS

Mutate = Callable[[pytest.MonkeyPatch], None]


def windows_at_the_newest(patch: pytest.MonkeyPatch) -> None:
    """Hang windows on the newest payment, as the profile of today does."""
    window = by_row.window

    def wrong(m: Any, ring: Any, at_s: int, buckets: int, ago: int = 0) -> Any:
        newest = max(m[ring.at : ring.at + ring.slots])
        return window(m, ring, max(newest - 1, 0) * ring.bucket_s, buckets, ago)

    patch.setattr(by_row, "window", wrong)


def late_ones_are_dropped(patch: pytest.MonkeyPatch) -> None:
    """Leave out a bucket that is older than the newest one."""
    add = by_row.ring_add

    def wrong(m: Any, ring: Any, at_s: int, values: Any, when: Any = None) -> int:
        newest = max(m[ring.at : ring.at + ring.slots])
        return add(m, ring, at_s, values, at_s // ring.bucket_s + 1 >= newest and when)

    patch.setattr(by_row, "ring_add", wrong)


def frauds_stay_in_the_habits(patch: pytest.MonkeyPatch) -> None:
    """Leave labelled payments in the habits."""
    patch.setattr(habits, "unlearn", lambda f, m, g, p, approved: None)


def labels_have_no_delay(patch: pytest.MonkeyPatch) -> None:
    """End the windows of confirmed fraud at the payment."""
    patch.setattr(paying, "DELAY_DAYS", 0)


def declined_ones_are_habits(patch: pytest.MonkeyPatch) -> None:
    """Learn from every payment of a wave."""
    learn = habits.learn
    patch.setattr(habits, "learn", lambda f, m, g, p, approved: learn(f, m, g, p, approved | True))


def origins_are_lost(patch: pytest.MonkeyPatch) -> None:
    """Tell the receiver the debtor alone."""
    carried = paying.carried
    patch.setattr(
        paying, "carried", lambda f, r, p: [carried(f, r, p)[0], *[(p.debtor * 0, p.debtor * 0)] * 4]
    )


def cards_are_not_sent(patch: pytest.MonkeyPatch) -> None:
    """Tell the others of a payee once."""
    patch.setattr(receiving, "_level_crossed", lambda f, m, p: p.at_s < 0)


def a_wave_forgets_the_hand(patch: pytest.MonkeyPatch) -> None:
    """Let columns give every new bucket the first place."""
    add = by_column.ring_add

    def wrong(m: Any, ring: Any, at_s: Any, values: Any, when: Any = None) -> Any:
        m[ring.hand] = 0
        return add(m, ring, at_s, values, when)

    patch.setattr(by_column, "ring_add", wrong)


def labels_are_known_at_once(patch: pytest.MonkeyPatch) -> None:
    """Take a label at the time of its payment."""

    def wrong(of: Any, payments: Any, labels: Labels, slice_s: int) -> Any:
        return replay(of, payments, Labels(labels.place, payments.at_s[labels.place]), slice_s)

    patch.setattr(test_look_ahead, "replay", wrong)


MUTANTS: tuple[tuple[Mutate, Callable[[], None]], ...] = (
    (windows_at_the_newest, test_windows.test_a_late_burst_is_seen_beside_a_live_payment),
    (late_ones_are_dropped, test_windows.test_a_live_payment_sees_what_came_late),
    (frauds_stay_in_the_habits, test_habits.test_a_labelled_payment_leaves_no_trace_in_the_habits),
    (
        labels_have_no_delay,
        test_flow.test_confirmed_fraud_of_a_payee_by_windows_that_end_seven_days_before,
    ),
    (declined_ones_are_habits, lambda: test_forms.test_rows_columns_and_both_say_the_same(1)),
    (origins_are_lost, lambda: test_flow.test_money_that_comes_back(4, ROWS)),
    (cards_are_not_sent, test_flow.test_a_payee_that_many_pay_is_told_to_all_when_it_crosses_a_level),
    (a_wave_forgets_the_hand, lambda: test_forms.test_rows_columns_and_both_say_the_same(0)),
    (labels_are_known_at_once, test_look_ahead.test_a_label_counts_from_its_time_on),
)


@pytest.mark.parametrize(("mutate", "judge"), MUTANTS, ids=[one.__name__ for one, _ in MUTANTS])
def test_the_judges_find_it(
    mutate: Mutate, judge: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge()
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        judge()
