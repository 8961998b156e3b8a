"""The judge reads the same out of an encrypted text as out of the text itself."""

from __future__ import annotations

import hashlib

import pytest

from pipeline.personal.tokens import Tokens
from pipeline.verify.model.match_protected import references_said
from pipeline.verify.model.match_references import is_inside, references_of, squeezed
from pipeline.verify.model.match_texts import currencies_said, says_charge

TOKENS = Tokens(lambda purpose: hashlib.sha256(purpose.encode()).digest())


def protected(text: str) -> str:
    return TOKENS.protected(text, "p1.kkkkkkkkkkkkkkkk.1.AAAA").text()


@pytest.mark.parametrize("other", ["inv-0012/A", "INV 0012 A", "other 77"])
def test_references_meet_where_those_of_the_texts_do(other: str) -> None:
    clear = references_of(["INV0012A"]) & references_of([other])
    assert bool(references_of([protected("INV0012A")]) & references_of([protected(other)])) == bool(clear)
    assert references_of([protected("NOTPROVIDED"), protected("")]) == frozenset()


def test_a_reference_is_found_inside_a_text() -> None:
    (reference,) = references_of([protected("INV0012A")])
    text = squeezed(references_said(protected("your invoice INV-0012/A of May")))
    assert is_inside(reference, text)
    assert not is_inside(reference, squeezed(references_said(protected("your invoice INV-0013/A"))))


def test_charges_and_currencies_are_those_that_the_text_says() -> None:
    assert says_charge((protected("OUR CHARGES"),)) and not says_charge((protected("Rent"),))
    for own in ("EUR", "USD"):
        assert currencies_said(protected("ORIG USD 12.50"), own) == currencies_said("ORIG USD 12.50", own)


def test_what_only_begins_like_an_encrypted_text_is_read_as_it_stands() -> None:
    assert references_said("pt1;Rent;r=1") == "pt1;Rent;r=1"
    assert references_said("Rent") == "Rent"
