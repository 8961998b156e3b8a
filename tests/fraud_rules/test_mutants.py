"""Rules of the language, broken on purpose: what judges them finds each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from pipeline.domain.fraud.expressions import arithmetic, by_column, by_row, compiled, holding
from pipeline.domain.fraud.expressions.by_column import Truth
from pipeline.domain.fraud.expressions.rule_sets import RuleList
from pipeline.domain.kernel.times import NO_END
from tests.fraud_rules import differences, test_holding

Set = Callable[[Any, str, Any], None]


def takes_and_for_or_in_rows(patch: Set) -> None:
    patch(by_row, "_all", by_row._any)


def takes_and_for_or_in_columns(patch: Set) -> None:
    patch(by_column, "_conjunction", by_column._disjunction)


def takes_an_unknown_number_for_0_in_rows(patch: Set) -> None:
    patch(by_row, "_feature", lambda name, catalogue: lambda row, at_us: row.get(name) or 0)


def takes_an_unknown_number_for_0_in_columns(patch: Set) -> None:
    patch(by_column, "_where", lambda true, known: Truth(true, ~true))


def takes_not_unknown_for_true(patch: Set) -> None:
    patch(by_row, "_single", lambda function, part: lambda row, at_us: function(part(row, at_us) or 0))


def takes_at_most_for_less(patch: Set) -> None:
    less: dict[str, Any] = by_row.COMPARE | {"<": by_row.COMPARE["<="]}
    patch(by_row, "COMPARE", less)
    patch(by_column, "COMPARE", less)


def lets_a_sum_wrap_around(patch: Set) -> None:
    patch(arithmetic, "_BY_SIGN", arithmetic._BY_SIGN | {"+": lambda left, right: (left + right, None)})


def lets_a_product_wrap_around(patch: Set) -> None:
    patch(arithmetic, "_BY_SIGN", arithmetic._BY_SIGN | {"*": lambda left, right: (left * right, None)})


def rounds_towards_zero(patch: Set) -> None:
    def quotient(left: np.ndarray, right: np.ndarray) -> arithmetic.Column:
        found, fitting = arithmetic._quotient(left, right)
        divisor = np.where(right == 0, 1, right)
        return found + ((found < 0) & (np.remainder(left, divisor) != 0)), fitting

    patch(arithmetic, "_BY_SIGN", arithmetic._BY_SIGN | {"/": quotient})


def takes_a_share_for_a_count(patch: Set) -> None:
    patch(by_column, "sign_of", lambda node, catalogue: node.sign)


def forgets_the_smallest_number(patch: Set) -> None:
    patch(arithmetic, "columns", lambda sign, left, right: arithmetic._BY_SIGN[sign](left[0], right[0]))


def lets_no_entry_expire(patch: Set) -> None:
    def entries_of(one: RuleList) -> Mapping[str, int]:
        return {entry.value: NO_END for entry in one.entries}

    patch(compiled, "entries_of", entries_of)


def looks_at_paused_rules(patch: Set) -> None:
    patch(holding, "PAUSED", "none")


def takes_the_newest_version_before_its_time(patch: Set) -> None:
    def sets_at(published: Any, at_us: int, tenant_id: str) -> list[Any]:
        return [max(versions.values(), key=lambda one: one.version) for versions in published._sets.values()]

    patch(holding.Published, "_sets_at", sets_at)


def forgets_segments(patch: Set) -> None:
    patch(holding, "_holds", lambda rule, at_us, segment: rule.state != "paused")


def counts_shadow_rules(patch: Set) -> None:
    patch(compiled, "ACTIVE", "shadow")


def never_snoozes(patch: Set) -> None:
    patch(compiled.CompiledRules, "_is_snoozed", lambda *about: False)


def snoozes_in_rows_alone(patch: Set) -> None:
    patch(compiled.CompiledRules, "_are_snoozed", lambda rules, batch: np.zeros(len(batch.at_us), bool))


def excuses_rejections(patch: Set) -> None:
    patch(compiled, "_REJECTED", 99)


OF_EXPRESSIONS = (
    takes_and_for_or_in_rows,
    takes_and_for_or_in_columns,
    takes_an_unknown_number_for_0_in_rows,
    takes_an_unknown_number_for_0_in_columns,
    takes_not_unknown_for_true,
    takes_at_most_for_less,
    lets_a_sum_wrap_around,
    lets_a_product_wrap_around,
    rounds_towards_zero,
    takes_a_share_for_a_count,
    forgets_the_smallest_number,
)
OF_SETS = (
    lets_no_entry_expire,
    looks_at_paused_rules,
    takes_the_newest_version_before_its_time,
    forgets_segments,
    counts_shadow_rules,
    never_snoozes,
    snoozes_in_rows_alone,
    excuses_rejections,
)
SET_TESTS = [
    test_holding.test_the_highest_version_whose_time_has_come_holds,
    test_holding.test_segments_states_and_times_of_rules,
    test_holding.test_what_is_in_shadow_is_noted_and_does_not_count,
    test_holding.test_a_rule_that_is_paused_is_not_looked_at,
    test_holding.test_an_entry_is_on_a_list_until_it_expires,
    test_holding.test_a_block_list_rejects_and_an_allow_list_excuses_all_but_rejections,
    test_holding.test_a_snooze_lasts_until_its_time_and_excuses_one_account,
]


def test_nothing_is_found_without_a_mutant() -> None:
    assert differences.seeded(2) == []
    for each in SET_TESTS:
        each()


@pytest.mark.parametrize("mutant", OF_EXPRESSIONS, ids=lambda mutant: mutant.__name__)
def test_the_judge_finds_a_broken_expression(
    mutant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch.setattr)
    assert differences.seeded(2) != []


@pytest.mark.parametrize("mutant", OF_SETS, ids=lambda mutant: mutant.__name__)
def test_a_test_finds_a_broken_set(mutant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch.setattr)
    failed = 0
    for each in SET_TESTS:
        try:
            each()
        except AssertionError:
            failed += 1
    assert failed
