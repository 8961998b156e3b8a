"""Limits and status, as ledgers: minimum, maximum, limits that begin later, freezing, closing, reopening."""

from __future__ import annotations

import pytest

from pipeline.domain.kernel import events as ev
from tests.ledger.branches import DAY
from tests.ledger.script import account_id, play

LEDGERS = {
    "a minimum balance stays": """
        open A 100.00
        open B
        limit A 0.00 min=30.00
        pay P1 A->B 70.01 => rejected insufficient_funds
        pay P2 A->B 70.00 => reserved, settled
        expect A 30.00
    """,
    "a minimum balance counts what is held": """
        open A 100.00
        open B
        limit A 0.00 min=30.00
        pay P1 A->B 50.00 until=9 => reserved
        pay P2 A->B 20.01 => rejected insufficient_funds
        pay P3 A->B 20.00 => reserved, settled
    """,
    "a maximum counts what is on its way": """
        open A 100.00
        open B
        limit B 0.00 max=50.00
        pay P1 A->B 30.00 until=9 => reserved
        pay P2 A->B 20.01 => rejected maximum_balance_exceeded
        pay P3 A->B 20.00 => reserved, settled
        capture P1 A C1 rest => captured, settled
        expect B 50.00
        limit B 0.00
        pay P4 A->B 1.00 => reserved, settled
    """,
    "a maximum elsewhere refuses the leg": """
        open A 100.00
        open B.1
        limit B.1 0.00 max=50.00
        pay P1 A->B.1 50.01 => reserved
        deliver => failed maximum_balance_exceeded
        expect A 100.00
    """,
    "a limit begins when its time comes": """
        open A 10.00
        open B
        limit A 20.00 from=5 on=1
        limit A 0.00 from=7 on=1
        pay P1 A->B 15.00 on=4 => rejected insufficient_funds
        pay P2 A->B 15.00 on=5 => reserved, settled
        pay P3 A->B 1.00 on=7 => rejected insufficient_funds
        expect A -5.00
    """,
    "a limit of a time that is over counts at once": """
        open A 10.00
        open B
        pay P0 A->B 1.00 on=6 => reserved, settled
        limit A 20.00 from=5 on=1
        pay P1 A->B 15.00 on=6 => reserved, settled
    """,
    "a limit of a closed account does not begin": """
        open A
        open B 5.00
        limit A 20.00 from=5
        close A
        pay P1 B->B 1.00 on=6 => rejected accounts_must_differ
        expect A 0.00 closed
    """,
    "a frozen side takes nothing new": """
        open A 100.00
        open B 100.00
        freeze A DEBIT
        pay P1 A->B 1.00 => rejected debtor_frozen
        pay P2 B->A 1.00 => reserved, settled
        freeze A DEBIT => refused exists
        freeze A BOTH
        pay P3 B->A 1.00 => rejected creditor_frozen
        unfreeze A CREDIT
        unfreeze A CREDIT => refused account_not_frozen
        pay P4 B->A 1.00 => reserved, settled
        unfreeze A BOTH
        pay P5 A->B 1.00 => reserved, settled
    """,
    "a closed account opens again as it was": """
        open A limit=5.00
        open B
        close A
        pay P1 A->B 1.00 => rejected debtor_closed
        freeze A BOTH => refused account_closed
        reopen A
        reopen A => refused account_not_closed
        reopen C => refused account_not_found
        pay P2 A->B 5.00 => reserved, settled
    """,
}


@pytest.mark.parametrize("text", LEDGERS.values(), ids=LEDGERS.keys())
def test_limits(text: str) -> None:
    ledger = play(text)
    assert ledger.dead() == []


@pytest.mark.parametrize("line", ["limit A -1.00 =>", "limit A 5.00 min=1.00 =>", "limit A none min=1.00 =>"])
def test_limits_that_cannot_be_are_dead_letters(line: str) -> None:
    play(f"open A\n{line} dead invalid_limit".replace("-1.00", "0.00 max=-1.00"))


def test_balances_say_the_limits_and_what_is_frozen() -> None:
    ledger = play("""
        open A 100.00
        limit A 0.00 min=30.00 max=200.00
        freeze A CREDIT
        limit A 7.00 from=5
        open B
        pay P1 A->B 1.00 on=6 => reserved, settled
    """)
    said = [one for one in ledger.said(ev.BalanceUpdated) if one.account_id == account_id("A")]
    limits = [
        (one.overdraft_limit_minor, one.minimum_balance_minor, one.maximum_balance_minor, one.frozen)
        for one in said
    ]
    assert limits == [
        (0, None, None, "NONE"),
        (0, 30_00, 200_00, "NONE"),
        (0, 30_00, 200_00, "CREDIT"),
        (7_00, None, None, "CREDIT"),
        (7_00, None, None, "CREDIT"),
    ]
    begun = said[3]
    assert (begun.occurred_at, begun.causation_id) == (5 * DAY, "event-4")
