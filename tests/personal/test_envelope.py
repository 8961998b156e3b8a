"""An encrypted text opens at its place and for its person only, and says little of its length."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.personal.envelope import (
    ENVELOPE_CHARS_MAX,
    SIZE_CLASSES,
    TEXT_BYTES_MAX,
    DataKey,
    Name,
    Place,
    length_prefixed,
    name_in,
    opened,
    sealed,
)
from pipeline.personal.errors import CannotOpen, PersonalDataError

KEY = DataKey("k" * 16, 3, bytes(range(32)))
PLACE = Place("north", "payments", "ledgerflow.PaymentInitiated", "reference", "account:alice")


def secret(name: Name, place: Place) -> bytes:
    assert name == (KEY.key_id, KEY.version)
    return KEY.secret


@given(st.text(max_size=300))
def test_what_was_sealed_opens(text: str) -> None:
    assert opened(sealed(text, PLACE, KEY), PLACE, secret) == text


@pytest.mark.parametrize("field", Place._fields)
def test_a_value_that_was_moved_does_not_open(field: str) -> None:
    moved = PLACE._replace(**{field: "another"})
    with pytest.raises(CannotOpen, match="damaged, or is of another tenant, topic, field or person"):
        opened(sealed("Rent of May", PLACE, KEY), moved, secret)


def test_parts_of_a_place_cannot_be_shifted_into_each_other() -> None:
    assert length_prefixed("ab", "c") != length_prefixed("a", "bc")
    shifted = PLACE._replace(field="reference" + "a", person=PLACE.person[1:])
    with pytest.raises(CannotOpen):
        opened(sealed("Rent", PLACE, KEY), shifted, secret)


def test_every_changed_character_is_found() -> None:
    envelope = sealed("Rent", PLACE, KEY)
    for at in range(len(envelope)):
        other = "A" if envelope[at] != "A" else "B"
        with pytest.raises(CannotOpen):
            opened(envelope[:at] + other + envelope[at + 1 :], PLACE, lambda *_: KEY.secret)
    with pytest.raises(CannotOpen):
        opened(envelope[:-1], PLACE, secret)


def test_a_renamed_key_is_found_even_if_its_secret_is_the_same() -> None:
    envelope = sealed("Rent", PLACE, KEY)
    with pytest.raises(CannotOpen):
        opened(envelope.replace(".3.", ".4."), PLACE, lambda *_: KEY.secret)


def test_the_same_text_has_another_envelope_each_time() -> None:
    assert len({sealed("Rent", PLACE, KEY) for _ in range(50)}) == 50


def repeatable(text: str = "Rent", place: Place = PLACE, key: DataKey = KEY) -> str:
    return sealed(text, place, key, repeatable=True)


def nonce_of(envelope: str) -> str:
    return envelope.rpartition(".")[2][:16]  # 12 bytes


def test_a_repeatable_envelope_is_the_same_for_the_same_text_place_and_key() -> None:
    assert repeatable() == repeatable() != sealed("Rent", PLACE, KEY)
    assert opened(repeatable(), PLACE, secret) == "Rent"


@pytest.mark.parametrize(
    "other",
    [
        *(repeatable(place=PLACE._replace(**{field: "another"})) for field in Place._fields),
        repeatable(place=PLACE._replace(field="referencea", person=PLACE.person[1:])),
        repeatable(key=KEY._replace(key_id="l" * 16)),
        repeatable(key=KEY._replace(version=4)),
        repeatable(key=KEY._replace(secret=bytes(32))),
        *map(repeatable, ("Rents", "rent", "Rent ", "Rent\0", "", "x" * 5_000)),
    ],
)
def test_a_derived_nonce_is_another_one_where_anything_at_all_differs(other: str) -> None:
    # Two plaintexts or two associated data under one key and nonce would give both away in AES-GCM.
    assert nonce_of(other) != nonce_of(repeatable())


@given(st.text(max_size=40), st.text(max_size=40))
def test_two_texts_have_two_nonces(first: str, second: str) -> None:
    assert (nonce_of(repeatable(first)) == nonce_of(repeatable(second))) is (first == second)


def test_the_length_of_a_value_says_the_size_class_and_no_more() -> None:
    lengths = {size: len(sealed("x" * size, PLACE, KEY)) for size in range(300)}
    assert len({*lengths.values()}) == 5
    assert lengths[0] == lengths[32] < lengths[33] == lengths[64] < lengths[65]
    assert len(sealed("é" * 16, PLACE, KEY)) == lengths[32]  # bytes count, not characters


def test_the_longest_text_fits_and_a_longer_one_is_refused_without_being_quoted() -> None:
    envelope = sealed("x" * TEXT_BYTES_MAX, PLACE, KEY)
    assert len(envelope) < ENVELOPE_CHARS_MAX and SIZE_CLASSES[-1] == TEXT_BYTES_MAX
    assert len(opened(envelope, PLACE, secret)) == TEXT_BYTES_MAX
    with pytest.raises(PersonalDataError, match="reference: the text has 16,385 bytes") as raised:
        sealed("x" * TEXT_BYTES_MAX + "y", PLACE, KEY)
    assert "xx" not in str(raised.value)
    with pytest.raises(PersonalDataError, match="no valid Unicode"):
        sealed("\ud800", PLACE, KEY)


@pytest.mark.parametrize(
    "text", ["", "Rent", "p1.", "p2.kkkkkkkkkkkkkkkk.1.AAAA", "p1.kkkkkkkkkkkkkkkk.0.AAAA"]
)
def test_another_text_is_no_envelope(text: str) -> None:
    assert name_in(text) is None
    with pytest.raises(CannotOpen, match="not an encrypted value"):
        opened(text, PLACE, secret)


def test_an_envelope_is_plain_text_and_a_key_is_never_printed() -> None:
    assert re.fullmatch(r"p1\.[\w-]{16}\.3\.[\w-]+", sealed("Rent", PLACE, KEY))
    assert name_in(sealed("Rent", PLACE, KEY)) == Name("k" * 16, 3)
    assert repr(KEY.secret) not in repr(KEY)
