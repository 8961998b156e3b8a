"""Marked texts of events are encrypted for whose they are, and open only there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.kernel.protected_texts import protected_text
from pipeline.domain.reconciliation.texts.references import normal_reference
from pipeline.events import PaymentInitiated, StatementLine
from pipeline.personal.errors import CannotOpen, KeysUnavailable, PersonalDataError, PersonErased
from pipeline.personal.fields import ALWAYS, BY_NAME, MARKABLE, marked
from pipeline.personal.keystore import KeyStore
from pipeline.personal.protecting import ERASED, PersonalData
from schemas import newest
from tests.personal.stores import store_in

AT = dt.datetime(2026, 12, 3, tzinfo=dt.UTC)
PAYMENT, LINE = PaymentInitiated.RECORD_NAME, StatementLine.RECORD_NAME
MARKS = {"north": list(BY_NAME), "south": ["statement_line.description"]}


def payment(**more: Any) -> dict[str, Any]:
    return PaymentInitiated(
        **{
            "event_id": "e-1",
            "tenant_id": "north",
            "occurred_at": AT,
            "payment_id": "p-000815",
            "debtor_account_id": "alice",
            "creditor_account_id": "bob",
            "amount_minor": 100,
            "currency": "EUR",
            "payment_type": "transfer",
            "reference": "Rent of Anna Müller",
            **more,
        }
    ).to_avro()


def line(**more: Any) -> dict[str, Any]:
    return StatementLine(
        **{
            "event_id": "e-2",
            "tenant_id": "north",
            "occurred_at": AT,
            "statement_id": "s-1",
            "account_id": "alice",
            "line_no": 1,
            "amount_minor": 100,
            "currency": "EUR",
            "booked_at": AT,
            "value_date": AT.date(),
            "description": "RENT ANNA MULLER",
            **more,
        }
    ).to_avro()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KeyStore]:
    with store_in(tmp_path) as opened:
        yield opened


@pytest.fixture
def personal(store: KeyStore) -> PersonalData:
    return PersonalData(store, MARKS)


def test_every_text_that_can_be_marked_is_one_of_its_event() -> None:
    for field in (*MARKABLE, *ALWAYS):
        version = newest(field.record_name)
        assert version.event == field.event
        names = {field.whose, field.path.partition(".")[0]}
        assert all(f'"name":"{name}"' in version.text for name in (*names, *field.also))
    assert {one.name for one in marked(["payment_initiated.reference"])} == {
        "payment_initiated.reference",
        "payment_initiated.remittance_text",
    }
    with pytest.raises(
        PersonalDataError, match=r"'payment_initiated\.amount_minor' cannot be marked: choose"
    ):
        marked(["payment_initiated.amount_minor"])


def test_a_protected_event_has_no_text_in_the_clear_and_is_an_event_still(personal: PersonalData) -> None:
    event = payment(remittance_text="Rent of Anna Müller")
    told = personal.protect(PAYMENT, event)
    assert "Anna" not in repr(told) and "ANNA" not in repr(told).upper()
    assert PaymentInitiated.from_avro(told).to_avro() == told
    changed = {name for name in event if told[name] != event[name]}
    assert changed == {"reference", "remittance_text"}
    assert personal.reveal(PAYMENT, told) == event


def test_texts_of_a_payment_and_of_the_banks_line_have_the_same_tokens(personal: PersonalData) -> None:
    ours = protected_text(personal.protect(PAYMENT, payment())["reference"])
    told = personal.protect(LINE, line(external_reference="P000815"))
    theirs = protected_text(told["description"])
    assert ours is not None and theirs is not None
    assert {*theirs.words} < {*ours.words} and len(theirs.words) == 3
    # A bank names a payment by its id: the id stands for the payment's reference as well.
    assert normal_reference(told["external_reference"]) in ours.references


def test_the_parts_of_a_line_are_protected_each(personal: PersonalData) -> None:
    details = [{"amount_minor": 60, "reference": "INV-000001", "counterparty": "Anna"}, {"amount_minor": 40}]
    event = line(details=details, counterparty_name="Anna", external_reference="")
    told = personal.protect(LINE, event)
    assert "Anna" not in repr(told) and "000001" not in repr(told)
    assert told["external_reference"] == "" and told["details"][1]["reference"] is None
    assert StatementLine.from_avro(told).to_avro() == told
    assert personal.reveal(LINE, told) == event


def test_what_is_sent_again_is_the_same_command(personal: PersonalData) -> None:
    told = personal.protect(PAYMENT, payment())
    assert personal.protect(PAYMENT, payment()) == told
    assert personal.protect(PAYMENT, told) == told


def test_a_tenant_protects_what_it_marks_and_no_more(personal: PersonalData) -> None:
    told = personal.protect(LINE, line(tenant_id="south", counterparty_name="Anna"))
    assert told["counterparty_name"] == "Anna" and protected_text(told["description"]) is not None
    other = payment(tenant_id="west")
    assert personal.protect(PAYMENT, other) == other


def test_a_creditor_reference_goes_into_the_reference_that_has_it(personal: PersonalData) -> None:
    told = personal.protect(
        PAYMENT, payment(reference="RF18 5390 0754 7034 rent", creditor_reference="RF18539007547034")
    )
    assert told["creditor_reference"] is None
    found = protected_text(told["reference"])
    bank = protected_text(
        personal.protect(LINE, line(external_reference="RF18539007547034"))["external_reference"]
    )
    assert found is not None and bank is not None and bank.reference in found.references
    with pytest.raises(PersonalDataError, match="has to stand in the reference") as raised:
        personal.protect(PAYMENT, payment(creditor_reference="RF18539007547034"))
    assert "RF18" not in str(raised.value)


def test_a_text_of_another_account_or_field_does_not_open(personal: PersonalData) -> None:
    told = personal.protect(PAYMENT, payment(remittance_text="x"))
    for moved in (
        {**told, "debtor_account_id": "bob"},
        {**told, "remittance_text": told["reference"]},
        {**told, "tenant_id": "south"},
    ):
        with pytest.raises(CannotOpen, match="another tenant, person or field"):
            personal.reveal(PAYMENT, moved)
    copied = personal.text(told["reference"], "north", BY_NAME["payment_initiated.reference"], "alice")
    assert copied == "Rent of Anna Müller"


def test_after_erasure_nothing_opens_and_nothing_new_is_written(
    personal: PersonalData, store: KeyStore
) -> None:
    told = personal.protect(PAYMENT, payment())
    others = personal.protect(PAYMENT, payment(debtor_account_id="carol"))
    assert store.destroy("north", "account:alice") == 1
    assert personal.reveal(PAYMENT, told)["reference"] == ERASED
    assert personal.reveal(PAYMENT, others)["reference"] == "Rent of Anna Müller"
    with pytest.raises(PersonErased):
        personal.protect(PAYMENT, payment())


def test_a_text_that_is_too_long_or_a_store_that_is_away_is_an_error_without_the_text(
    personal: PersonalData, store: KeyStore
) -> None:
    with pytest.raises(PersonalDataError, match="reference: the text has 20,000 bytes") as raised:
        personal.protect(PAYMENT, payment(reference="Anna " * 4_000))
    assert "Anna" not in str(raised.value)
    store.close()
    with pytest.raises(KeysUnavailable):
        personal.protect(PAYMENT, payment())
