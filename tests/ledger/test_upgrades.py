"""What an earlier version has begun is finished by today's rules as if they had begun it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from tests.ledger.earlier_version import all_as_before
from tests.ledgers.player import Player
from tests.ledgers.tale import tale_of

BEGUN = """
    open A 100.00 event=opened
    open B
    open B.1
    open C 50.00
    open F 20.00
    open G
    close G
    limit A 5.00 from=30 event=limited
    freeze F CREDIT
    limit F 3.00 on=3
    period 2026-01 2 on=3
    pay S1 A->B 10.00 on=1 seen=3 => reserved, settled
    pay V1 A->B 3.00 REVIEW on=3
    pay V2 A->B.1 3.00 REVIEW on=3
    pay H1 A->B 8.00 until=20 on=3 => reserved
    pay H2 A->B.1 8.00 until=20 on=3 => reserved
    pay H3 A->B 8.00 until=20 REVIEW on=3
    capture H1 A C1 2.00 on=3 => captured
    journal J1 C -3.00 B 3.00 hold=20 on=3 => held
    journal J2 C -4.00 B 4.00 on=3 => posted
    journal J3 C -5.00 B.1 5.00 hold=20 on=3 => preparing
    deliver
    unpay S1 A R1 1.00 on=3 => posted
    undo J2 C R2 B -1.00 C 1.00 on=3
    capture H2 A C2 2.00 on=3
    pay S2 A->B.1 9.00 on=3 => reserved
    journal J4 C -6.00 B.1 6.00 on=3 => preparing
"""
"""What the upgrade meets; the last three are under way between the branches."""
LATER = [
    "approve V1 A on=4", "refuse V1 A on=4", "cancel V1 A on=4", "approve V2 A on=4", "approve H3 A on=4",
    "refuse H3 A on=4", "capture H1 A C3 3.00 on=4", "capture H1 A C3 rest on=4",
    "capture H1 A C3 3.00 final on=4", "capture H1 A C3 9.00 on=4", "capture H2 A C4 rest on=4",
    "cancel H1 A on=4", "cancel H2 A on=4", "extend H1 A 40 on=4", "extend H2 A 40 on=4",
    "confirm J1 C on=4", "void J1 C on=4", "confirm J3 C on=4", "void J3 C on=4", "confirm J2 C on=4",
    "unpay S1 A R3 on=4", "unpay S1 A R3 2.00 on=4", "unpay S1 A R3 9.01 on=4", "unpay H1 A R3 on=4",
    "unpay S2 A R3 on=4", "undo J2 C R3 on=4", "undo J2 C R3 B -3.01 C 3.01 on=4", "undo J1 C R3 on=4",
    "pay S1 A->B 10.00 on=1 seen=4", "pay S1 A->B 11.00 on=1 seen=4", "pay S2 A->B.1 9.00 on=3",
    "pay H1 A->B 8.00 until=20 on=4", "capture H1 A C1 2.00 on=4", "capture H1 A C1 3.00 on=4",
    "journal J2 C -4.00 B 4.00 on=4", "journal J2 C -5.00 B 5.00 on=4", "unpay S1 A R1 1.00 on=4",
    "unpay S1 A R1 2.00 on=4", "undo J2 C R2 B -1.00 C 1.00 on=4", "undo J2 C R2 B -2.00 C 2.00 on=4",
    "freeze F CREDIT on=4", "unfreeze F CREDIT on=4", "freeze F BOTH on=4", "pay X A->F 1.00 on=4",
    "pay X F->A 1.00 on=4", "reopen G on=4", "close B on=4", "open A 100.00 on=4",
    "limit A 1.00 on=4", "limit A 7.00 from=25 on=4", "limit A 7.00 from=30 on=4",
    "limit A 7.00 from=35 on=4", "pay X A->B 99.00 on=19", "pay X A->B 80.00 on=20", "pay X A->B 88.00 on=30",
    "pay X C->B 41.00 on=20",
]  # fmt: skip
END = ("pay Y A->B 0.01 on=40", "pay Z C->B 0.01 on=40", "pay Z1 A.1->B.1 0.01 on=40")


def said(line: str, earlier: bool) -> list[list[Any]]:
    """Return what each branch says after BEGUN; `earlier`: an earlier version has written its rows."""
    player = Player(tale_of(BEGUN))
    for step in player.tale.steps:
        step.act(player)
    before = [len(branch.said) for branch in player.ledger.branches]
    if earlier:
        for branch in player.ledger.branches:
            all_as_before(branch.rows)
        kinds = {
            key[:1] + row[:1] for branch in player.ledger.branches for key, row in branch.rows.data.items()
        }
        assert kinds >= {b"p\1", b"h\1", b"j\1", b"t\1", b"x\1"} and b"d\1" not in kinds
    for step in tale_of("\n".join((line, "deliver", *END, "deliver"))).steps:
        step.act(player)
    return [branch.said[start:] for branch, start in zip(player.ledger.branches, before, strict=True)]


@pytest.mark.parametrize("line", LATER)
def test_what_an_earlier_version_has_begun_goes_on_as_if_this_one_had_begun_it(line: str) -> None:
    assert said(line, earlier=True) == said(line, earlier=False)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("open A 99.00 on=4", "exists_with_different_amount"),
        ("limit A 1.00 event=limited on=4", "exists_with_different_content"),
        ("limit F 1.00 from=2 on=4", "limit_superseded"),
    ],
)
def test_what_the_rows_of_an_earlier_version_have_not_is_not_known(line: str, code: str) -> None:
    def codes(earlier: bool) -> list[str]:
        events = (event for branch in said(line, earlier) for _, _, event in branch)
        return [event.code for event in events if type(event) is ev.CommandRefused]

    assert code in codes(earlier=False) and code not in codes(earlier=True)
