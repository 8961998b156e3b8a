"""Commands at the gateway: every upstream event is one; its ids follow from who asks, and with which key."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline import events
from pipeline.domain.kernel.events import Actor
from pipeline.gateway.commands.bodies import body_of, event_of, given
from pipeline.gateway.commands.catalogue import COMMANDS, ENVELOPE, Command
from pipeline.gateway.commands.naming import content_hash, flaw_of_key, request_id
from pipeline.gateway.identity.principal import Principal
from pipeline.gateway.problem_pages import OWN, meanings
from pipeline.gateway.problems import Problem
from pipeline.input_event import InputEvent
from schemas.result_codes import RESULTS

ANNA = Principal(issuer="idp", subject="anna", expires_at=2**62)
ACTOR = Actor("idp", "anna", None, "key-1", "v1")
PAYMENT: dict[str, Any] = {
    "debtor_account_id": "alice",
    "creditor_account_id": "bob",
    "amount_minor": 500,
    "currency": "EUR",
    "payment_type": "transfer",
    "reference": "r",
}


def command(path: str) -> Command:
    return next(one for one in COMMANDS if one.path == path)


def test_every_event_of_an_upstream_or_a_person_is_a_command_and_the_gateways_own_are_none() -> None:
    kinds = {
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, InputEvent) and kind is not InputEvent
    }
    assert kinds - {one.event for one in COMMANDS} == {events.RequestClaimed, events.RequestSent}
    assert len({one.path for one in COMMANDS}) == len(COMMANDS)


@pytest.mark.parametrize("one", COMMANDS, ids=lambda one: one.path)
def test_body_and_path_have_all_fields_of_the_event_and_none_of_the_envelope(one: Command) -> None:
    fields = set(body_of(one).model_fields)
    assert fields.isdisjoint(ENVELOPE)
    decided = {name for name, _ in one.fixed} | ({one.by} if one.by else set())
    assert fields | set(one.in_path) | decided == set(one.event.model_fields) - set(ENVELOPE)


def test_a_payment_becomes_an_event_of_its_principal_with_ids_that_follow_from_the_key() -> None:
    one = command("/payments")
    body = body_of(one).model_validate(PAYMENT)
    named = request_id("north", ANNA, "k-1")
    event = event_of(one, body, {}, "north", named, ACTOR)
    again = event_of(one, body, {}, "north", named, ACTOR)
    assert isinstance(event, events.PaymentInitiated) and isinstance(again, events.PaymentInitiated)
    assert (event.event_id, event.correlation_id, event.tenant_id) == (named, named, "north")
    assert event.payment_id == again.payment_id != named
    assert event.actor is not None and event.actor.subject == "anna" and event.amount_minor == 500


def test_a_body_cannot_say_who_acts_nor_what_the_path_says() -> None:
    for path, field in (
        ("/payments", "actor"),
        ("/payments", "event_id"),
        ("/payments/{payment_id}/approve", "reviewer"),
        ("/payments/{payment_id}/approve", "approved"),
        ("/accounts/{account_id}/close", "account_id"),
    ):
        with pytest.raises(ValidationError):
            body_of(command(path)).model_validate({field: "x"})


def test_who_reviews_is_who_is_signed_in() -> None:
    one = command("/payments/{payment_id}/decline")
    body = body_of(one).model_validate({"debtor_account_id": "alice", "reason": "no"})
    event = event_of(one, body, {"payment_id": "p-1"}, "north", "r-1", ACTOR)
    assert isinstance(event, events.PaymentReviewed)
    assert (event.reviewer, event.approved, event.payment_id) == ("anna", False, "p-1")


def test_what_the_path_says_is_checked_as_the_body_is() -> None:
    one = command("/accounts/{account_id}/reopen")
    body = body_of(one).model_validate({"reason": "again"})
    with pytest.raises(Problem) as told:
        event_of(one, body, {"account_id": "$clearing"}, "north", "r-1", ACTOR)
    assert (told.value.status, told.value.code) == (422, "invalid_command")


def test_a_request_is_named_by_tenant_principal_and_key() -> None:
    bert = Principal(issuer="idp", subject="bert", expires_at=2**62)
    other = Principal(issuer="idp2", subject="anna", expires_at=2**62)
    named = [
        request_id(tenant, who, key)
        for tenant in ("north", "acme")
        for who in (ANNA, bert, other)
        for key in ("k-1", "k-2")
    ]
    assert len(set(named)) == 12
    assert request_id("north", ANNA, "k-1") == named[0]


def test_the_hash_is_of_what_was_said_whatever_its_order_and_its_defaults() -> None:
    kind = body_of(command("/payments"))
    said = given(kind.model_validate(PAYMENT), {})
    turned = given(kind.model_validate(dict(reversed(PAYMENT.items()))), {})
    assert content_hash("payment_initiated", said) == content_hash("payment_initiated", turned)
    other = given(kind.model_validate({**PAYMENT, "amount_minor": 501}), {})
    assert content_hash("payment_initiated", said) != content_hash("payment_initiated", other)
    assert content_hash("payment_initiated", said) != content_hash("payment_reviewed", said)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "é"])
def test_a_key_that_cannot_be_one_is_refused(key: str) -> None:
    assert flaw_of_key(key)


def test_a_key_may_have_255_printable_characters() -> None:
    assert flaw_of_key("x" * 255) is None and flaw_of_key(" ~") is None


def test_every_result_code_has_a_page_that_explains_it() -> None:
    known = meanings()
    assert {result.code for result in RESULTS} <= set(known)
    assert all(one.meaning and one.remedy for one in OWN.values())
