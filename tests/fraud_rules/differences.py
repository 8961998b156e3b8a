"""Rows, columns and the judge side by side: what they say differently of the same payments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from pipeline.domain.fraud.expressions import by_column, by_row, checking
from pipeline.domain.fraud.expressions import syntax as tree
from pipeline.domain.fraud.expressions.formatting import text_of
from pipeline.domain.kernel.times import NO_END
from tests.fraud_rules import trees
from tests.fraud_rules.interpreter import answer
from tests.fraud_rules.sample import SAMPLE

PAYMENTS = 24
ENTRIES = {
    name: {entry: NO_END if until is None else until for entry, until in entries.items()}
    for name, entries in trees.LISTS.items()
}


def of(nodes: Sequence[tree.Node], random: Random, payments: int = PAYMENTS) -> Iterator[str]:
    """Yield each difference on payments made by chance, in words."""
    rows = [trees.row(random) for _ in range(payments)]
    times_us = [random.choice([0, 998, 999, 1_000, 1_001]) for _ in rows]
    program = by_column.ColumnProgram(SAMPLE, ENTRIES)
    for node in nodes:
        assert checking.problems_of(node, SAMPLE, trees.OF_LISTS) == [], text_of(node)
        program.add(node)
    fired = program.fired(trees.batch_of(rows, times_us))
    for place, node in enumerate(nodes):
        function = by_row.row_function(node, SAMPLE, ENTRIES)
        for payment, (row, at_us) in enumerate(zip(rows, times_us, strict=True)):
            right = answer(node, row, at_us, trees.LISTS, SAMPLE)
            by_rows = function(row, at_us)
            if by_rows is not right:
                yield f"rows: {by_rows}, not {right}: {text_of(node)} of {used(node, row)} at {at_us}"
            if bool(fired[place, payment]) is not (right is True):
                yield f"columns: not {right}: {text_of(node)} of {used(node, row)} at {at_us}"


def used(node: tree.Node, row: dict[str, object]) -> dict[str, object]:
    """Return the features that an expression uses."""
    return {name: row[name] for name in sorted(tree.names_in(node))}


def seeded(seed: int, expressions: int = 150) -> list[str]:
    """Return the differences on expressions of a seed."""
    random = Random(seed)
    return list(of([trees.boolean(random) for _ in range(expressions)], random))
