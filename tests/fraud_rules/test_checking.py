"""Names and units: what may be compared, added and multiplied, and what is said where it may not."""

from __future__ import annotations

import pytest

from pipeline.domain.fraud.expressions.catalogue import Catalogue, Feature
from pipeline.domain.fraud.expressions.checking import check, problems_of
from pipeline.domain.fraud.expressions.parsing import parse
from pipeline.domain.fraud.expressions.problems import ExpressionError
from pipeline.domain.fraud.expressions.units import COUNT, TEXT, Unit
from tests.fraud_rules.sample import SAMPLE

LISTS = {"watch": "payee", "devices": "device_id"}

RIGHT = [
    "payments_1h > 10",
    "amount > 950 EUR and is_new_payee",
    "amount_24h >= 80 % * amount_in_24h",
    "payments_24h / 24 < payments_1h",
    "amount_24h / payments_24h > 100 EUR",
    "amount_24h / amount > 3",
    "3 * amount + 1 EUR > amount_24h - 2 EUR",
    "50 % * share_passed_on > 10 %",
    "silence > 2 * account_age",
    "max(amount, largest_amount) > 0 EUR",
    'payee in list("watch") or debtor in list("watch")',
    'device_id not in list("devices") and channel in ["web", "card"]',
    "known(model_score) and not known(is_new_device)",
    "payee == debtor",
    "true",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_has_no_problem(text: str) -> None:
    assert problems_of(parse(text), SAMPLE, LISTS) == []


WRONG = [
    ("amont_24h > 950 EUR", 1, "unknown feature `amont_24h`, did you mean `amount_24h`?"),
    ("payments_1h > 10 EUR", 1, "a count is compared with an amount in EUR"),
    ("amount > 950", 1, "an amount in EUR is compared with a count: write 950 EUR"),
    ("amount > 950 USD", 1, "an amount in EUR is compared with an amount in USD"),
    ("24 < silence", 1, "a count is compared with a duration: write 24 h"),
    ("amount > 24 h", 1, "an amount in EUR is compared with a duration"),
    ("payments_1h", 1, "a rule is true or false, and this is a count"),
    ("payments_1h and is_new_payee", 1, "`and` takes booleans, and this is a count"),
    ("not payments_1h", 5, "`not` takes booleans"),
    ("is_new_payee == true", 1, "booleans are not compared"),
    ("channel > 5", 1, "a text is compared with a count"),
    ('channel < "web"', 1, "texts have no order"),
    ("amount + payments_1h > 5 EUR", 10, "`+` takes the same unit, and here an amount in EUR meets a count"),
    ("amount * amount > 5 EUR", 1, "cannot be multiplied by an amount in EUR"),
    ("payments_1h / amount > 5", 1, "a count cannot be divided by an amount in EUR"),
    ("channel + channel > 5", 1, "`+` takes numbers, and this is a text"),
    ("-channel > 5", 2, "`-` takes numbers"),
    ("abs(is_new_payee) > 5", 5, "`abs` takes numbers"),
    ("min(amount, silence) > 5 EUR", 13, "`min` takes the same unit"),
    ("hour_of_day in [1 h]", 17, "a count is looked up among members of which this is a duration"),
    ("is_new_payee in [1]", 1, "a boolean is in no set"),
    ('payee in list("wach")', 1, 'unknown list "wach", did you mean `watch`?'),
    ('country in list("watch")', 1, 'the list "watch" has values of `payee`, and this is `country`'),
    ('amount in list("watch")', 1, "a list has texts, and this is an amount in EUR"),
    ('"acc-1" in list("watch")', 1, "asked for a feature"),
]


@pytest.mark.parametrize(("text", "column", "said"), WRONG)
def test_what_is_wrong_is_said_at_its_place(text: str, column: int, said: str) -> None:
    problems = problems_of(parse(text), SAMPLE, LISTS)
    assert [one.at + 1 for one in problems] == [column]
    assert said in problems[0].message


def test_all_problems_of_an_expression_are_said_at_once() -> None:
    text = "amont > 1 EUR\nand payments_1h > 5 h\nand foo"
    with pytest.raises(ExpressionError) as caught:
        check(parse(text), text, SAMPLE, {})
    assert str(caught.value).splitlines() == [
        "line 1, column 1: unknown feature `amont`, did you mean `amount`?",
        "  amont > 1 EUR",
        "  ^^^^^",
        "line 2, column 5: a count is compared with a duration",
        "  and payments_1h > 5 h",
        "      ^^^^^^^^^^^^^^^^^",
        "line 3, column 5: unknown feature `foo`",
        "  and foo",
        "      ^^^",
    ]


def test_a_catalogue_refuses_what_the_language_could_not_name() -> None:
    for name in ("and", "min", "Amount", "a-b", "", "a" * 65, "1a"):
        with pytest.raises(ValueError, match="cannot be the name of a feature"):
            Feature(name=name, unit=COUNT, meaning="")
    with pytest.raises(ValueError, match="twice"):
        Catalogue((Feature(name="a", unit=COUNT, meaning=""), Feature(name="a", unit=TEXT, meaning="")))
    with pytest.raises(ValueError, match="ISO 4217"):
        Unit("amount", "XXX")


def test_the_version_of_a_catalogue_follows_what_expressions_rest_on() -> None:
    one, other = (Catalogue((Feature(name="a", unit=COUNT, meaning=words),)) for words in ("x", "y"))
    assert one.version == other.version
    assert one.version != Catalogue((Feature(name="a", unit=COUNT, meaning="x", least=0),)).version
