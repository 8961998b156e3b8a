"""The model of the invariants beside the product's rules, on honest journals that are broken at random."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from pipeline.domain.invariants import stream as invariants
from pipeline.domain.kernel import events as ev
from pipeline.verify.model.invariants import InvariantBranch
from pipeline.verify.model.wire import LONG_MAX, LONG_MIN
from tests.chaos.by_hand import Event, chance, in_order
from tests.chaos.side_by_side import first_difference
from tests.invariants.honest_journal import HOUR, HonestJournal

ACCOUNTS = ["alice", "bob", "carol", "$clearing:EUR:0"]
SPOILS: list[dict[str, Any]] = [
    *({name: value} for name in ("amount_minor", "account_sequence", "balance_minor_after", "balance_minor")
      for value in (0, 3, LONG_MAX, LONG_MIN)),
    *({"held_minor_after": value} for value in (None, -1, 0, 5)),
    {"currency": "USD"}, {"side": "DEBIT"}, {"change": "UNSPECIFIED"}, {"entry_id": "0-e0"},
]  # fmt: skip


def journal(rng: random.Random, entries: int, spoilt: float) -> list[Event]:
    made = HonestJournal()
    for number in range(entries):
        debit, credit = rng.sample(ACCOUNTS, 2)
        if rng.random() < 0.3:
            made.hold(debit, 5)
        uses_hold = made.held(debit) >= 5 and rng.random() < 0.5
        made.enter(debit, credit, 5, rng.randrange(-3, 30) * HOUR, uses_hold, 1 if number % 9 == 0 else 2)
    log = [spoil(one, rng) if rng.random() < spoilt else one for one in made.log]
    log = [one for one in log if rng.random() >= spoilt / 4]
    return [(type(one).__name__, msgspec.to_builtins(one)) for one in log]


def spoil(event: Any, rng: random.Random) -> Any:
    changes = rng.choice(SPOILS)
    known = {name: value for name, value in changes.items() if name in type(event).__struct_fields__}
    if isinstance(event, ev.HoldRecorded) and known.get("held_minor_after", 0) is None:
        known = {}
    return msgspec.structs.replace(event, **known)


@pytest.mark.parametrize(("seed", "spoilt"), [(0, 0.0), (1, 0.02), (2, 0.1), (3, 0.5)])
def test_model_and_product_say_and_write_the_same(
    seed: int, spoilt: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "WINDOW", 200)
    monkeypatch.setattr("pipeline.verify.model.invariants.WINDOW", 200)
    log = in_order(journal(chance(seed), 400, spoilt), 0)
    assert first_difference(InvariantBranch(0, 1), invariants, log) is None
