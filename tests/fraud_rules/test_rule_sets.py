"""Sets of rules: bounds, canonical bytes and their name, long lists in parts."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.fraud.expressions import canonical
from pipeline.domain.fraud.expressions.formatting import text_of
from pipeline.domain.fraud.expressions.linting import lint, lint_change
from pipeline.domain.fraud.expressions.rule_sets import (
    ENTRIES_MAX,
    RULES_MAX,
    Entry,
    Rule,
    RuleList,
    RuleSetError,
    Snooze,
)
from tests.fraud_rules import trees
from tests.fraud_rules.sample import SAMPLE
from tests.fraud_rules.sets import rule, rule_list, rule_set

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"rule_id": "A"}, "cannot name a rule"),
    ({"version": 0}, "version must be from 1"),
    ({"score": 0}, "score must be from 1 to 100"),
    ({"score": 101}, "score must be from 1 to 100"),
    ({"score": None}, "a score, or an outcome, and not both"),
    ({"outcome": "REVIEW"}, "a score, or an outcome, and not both"),
    ({"score": None, "outcome": "APPROVE"}, "none of REVIEW, REJECT"),
    ({"state": "off"}, "none of active, shadow, paused"),
    ({"segments": ("wholesale",)}, "none of payroll, treasury, retail"),
    ({"segments": ("retail", "payroll")}, "sorted, each once"),
    ({"reason": ""}, "1 to 200 printable characters"),
    ({"reason": "a\x1b[2J"}, "1 to 200 printable characters"),
    ({"reason": "a\u202eb"}, "1 to 200 printable characters"),
    ({"reason": "a\u200bb"}, "1 to 200 printable characters"),
    ({"effective_from_us": -1}, "effective_from must be from 0"),
]


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_a_rule_that_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    values: dict[str, Any] = {"rule_id": "a", "version": 1, "expression": "true", "score": 1, "reason": "x"}
    Rule(**values)
    with pytest.raises(RuleSetError, match=said):
        Rule(**(values | changes))


def test_a_set_is_bounded_and_names_each_once() -> None:
    many = [rule(f"r{number}") for number in range(RULES_MAX + 1)]
    rule_set(*many[:-1])
    with pytest.raises(RuleSetError, match=f"{RULES_MAX + 1} rules, at most {RULES_MAX}"):
        rule_set(*many)
    with pytest.raises(RuleSetError, match="the rule r1 stands there twice"):
        rule_set(many[1], many[1])
    with pytest.raises(RuleSetError, match="the list watch stands there twice"):
        rule_set(lists=(rule_list("watch", "watch"), rule_list("watch", "block")))
    with pytest.raises(RuleSetError, match="snoozes must be sorted"):
        rule_set(snoozes=(Snooze("t", "b", 1), Snooze("t", "a", 1)))
    with pytest.raises(RuleSetError, match="of another tenant"):
        rule_set(tenant_id="north", snoozes=(Snooze("south", "b", 1),))
    entries = tuple(Entry(f"{number:06}") for number in range(ENTRIES_MAX + 1))
    RuleList(name="long", kind="watch", of="payee", entries=entries[:-1])
    with pytest.raises(RuleSetError, match=f"at most {ENTRIES_MAX}"):
        RuleList(name="long", kind="watch", of="payee", entries=entries)
    with pytest.raises(RuleSetError, match="twice"):
        rule_list("watch", "watch", "a", "a")
    with pytest.raises(RuleSetError, match="without NUL"):
        rule_list("watch", "watch", "a\0")


def test_the_name_of_a_set_follows_what_it_says_and_not_how_it_is_written() -> None:
    one = rule_set(rule("a", "payments_1h>10 and (is_new_payee)"), lists=(rule_list("watch", "watch", "x"),))
    same = rule_set(rule("a", "payments_1h > 10\nand is_new_payee"), lists=one.lists)
    assert canonical.name_of(one) == canonical.name_of(same)
    others = [
        rule_set(rule("a", "payments_1h > 11 and is_new_payee"), lists=one.lists),
        rule_set(rule("a", "payments_1h > 10 and is_new_payee", version=2), lists=one.lists),
        rule_set(rule("a", "payments_1h > 10 and is_new_payee", state="shadow"), lists=one.lists),
        rule_set(rule("a", "payments_1h > 10 and is_new_payee"), lists=(rule_list("watch", "watch", "y"),)),
        rule_set(
            rule("a", "payments_1h > 10 and is_new_payee"), lists=(rule_list("watch", "watch", ("x", 5)),)
        ),
        rule_set(rule("a", "payments_1h > 10 and is_new_payee"), lists=(rule_list("watch", "block", "x"),)),
        rule_set(rule("a", "payments_1h > 10 and is_new_payee"), lists=one.lists, tenant_id="north"),
        rule_set(rule("a", "payments_1h > 10 and is_new_payee"), lists=one.lists, from_us=1),
    ]
    assert len({canonical.name_of(each) for each in [one, *others]}) == 1 + len(others)


def test_the_name_of_a_set_never_changes() -> None:
    """Decisions of the past name it: another form takes another number (`canonical.FORM`)."""
    rules = rule_set(
        rule("a", "amount > 950 EUR and silence > 1 d", segments=("payroll", "retail")),
        rule("b", 'payee in list("watch")', outcome="REJECT", state="shadow", effective_from_us=7),
        lists=(rule_list("watch", "watch", "acc-1", ("acc-2", 1_000)),),
        snoozes=(Snooze("north", "alice", 99),),
        version=3,
        from_us=5,
    )
    assert canonical.head_bytes(rules).startswith(
        b'[1,["default",3,null,5,[["a",1,"amount > 950 EUR and silence > 1 d",10,'
    )
    assert canonical.name_of(rules) == "fc186a06bb37053d6a6525b5c83c3e672d21a15f3cbfedc129e84e3c0d2c248c"


def test_a_set_travels_in_a_head_and_parts_of_its_lists() -> None:
    random = Random(4)
    values = [f"acc-{number:06}" for number in range(2 * canonical.PART_ENTRIES + 7)]
    rules = rule_set(
        rule("a"),
        lists=(
            rule_list("long", "watch", *values),
            rule_list("none", "block"),
            rule_list("one", "allow", ("x", 9)),
        ),
    )
    head, parts = canonical.head_bytes(rules), canonical.parts_of(rules)
    assert len(parts) == 4 and max(map(len, parts)) < 100_000 and len(head) < 2_000
    given = [*parts, parts[1]]
    random.shuffle(given)
    found = canonical.assembled(head, given)
    assert found == canonical.in_canonical_form(rules)
    assert canonical.name_of(found) == canonical.name_of(rules)
    for missing in range(len(parts)):
        with pytest.raises(RuleSetError, match="entries, or not those of its hash"):
            canonical.assembled(head, [part for number, part in enumerate(parts) if number != missing])


@given(st.integers(0, 2**63))
def test_any_set_is_the_same_after_it_has_travelled(seed: int) -> None:
    random = Random(seed)
    rules = [
        rule(
            f"r{number}",
            text_of(trees.boolean(random, 2)),
            version=random.randint(1, 2**63 - 1),
            state=random.choice(["active", "shadow", "paused"]),
            reason=random.choice(["x", "{amount}", "Überweisung \U0001f642 {payee}"]),
            segments=tuple(sorted(random.sample(["payroll", "retail", "treasury"], random.randint(0, 3)))),
            effective_from_us=random.choice([None, 0, 2**63 - 1]),
        )
        for number in range(random.randint(0, 5))
    ]
    values = sorted(set(random.choices(["a", "Zürich", "\U0001f642", '"', "\\", "\x01", "acc"], k=4)))
    lists = (rule_list("watch", "watch", *values), rule_list("empty", "allow", ("b", 5)))
    sent = rule_set(
        *rules, lists=lists, tenant_id=random.choice([None, "north"]), from_us=random.choice([0, 9])
    )
    found = canonical.assembled(canonical.head_bytes(sent), canonical.parts_of(sent))
    assert found == canonical.in_canonical_form(sent) and canonical.name_of(found) == canonical.name_of(sent)


def test_a_head_that_is_broken_anywhere_is_refused() -> None:
    rules = rule_set(rule("a", "payments_1h > 10"), lists=(rule_list("watch", "watch", "x"),))
    head, parts = canonical.head_bytes(rules), canonical.parts_of(rules)
    assert canonical.assembled(head, parts)
    random = Random(1)
    for _ in range(400):
        broken = bytearray(head)
        broken[random.randrange(len(head))] ^= 1 << random.randrange(8)
        try:
            found = canonical.assembled(bytes(broken), parts)
        except RuleSetError:
            continue
        assert canonical.head_bytes(found) == bytes(broken) != head, "another set, with another name"
    for content in (b"", b"{}", b"[" * 100_000, head[:-1], head + b" ", head.replace(b"[1,[", b"[2,[", 1)):
        with pytest.raises(RuleSetError):
            canonical.assembled(content, parts)
    loose = head.replace(b"payments_1h > 10", b"payments_1h>10")
    with pytest.raises(RuleSetError, match="not in their canonical form"):
        canonical.assembled(loose, parts)
    with pytest.raises(RuleSetError, match="a rule cannot be read"):
        canonical.assembled(head.replace(b"payments_1h > 10", b"payments_1h > > "), parts)
    long_part = msgspec.json.encode(["x", 0, [["a", None]] * (canonical.PART_ENTRIES + 1)])
    with pytest.raises(RuleSetError, match="a part of 2001 entries"):
        canonical.assembled(head, [long_part])
    with pytest.raises(RuleSetError):
        canonical.assembled(head, [msgspec.json.encode(["x", 10**30, []])])


def findings(*rules: Rule, **changes: Any) -> list[str]:
    """Return what is said of a set."""
    return [
        f"{one.severity} {one.subject}: {one.message}" for one in lint(rule_set(*rules, **changes), SAMPLE)
    ]


def test_a_set_is_checked_as_a_whole() -> None:
    lists = (
        rule_list("watch", "watch", "x"),
        rule_list("odd", "block", of="payees"),
        rule_list("n", "block", of="amount"),
    )
    assert findings(
        rule("a", "payments_1h > 10"),
        rule("b", "payments_1h>10"),
        rule("c", "payments_1h > 5 and payments_1h < 3"),
        rule("d", "hour_of_day <= 23"),
        rule("e", "paymets_1h > 5 or amount > 5"),
        rule("f", "amount >"),
        rule("g", 'payee in list("wach")'),
        rule("h", reason="{paymets_1h} and } and {{fine}}", state="paused"),
        lists=lists,
    ) == [
        "error odd: unknown feature `payees`, did you mean `payee`?",
        "error n: a list has texts, and `amount` is an amount in EUR",
        "warning b: the same condition as a",
        "warning c: the condition can never be true",
        "warning d: the condition is never false",
        "error e: unknown feature `paymets_1h`, did you mean `payments_1h`?",
        "error e: an amount in EUR is compared with a count: write 5 EUR",
        "error f: expected a feature, a number, a text, `not`, `-` or `(`, found the end",
        'error g: unknown list "wach", did you mean `watch`?',
        "error h: unknown feature `paymets_1h`, did you mean `payments_1h`?",
        "error h: a single `}`: write {{ and }} for brackets",
    ]
    assert findings(rule("a", "payments_1h > 10")) == []
    expired = (rule_list("watch", "watch", ("x", 10), "y"),)
    assert findings(lists=expired, from_us=10) == [
        "warning watch: 'x' has expired before the set takes effect"
    ]


def test_a_rule_that_changes_has_another_version() -> None:
    before = rule_set(rule("a"), rule("b"))
    assert lint_change(before, rule_set(rule("a", score=20, version=2), rule("b"), version=2)) == []
    assert lint_change(before, rule_set(rule("a", "payments_1h>10"), version=2)) == []
    found = lint_change(before, rule_set(rule("a", score=20), rule("c")))
    assert [one.message for one in found] == [
        "version 1 of the set does not follow 1",
        "it has changed since version 1: increase its version",
    ]


def test_all_conditions_of_a_set_together_are_bounded() -> None:
    """60 rules of 134 parts are more than 8,000 parts: the 60th passes the bound, and is named."""
    many = [
        rule(f"r{number}", " or ".join(["is_new_payee", *(f"payments_1h > {number + n}" for n in range(44))]))
        for number in range(60)
    ]
    assert findings(*many) == ["error r59: the conditions of the set have more than 8000 parts, up to here"]
    assert findings(*many[:-1]) == []
