"""The model of the history beside the product's rules, on random journals."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pipeline.domain.history import past as looking_back
from pipeline.domain.history import rows, zones
from pipeline.domain.history import stream as history
from pipeline.domain.kernel.outbox import Outbox
from pipeline.verify.model import history as history_model
from pipeline.verify.model.history import SIZE, HistoryBranch, span
from pipeline.verify.model.wire import LONG_MAX, LONG_MIN
from tests.chaos.by_hand import Event, chance, envelope, in_order, posted
from tests.chaos.side_by_side import first_difference


def held(number: int, rng: random.Random) -> Event:
    fields = {
        "hold_id": f"pay {number}",
        "account_id": rng.choice(("alice", "$clearing:EUR:0")),
        "account_type": "nostro",
        "change": rng.choice(("PLACED",) * 5 + ("RELEASED",) * 5 + ("UNSPECIFIED",)),
        "amount_minor": rng.choice((1, 5, LONG_MAX, 0)),
        "currency": "EUR",
        "held_minor_after": rng.choice((0, 5, 7, -1)),
        "balance_minor": rng.randrange(-9, 9),
        "booked_at": rng.randrange(100),
        "branch": 0,
    }
    return "HoldRecorded", envelope(f"hold {number}", **fields)


def journal(rng: random.Random, count: int) -> list[Event]:
    found = []
    for number in range(count):
        if rng.random() < 0.2:
            found.append(held(number, rng))
            continue
        fields = {
            "account_id": rng.choice(("alice", "alice", "bob", "$clearing:EUR:0")),
            "payment_id": rng.choice((None, "pay")),
            "occurred_at": rng.randrange(100),
            "booked_at": rng.choice((None, rng.randrange(100))),
            "effective_at": rng.choice((None, rng.randrange(100))),
            "held_minor_after": rng.choice((None, 0, 3, -1)),
            "balance_minor_after": rng.randrange(-50, 50),
            "correlation_id": rng.choice(("", "c", "a\0b", "\u00e9")),
        }
        amount = rng.choice((1, -1, 30, -30, 0))
        if amount < 0 and rng.random() < 0.5:
            fields["lowest_balance_minor"] = rng.randrange(-40, 20)
        found.append(posted(f"p{number}", amount, rng.choice((None, "", "rent", "x\0y")), **fields))
    return found


def past(rng: random.Random, count: int) -> list[Event]:
    """Return an account's journal as the ledger writes it: balances add up, some debits are back-dated."""
    found, balance = [], 0
    for number in range(count):
        amount = rng.choice((5, 3, -4)) if balance > 9 else 10
        balance += amount
        late = amount < 0 and rng.random() < 0.5
        now = 10 * number
        fields = {
            "account_id": "alice",
            "occurred_at": now,
            "effective_at": 10 * number - rng.randrange(10_000)
            if late
            else rng.choice((None, 10 * number + 3)),
            "lowest_balance_minor": rng.choice((0, -50, 20)) if late else None,
            "balance_minor_after": balance,
        }
        found.append(posted(f"p{number}", amount, None, **fields))
    return found


@pytest.mark.parametrize("size", [4, SIZE])
def test_model_and_product_see_the_same_past(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer bookings looked at than there are, some are not checked."""
    for module in (history, rows, zones, looking_back):
        monkeypatch.setattr(module, "ZONE", size)
    monkeypatch.setattr(history_model, "SIZE", size)
    for module, name in ((looking_back, "CHECKED_MAX"), (history_model, "LOOKED_AT")):
        monkeypatch.setattr(module, name, 100)
    said: list[Any] = []
    emit = Outbox.emit
    monkeypatch.setattr(Outbox, "emit", lambda out, *about: (said.append(about[2]), emit(out, *about)))
    assert first_difference(HistoryBranch(0, 1), history, in_order(past(chance(7), 400), 0)) is None
    checked = [one.checked for one in said]
    assert checked.count(True) > 5 and checked.count(False) > 5
    assert all(one.short_minor > 0 for one in said if one.checked)


@pytest.mark.parametrize("seed", range(4))
def test_model_and_product_write_the_same_for_random_journals(seed: int) -> None:
    log = in_order(journal(chance(seed), 40 * SIZE), 0)
    assert first_difference(HistoryBranch(0, 1), history, log) is None


def test_the_span_of_nothing_is_empty() -> None:
    assert span([]) == (LONG_MAX, LONG_MIN, 0, 0)
