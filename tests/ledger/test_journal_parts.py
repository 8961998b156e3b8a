"""Parts of held journals: what is posted and what stays held is what was held, on each branch and in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger import journal_home
from pipeline.domain.ledger.journal_parts import posted_legs, split, widening
from pipeline.domain.ledger.journals import read_journal
from pipeline.domain.ledger.pairs import Leg, pairs_of
from tests.examples import examples
from tests.ledger.branches import TENANT, Branches, clearing_total, envelope, opened
from tests.ledgers.player import Player
from tests.ledgers.tale import tale_of
from tests.ledgers.words import account_id

_LEGS = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from(["DEBIT", "CREDIT"]), st.integers(1, 50), st.integers(0, 50)
    ),
    min_size=1,
    max_size=8,
)


def _through_clearing(legs: Iterable[Leg]) -> Counter[str]:
    found = Counter[str]()
    for pair in pairs_of(legs, 0):
        found["debits"] += pair.amount if pair.debit_leg is None else 0
        found["credits"] += pair.amount if pair.credit_leg is None else 0
    return found


@examples(200)
@given(_LEGS)
def test_clearing_holds_as_much_as_both_parts_need(drawn: list[tuple[int, str, int, int]]) -> None:
    legs = [
        Leg(no, entry, f"a{no}", side, amount, "EUR") for no, (entry, side, amount, _) in enumerate(drawn)
    ]
    now, rest = split(legs, {no: min(part, amount) for no, (_, _, amount, part) in enumerate(drawn)})
    before, more = _through_clearing(legs), widening(now, rest).get("EUR", 0)
    after = _through_clearing(now) + _through_clearing(rest)
    assert more >= 0
    assert {side: after[side] - before[side] for side in ("debits", "credits")} == {
        "debits": more,
        "credits": more,
    }


def _confirmed(number: int, amounts: dict[int, int]) -> ev.JournalConfirmed:
    legs = tuple(ev.LegPart(leg_no, amount) for leg_no, amount in amounts.items())
    ids = {"journal_id": "J", "account_id": account_id("A"), "confirmation_id": f"K{number}"}
    return ev.JournalConfirmed(**envelope(f"confirm-{number}"), **ids, legs=legs, final=False)


@examples(60)
@given(
    st.permutations(["A", "B", "C.1", "D.1", "E.2", "F.2"]),
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 12)), max_size=8),
    st.booleans(),
)
def test_parts_that_are_posted_are_posted_on_every_branch(
    places: list[str], parts: list[tuple[int, int, int]], void: bool
) -> None:
    ledger, accounts = Branches(3), [account_id(place) for place in places]
    for number, one in enumerate(accounts):
        ledger.put(opened(f"open-{number}", one, 100))
    sides = zip(accounts, ["DEBIT"] * 3 + ["CREDIT"] * 3, strict=True)
    legs = tuple(ev.JournalLeg(no + 1, 0, one, side, 20, "EUR") for no, (one, side) in enumerate(sides))
    content = {"journal_id": "J", "account_id": account_id("A"), "legs": legs, "reference": ""}
    asked = {"reason": None, "effective_at": None, "late": "REFUSE", "hold_expires_at": 10**15}
    ledger.run(ev.JournalSubmitted(**envelope("submit"), **content, **asked))
    left = dict.fromkeys(range(1, 7), 20)
    for number, (debit, credit, amount) in enumerate(parts):
        ledger.run(_confirmed(number, {debit: amount, credit + 3: amount}))
        fits = min(left[debit], left[credit + 3]) >= amount
        for leg_no in (debit, credit + 3) if fits else ():
            left[leg_no] -= amount
        assert clearing_total(ledger) == 0
        for no, one in enumerate(accounts, 1):
            account = ledger.account(one)
            assert account is not None
            posted, held = 20 - left[no], left[no]
            assert account.balance_minor == 100 + (-posted if no < 4 else posted)
            assert (account.debits_pending, account.credits_pending) == ((held, 0) if no < 4 else (0, held))
    if void:
        ended = {"journal_id": "J", "account_id": account_id("A"), "reason": ""}
        ledger.run(ev.JournalVoided(**envelope("void"), **ended))
        for no, one in enumerate(accounts, 1):
            account = ledger.account(one)
            assert account is not None and account.debits_pending == account.credits_pending == 0
            assert account.balance_minor == 100 + (20 - left[no]) * (-1 if no < 4 else 1)
    journal = read_journal(ledger.branches[0].rows, TENANT, account_id("A"), "J")
    assert journal is not None
    assert {leg.leg_no: leg.amount_minor for leg in posted_legs(journal)} == {
        no: 20 - amount for no, amount in left.items() if amount < 20
    }


BEGUN = """
    open A 100.00
    open B
    open D.1 100.00
    open E.1
    journal J1 A -50.00 B 40.00 D.1 -50.00 E.1 60.00 hold=9 => preparing
    deliver => held
    counters $clearing:EUR:0 debits 0.00 0.00 credits 10.00 0.00
    counters $clearing:EUR:1 debits 10.00 0.00 credits 0.00 0.00
"""
"""Without room: `room_for` was not yet said, and stands in no row of layout 3."""
LATER = """
    confirm J1 A K1 1:10.00 2:40.00 3:30.00 keep => held
    deliver
    counters $clearing:EUR:0 debits 0.00 30.00 credits 40.00 0.00
    counters $clearing:EUR:1 debits 40.00 0.00 credits 0.00 30.00
    confirm J1 A K2 1:40.00 4:40.00 => posted
    deliver
    counters $clearing:EUR:0 debits 0.00 30.00 credits 0.00 40.00
    counters $clearing:EUR:1 debits 0.00 40.00 credits 0.00 30.00
    expect D.1 70.00
    expect E.1 40.00
    clearing 0.00
"""


def test_what_an_earlier_version_holds_without_room_is_posted_in_parts_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    player = Player(tale_of(BEGUN))
    with monkeypatch.context() as patch:
        patch.setattr(journal_home, "two_sided", lambda branches: {})
        for step in player.tale.steps:
            step.act(player)
    for step in tale_of(LATER).steps:
        step.act(player)
    assert player.ledger.dead() == []
