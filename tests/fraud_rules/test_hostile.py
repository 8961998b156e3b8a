"""Hostile texts: each is refused, or read, in bounded time, and nothing but ExpressionError comes out."""

from __future__ import annotations

import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.fraud.expressions import syntax as tree
from pipeline.domain.fraud.expressions.checking import problems_of
from pipeline.domain.fraud.expressions.contradictions import always_holds, never_holds
from pipeline.domain.fraud.expressions.formatting import text_of
from pipeline.domain.fraud.expressions.parsing import parse
from pipeline.domain.fraud.expressions.problems import ExpressionError
from pipeline.domain.fraud.expressions.tokens import TEXT_CHARS_MAX
from tests.fraud_rules import trees
from tests.fraud_rules.sample import SAMPLE

SECONDS_MAX = 2.0
"""Far more than any of them takes (milliseconds): the machine may be busy."""
FULL = TEXT_CHARS_MAX
HOSTILE = {
    "100 kB": "a > 5 and " * 10_000,
    "100 MB": "(" * 100_000_000,
    "brackets": "(" * FULL,
    "brackets that match": "(" * 2_000 + "a" + ")" * 2_000,
    "minus": "-" * (FULL - 1) + "1",
    "not": "not " * 1_000 + "a",
    "sums": "a" + "+a" * 2_000 + " > 1",
    "divisions": "a" + "/a" * 2_000 + " > 1",
    "functions": "min(1," * 600 + "1" + ")" * 400,
    "parts": " and ".join(["a"] * 800),
    "members": f"a in [{','.join('1' * 2_000)}]",
    "digits": "a > " + "9" * 4_000,
    "underscores": "a > 1" + "_1" * 2_000,
    "a long name": "a" * FULL,
    "long names": " ".join(["a" * 64] * 60),
    "a text without end": '"' + "a" * 4_000,
    "a long text": f'a == "{"b" * 4_000}"',
    "backslashes": '"' + "\\" * 4_000,
    "spaces": " " * FULL,
    "spaces after digits": ("1" + " " * 100) * 40,
    "line breaks": "\n" * FULL,
    "NUL": "\0" * FULL,
    "surrogates": "\ud800" * 100,
    "wide letters": "\uff41\uff4d\uff4f\uff55\uff4e\uff54 > 5",
    "combining marks": "a\u0301" * 100,
    "dots": "a > 1" + ".1" * 1_000,
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_text_is_refused_in_bounded_time(name: str) -> None:
    began = time.process_time()
    with pytest.raises(ExpressionError) as caught:
        parse(HOSTILE[name])
    assert len(str(caught.value)) < 1_000
    assert time.process_time() - began < SECONDS_MAX


@given(st.text(max_size=200) | st.text('abx_ ()[]<>=!+-*/,.%"\\0159EURandotinlskw\n', max_size=120))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        node = parse(text)
    except ExpressionError as error:
        assert error.problems and str(error)
        return
    assert parse(text_of(node)) == node


@given(st.integers(0, 2**63))
def test_a_text_that_is_broken_somewhere_is_read_or_refused(seed: int) -> None:
    random = Random(seed)
    signs = list(text_of(trees.boolean(random)))
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(signs))
        signs[place : place + random.randint(0, 2)] = random.choice(
            ["", "(", ")", " ", "-", "not ", "9", "\x00", "é", '"']
        )
        if not signs:
            return
    try:
        node = parse("".join(signs))
    except ExpressionError:
        return
    assert parse(text_of(node)) == node
    problems_of(node, SAMPLE, {})


def test_bounds_are_reached_and_not_passed() -> None:
    parts = tree.NODES_MAX - 1  # and the chain itself
    assert len(parse(" and ".join(["a"] * parts)).parts) == parts  # type: ignore[attr-defined]
    with pytest.raises(ExpressionError, match=f"more than {tree.NODES_MAX} parts"):
        parse(" and ".join(["a"] * (parts + 1)))
    parse("(" * (tree.DEPTH_MAX - 1) + "a" + ")" * (tree.DEPTH_MAX - 1))
    with pytest.raises(ExpressionError, match="nested deeper"):
        parse("(" * tree.DEPTH_MAX + "a" + ")" * tree.DEPTH_MAX)
    parse("a > 1" + "+a" * (tree.DEPTH_MAX - 2))
    with pytest.raises(ExpressionError, match="nested deeper"):
        parse("a > 1" + "+a" * (tree.DEPTH_MAX - 1))
    parse(f"a in [{','.join(map(str, range(tree.MEMBERS_MAX)))}]")
    with pytest.raises(ExpressionError, match="use a list"):
        parse(f"a in [{','.join(map(str, range(tree.MEMBERS_MAX + 1)))}]")


def test_looking_for_contradictions_takes_bounded_time() -> None:
    choices = " and ".join(f"(payments_1h > {n} or payments_24h > {n})" for n in range(35))
    sets = " and ".join(f"hour_of_day not in [{n}, {n + 1}]" for n in range(22))
    began = time.process_time()
    for text in (choices, f"not ({choices})", sets):
        node = parse(text)
        assert not never_holds(node, SAMPLE) and not always_holds(node, SAMPLE)
    assert time.process_time() - began < SECONDS_MAX
