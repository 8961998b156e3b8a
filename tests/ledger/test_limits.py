"""What the balances of an account say of its limits and its frozen sides."""

from __future__ import annotations

from pipeline.domain.kernel import events as ev
from tests.ledger.branches import DAY
from tests.ledgers.player import play
from tests.ledgers.words import account_id


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
