"""What was scheduled by an earlier version falls due as if this one had scheduled it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ledger.earlier_version import schedule_as_before
from tests.ledgers.player import Player
from tests.ledgers.tale import tale_of

SCHEDULED = """
    open A 10.00
    open B
    open C 9.00
    open D
    open E 5.00
    open M
    limit A 5.00 from=3
    limit M 0.00 max=2.00
    120x pay P{n} C->D 0.01 until=1 => reserved
    pay Q1 A->M 2.00 until=2 => reserved
    pay Q2 A->B 1.00 until=2 => reserved
    pay Q3 A->B 1.00 until=2 => reserved
    pay Q4 A->B 1.00 until=9 => reserved
    journal J1 A -3.00 B 3.00 hold=2 => held
    journal J2 E -5.00 B 5.00 hold=9 => held
"""
LATER = (
    "cancel Q2 A",
    "extend Q3 A 20",
    "confirm J2 E",
    "pay R1 E->M 2.00 on=2",
    "pay R2 A->B 10.01 on=3",
    "pay R3 A->B 11.00 on=3",
    "capture Q4 A C1 rest on=9",
    "pay R4 A->B 2.01 on=20",
    "pay R5 A->B 2.00 on=20",
)


def played(steps: int, earlier: bool) -> tuple[list[Any], dict[bytes, bytes]]:
    """Return what the ledger says after SCHEDULED, and its rows; `earlier`: an earlier version wrote them."""
    player = Player(tale_of(SCHEDULED))
    branch = player.play().branches[0]
    if earlier:
        schedule_as_before(branch.rows)
        assert any(key[:1] == b"x" for key in branch.rows.data)
    said = len(branch.said)
    for step in tale_of("\n".join(LATER[:steps])).steps:
        step.act(player)
    return branch.said[said:], branch.rows.data


@pytest.mark.parametrize("steps", range(1, len(LATER) + 1))
def test_what_an_earlier_version_has_scheduled_falls_due_as_if_this_one_had(steps: int) -> None:
    assert played(steps, earlier=True)[0] == played(steps, earlier=False)[0]


def test_nothing_of_the_earlier_form_is_left_when_its_time_is_over() -> None:
    rows, others = (played(len(LATER), earlier)[1] for earlier in (True, False))
    assert {key for key in rows.keys() ^ others.keys() if key[:1] != b"t"} == set()
    assert {key for key, row in rows.items() if key[:1] != b"t" and others[key] != row} == set()
    assert not [key for key in rows if key[:1] in b"xdyon"]
