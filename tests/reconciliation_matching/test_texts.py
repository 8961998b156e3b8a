"""Texts in normal form: references, placeholders, references inside free text, word tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.reconciliation.texts.charges import says_charge
from pipeline.domain.reconciliation.texts.inside import REFERENCES_MAX, references_inside
from pipeline.domain.reconciliation.texts.instructed import instructed_amount
from pipeline.domain.reconciliation.texts.placeholders import PLACEHOLDERS, is_constant, is_placeholder
from pipeline.domain.reconciliation.texts.references import normal_reference
from pipeline.domain.reconciliation.texts.words import WORD_CHARS_MAX, WORDS_MAX, word_tokens


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("RF18 5390 0754 7034", "RF18539007547034"),
        ("rf18539007547034", "RF18539007547034"),
        ("inv-0012/A", "INV0012A"),
        (" INV 0012 A ", "INV0012A"),
        ("000815", "815"),
        ("815", "815"),
        ("0815A", "0815A"),
        ("Straße 7é", "STRASSE7E"),
        ("Ｒ７７", "R77"),
        ("---", ""),
        ("0000", ""),
        ("", ""),
        ("A" * 141, ""),
    ],
)
def test_case_blanks_punctuation_and_zeros_in_front_say_nothing(written: str, form: str) -> None:
    assert normal_reference(written) == form


@given(st.text(max_size=200))
def test_a_normal_form_is_its_own_normal_form(text: str) -> None:
    form = normal_reference(text)
    assert normal_reference(form) == form


@pytest.mark.parametrize(
    "text",
    ["NOTPROVIDED", "Not Provided", "NONREF", "non-ref", "n/a", "0000", "XXXX", "x", "EREF", "", "None"],
)
def test_placeholders_are_no_references(text: str) -> None:
    assert is_placeholder(normal_reference(text))


@pytest.mark.parametrize("text", ["R1", "INV-1", "815", "NONREF1", "11"])
def test_references_are_no_placeholders(text: str) -> None:
    assert not is_placeholder(normal_reference(text))


def test_placeholders_are_listed_in_normal_form() -> None:
    assert [one for one in sorted(PLACEHOLDERS) if normal_reference(one) != one] == []


def test_an_own_account_number_is_a_placeholder() -> None:
    own = frozenset({normal_reference("DE89 3704 0044 0532 0130 00")})
    assert is_placeholder(normal_reference("de89370400440532013000"), own)
    assert not is_placeholder(normal_reference("DE02120300000000202051"), own)


def test_what_many_items_have_is_a_constant() -> None:
    assert [is_constant(items) for items in (1, 7, 8, 1_000)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ihre Rechnung RF18 5390 0754 7034 vom Mai", ("RF18539007547034",)),
        ("EREF+INV-2024-00017 SVWZ+Miete", ("INV202400017",)),
        ("A F 22716847 BG", ("22716847",)),
        ("payment 4e395a48 thanks", ("4E395A48",)),
        ("550e8400-e29b-41d4-a716-446655440000", ("550E8400E29B41D4A716446655440000",)),
        ("invoice 2024-05-17 of 17.05.2024 / 20240517 05/2024", ()),
        ("EUR 1.250,00 and 99.95", ()),
        ("RENT MAY 2024", ()),
        ("NOTPROVIDED 000000 111111", ()),
        ("", ()),
    ],
)
def test_references_inside_a_text_are_told_from_dates_and_amounts(text: str, found: tuple[str, ...]) -> None:
    assert references_inside(text) == found


def test_no_more_references_are_taken_from_a_text_than_its_bound() -> None:
    text = " ".join(f"INV{number:06}" for number in range(100))
    assert references_inside(text) == tuple(f"INV{number:06}" for number in range(REFERENCES_MAX))


def test_words_are_in_capitals_without_accents_and_short_neighbours_are_joined() -> None:
    assert word_tokens(("Dürer, A. D. payment", "dürer")) == ("A", "A+D", "D", "DURER", "PAYMENT")


@given(st.lists(st.text(max_size=3_000), max_size=5))
def test_words_are_sorted_each_once_and_bounded(texts: list[str]) -> None:
    words = word_tokens(texts)
    assert list(words) == sorted(set(words))
    assert len(words) <= WORDS_MAX
    assert all(0 < len(word) <= WORD_CHARS_MAX for word in words)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ORIG USD 1,250.00 RATE 1.0821", (125_000, "USD")),
        ("Miller 89303 CHF 841.75", (84_175, "CHF")),
        ("CHF 4'021.38 KURS 1,06", (402_138, "CHF")),
        ("71.612,00 GBP", (7_161_200, "GBP")),
        ("JPY 12000", (12_000, "JPY")),
        ("USD 12", None),
        ("EUR 250.00", None),
        ("ABC 250.00", None),
        ("invoice 250.00 of May", None),
        ("USD 0.00", None),
        ("USD 1234567890123456.00", None),
    ],
)
def test_an_amount_in_another_currency_is_found_in_a_text(text: str, found: tuple[int, str] | None) -> None:
    assert instructed_amount(text, "EUR") == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("OUR CHARGES Miller Ltd", True),
        ("Entgelt", True),
        ("Gebühren Auslandszahlung", True),
        ("wire transfer fee", True),
        ("Miller freight charges", False),
        ("TRANSFER Miller membership fee", False),
        ("", False),
    ],
)
def test_a_text_that_begins_with_a_word_for_a_fee_says_that_it_is_one(text: str, says: bool) -> None:
    assert says_charge(text) is says
