"""What the rules cost: `python -m tests.fraud_rules.cost`. No test: it measures, and judges nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from pipeline.domain.fraud.expressions.compiled import CompiledRules
from pipeline.domain.fraud.expressions.holding import Published
from pipeline.domain.fraud.expressions.parsing import parse
from pipeline.domain.fraud.expressions.rule_files import read_file
from tests.fraud_rules import trees
from tests.fraud_rules.sample import DEBTOR, SAMPLE
from tests.fraud_rules.test_default_rules import AT_US, PATH, default_set, ordinary

RULES = 40


def payment(random: Random) -> dict[str, Any]:
    """Return an ordinary payment of one of many debtors; some of its numbers are large."""
    row = ordinary("retail", payee=f"acc-{random.randrange(10**6)}", debtor=f"acc-{random.randrange(10**6)}")
    for name, value in row.items():
        if type(value) is int and random.random() < 0.1:
            row[name] = random.randrange(200_000)
    return row


def least(times: int, function: Callable[[], Any]) -> float:
    """Return the least seconds that a call took."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        found.append(time.perf_counter() - began)
    return min(found)


def main() -> None:
    """Print the figures."""
    random = Random(1)
    rules = default_set()
    held = Published([rules]).at(AT_US, "north", "retail")
    again = [held.rules[number % len(held.rules)] for number in range(RULES)]
    holding = msgspec.structs.replace(held, rules=tuple(again))
    compiled = CompiledRules(holding, SAMPLE, DEBTOR)
    count = len(compiled.labels)
    text = PATH.read_text("utf-8")
    print(f"read and check the default file: {least(9, lambda: read_file(text, SAMPLE)) * 1e3:.1f} ms")
    print(f"compile {RULES} rules: {least(9, lambda: CompiledRules(holding, SAMPLE, DEBTOR)) * 1e3:.1f} ms")
    condition = "payers_in_24h > 9 and amount_in_24h >= 2_000 EUR and share_passed_on >= 50 %"
    print(f"parse {len(condition)} characters: {least(999, lambda: parse(condition)) * 1e6:.0f} us")
    for payments in (1, 10, 100, 1_000, 5_000):
        rows = [payment(random) for _ in range(payments)]
        batch = trees.batch_of(rows, [AT_US] * payments)
        by_columns = least(50, lambda batch=batch: compiled.judge_all(batch)) * 1e9 / payments
        by_rows = least(9, lambda rows=rows: [compiled.judge(row, AT_US) for row in rows]) * 1e9 / payments
        print(
            f"{payments:>5} payments: columns {by_columns / count:.1f} ns per rule and payment,"
            f" rows {by_rows / count:.0f} ns"
        )


if __name__ == "__main__":
    main()
