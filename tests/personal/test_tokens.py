"""Tokens: equal exactly where the normal forms of the texts are, and of no use without the key."""

from __future__ import annotations

import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel.protected_texts import ProtectedText, protected_text
from pipeline.domain.reconciliation.texts.charges import says_charge
from pipeline.domain.reconciliation.texts.inside import references_inside
from pipeline.domain.reconciliation.texts.instructed import instructed_amount
from pipeline.domain.reconciliation.texts.references import normal_reference
from pipeline.domain.reconciliation.texts.words import word_tokens
from pipeline.personal.tokens import Purpose, Tokens


def tokens(tenant: str = "north") -> Tokens:
    return Tokens(lambda purpose: hashlib.sha256(f"{tenant}{purpose}".encode()).digest())


NORTH = tokens()
ENVELOPE = "p1.kkkkkkkkkkkkkkkk.1.AAAA"
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            [
                *(
                    "Müller",
                    "MULLER",
                    "J",
                    "B",
                    "RF18539007547034",
                    "inv-0012/A",
                    "INV0012A",
                    "000815",
                    "our",
                ),
                *("charges", "fee", "USD 1,250.00", "EUR 3.00", "NOTPROVIDED", "2026-12-03", "EREF+ab12345"),
            ]
        ),
        max_size=9,
    ).map(" ".join),
)


def protected(text: str, of: Tokens = NORTH) -> str:
    return of.protected(text, ENVELOPE).text()


@given(TEXTS, TEXTS)
def test_two_texts_share_a_token_exactly_if_they_share_a_normal_word(one: str, other: str) -> None:
    shared = {*word_tokens((one,))} & {*word_tokens((other,))}
    found = {*word_tokens((protected(one),))} & {*word_tokens((protected(other),))}
    assert len(found) == len(shared)
    # Matching looks for references among words, too.
    shared = {*references_inside(one)} & {*word_tokens((other,))}
    found = {*references_inside(protected(one))} & {*word_tokens((protected(other),))}
    assert len(found) == len(shared)
    references = {*references_inside(one)} & {*references_inside(other)}
    assert len({*references_inside(protected(one))} & {*references_inside(protected(other))}) == len(
        references
    )


@given(TEXTS)
def test_an_encrypted_text_says_to_matching_what_the_text_does(text: str) -> None:
    told = protected(text)
    assert says_charge(told) == says_charge(text)
    for currency in ("EUR", "USD"):
        assert instructed_amount(told, currency) == instructed_amount(text, currency)
    assert references_inside(told) == tuple(
        NORTH.token(Purpose.TEXT, form) for form in references_inside(text)
    )
    assert word_tokens((told,)) == tuple(
        sorted(NORTH.token(Purpose.TEXT, word) for word in word_tokens((text,)))
    )
    assert protected_text(told) == NORTH.protected(text, ENVELOPE)


def test_the_normal_form_of_a_reference_is_one_token() -> None:
    same = {normal_reference(protected(text)) for text in ("inv-0012/A", "INV 0012 A", "INV0012A")}
    assert len(same) == 1 and re.fullmatch(r"[\w-]{22}", same.pop())
    assert normal_reference(protected("NOTPROVIDED")) == normal_reference(protected("")) == ""


def test_tokens_of_tenants_and_purposes_never_meet() -> None:
    found = {tokens(tenant).token(purpose, "ALICE") for tenant in ("north", "south") for purpose in Purpose}
    assert len(found) == 2 * len(Purpose)


def test_a_number_has_one_token_in_groups_and_compact() -> None:
    compact = NORTH.of_number(Purpose.ACCOUNT, "DE89370400440532013000")
    assert NORTH.of_number(Purpose.ACCOUNT, "de89 3704 0044 0532 0130 00") == compact


def test_the_count_of_tokens_is_bounded_and_those_in_front_count() -> None:
    text = " ".join(f"word{number}a" for number in range(100_000))
    found = NORTH.protected(text, ENVELOPE)
    assert found.words == NORTH.of_words(" ".join(f"word{number}a" for number in range(24)))
    assert len(found.references) <= 8
    assert protected_text(found.text()) == found


def test_references_that_stand_for_a_text_come_in_front() -> None:
    found = NORTH.of_references_in("order AB-123456", also=("p-000815", "NOTPROVIDED"))
    assert found == (NORTH.of_reference("P000815"), NORTH.of_reference("AB123456"))


def test_what_is_no_protected_text_is_read_as_the_text_it_is() -> None:
    whole = protected("Rent AB-123456")
    for text in ("", "pt1;", whole[:-1] + "usd", whole.replace(";w=", ";v="), whole + " ", f" {whole}"):
        assert protected_text(text) is None
    assert word_tokens(("pt1;Rent",)) == ("PT1", "RENT")
    assert ProtectedText(ENVELOPE).text() == f"pt1;{ENVELOPE};r=;i=;w=;c=0;o="
