"""Which rules hold, and what they come to: versions, tenants, segments, states, lists, snoozes."""

from __future__ import annotations

from itertools import permutations
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.fraud.expressions.compiled import CompiledRules, Ruling
from pipeline.domain.fraud.expressions.formatting import text_of
from pipeline.domain.fraud.expressions.holding import Published
from pipeline.domain.fraud.expressions.rule_sets import RuleSet, RuleSetError, Snooze
from tests.fraud_rules import trees
from tests.fraud_rules.sample import DEBTOR, SAMPLE
from tests.fraud_rules.sets import rule, rule_list, rule_set

BUSY = {"payments_1h": 11, "payee": "acc-1", "debtor": "alice"}


def labels(
    published: Published, at_us: int = 50, tenant: str = "north", segment: str = "retail"
) -> list[str]:
    """Return the rules that hold."""
    return [held.rule.label for held in published.at(at_us, tenant, segment).rules]


def ruling(
    *sets: RuleSet, row: dict[str, Any] | None = None, at_us: int = 50, tenant: str = "north"
) -> Ruling:
    """Return what rules say of a busy debtor's payment; columns must say the same."""
    whole = {one.name: None for one in SAMPLE} | BUSY | (row or {})
    compiled = CompiledRules(Published(sets).at(at_us, tenant, "retail"), SAMPLE, DEBTOR)
    found = compiled.judge(whole, at_us)
    many = compiled.judge_all(trees.batch_of([whole] * 2, [at_us] * 2))
    assert many.scores.tolist() == [found.score] * 2
    assert [(None, "REVIEW", "REJECT")[rank] for rank in many.outcomes] == [found.outcome] * 2
    counted = [label for label, is_so in zip(compiled.labels, many.counted[:, 0], strict=True) if is_so]
    assert counted == [name for name, _ in found.reasons]
    others = many.fired[:, 0] & ~many.counted[:, 0]
    assert [label for label, is_so in zip(compiled.labels, others, strict=True) if is_so] == list(
        found.shadow
    )
    return found


def test_the_highest_version_whose_time_has_come_holds() -> None:
    sets = [
        rule_set(rule("a", version=1), version=1, from_us=10),
        rule_set(rule("a", version=2), version=2, from_us=90),
        rule_set(rule("a", version=3), version=3, from_us=40),
    ]
    for given_so in permutations(sets):
        published = Published(given_so)
        assert [labels(published, at_us) for at_us in (9, 10, 39, 40, 90)] == [
            [],
            ["a@1"],
            ["a@1"],
            ["a@3"],
            ["a@3"],
        ]
        assert published.at(40, "north", "retail").sets == ("default@3",)
        holding = published.at(39, "north", "retail")
        assert (holding.from_us, holding.until_us) == (10, 40)
        assert published.at(95, "north", "retail").until_us is None


def test_a_tenants_set_comes_after_and_takes_the_place_of_rules_by_their_id() -> None:
    published = Published(
        [
            rule_set(rule("a"), rule("b"), rule("c")),
            rule_set(
                rule("b", version=7), rule("c", state="paused"), rule("d"), set_id="own", tenant_id="north"
            ),
            rule_set(rule("e"), set_id="zz"),
        ]
    )
    assert labels(published) == ["a@1", "b@7", "e@1", "d@1"]
    assert labels(published, tenant="south") == ["a@1", "b@1", "c@1", "e@1"]
    assert published.at(50, "north", "retail").sets == ("default@1", "zz@1", "north/own@1")


def test_segments_states_and_times_of_rules() -> None:
    published = Published(
        [
            rule_set(
                rule("all"),
                rule("retail", segments=("retail",)),
                rule("others", segments=("payroll", "treasury")),
                rule("later", effective_from_us=60),
                rule("paused", state="paused"),
                rule("shadow", state="shadow"),
            )
        ]
    )
    assert labels(published) == ["all@1", "retail@1", "shadow@1"]
    assert labels(published, segment="payroll") == ["all@1", "others@1", "shadow@1"]
    assert labels(published, at_us=60)[-2:] == ["later@1", "shadow@1"]
    assert published.at(50, "north", "retail").until_us == 60


def test_a_version_has_one_content() -> None:
    published = Published()
    assert published.add(rule_set(rule("a", "payments_1h > 10")))
    assert not published.add(rule_set(rule("a", "payments_1h>10")))
    with pytest.raises(RuleSetError, match="version 1 is known with another content"):
        published.add(rule_set(rule("a", "payments_1h > 11")))
    assert published.add(rule_set(rule("a", "payments_1h > 11"), tenant_id="north"))


def test_scores_add_up_and_outcomes_win() -> None:
    found = ruling(rule_set(rule("a", score=60), rule("b", score=70), rule("c", "payments_1h > 99")))
    assert (found.score, found.outcome, [name for name, _ in found.reasons]) == (100, None, ["a@1", "b@1"])
    found = ruling(rule_set(rule("a"), rule("b", outcome="REVIEW"), rule("c", outcome="REJECT")))
    assert (found.score, found.outcome) == (10, "REJECT")
    assert ruling(rule_set(rule("a", "payments_1h > 99"))) == Ruling(0, None, (), ())


def test_no_rules_say_nothing() -> None:
    assert ruling() == Ruling(0, None, (), ())
    assert ruling(rule_set(lists=(rule_list("good", "allow", "acc-1"),))) == Ruling(0, None, (), ())


def test_what_is_in_shadow_is_noted_and_does_not_count() -> None:
    found = ruling(rule_set(rule("a", state="shadow", outcome="REJECT"), rule("b")))
    assert (found.score, found.outcome, found.shadow) == (10, None, ("a@1",))


def test_a_rule_that_is_paused_is_not_looked_at() -> None:
    assert ruling(rule_set(rule("a", state="paused", outcome="REJECT"))) == Ruling(0, None, (), ())


def test_an_entry_is_on_a_list_until_it_expires() -> None:
    rules = rule_set(rule("a", 'payee in list("watch")'), lists=(rule_list("watch", "watch", ("acc-1", 50)),))
    assert [ruling(rules, at_us=at_us).score for at_us in (49, 50, 51)] == [10, 0, 0]


def test_a_block_list_rejects_and_an_allow_list_excuses_all_but_rejections() -> None:
    block, allow = rule_list("block", "block", ("acc-1", 60)), rule_list("good", "allow", ("acc-1", 60))
    found = ruling(rule_set(rule("a"), lists=(block,)))
    assert (found.score, found.outcome) == (10, "REJECT")
    assert found.reasons[-1] == ("list:block", "payee acc-1 is on the list block")
    found = ruling(rule_set(rule("a"), rule("b", outcome="REVIEW"), lists=(allow,)))
    assert found == Ruling(0, None, (), ("a@1", "b@1"))
    found = ruling(rule_set(rule("a"), rule("b", outcome="REJECT"), lists=(allow, block)))
    assert (found.score, found.outcome, found.shadow) == (0, "REJECT", ("a@1",))
    assert ruling(rule_set(rule("a"), lists=(allow, block)), at_us=60).score == 10, "both have expired"


def test_a_snooze_lasts_until_its_time_and_excuses_one_account() -> None:
    rules = rule_set(rule("a"), rule("b", outcome="REJECT"), snoozes=(Snooze("north", "alice", 60),))
    assert ruling(rules, at_us=59) == Ruling(0, "REJECT", (("b@1", "because"),), ("a@1",))
    assert ruling(rules, at_us=60).score == 10
    assert ruling(rules, row={"debtor": "bob"}).score == 10
    assert ruling(rules, row={"debtor": None}).score == 10
    assert ruling(rules, tenant="south").score == 10


def test_a_rule_sees_the_lists_of_its_own_set() -> None:
    """A tenant's list of the same name, perhaps of something else, changes nothing for the rules of all."""
    general = rule_set(rule("a", 'payee in list("watch")'), lists=(rule_list("watch", "watch", "acc-1"),))
    own_list = rule_list("watch", "watch", "phone", of="device_id")
    own = rule_set(
        rule("b", 'device_id in list("watch")'), set_id="own", tenant_id="north", lists=(own_list,)
    )
    found = ruling(general, own, row={"device_id": "phone"})
    assert [name for name, _ in found.reasons] == ["a@1", "b@1"]


def test_a_reason_has_the_values_of_the_payment() -> None:
    reason = "{amount} of {payee} after {silence}, {share_passed_on}, {is_new_payee}, {{{payments_1h}}}"
    row = {"amount": 95_000, "silence": 7_200, "share_passed_on": None, "is_new_payee": True}
    found = ruling(rule_set(rule("a", reason=reason)), row=row)
    assert found.reasons == (("a@1", "950.00 EUR of acc-1 after 2 h, unknown, yes, {11}"),)


@given(st.integers(0, 2**63))
def test_rows_and_columns_rule_the_same(seed: int) -> None:
    random = Random(seed)
    states, outcomes = ["active", "active", "shadow", "paused"], ["REVIEW", "REJECT"]
    rules = []
    for number in range(6):
        how: dict[str, Any] = {"state": random.choice(states), "reason": "{amount} {payee}"}
        if random.random() < 0.4:
            how["outcome"] = random.choice(outcomes)
        rules.append(rule(f"r{number}", text_of(trees.boolean(random, 2)), **how))
    lists = (
        rule_list("watch", "watch", "acc-1", ("acc-2", 1_000)),
        rule_list("empty", "watch"),
        rule_list("good", "allow", ("acc-1", 999)),
        rule_list("bad", "block", ("acc-3", 1_000)),
    )
    snoozes = (Snooze("north", "acc-2", 1_000),)
    published = Published([rule_set(*rules, lists=lists, snoozes=snoozes)])
    compiled = CompiledRules(published.at(0, "north", "retail"), SAMPLE, DEBTOR)
    rows = [trees.row(random) for _ in range(8)]
    times_us = [random.choice([998, 999, 1_000]) for _ in rows]
    many = compiled.judge_all(trees.batch_of(rows, times_us))
    for place, (row, at_us) in enumerate(zip(rows, times_us, strict=True)):
        one = compiled.judge(row, at_us)
        assert one.score == many.scores[place]
        assert one.outcome == (None, "REVIEW", "REJECT")[many.outcomes[place]]
        counted = [compiled.labels[rank] for rank in range(len(compiled.labels)) if many.counted[rank, place]]
        assert [name for name, _ in one.reasons] == counted
        assert [text for _, text in one.reasons] == [
            compiled.reason(rank, row) for rank in range(len(compiled.labels)) if many.counted[rank, place]
        ]
