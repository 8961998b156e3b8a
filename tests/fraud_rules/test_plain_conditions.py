"""The judge's own reading of conditions and the product's: the same answers, texts and refusals."""

from __future__ import annotations

from random import Random

import pytest

from pipeline.domain.fraud.expressions import by_row, checking
from pipeline.domain.fraud.expressions.formatting import text_of
from pipeline.domain.fraud.expressions.parsing import parse
from pipeline.domain.fraud.expressions.problems import ExpressionError
from pipeline.verify.model.fraud_answers import answer, worded
from pipeline.verify.model.fraud_conditions import parsed
from pipeline.verify.model.fraud_words import FalseCondition
from tests.fraud_rules import trees
from tests.fraud_rules.differences import ENTRIES
from tests.fraud_rules.sample import SAMPLE

UNITS = {one.name: str(one.unit.currency or one.unit.kind) for one in SAMPLE}
PIECES = (
    *("(", ")", "not ", " and ", " or ", "-", "5", " EUR", " h", " %", '"DE"', "payee", "amount"),
    *(",", "[", "]", " in ", " * ", " / ", "0.5", "known(", "list("),
)


@pytest.mark.parametrize("seed", range(8))
def test_both_say_the_same(seed: int) -> None:
    random = Random(seed)
    for _ in range(60):
        node = trees.boolean(random)
        text = text_of(node)
        part = parsed(text, UNITS, trees.OF_LISTS)
        assert worded(part) == text
        ours, theirs = answer(part, trees.LISTS), by_row.row_function(node, SAMPLE, ENTRIES)
        for _ in range(12):
            row, at_us = trees.row(random), random.choice([0, 998, 999, 1_000, 1_001])
            assert ours(row, at_us) is theirs(row, at_us), text


@pytest.mark.parametrize("seed", range(8))
def test_both_refuse_the_same(seed: int) -> None:
    """Texts with something taken out, put in or doubled."""
    random, refused = Random(seed), 0
    for _ in range(150):
        text = text_of(trees.boolean(random, 2))
        for _ in range(random.randint(1, 2)):
            at = random.randrange(len(text) + 1)
            until = min(len(text), at + random.randint(0, 3))
            text = text[:at] + random.choice(("", *PIECES, text[at:until] * 2)) + text[until:]
        try:
            node = parse(text)
            checking.check(node, text, SAMPLE, trees.OF_LISTS)
            theirs = text_of(node)
        except ExpressionError:
            theirs = None
        try:
            ours = worded(parsed(text, UNITS, trees.OF_LISTS))
        except FalseCondition:
            ours = None
        assert ours == theirs, text
        refused += theirs is None
    assert 10 < refused < 150
