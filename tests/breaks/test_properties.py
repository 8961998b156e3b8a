"""Breaks under random hands: no status outside the table, no maker who is checker, the same bytes again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.corrections import parse_correction
from pipeline.domain.reconciliation.breaks import actions, states
from pipeline.domain.reconciliation.breaks.bounds import ACTIONS_MAX, COMMENTS_MAX
from pipeline.domain.reconciliation.breaks.rows import Life, unpack_life
from tests.breaks.shown import break_id
from tests.breaks.teller import Bank

PEOPLE = st.sampled_from(["anna", "bob", "anna", "bob", "carl", "robot", "nobody"])
BREAKS = st.sampled_from(["b1", "b1", "b2", "b3"])
KS = st.sampled_from([f"k{number}" for number in range(1, 6)])
OPENINGS = (
    "open b1 MISSING_INTERNAL -650 line:S1/2",
    "open b2 SEQUENCE_GAP 0",
    "open b3 AMOUNT 900 diff:40 line:S1/3",
)
LEGS = st.sampled_from(
    [
        *("nostro-650 fees+650", "nostro+40 fees-40", "nostro-650 fees+600 tax+50", "nostro-1 fees+1"),
        *("nostro+40", "nostro-50 fees+50", "nostro-600 fees+600"),
    ]
)
JOURNALS = st.builds("{}/{}".format, BREAKS, st.integers(1, 4))
LINES = st.one_of(
    st.builds("{} suggest {} as {} {}".format, PEOPLE, BREAKS, KS, LEGS),
    st.builds("{} write-off {} as {}".format, PEOPLE, BREAKS, KS),
    st.builds("{} take-back {} as {} of:{}".format, PEOPLE, BREAKS, KS, JOURNALS),
    st.builds("{} {} {} {}".format, PEOPLE, st.sampled_from(["approve", "approve", "reject"]), BREAKS, KS),
    st.builds("{} {} {}".format, PEOPLE, st.sampled_from(["dispute", "reopen"]), BREAKS),
    st.builds("{} assign {} {}".format, PEOPLE, BREAKS, st.sampled_from(["anna", "nobody"])),
    st.builds("{} comment {} hm".format, PEOPLE, BREAKS),
    st.builds("{} {}".format, st.sampled_from(["match", "unmatch"]), BREAKS),
    st.builds("ledger posts {} {}".format, JOURNALS, st.sampled_from([-650, 40, -650, 40, -600, -50, 1])),
    st.builds("ledger reverses {} {} of:{}".format, JOURNALS, st.sampled_from([650, -40, 50]), JOURNALS),
    st.builds(
        "ledger {} {} {}".format,
        st.sampled_from(["refuses", "asks"]),
        JOURNALS,
        st.sampled_from(["creditor_closed", "exists"]),
    ),
    st.just("again"),
    st.sampled_from(["day 11", "day 30", "day 412", "sweep"]),
)


def lives(bank: Bank) -> Iterator[Life]:
    """Yield all breaks of a bank."""
    for key, value in bank.rows.data.items():
        if key[:1] == b"f":
            yield unpack_life(value)


def played(lines: list[str]) -> Bank:
    """Return a bank after all lines. The model is asked at each (`Bank.tell`)."""
    bank = Bank()
    for line in [*OPENINGS, "anna comment b1 first", *lines]:
        days = int(line.split()[1]) if line.startswith("day") else 0
        if days and days * 86_400_000_000 < bank.now:
            continue
        before = {name: bank.life(name) for name in ("b1", "b2", "b3")}
        bank.tell(line)
        for name, was in before.items():
            check_step(was, bank.life(name), line)
    return bank


def check_step(before: Life | None, after: Life | None, line: str) -> None:
    """Check that a break has gone from one status to another by an entry of the table."""
    if before is None or after is None or before == after:
        return
    nexts = {entry for entry in states.TABLE[before.status].values() if states.is_status(entry)}
    if states.BEFORE in nexts:
        assert before.correction is not None
        nexts.add(states.returned(before.correction.before, before.assignee))
    assert after.status in nexts, line
    assert (after.correction is not None) == (after.status in (states.SUGGESTED, states.APPROVED))
    assert (after.ended_at is not None) == (after.status in states.ENDED)
    if after.posted is not None:
        assert after.status in (*states.ENDED, states.SUGGESTED, states.APPROVED) and not after.left_minor
    assert after.status in states.ENDED or after.resolution is None or after.posted is not None
    assert bool(after.explained_minor) == bool(after.postings)
    assert 0 <= after.explained_minor * after.difference_minor <= after.difference_minor**2


@given(st.lists(LINES, max_size=60))
def test_rules_and_model_say_the_same_and_no_status_is_outside_the_table(lines: list[str]) -> None:
    bank = played(lines)
    for life in lives(bank):
        assert life.status in states.STATUSES


@given(st.lists(LINES, max_size=60))
def test_no_maker_is_checker_and_nothing_is_posted_that_nobody_approved(lines: list[str]) -> None:
    bank = played(lines)
    proposed: dict[str, ev.CorrectionProposed] = {}
    approved: set[str] = set()
    for said in bank.said:
        if isinstance(said, ev.CorrectionProposed):
            proposed[said.journal_id] = said
        if isinstance(said, ev.BreakChanged) and said.change == "CORRECTION_APPROVED":
            assert said.journal_id is not None and said.actor is not None and said.actor.key_id is None
            maker = proposed[said.journal_id].actor
            assert maker is not None and maker.subject != said.actor.subject
            assert said.journal_id not in approved, "each is approved once"
            approved.add(said.journal_id)
        if isinstance(said, ev.JournalSubmitted):
            assert said.journal_id in approved
            assert said.legs == proposed[said.journal_id].legs
            assert sum(amount_of(leg) for leg in said.legs) == 0
            own = [amount_of(leg) for leg in said.legs if leg.account_id == "nostro"]
            assert own == [proposed[said.journal_id].amount_minor]
        if isinstance(said, ev.JournalReversed):
            assert said.reversal_id in approved and said.journal_id in approved


def amount_of(leg: ev.JournalLeg) -> int:
    """Return the amount of a leg, a credit is positive."""
    return leg.amount_minor if leg.side == "CREDIT" else -leg.amount_minor


@given(st.lists(LINES, max_size=40))
def test_a_replay_says_the_same_and_writes_the_same_bytes(lines: list[str]) -> None:
    first, second = played(lines), played(lines)
    assert first.rows.data == second.rows.data
    assert list(map(msgspec.json.encode, first.said)) == list(map(msgspec.json.encode, second.said))
    ids = [said.event_id for said in first.said if not isinstance(said, ev.BreakActionRefused)]
    assert len(ids) == len(set(ids))


@given(st.lists(LINES, max_size=40))
def test_every_break_that_has_ended_says_how(lines: list[str]) -> None:
    bank = played(lines)
    for life in lives(bank):
        if life.status in states.ENDED:
            how = {"corrected", "written_off"} if life.posted is not None else {"matched", "accepted"}
            assert life.resolution in how


def test_the_table_has_an_entry_for_each_status_and_action_and_leads_only_to_statuses() -> None:
    assert set(states.TABLE) == set(states.STATUSES)
    for row in states.TABLE.values():
        assert set(states.ACTIONS) <= set(row) <= {*states.ACTIONS, *states.FACTS}
        for happened, entry in row.items():
            if states.is_status(entry):
                assert entry in (*states.STATUSES, states.BEFORE)
            else:
                assert happened in states.ACTIONS and entry in ev.BreakActionCode.__args__  # type: ignore[attr-defined]
    reached = {entry for row in states.TABLE.values() for entry in row.values()}
    assert set(states.STATUSES) - reached == set()


def test_a_break_takes_a_bounded_number_of_actions_and_the_last_ones_are_decisions() -> None:
    bank = Bank()
    bank.tell("open b1 MISSING_INTERNAL -650 line:S1/2")
    for _ in range(COMMENTS_MAX):
        assert bank.tell("anna comment b1 hm") == "COMMENTED: OPEN"
    for line in ("anna comment b1 hm", "anna assign b1 bob", "anna dispute b1"):
        assert bank.tell(line) == "refused too_many_actions"
    for number in range((ACTIONS_MAX - COMMENTS_MAX) // 2):
        bank.tell(f"anna suggest b1 as k{number} nostro-650 fees+650")
        assert bank.tell(f"anna reject b1 k{number}") == "CORRECTION_REJECTED: OPEN"
    assert bank.tell("anna suggest b1 as k nostro-650 fees+650") == "refused too_many_actions"
    life = bank.life("b1")
    assert life is not None and len(life.acted) == ACTIONS_MAX
    assert bank.tell("match b1") == "MATCHED: RESOLVED; resolved matched"


@pytest.mark.parametrize(
    "text", ["correction-x-1", "correction--1", "other", "", f"correction-{break_id('b1')}-0"]
)
def test_a_journal_of_another_name_is_no_correction(text: str) -> None:
    assert parse_correction(text) is None
    assert parse_correction(None) is None


def test_every_action_of_the_topic_is_an_action_or_a_match() -> None:
    import schemas

    events: set[Any] = {
        schemas.newest(name).event
        for name in schemas.record_names()
        if schemas.newest(name).topic == "break-actions"
    }
    assert events == {*actions.NAMES.values(), "match_confirmed", "match_rejected"}
