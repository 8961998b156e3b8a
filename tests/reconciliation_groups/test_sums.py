"""Sets of a sum: complete where they must be, exact always, and bounded whatever comes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.reconciliation.groups.bounds import FEW_MAX, SETS_MAX, SMALL_MAX, VISITS_MAX
from pipeline.domain.reconciliation.groups.sums import Budget, Sums

AMOUNTS = st.integers(-400, 400).filter(bool)


def by_force(amounts: Sequence[int], low: int, high: int, sizes: set[int]) -> set[int]:
    return {
        sum(1 << place for place in chosen)
        for size in sizes
        for chosen in combinations(range(len(amounts)), size)
        if low <= sum(amounts[place] for place in chosen) <= high
    }


@given(st.lists(AMOUNTS, min_size=1, max_size=11), st.integers(-900, 900), st.integers(0, 3))
def test_of_a_small_block_all_sets_are_found(amounts: list[int], low: int, width: int) -> None:
    found, complete = Sums(amounts).within(low, low + width, Budget())
    right = by_force(amounts, low, low + width, set(range(1, len(amounts) + 1)))
    assert len(found) == len(set(found)) and set(found) <= right
    assert complete == (len(right) <= SETS_MAX)
    assert set(found) == right or (not complete and len(found) == SETS_MAX)


@given(st.lists(AMOUNTS.map(lambda one: one * 97 + 5), min_size=SMALL_MAX + 1, max_size=24), st.data())
def test_of_a_large_block_small_sets_and_those_that_leave_few_out_are_found(
    amounts: list[int], data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, FEW_MAX))
    chosen = data.draw(st.sets(st.integers(0, len(amounts) - 1), min_size=size, max_size=size))
    if data.draw(st.booleans()):
        chosen = set(range(len(amounts))) - chosen
    target = sum(amounts[place] for place in chosen)
    found, complete = Sums(amounts).within(target, target, Budget())
    sizes = {*range(1, FEW_MAX + 1), *range(len(amounts) - FEW_MAX, len(amounts) + 1)}
    right = by_force(amounts, target, target, sizes)
    assert len(found) == len(set(found)) and set(found) <= right
    assert set(found) == right or not complete


def test_twenty_three_amounts_have_the_small_sets_and_the_large_ones() -> None:
    amounts = [97 * one * one + one for one in range(1, 24)]
    whole = sum(amounts)
    for chosen in ({2}, {1, 5}, {0, 7, 22}, {3, 4, 5, 6}):
        mask = sum(1 << place for place in chosen)
        target = sum(amounts[place] for place in chosen)
        few, complete = Sums(amounts).within(target, target, Budget())
        assert complete and few.count(mask) == 1
        most, complete = Sums(amounts).within(whole - target, whole - target, Budget())
        assert complete and most.count((1 << 23) - 1 ^ mask) == 1


@pytest.mark.parametrize(
    "amounts",
    [
        [100] * 64,
        [100] * 20,
        [2**power for power in range(60)],
        [1, -1] * 32,
        [*range(1, 65)],
        [10**15 + place for place in range(64)],
    ],
    ids=["equal", "few equal", "powers of two", "both signs", "in a row", "large"],
)
def test_the_bound_holds_for_amounts_chosen_against_it(amounts: list[int]) -> None:
    budget = Budget()
    sums = Sums(amounts)
    whole = sum(amounts)
    for target in (amounts[0] * 4, whole // 2, whole - amounts[1], 7, 0):
        before = budget.visits
        found, complete = sums.within(target, target, budget)
        assert 0 <= budget.visits <= before <= VISITS_MAX and len(found) <= SETS_MAX
        for mask in found:
            assert sum(one for place, one in enumerate(amounts) if mask >> place & 1) == target
        assert complete or len(found) == SETS_MAX or budget.visits == 0


def test_a_used_up_budget_finds_nothing_and_says_so() -> None:
    assert Sums([1, 2, 3]).within(3, 3, Budget(2)) == ([], False)
    assert Sums([1, 2, 3]).within(3, 3, Budget(4)) == (
        [],
        False,
    )  # written down, and nothing left to look with


def test_powers_of_two_have_one_set_for_each_sum() -> None:
    amounts = [2**power for power in range(64)]
    found, complete = Sums(amounts).within(2**3 + 2**40 + 2**63, 2**3 + 2**40 + 2**63, Budget())
    assert (found, complete) == ([2**3 + 2**40 + 2**63], True)


def test_what_no_set_can_reach_costs_nothing() -> None:
    budget = Budget()
    assert Sums([5] * 64).within(321, 400, budget) == ([], True)
    assert budget.visits == VISITS_MAX
