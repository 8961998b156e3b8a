"""What moves the event time of a branch: each command once, as the ledger's README lists them."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.rows import read_watermark
from pipeline.domain.ledger.settings import LedgerSettings
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from tests.ledger.branches import DAY, decided
from tests.ledgers.commands import COMMANDS, envelope_of
from tests.ledgers.player import play
from tests.ledgers.words import BRANCHES, Words

PREPARED = """
    open A 100.00
    open B
    pay P1 A->B 1.00 REVIEW on=5 => reserved
    pay P2 A->B 1.00 until=90 on=5 => reserved
    pay P3 A->B 1.00 on=5 => reserved, settled
    journal J1 A -1.00 B 1.00 hold=90 on=5 => held
    journal J2 A -1.00 B 1.00 on=5 => posted
"""
MOVES = (
    "pay P4 A->B 1.00", "pay P4 A->B 99.00 DECLINE", "capture P2 A C1 1.00", "capture P9 A C1 1.00",
    "extend P2 A 99", "extend P2 A 9", "unpay P3 A R1", "unpay P1 A R1", "journal J3 A -1.00 B 1.00",
    "journal J3 A -1.00 B 2.00", "journal J2 A -1.00 B 1.00", "confirm J1 A", "confirm J9 A", "void J1 A",
    "void J2 A", "undo J2 A R1", "undo J1 A R1", "link L1 A P7->B 1.00", "link L1 A P7->B 1.00 P8->B 99.00",
)  # fmt: skip
STAYS = (
    "pay P3 A->B 1.00", "pay P3 A->B 2.00", "approve P1 A", "refuse P1 A", "approve P3 A", "cancel P1 A",
    "cancel P9 A", "open C", "open A", "limit A 5.00", "freeze A DEBIT", "unfreeze A DEBIT", "close A",
    "reopen A", "period 2026-01 4", "rate EUR USD 1.08", "agree e1 A", "reject e1 A",
)  # fmt: skip


def event_of(line: str, day: str) -> Any:
    verb, *words = line.split()
    taken = Words([*words, f"on={day}"])
    about, _ = envelope_of(taken, 99)
    return COMMANDS[verb](taken, about)


def moved(line: str, seen: int, rules: LedgerRules | None = None) -> int | None:
    """Return the event time of a branch, in days, after a command of day 7 that Kafka has on day `seen`."""
    branch = play(PREPARED).branches[0]
    rows = MemoryRows()
    rows.data.update(branch.rows.data)
    try:
        Ledger(rules).apply(event_of(line, "7"), Arrival(seen * DAY, 0, BRANCHES), rows, Outbox())
    except Reject:
        pytest.fail(f"`{line}` is a dead letter")
    found = read_watermark(rows)
    return None if found is None else found // DAY


@pytest.mark.parametrize("line", MOVES)
def test_these_commands_move_event_time(line: str) -> None:
    assert moved(line, seen=7) == 7


@pytest.mark.parametrize("line", STAYS)
def test_these_commands_do_not(line: str) -> None:
    assert moved(line, seen=7) == 5


def test_each_command_of_a_tale_is_in_one_of_the_two_lists() -> None:
    assert {line.split()[0] for line in (*MOVES, *STAYS)} == set(COMMANDS)


@pytest.mark.parametrize("line", MOVES)
def test_what_is_not_yet_moves_nothing(line: str) -> None:
    assert moved(line, seen=6) == 5


def test_where_event_time_is_made_up_nothing_is_not_yet() -> None:
    assert moved("pay P4 A->B 1.00", seen=6, rules=LedgerRules(clock_ahead_seconds=0)) == 6


def test_the_tolerance_is_a_setting() -> None:
    day = LedgerRules(clock_ahead_seconds=86_400)
    assert moved("pay P4 A->B 1.00", seen=6, rules=day) == 6
    assert LedgerSettings().clock_ahead_seconds == 300
    with pytest.raises(ValueError, match="clock_ahead_seconds must be from 0 to 86400"):
        LedgerRules(clock_ahead_seconds=86_401)


def test_a_payment_that_is_not_yet_is_not_remembered() -> None:
    rows, out = MemoryRows(), Outbox()
    Ledger().apply(decided("e", "P", "a", "b", 1, occurred_at=DAY), Arrival(0, 0, 1), rows, out)
    assert rows.data == {} and [event.code for _, _, event in out.items] == ["not_yet"]
