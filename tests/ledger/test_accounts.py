"""The life of an account, as ledgers: opening, limits, closing."""

from __future__ import annotations

import pytest

from tests.ledger.branches import Branches, opened
from tests.ledger.script import play

MAX = "92233720368547758.07"  # 2^63 - 1 minor units
MIN = "-92233720368547758.08"

OPENINGS = {
    "an initial balance comes from the branch's opening account": """
        open A 100.00
        open B 20.00
        open A.1 5.00
        open U 7.00 USD
        expect A 100.00
        expect $opening:EUR:0 -120.00
        expect $opening:EUR:1 -5.00
        expect $opening:USD:0 -7.00
    """,
    "an initial balance may be negative, beyond the limit, too": """
        open A -30.00 limit=10.00
        open B
        expect A -30.00
        expect $opening:EUR:0 30.00
        pay P1 A->B 0.01 => rejected insufficient_funds
    """,
    "the whole of 64 bits, but not the number that has no opposite": f"""
        open A {MAX}
        open B.1 -{MAX}
        open C.2 {MIN} => dead overflow
        open C.2 => # nothing is left of the first try
        expect C.2 0.00
    """,
    "the opening account of a branch is bounded, too": f"""
        open A {MAX}
        open B 0.01 => dead overflow
        open C -0.01
        expect A {MAX}
        expect C -0.01
        open D USD 0.01
    """,
    "the same account again": """
        open A 100.00
        open A 100.00 => refused exists
        open A 999.00 limit=none => refused exists
        open A 100.00 USD => refused exists_with_different_currency
        open A 100.00 savings => refused exists_with_different_content
        open A 100.00 USD savings => refused exists_with_different_currency
        expect A 100.00
        expect $opening:EUR:0 -100.00
    """,
    "ids of the ledger's own, and ids that no key can carry": """
        open $opening:EUR:0 => dead invalid_account_id
        open $ => dead invalid_account_id
        open ? => dead invalid_account_id
        open ?a/b => dead invalid_account_id
        limit $opening:EUR:0 1.00 => dead invalid_account_id
        close $opening:EUR:0 => dead invalid_account_id
        open ?a\0b => dead invalid_account_id
        open ?a$ =>
    """,
    "a currency is three capital letters": """
        open A currency= => dead invalid_currency
        open A currency=EU => dead invalid_currency
        open A currency=EURO => dead invalid_currency
        open A currency=eur => dead invalid_currency
        open A currency=E/R => dead invalid_currency
        open A currency=E2R => dead invalid_currency
        open A currency=EÜR => dead invalid_currency
        open A currency=JPY
    """,
    "a limit is not negative": f"""
        open A limit=-0.01 => dead invalid_limit
        open A limit={MAX}
        limit A -0.01 => dead invalid_limit
        limit A 0.00
    """,
}

LIMITS = {
    "a limit counts from the next payment on": """
        open A
        open B
        pay P1 A->B 0.01 => rejected insufficient_funds
        limit A 10.00
        pay P2 A->B 10.01 => rejected insufficient_funds
        pay P3 A->B 10.00 => reserved, settled
        limit A none
        pay P4 A->B 99.00 => reserved, settled
        limit A 5.00
        pay P5 A->B 0.01 => rejected insufficient_funds
        expect A -109.00
    """,
    "a limit of what is not there, or not any more": """
        limit A 10.00 => refused account_not_found
        open A
        close A
        limit A 10.00 => refused account_closed
    """,
}

CLOSINGS = {
    "an empty account closes, once": """
        close A => refused account_not_found
        open A
        close A
        expect A 0.00 closed
        close A => refused account_closed
        open A => refused exists
        expect A 0.00 closed
    """,
    "an account with money, or owing some, stays open": """
        open A 0.01
        open B -0.01
        close A => refused account_not_empty
        close B => refused account_not_empty
        pay P1 A->B 0.01 => reserved, settled
        close A
        close B
    """,
    "an account with a hold stays open, on either side of it": """
        open A limit=5.00
        open B
        pay P1 A->B 5.00 REVIEW => reserved
        close A => refused account_not_empty
        close B => refused account_not_empty
        refuse P1 A => rejected declined
        close A
        close B
    """,
    "an account whose payment is under way stays open": """
        open A 5.00
        open B.1
        pay P1 A->B.1 5.00 => reserved
        close A => refused account_not_empty
        deliver => settled
        close A
        close B.1 => refused account_not_empty
    """,
}


@pytest.mark.parametrize("text", OPENINGS.values(), ids=OPENINGS)
def test_opening(text: str) -> None:
    play(text)


@pytest.mark.parametrize("text", LIMITS.values(), ids=LIMITS)
def test_limits(text: str) -> None:
    play(text)


@pytest.mark.parametrize("text", CLOSINGS.values(), ids=CLOSINGS)
def test_closing(text: str) -> None:
    play(text)


@pytest.mark.parametrize("tenant_id", ["", "a/b", "a\0b", "a/$b"])
def test_a_tenant_that_no_key_can_carry_is_a_dead_letter(tenant_id: str) -> None:
    ledger = Branches(1)
    ledger.run(opened("e", "A", tenant_id=tenant_id))
    assert ledger.dead() == ["invalid_tenant_id"]


def test_tenants_have_their_own_accounts() -> None:
    ledger = Branches(1)
    ledger.run(opened("e1", "A", 100), opened("e2", "A", 5, tenant_id="other", currency="USD"))
    mine, other = ledger.account("A"), ledger.account("A", "other")
    assert mine is not None and (mine.balance_minor, mine.currency) == (100, "EUR")
    assert other is not None and (other.balance_minor, other.currency) == (5, "USD")
    assert ledger.dead() == []
