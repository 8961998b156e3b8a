"""Rules that never hold, and rules that always do: what is said of them is right."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.fraud.expressions import syntax as tree
from pipeline.domain.fraud.expressions.contradictions import always_holds, never_holds
from pipeline.domain.fraud.expressions.parsing import parse
from tests.fraud_rules import trees
from tests.fraud_rules.interpreter import answer
from tests.fraud_rules.sample import SAMPLE

NEVER = [
    "payments_1h > 5 and payments_1h < 3",
    "payments_1h > 5 and payments_1h < 6",
    "payments_1h < 0",
    "hour_of_day >= 24",
    "hour_of_day == 5 and hour_of_day != 5",
    "hour_of_day in [1, 2] and hour_of_day not in [1, 2, 3]",
    "hour_of_day < 2 and hour_of_day not in [0, 1]",
    "10 < payments_1h and payments_1h <= 10",
    'channel == "web" and channel == "card"',
    'channel in ["web"] and channel != "web"',
    "is_new_payee and not is_new_payee",
    "(payments_1h > 5 or is_new_payee) and payments_1h <= 5 and not is_new_payee",
    "payments_1h > payments_24h and payments_24h > payments_1h",
    "payments_1h < payments_24h and payments_1h == payments_24h",
    "amount > amount",
    "amount > 1 EUR / 0",
    "false",
    "not known(payments_1h)",
    "silence > 5 d and not known(silence)",
    'payee in list("watch") and payee not in list("watch")',
    "not (payments_1h <= 5 or payments_1h > 3)",
    "amount + 1 EUR > 5 EUR and amount + 1 EUR < 3 EUR",
]
ALWAYS = [
    "payments_1h >= 0",
    "payments_1h > 5 or payments_1h < 10",
    "silence > 5 d or silence <= 5 d",
    "hour_of_day <= 23",
    'channel != "web" or channel != "card"',
    "is_new_payee or not is_new_payee",
    "true",
    "known(payments_1h)",
    "not (payments_1h > 5 and payments_1h < 3)",
]
NEITHER = [
    "payments_1h > 5 and payments_1h < 7",
    "payments_1h > 5 and payments_24h < 3",
    "hour_of_day == 23",
    "hour_of_day in [1, 2] and hour_of_day not in [2, 3]",
    'channel == "web" or channel == "card"',
    "known(silence)",
    "not known(silence)",
    "silence > 5 d or not known(silence)",
    "known(silence + 1 d) or not known(silence)",
    "payments_1h <= payments_24h and payments_24h <= payments_1h",
    "amount_deviations < 0 sd",
    'payee in list("watch") and debtor not in list("watch")',
]


@pytest.mark.parametrize("text", NEVER)
def test_a_contradiction_is_seen(text: str) -> None:
    assert never_holds(parse(text), SAMPLE)


@pytest.mark.parametrize("text", ALWAYS)
def test_what_always_holds_is_seen(text: str) -> None:
    assert always_holds(parse(text), SAMPLE) and not never_holds(parse(text), SAMPLE)


@pytest.mark.parametrize("text", NEITHER)
def test_what_may_hold_is_not_accused(text: str) -> None:
    assert not never_holds(parse(text), SAMPLE) and not always_holds(parse(text), SAMPLE)


@given(st.integers(0, 2**63))
def test_what_is_said_is_right_for_every_payment(seed: int) -> None:
    random = Random(seed)
    node = narrow(random) if seed % 2 else trees.boolean(random, depth=3)
    never, always = never_holds(node, SAMPLE), always_holds(node, SAMPLE)
    if not never and not always:
        return
    for _ in range(30):
        row = trees.row(random, in_bounds=True)
        said = answer(node, row, random.choice([0, 999, 1_000]), trees.LISTS, SAMPLE)
        assert not (never and said is True) and not (always and said is False), (row, said)


def narrow(random: Random) -> tree.Node:
    """Return an expression over a few features and small numbers: most of them say too much or too little."""

    def atom() -> tree.Node:
        name = random.choice(["silence", "account_age"])
        if random.random() < 0.2:
            return tree.Call("known", (tree.Name(name),))
        number = tree.Number(random.randint(-1, 3), SAMPLE.get("silence").unit)  # type: ignore[union-attr]
        other = tree.Name("account_age") if random.random() < 0.2 else number
        return tree.Comparison(random.choice(tree.COMPARISONS), tree.Name(name), other)

    parts = [tree.Not(atom()) if random.random() < 0.3 else atom() for _ in range(random.randint(2, 4))]
    kind = random.choice([tree.All, tree.Any])
    return kind(tuple(parts))
