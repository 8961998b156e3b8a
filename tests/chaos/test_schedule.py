"""The schedule of a seed."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from tests.chaos.__main__ import main
from tests.chaos.schedule import BY_NAME, SETTLE_S, schedule, shortest_s


def test_a_seed_has_one_schedule_and_another_seed_another() -> None:
    assert schedule(7, 600) == schedule(7, 600)
    assert schedule(7, 600) != schedule(8, 600)


@pytest.mark.parametrize("seed", range(20))
def test_faults_take_turns_and_leave_time_to_converge(seed: int) -> None:
    strikes = schedule(seed, 900)
    counts = Counter(strike.fault for strike in strikes)
    assert set(counts) == set(BY_NAME) and max(counts.values()) - min(counts.values()) <= 1
    for one, next_one in pairwise(strikes):
        assert one.at_s + BY_NAME[one.fault].takes_s < next_one.at_s
    assert strikes[-1].at_s + BY_NAME[strikes[-1].fault].takes_s + SETTLE_S <= 900


def test_only_the_faults_that_are_asked_for_strike() -> None:
    assert {strike.fault for strike in schedule(1, 300, ["kill"])} == {"kill"}


def test_a_run_that_is_too_short_for_any_fault_has_none() -> None:
    assert schedule(1, 20) == []


@pytest.mark.parametrize("name", BY_NAME)
def test_a_fault_fits_into_the_shortest_run_that_is_named_for_it(name: str) -> None:
    assert len(schedule(1, shortest_s(name), [name])) == 1
    assert schedule(1, shortest_s(name) - 1, [name]) == []


@pytest.mark.parametrize("fault", [["--fault", "kill"], []])
def test_a_run_without_a_single_fault_is_refused(
    fault: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--seed", "1", "--minutes", "0.5", *fault]) == 2
    assert "no kill fits in 0.5 minutes: take 0.6 or more" in capsys.readouterr().err
