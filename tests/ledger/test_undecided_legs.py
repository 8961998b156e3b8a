"""Legs of an earlier version, on which no home has decided when they count, never get into a closed period.

They come where a leg was under way when a branch was upgraded, and where an earlier log is applied again.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from msgspec import structs

from pipeline.domain.kernel import events as ev
from tests.ledger.branches import DAY
from tests.ledgers import engines
from tests.ledgers.model import Record
from tests.ledgers.player import Player
from tests.ledgers.tale import tale_of
from tests.ledgers.words import account_id

UNDER_WAY = """
    open A 100.00
    open B.1
    period 2026-01 5 on=6
    pay P A->B.1 1.00 on=3 seen=6 => reserved
    pay H A->B.1 2.00 until=9 on=3 seen=6 => reserved
    capture H A C 2.00 on=4 seen=6
    journal J A -3.00 B.1 3.00 at=4 on=6 late=NEXT_PERIOD => preparing
    pay Q A->B.1 4.00 on=7 => reserved
"""
RECORD_OF = engines.record_of
AFTER = 5 * DAY + 1
"""The first moment after the period."""
EARLIER = {
    "requests": (ev.LegRequested, ev.JournalLegsEnded),
    "answers": (ev.LegPosted, ev.JournalLegsEnded),
    "both": (ev.LegRequested, ev.LegPosted, ev.JournalLegsEnded),
}


def as_version_1(event: Any) -> Any:
    """Return a leg as it is read where an earlier version has sent it."""
    asked = 4 * DAY if type(event) is ev.JournalLegsEnded else None
    return structs.replace(event, effective_at=asked, asked_at=event.occurred_at if asked is None else asked)


def as_written(event: Any, *place: int) -> Record:
    """Return a command as a record for the model, which reads a leg of version 1 as it was written."""
    record = RECORD_OF(event, *place)
    asked_at = record.fields.get("asked_at")
    counts_at = record.fields.get("effective_at") or record.fields["occurred_at"]
    if asked_at is None or asked_at != counts_at:
        return record
    return record._replace(fields={name: record.fields[name] for name in record.fields if name != "asked_at"})


@pytest.mark.parametrize("sent", EARLIER)
@pytest.mark.parametrize("engine", ["rules", "model"])
def test_a_leg_of_an_earlier_version_counts_after_the_closed_period_on_every_branch(
    engine: str, sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = Player(tale_of(UNDER_WAY), engine)
    for step in player.tale.steps:
        step.act(player)
    monkeypatch.setattr(engines, "record_of", as_written)
    seen = set()
    while any(branch.waiting for branch in player.ledger.branches):
        for number, branch in enumerate(player.ledger.branches):
            seen |= {type(event) for event, _ in branch.waiting}
            branch.waiting = deque(
                (as_version_1(event) if type(event) in EARLIER[sent] else event, at)
                for event, at in branch.waiting
            )
            player.deliver(number)
    assert seen >= {ev.LegRequested, ev.LegPosted, ev.JournalLegsEnded}
    expected = [AFTER, AFTER, AFTER, 7 * DAY]
    debits, credits = (player.value_times(account_id(name)) for name in ("A", "B.1"))
    assert sorted(time for time, _ in debits) == [0, *expected]  # the first one opened the account
    assert sorted(time for time, _ in credits) == expected
    assert player.clearing("EUR") == 0
