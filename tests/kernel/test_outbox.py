"""The outbox: order, and ids that are the same on every replay."""

from __future__ import annotations

import uuid

import pytest

from pipeline.domain.kernel.outbox import Outbox, Reject, derived_id

NAMESPACE = uuid.UUID("6f2a1f0e-3d0b-5a86-9a3c-2f9b4c1d7e55")


@pytest.mark.parametrize("cause", ["", "e1", "é€", "0" * 500, "236145f8-1cb1-4c21-833f-ab1e5d2c5206"])
@pytest.mark.parametrize("name", ["leg", "settle", "", "leg:a/b"])
def test_a_derived_id_is_a_uuid_version_5(cause: str, name: str) -> None:
    assert derived_id(cause, name) == str(uuid.uuid5(NAMESPACE, f"{cause}\0{name}"))


def test_derived_ids_do_not_change() -> None:
    """A literal: whoever changes the way of deriving them breaks every replay."""
    assert derived_id("event-1", "settle") == "9f5c267a-078e-5c20-96dc-ec37f020024c"


def test_cause_and_name_cannot_be_exchanged_for_one_another() -> None:
    ids = [derived_id("a", "b"), derived_id("ab", ""), derived_id("", "ab"), derived_id("b", "a")]
    assert len(set(ids)) == len(ids)


def test_the_order_of_an_outbox_is_the_order_of_the_calls() -> None:
    out = Outbox()
    out.emit("postings", "acme/A", "first")
    out.forward("ledger-commands")
    out.broadcast("position-commands")
    out.emit("postings", "acme/B", "second")
    assert out.items == [
        ("postings", "acme/A", "first"),
        ("ledger-commands", "", None),
        ("position-commands", "*", None),
        ("postings", "acme/B", "second"),
    ]


def test_a_refusal_says_why() -> None:
    reject = Reject("invalid_limit", "it is negative")
    assert (reject.code, reject.detail) == ("invalid_limit", "it is negative")
    assert Reject("x").detail == ""
