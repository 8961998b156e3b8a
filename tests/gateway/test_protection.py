"""Personal texts of commands at the gateway: encrypted before Kafka, refused while there are no keys."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from pipeline import events
from pipeline.domain.kernel.events import Actor
from pipeline.domain.kernel.protected_texts import protected_text
from pipeline.domain.tenants.settings import parse_tenants
from pipeline.gateway.commands.bodies import body_of, event_of
from pipeline.gateway.commands.catalogue import COMMANDS
from pipeline.gateway.commands.naming import content_hash
from pipeline.gateway.commands.protection import Protection
from pipeline.gateway.problems import Problem
from pipeline.input_event import InputEvent
from pipeline.personal.errors import PersonalDataError
from pipeline.personal.opening import DeferredStore, open_in
from pipeline.personal.wrapping import make_file_key

TENANTS = """
[tenants.north]
personal = ["payment_initiated.reference"]
"""
PARTY = {"kind": "PERSON", "names": ["Anna Müller"], "party_id": "p-1"}
PAYMENT = {
    "payment_id": "p-1",
    "debtor_account_id": "alice",
    "creditor_account_id": "bob",
    "amount_minor": 500,
    "currency": "EUR",
    "payment_type": "transfer",
    "reference": "Rent of Anna Müller",
}


def asked(path: str, body: dict[str, Any], tenant: str = "north") -> InputEvent:
    command = next(one for one in COMMANDS if one.path == path)
    model = body_of(command).model_validate(body)
    return event_of(command, model, {}, tenant, "r-1", Actor("idp", "anna", None, None, None))


def protection(folder: Path, kek: Path | None = None, text: str = TENANTS) -> Protection:
    return Protection(
        DeferredStore(lambda: open_in(folder / "personal", kek and str(kek))), parse_tenants(text)
    )


def protected(by: Protection, event: InputEvent) -> Any:
    return asyncio.run(by.protected(event))


def test_what_a_tenant_marks_is_encrypted_and_nothing_of_another(tmp_path: Path) -> None:
    by = protection(tmp_path)
    told = protected(by, asked("/payments", PAYMENT))
    assert isinstance(told, events.PaymentInitiated) and protected_text(told.reference) is not None
    assert told.model_copy(update={"reference": PAYMENT["reference"]}) == asked(
        "/payments", PAYMENT
    ).model_copy(update={"occurred_at": told.occurred_at})
    other = asked("/payments", PAYMENT, "south")
    assert protected(by, other) is other


def test_marks_of_the_default_are_those_of_tenants_without_their_own(tmp_path: Path) -> None:
    text = '[default]\npersonal = ["payment_initiated.reference"]\n[tenants.open]\npersonal = []\n'
    by = protection(tmp_path, text=text)
    marked = [protected(by, asked("/payments", PAYMENT, tenant)).reference for tenant in ("north", "open")]
    assert protected_text(marked[0]) is not None and marked[1] == PAYMENT["reference"]


def test_a_party_is_encrypted_in_every_tenant(tmp_path: Path) -> None:
    told = protected(protection(tmp_path, text=""), asked("/parties", PARTY, "west"))
    assert isinstance(told, events.PartyRegistered) and "Anna" not in repr(told)


def test_the_hash_of_a_personal_command_is_keyed_and_the_same_each_time(tmp_path: Path) -> None:
    event, by = asked("/parties", PARTY), protection(tmp_path)
    hashes = [
        asyncio.run(one.hashed([event], "party_registered", PARTY)) for one in (by, protection(tmp_path))
    ]
    assert hashes[0] == hashes[1] != content_hash("party_registered", PARTY) and len(hashes[0]) == 64
    elsewhere = asyncio.run(protection(tmp_path / "other").hashed([event], "party_registered", PARTY))
    assert elsewhere != hashes[0]
    removal = events.PartyRemoved(tenant_id="north", occurred_at=event.occurred_at, party_id="p-1")
    plain = asyncio.run(by.hashed([removal], "party_removed", {"party_id": "p-1"}))
    assert plain == content_hash("party_removed", {"party_id": "p-1"})


def test_a_request_that_is_sent_again_after_a_rotation_of_keys_has_the_same_hash(tmp_path: Path) -> None:
    by, event = protection(tmp_path), asked("/payments", PAYMENT)

    def hashed() -> str:
        return asyncio.run(by.hashed([event], "payment_initiated", PAYMENT))

    before, told = hashed(), protected(by, event).reference
    assert told == protected(by, event).reference
    with open_in(tmp_path / "personal") as store:
        (kept,) = store.keys("north", "account:alice")
        assert store.rotate("north", "account:alice", kept.field).version == kept.version + 1
    by = protection(tmp_path)
    again = protected(by, event).reference
    assert told != again, "another key encrypts it"
    assert hashed() == before, "and the stream of requests answers that it is a repeat"
    first, second = protected_text(told), protected_text(again)
    assert first is not None and second is not None
    assert first._replace(envelope="") == second._replace(envelope=""), "what streams match stays"


def test_without_keys_personal_commands_wait_and_all_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kek = tmp_path / "kek"
    by, party = protection(tmp_path, kek), asked("/parties", PARTY)
    with caplog.at_level(logging.WARNING):
        for work in (by.protected(party), by.hashed([party], "party_registered", PARTY)):
            with pytest.raises(Problem) as told:
                asyncio.run(work)
            assert (told.value.status, told.value.code) == (503, "keys_unavailable")
            assert told.value.headers == {"Retry-After": "5"} and str(tmp_path) not in told.value.detail
    assert str(kek) in caplog.text and "Anna" not in caplog.text
    other = asked("/payments", PAYMENT, "south")
    assert protected(by, other) is other
    make_file_key(kek)
    assert "Anna" not in repr(protected(by, party))


def test_what_cannot_be_taken_is_a_problem_without_the_text(tmp_path: Path) -> None:
    by = protection(tmp_path)
    with pytest.raises(Problem) as told:
        protected(by, asked("/parties", {**PARTY, "birth_date": "5.6.1980"}))
    assert (told.value.status, told.value.code) == (422, "invalid_command")
    assert "5.6.1980" not in told.value.detail


def test_nothing_is_taken_about_a_person_who_was_erased(tmp_path: Path) -> None:
    with open_in(tmp_path / "personal") as store:
        store.destroy("north", "party:p-1")
    with pytest.raises(Problem) as told:
        protected(protection(tmp_path), asked("/parties", PARTY))
    assert (told.value.status, told.value.code) == (409, "person_erased")


def test_a_mark_that_is_none_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(PersonalDataError, match=r"'payment\.reference' cannot be marked"):
        protection(tmp_path, text='[tenants.north]\npersonal = ["payment.reference"]\n')
