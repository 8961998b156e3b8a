"""Repeats of what an earlier version stored: what its rows did not keep is not compared, all else is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger.holds import hold_key
from pipeline.domain.ledger.journals import earlier_key, journal_key
from pipeline.domain.ledger.rows import payment_key
from tests.ledger.branches import Branches
from tests.ledger.earlier_version import as_layout_1
from tests.ledgers.player import play
from tests.ledgers.words import account_id

A = account_id("A")


def earlier(tale: str) -> Branches:
    """Return the ledger after a tale, with its payments, holds and journals as layout 1 has them."""
    ledger = play(f"open A 100.00\nopen B\n{tale}")
    rows = ledger.branches[0].rows
    for key, row in list(rows.data.items()):
        if key[:1] in (b"p", b"h", b"j"):
            rows.data[key] = as_layout_1(row, key[:1])
    return ledger


def answers(ledger: Branches, *events: Any) -> list[str]:
    before = len(ledger.said(ev.CommandRefused))
    for event in events:
        ledger.run(event)
    return [refused.code for refused in ledger.said(ev.CommandRefused)[before:]]


def commands(tale: str, kind: type) -> list[Any]:
    """Return the commands of a kind that a tale gives, without their effect."""
    ledger = play(f"open A 100.00\nopen B\n{tale}")
    return [event for event, _ in ledger.branches[0].log if type(event) is kind]


@pytest.mark.parametrize(
    ("again", "code"),
    [
        ("pay P A->B 10.00 type=deposit", "exists"),
        ("pay P A->B 10.00 until=9", "exists"),
        ("pay P A->B 11.00", "exists_with_different_amount"),
        ("pay P A->B 10.00 reference=other", "exists_with_different_reference"),
    ],
)
def test_of_an_earlier_payment_hold_and_type_are_not_compared(again: str, code: str) -> None:
    ledger = earlier("pay P A->B 10.00 => reserved, settled")
    (event,) = commands(f"{again} => reserved{'' if 'until' in again else ', settled'}", ev.PaymentDecided)
    assert answers(ledger, event) == [code]
    assert payment_key("acme", "P") in ledger.branches[0].rows.data


def test_of_an_earlier_capture_final_and_whether_it_was_the_rest_are_not_compared() -> None:
    first = "pay P A->B 50.00 until=9 => reserved\ncapture P A C 10.00 => captured"
    ledger = earlier(first)
    assert ledger.branches[0].rows.data[hold_key("acme", "P")][0] == 1
    (capture,) = commands(first, ev.PaymentCaptured)
    change = msgspec.structs.replace
    changed = (change(capture, final=True), change(capture, amount_minor=None))
    assert answers(ledger, *changed) == ["exists", "exists"]
    assert answers(ledger, change(capture, amount_minor=11_00)) == ["exists_with_different_amount"]


def test_of_an_earlier_reversal_whether_it_was_the_rest_is_not_compared() -> None:
    first = "pay P A->B 10.00 => reserved, settled\nunpay P A R 4.00 => posted"
    ledger = earlier(first)
    rows = ledger.branches[0].rows
    rows.put(earlier_key("acme", "R"), rows.data.pop(journal_key("acme", A, "R")))
    (reversal,) = commands(first, ev.PaymentReversed)
    change = msgspec.structs.replace
    assert answers(ledger, change(reversal, amount_minor=None)) == ["exists"]
    assert answers(ledger, change(reversal, amount_minor=5_00)) == ["exists_with_different_amount"]
