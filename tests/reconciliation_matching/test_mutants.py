"""Matching that is wrong on purpose: the other tests of this folder find each of these faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pipeline.domain.reconciliation.assigning import best, clean, outcomes
from pipeline.domain.reconciliation.assigning.best import Pair
from pipeline.domain.reconciliation.scoring import constants, evidence
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from pipeline.domain.reconciliation.scoring.item import Item
from tests.reconciliation_matching import account, items, test_deciding, test_public_cases

Mutate = Callable[[pytest.MonkeyPatch], None]


def public_cases() -> None:
    for name, test in sorted(vars(test_public_cases).items()):
        if name.startswith("test_"):
            for order in test_public_cases.ORDERS if "fee" in name else [None]:
                test(*([] if order is None else [order]))


def totals() -> None:
    test_deciding.test_of_two_that_want_one_line_the_better_total_is_confirmed_not_the_better_pair()
    test_deciding.test_what_may_not_be_confirmed_is_suggested_and_disputes_nothing()


def have_a_reference_in_common(posting: Item, line: Item) -> bool:
    return not {*posting.references}.isdisjoint(line.references)


def the_strongest_pair_first(patch: pytest.MonkeyPatch) -> None:
    """Be greedy: take the strongest pair, then the next one."""

    def greedy(gains: dict[tuple[bytes, bytes], int], about: bytes | None = None) -> list[Pair]:
        taken: set[bytes] = set()
        pairs = []
        for ends, gain in sorted(gains.items(), key=lambda one: (-one[1], one[0])):
            if taken.isdisjoint(ends):
                taken.update(ends)
                pairs.append(Pair(*ends, margin=gain))
        return [pair for pair in pairs if about is None or about in pair[:2]]

    patch.setattr(outcomes, "best_pairs", greedy)


def ties_are_confirmed(patch: pytest.MonkeyPatch) -> None:
    """Confirm whatever the algorithm has chosen, also one of equal twins."""
    patch.setattr(best._Assignment, "_margin", lambda self, posting, line: 10**9)


def a_placeholder_is_a_reference(patch: pytest.MonkeyPatch) -> None:
    """Take NOTPROVIDED for a reference, and for one that binds whatever the amount is."""
    patch.setattr(items, "is_placeholder", lambda reference: not reference)
    patch.setattr(
        clean, "is_clean", lambda ours, theirs: not {*ours.references}.isdisjoint(theirs.references)
    )


def a_reference_binds_any_amount(patch: pytest.MonkeyPatch) -> None:
    """Match a fee with the payment whose reference it has."""
    patch.setattr(
        clean, "is_clean", lambda ours, theirs: not {*ours.references}.isdisjoint(theirs.references)
    )


def a_constant_stays_a_reference(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(constants, "is_constant", lambda items_with_it: False)


def windows_have_two_sides(patch: pytest.MonkeyPatch) -> None:
    """Take a line before its posting for as good as one after it."""
    days = evidence.evidence

    def two_sided(posting: Any, line: Any, known: Any) -> tuple[int, ...]:
        lag = abs(line.booked_day - posting.day)
        turned = msgspec.structs.replace(line, booked_day=posting.day + lag, day=posting.day + lag)
        return days(posting, turned, known)

    patch.setattr(account, "evidence", two_sided)


def the_value_day_counts(patch: pytest.MonkeyPatch) -> None:
    """Go by the value day where the booking is meant."""
    by_booking = evidence.evidence
    patch.setattr(
        account,
        "evidence",
        lambda posting, line, known: by_booking(
            posting, msgspec.structs.replace(line, booked_day=line.day), known
        ),
    )


def whatever_scores_is_confirmable(patch: pytest.MonkeyPatch) -> None:
    """Let a turned sign, a part or a fee dispute a payment, and confirm it."""
    patch.setattr(account, "confirmable", lambda found: True)


def nothing_is_clean(patch: pytest.MonkeyPatch) -> None:
    """Score what its reference decides."""
    patch.setattr(account, "clean_match", lambda item, others: None)


def suggestions_are_confirmed(patch: pytest.MonkeyPatch) -> None:
    """Confirm from the score on that suggests."""
    low = msgspec.structs.replace(DEFAULT_WEIGHTS, confirm_from=-2_000, margin=1, early_margin=1)
    patch.setattr(account.Account.__init__, "__defaults__", (low, *account.Account.__init__.__defaults__[1:]))


@pytest.mark.parametrize(
    ("mutate", "finds"),
    [
        (the_strongest_pair_first, totals),
        (ties_are_confirmed, public_cases),
        (a_placeholder_is_a_reference, public_cases),
        (a_reference_binds_any_amount, public_cases),
        (a_constant_stays_a_reference, public_cases),
        (windows_have_two_sides, public_cases),
        (the_value_day_counts, public_cases),
        (whatever_scores_is_confirmable, public_cases),
        (nothing_is_clean, public_cases),
        (suggestions_are_confirmed, public_cases),
    ],
)
def test_a_fault_is_found(monkeypatch: pytest.MonkeyPatch, mutate: Mutate, finds: Callable[[], None]) -> None:
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        finds()


@pytest.mark.parametrize("finds", [public_cases, totals])
def test_what_finds_faults_finds_none_where_there_is_none(finds: Callable[[], None]) -> None:
    finds()
