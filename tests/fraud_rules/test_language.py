"""The language: what is read, how it is written, and what is said to what cannot be read."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.fraud.expressions import syntax as tree
from pipeline.domain.fraud.expressions.formatting import text_of
from pipeline.domain.fraud.expressions.parsing import parse
from pipeline.domain.fraud.expressions.problems import ExpressionError
from pipeline.domain.fraud.expressions.units import (
    COUNT,
    DURATION,
    SD,
    SECONDS,
    SHARE,
    Unit,
    amount,
    scaled,
    shown,
    told,
)
from tests.fraud_rules import trees

CANONICAL = [
    ("payments_1h>10", "payments_1h > 10"),
    ("a > 9_500.00 EUR", "a > 9500 EUR"),
    ("a > 12_345.50 EUR", "a > 12_345.50 EUR"),
    ("a > 950 VND", "a > 950 VND"),
    ("a > 24 h and b > 90 min and c > 2 w", "a > 1 d and b > 90 min and c > 14 d"),
    ("a > 35% or b > 0.50 %", "a > 35 % or b > 0.5 %"),
    ("a > 6.50 sd", "a > 6.5 sd"),
    ("a or (b or c) or d", "a or b or c or d"),
    ("(a and b) and c or d", "a and b and c or d"),
    ("a and (b or c)", "a and (b or c)"),
    ("not (not a)", "not not a"),
    ("not a > 5", "not a > 5"),
    ("not (a and b)", "not (a and b)"),
    ("not x in [3, 1, 2, 1]", "x not in [1, 2, 3]"),
    ('x in ["b","a"]', 'x in ["a", "b"]'),
    ('payee in list( "watch" )', 'payee in list("watch")'),
    ("a - (b - c) - d > 1", "a - (b - c) - d > 1"),
    ("a * (b + c) / d > 1", "a * (b + c) / d > 1"),
    ("a / (b * c) > 1", "a / (b * c) > 1"),
    ("(a * b) / c > 1", "a * b / c > 1"),
    ("-a * b > -5", "-a * b > -5"),
    ("-(a * b) > 1", "-(a * b) > 1"),
    ("-(-5) > --a", "5 > --a"),
    ("a - -5 > 1", "a - -5 > 1"),
    ("min( a,b , 5 )>max(c,1)", "min(a, b, 5) > max(c, 1)"),
    ("a\n\tand\n  b", "a and b"),
    ('t == "say \\"a\\\\b\\""', 't == "say \\"a\\\\b\\""'),
]


@pytest.mark.parametrize(("text", "canonical"), CANONICAL)
def test_an_expression_has_one_canonical_text(text: str, canonical: str) -> None:
    assert text_of(parse(text)) == canonical
    assert text_of(parse(canonical)) == canonical


def test_signs_bind_as_it_is_said() -> None:
    found = parse("a or b and not c < d + e * -f")
    name = tree.Name
    product = tree.Arithmetic("*", name("e"), tree.Negative(name("f")))
    less = tree.Comparison("<", name("c"), tree.Arithmetic("+", name("d"), product))
    assert found == tree.Any((name("a"), tree.All((name("b"), tree.Not(less)))))
    assert parse("a - b - c > 1") == parse("(a - b) - c > 1") != parse("a - (b - c) > 1")


@given(st.integers(0, 2**63))
def test_what_is_written_is_read_as_it_was(seed: int) -> None:
    node = trees.boolean(Random(seed), depth=5)
    text = text_of(node)
    if len(text) <= 4_096 and sum(1 for _ in tree.nodes_of(node)) <= tree.NODES_MAX:
        assert parse(text) == node
        assert text_of(parse(text)) == text


ERRORS = [
    ("", 1, 1, "an expression is expected"),
    ("a >", 1, 4, "found the end"),
    ("a > > 5", 1, 5, "expected a feature"),
    ("a > 5 AND b", 1, 7, "write `and` in small letters"),
    ("NOT a", 1, 1, "write `not` in small letters"),
    ("a > 5)", 1, 6, "`)` without `(`"),
    ("(a > 5", 1, 7, "expected `)` for the `(` at character 1"),
    ("1 < x < 3", 1, 7, "write `1 < x and x < 3`"),
    ("a\n and x = 5", 2, 8, "write `==` to compare"),
    ("a && b", 1, 3, "write `and`"),
    ("x == 'E'", 1, 6, 'texts stand in double quotes: "EUR"'),
    ("mix(a, b) > 1", 1, 1, "did you mean `min`?"),
    ("min(a) > 1", 1, 1, "`min` takes 2 to 8 parts, not 1"),
    ("known(a, b)", 1, 1, "`known` takes one part, not 2"),
    ('x in [1, "a"]', 1, 10, "numbers or texts, not both"),
    ("x in []", 1, 7, "expected a number or a text, found `]`"),
    ('x in "a"', 1, 6, "expected `[` or `list"),
    ("x in list(watch)", 1, 11, "the name of a list"),
    ("x > 5 euro", 1, 7, "did you mean `EUR`?"),
    ("x > 5 hours", 1, 7, "did you mean `h`?"),
    ("x > 5 furlong", 1, 7, "known: s, min, h, d, w"),
    ("x > 5.5", 1, 5, "a count has no decimals"),
    ("x > 0.001 EUR", 1, 5, "EUR has at most 2 decimals"),
    ("x > 1.5 JPY", 1, 5, "JPY has no decimals"),
    ("x > 9223372036854775808", 1, 5, "does not fit into 64 bits"),
    ("x > 92233720368547758.08 EUR", 1, 5, "does not fit into 64 bits"),
    ('x == "abc', 1, 6, "a text that has no end"),
    ('x == "a\\n"', 1, 6, "backslash"),
    ("a b", 1, 3, "expected `and`, `or`, a comparison or the end"),
    ("x # y", 1, 3, "no comments"),
    ("x.y", 1, 2, "decimals follow digits"),
    ("5(x)", 1, 2, "expected `and`, `or`, a comparison or the end"),
    ("and", 1, 1, "found `and`"),
    ("list > 1", 1, 1, "found `list`"),
    ("\N{CYRILLIC SMALL LETTER A}mount > 5", 1, 1, "U+0430 CYRILLIC SMALL LETTER A"),
    ("a \N{RIGHT-TO-LEFT OVERRIDE} > 5", 1, 3, "U+202E RIGHT-TO-LEFT OVERRIDE"),
    ("a\0", 1, 2, "U+0000 a control character"),
    ("a > 5\N{NO-BREAK SPACE}EUR", 1, 6, "U+00A0 NO-BREAK SPACE"),
    ("a > \N{ARABIC-INDIC DIGIT FIVE}", 1, 5, "U+0665 ARABIC-INDIC DIGIT FIVE"),
]


@pytest.mark.parametrize(("text", "line", "column", "said"), ERRORS)
def test_an_error_names_its_place_and_what_was_expected(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    message = str(caught.value)
    assert message.startswith(f"line {line}, column {column}: "), message
    assert said in message
    _, shown_line, carets = message.split("\n")
    assert carets.index("^") == 2 + column - 1, (shown_line, carets)


@given(
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.sampled_from([COUNT, DURATION, *trees.NUMBERS, amount("JPY"), amount("KWD")]),
)
def test_a_number_is_read_as_it_was_written(value: int, unit: Unit) -> None:
    node = parse(f"x == {shown(value, unit)}")
    assert isinstance(node, tree.Comparison)
    assert node.right == tree.Number(value, unit)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12_345, COUNT, "12,345"),
        (950_00, amount("EUR"), "950.00 EUR"),
        (-1_234_567, amount("EUR"), "-12,345.67 EUR"),
        (950_000, amount("VND"), "950,000 VND"),
        (0, DURATION, "0 s"),
        (61, DURATION, "1 min 1 s"),
        (7_200, DURATION, "2 h"),
        (6_058_982, DURATION, "70 d 3 h"),
        (3_500, SHARE, "35 %"),
        (2_525, SHARE, "25.25 %"),
        (1_050, SD, "10.5 standard deviations"),
    ],
)
def test_a_number_is_told_to_people(value: int, unit: Unit, text: str) -> None:
    assert told(value, unit) == text


def test_units_are_scaled_as_they_are_stored() -> None:
    assert [scaled("2", "", suffix) for suffix in SECONDS] == [2, 120, 7_200, 172_800, 1_209_600]
    assert (
        scaled("9", "5", "EUR") == 950 and scaled("9", "", "JPY") == 9 and scaled("9", "500", "KWD") == 9_500
    )
    assert scaled("35", "", "%") == 3_500 and scaled("6", "25", "sd") == 625
