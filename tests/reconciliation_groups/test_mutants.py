"""Groups and kinds that are found wrongly on purpose: the other tests of this folder find each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.domain.reconciliation.groups import (
    around,
    batches,
    blocks,
    duplicates,
    fees,
    found,
    kinds,
    likeness,
    partial,
    reversals,
    search,
    sums,
    whole_references,
    worth,
)
from tests.reconciliation_groups import test_properties, test_sums
from tests.reconciliation_groups.tales import play, read_tales

Mutate = Callable[[pytest.MonkeyPatch], None]
TALES = read_tales()


def tales() -> None:
    for tale in TALES:
        play(tale)
        play(tale, turned=True)


def everything_is_sure(patch: pytest.MonkeyPatch) -> None:
    """Confirm whatever adds up."""
    patch.setattr(found, "CONFIRM_FROM", -(10**9))


def a_second_set_does_not_matter(patch: pytest.MonkeyPatch) -> None:
    """Take the first set of several that are as good."""
    patch.setattr(found, "MARGIN", -(10**9))


def an_unfinished_search_is_sure(patch: pytest.MonkeyPatch) -> None:
    """Confirm what was found when the bound was met."""
    decided = found.decided
    patch.setattr(search, "decided", lambda due, groups, unknown: decided(due, groups, -1))


def chance_is_not_counted(patch: pytest.MonkeyPatch) -> None:
    """Take sixty items for as telling as three."""
    patch.setattr(search, "sets_worth", lambda members, block, blocks: 0)


def round_amounts_are_telling(patch: pytest.MonkeyPatch) -> None:
    """Take an amount in hundreds for as telling as one to the cent."""
    patch.setattr(worth, "gcd", lambda *amounts: 1)


def a_wanted_part_is_taken(patch: pytest.MonkeyPatch) -> None:
    """Make a group of what has a counterpart of its own."""
    patch.setattr(search, "WANTED", 0)


def what_cancels_itself_is_a_part(patch: pytest.MonkeyPatch) -> None:
    """Keep sets that have another one inside."""
    patch.setattr(search, "_smallest", lambda groups: groups)


def a_slip_makes_a_sum(patch: pytest.MonkeyPatch) -> None:
    """Take a wrongly written amount and a round one for two parts."""
    patch.setattr(search, "_is_slip", lambda total, member: False)


def any_day_will_do(patch: pytest.MonkeyPatch) -> None:
    """Let a line pay what is booked long after it."""
    patch.setattr(blocks, "pair_in_time", lambda left, right: True)


def only_the_total_looks(patch: pytest.MonkeyPatch) -> None:
    """Find a group only from the one item that is its sum."""
    patch.setattr(search, "_totals", lambda due, near, alike: [])


def any_difference_is_a_fee(patch: pytest.MonkeyPatch) -> None:
    """Take off what is missing."""
    patch.setattr(whole_references, "is_fee", lambda fee, amount, currency: fee > 0)


def a_fee_is_added(patch: pytest.MonkeyPatch) -> None:
    """Turn the fee's sign."""
    right = whole_references.is_fee
    patch.setattr(whole_references, "is_fee", lambda fee, amount, currency: right(-fee, amount, currency))


def a_fixed_fee_has_any_amount(patch: pytest.MonkeyPatch) -> None:
    """Take 50.00 off 60.00."""
    patch.setattr(fees, "FIXED_SHARE", 1)


def references_do_not_hang_together(patch: pytest.MonkeyPatch) -> None:
    """Look at one reference at a time."""
    circles = whole_references._circles
    patch.setattr(whole_references, "_circles", lambda due, items: circles(due, items)[:-1])


def a_pair_is_a_group(patch: pytest.MonkeyPatch) -> None:
    """Throw two pairs together."""
    patch.setattr(whole_references, "_have_a_pair", lambda lines, postings: False)


def one_item_of_a_half_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Leave a sum out."""
    write = sums._all_sums
    patch.setattr(sums, "_all_sums", lambda amounts, place: write(amounts, place)[:-1])


def sets_that_leave_few_out_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Search small sets of a large block only."""
    joined = sums.Sums._joined

    def wrong(self: Any, low: int, high: int, budget: Any, *, inverted: bool = False) -> Any:
        return ([], True) if inverted else joined(self, low, high, budget)

    patch.setattr(sums.Sums, "_joined", wrong)


def sets_are_counted_twice(patch: pytest.MonkeyPatch) -> None:
    """Join the halves of a set in every way."""
    patch.setattr(sums, "_are_halves", lambda mask, other: not mask & other)


def the_search_has_no_end(patch: pytest.MonkeyPatch) -> None:
    """Spend nothing."""
    patch.setattr(sums.Budget, "take", lambda self, visits: True)
    patch.setattr(sums, "SETS_MAX", 10**9)


def the_order_of_arrival_counts(patch: pytest.MonkeyPatch) -> None:
    """Leave lists as they come."""
    patch.setattr(around, "_chosen", lambda due, items, alike: (tuple(items), -1))


def details_are_given_out_as_they_come(patch: pytest.MonkeyPatch) -> None:
    """Let the first detail take the first posting of its amount."""
    choose = batches._choose
    patch.setattr(
        batches, "_choose", lambda details, free, chosen, fit, only_sure: choose(
            details, free, chosen, lambda one, two: True, only_sure=False
        )
    )  # fmt: skip


def a_fee_is_a_part(patch: pytest.MonkeyPatch) -> None:
    """Bind a fee to its payment."""
    patch.setattr(partial, "fee_limit", lambda amount, currency: 0)


def a_reversal_comes_first(patch: pytest.MonkeyPatch) -> None:
    """Do not look at the days of a reversal."""
    patch.setattr(reversals, "_can_cancel", lambda one, two: True)


def a_reversal_takes_a_pair_apart(patch: pytest.MonkeyPatch) -> None:
    """Net what has a counterpart."""
    patch.setattr(reversals, "HAS_COUNTERPART", 0)


def every_month_is_a_duplicate(patch: pytest.MonkeyPatch) -> None:
    """Take what comes again for a repetition."""
    patch.setattr(duplicates, "REPEAT_DAYS", 365)


def the_first_is_a_duplicate_too(patch: pytest.MonkeyPatch) -> None:
    """Name both of two equal items."""
    patch.setattr(duplicates, "_place", lambda item: (0, 0, item.amount_minor if item else 0))
    patch.setattr(duplicates, "pair_in_time", lambda left, right: False)


def every_month_has_a_wrong_date(patch: pytest.MonkeyPatch) -> None:
    """Take last month's rent for this month's with a wrong date."""
    patch.setattr(kinds, "_comes_again", lambda due, other, around, alike: False)


def a_slip_is_a_part(patch: pytest.MonkeyPatch) -> None:
    """Wait for the rest of a wrongly written amount."""
    patch.setattr(kinds, "_is_a_slip", lambda found: False)


def twins_are_the_only_ones(patch: pytest.MonkeyPatch) -> None:
    """Name a kind by the amount alone where there are several of it."""
    patch.setattr(kinds, "_only_one", lambda due, other, around: True)


def common_words_make_alike(patch: pytest.MonkeyPatch) -> None:
    """Weigh no word by how rare it is."""
    patch.setattr(likeness._Rarities, "__missing__", lambda self, word: 100)


FEW = test_sums.test_twenty_three_amounts_have_the_small_sets_and_the_large_ones
BUDGET = test_sums.test_a_used_up_budget_finds_nothing_and_says_so
MORE = test_properties.test_more_items_than_a_search_looks_at_make_no_sum_sure_but_of_a_reference_or_a_day
ORDER = test_properties.test_of_more_sets_than_are_kept_the_same_are_suggested_in_every_order

MUTANTS: list[tuple[Mutate, Callable[..., None]]] = [
    (everything_is_sure, tales),
    (a_second_set_does_not_matter, tales),
    (an_unfinished_search_is_sure, MORE),
    (chance_is_not_counted, tales),
    (round_amounts_are_telling, tales),
    (a_wanted_part_is_taken, tales),
    (what_cancels_itself_is_a_part, tales),
    (a_slip_makes_a_sum, tales),
    (any_day_will_do, tales),
    (only_the_total_looks, tales),
    (any_difference_is_a_fee, tales),
    (a_fee_is_added, tales),
    (a_fixed_fee_has_any_amount, tales),
    (references_do_not_hang_together, tales),
    (a_pair_is_a_group, tales),
    (one_item_of_a_half_is_forgotten, tales),
    (sets_that_leave_few_out_are_forgotten, FEW),
    (sets_are_counted_twice, FEW),
    (the_search_has_no_end, BUDGET),
    (the_order_of_arrival_counts, ORDER),
    (details_are_given_out_as_they_come, tales),
    (a_fee_is_a_part, tales),
    (a_reversal_comes_first, tales),
    (a_reversal_takes_a_pair_apart, tales),
    (every_month_is_a_duplicate, tales),
    (the_first_is_a_duplicate_too, tales),
    (every_month_has_a_wrong_date, tales),
    (a_slip_is_a_part, tales),
    (twins_are_the_only_ones, tales),
    (common_words_make_alike, tales),
]  # fmt: skip


@pytest.mark.parametrize(("mutate", "judge"), MUTANTS, ids=lambda one: one.__name__)
def test_a_mutant_is_found(
    mutate: Mutate, judge: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge()
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        judge()
