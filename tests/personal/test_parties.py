"""What is said of parties is encrypted without a mark; what can be compared of it has tokens."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.kernel.protected_texts import ProtectedText, protected_text
from pipeline.events import PartyChanged, PartyIdentifier, PartyKind, PartyRegistered, PartyRemoved
from pipeline.personal.envelope import name_in
from pipeline.personal.errors import CannotOpen, PersonalDataError, PersonErased
from pipeline.personal.keystore import KeyStore
from pipeline.personal.protecting import ERASED, TEXTS_MAX, PersonalData
from tests.personal.stores import store_in

REGISTERED, CHANGED = PartyRegistered.RECORD_NAME, PartyChanged.RECORD_NAME
SECRETS = ("Müller", "MULLER", "1980", "Lindenweg", "DE89", "DE 89", "C01X")


def party(kind: type[PartyRegistered] | type[PartyChanged] = PartyRegistered, **more: Any) -> dict[str, Any]:
    return kind(
        **{
            "event_id": "e-1",
            "tenant_id": "north",
            "occurred_at": dt.datetime(2026, 12, 3, tzinfo=dt.UTC),
            "party_id": "p-1",
            "kind": PartyKind.PERSON,
            "names": ("Anna Müller", "Anna Bauer"),
            "birth_date": "1980-02-29",
            "addresses": ("Lindenweg 4, Köln",),
            "countries": ("DE",),
            "account_numbers": ("DE89 3704 0044 0532 0130 00",),
            "identifiers": (PartyIdentifier(scheme="passport", country="DE", number="C01X0006H"),),
            **more,
        }
    ).to_avro()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KeyStore]:
    with store_in(tmp_path) as opened:
        yield opened


@pytest.fixture
def personal(store: KeyStore) -> PersonalData:
    return PersonalData(store, {})


def tokens_of(text: str) -> ProtectedText:
    found = protected_text(text)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", [PartyRegistered, PartyChanged])
def test_nothing_of_a_party_is_in_the_clear_but_ids_countries_and_kinds(
    personal: PersonalData, kind: type[PartyRegistered] | type[PartyChanged]
) -> None:
    event = party(kind)
    told = personal.protect(kind.RECORD_NAME, event)
    assert not [secret for secret in SECRETS if secret.upper() in repr(told).upper()]
    assert kind.from_avro(told).to_avro() == told
    clear = {name for name in event if told[name] == event[name]} - {"actor", "causation_id"}
    envelope = {"event_id", "tenant_id", "occurred_at", "correlation_id"}
    assert clear - envelope == {"party_id", "kind", "countries"}
    assert personal.reveal(kind.RECORD_NAME, told) == event
    personal.require_protected(kind.RECORD_NAME, told)


def test_a_removal_says_nothing_that_is_personal(personal: PersonalData) -> None:
    about = {"tenant_id": "north", "occurred_at": dt.datetime(2026, 12, 3, tzinfo=dt.UTC)}
    event = PartyRemoved(**about, party_id="p-1").to_avro()
    assert personal.protect(PartyRemoved.RECORD_NAME, event) == event


@pytest.mark.parametrize("field", ["names", "birth_date", "addresses", "account_numbers", "identifiers"])
def test_a_producer_sends_no_text_of_a_party_in_the_clear(personal: PersonalData, field: str) -> None:
    event = party()
    told = {**personal.protect(REGISTERED, event), field: event[field]}
    with pytest.raises(PersonalDataError, match=f"party_registered.{field}.* is personal data"):
        personal.require_protected(REGISTERED, told)


def test_what_two_parties_share_has_the_same_tokens_and_another_envelope(personal: PersonalData) -> None:
    first = personal.protect(REGISTERED, party())
    account = "de89370400440532013000"
    second = personal.protect(
        REGISTERED, party(party_id="p-2", names=("MULLER, Anna",), account_numbers=(account,))
    )
    one, other = tokens_of(first["names"][0]), tokens_of(second["names"][0])
    assert {*one.words} == {*other.words} and len(one.words) == 2 and one.envelope != other.envelope
    number, again = tokens_of(first["account_numbers"][0]), tokens_of(second["account_numbers"][0])
    assert number.reference == again.reference != "" and number.envelope != again.envelope
    born = tokens_of(first["birth_date"])
    assert born.reference == tokens_of(second["birth_date"]).reference != number.reference


def test_an_address_has_no_token_and_another_envelope_each_time(personal: PersonalData) -> None:
    first, again = (personal.protect(REGISTERED, party())["addresses"][0] for _ in range(2))
    assert name_in(first) == name_in(again) is not None and first != again


def test_a_text_of_another_party_or_field_does_not_open(personal: PersonalData) -> None:
    told = personal.protect(REGISTERED, party())
    for moved in ({**told, "party_id": "p-2"}, {**told, "names": [told["birth_date"]]}):
        with pytest.raises(CannotOpen):
            personal.reveal(REGISTERED, moved)
        with pytest.raises(CannotOpen):  # nor is it taken for one that is encrypted already
            personal.protect(REGISTERED, moved)
    assert personal.protect(REGISTERED, told) == told


def test_an_erased_party_opens_nowhere_and_others_do(personal: PersonalData, store: KeyStore) -> None:
    told = personal.protect(REGISTERED, party())
    other = personal.protect(CHANGED, party(PartyChanged, party_id="p-2"))
    assert store.destroy("north", "party:p-1") == 5
    gone = personal.reveal(REGISTERED, told)
    assert (gone["names"], gone["birth_date"], gone["addresses"]) == ([ERASED] * 2, ERASED, [ERASED])
    assert personal.reveal(CHANGED, other)["names"] == ["Anna Müller", "Anna Bauer"]
    with pytest.raises(PersonErased):
        personal.protect(CHANGED, party(PartyChanged))


@pytest.mark.parametrize("wrong", ["1980-13-01", "1.2.1980", "1980-02-29T00:00", "80"])
def test_a_date_that_is_none_is_refused_without_being_quoted(personal: PersonalData, wrong: str) -> None:
    with pytest.raises(PersonalDataError, match="birth_date: not YYYY") as raised:
        personal.protect(REGISTERED, party(birth_date=wrong))
    assert wrong not in str(raised.value)


def test_an_event_has_a_bounded_number_of_texts(personal: PersonalData) -> None:
    fits = TEXTS_MAX - 4  # the party's other texts
    told = personal.protect(REGISTERED, party(names=("Anna",) * fits))
    assert len(told["names"]) == fits
    with pytest.raises(PersonalDataError, match="at most 100 personal texts"):
        personal.protect(REGISTERED, party(names=("Anna",) * (fits + 1)))
