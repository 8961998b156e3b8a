"""Which postings the fraud decisions are told of; by rows and by columns alike."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.intake.postings import PostingsBatch, PostingsIntake, is_told
from pipeline.domain.kernel import events as ev
from tests.kernel.side_by_side import assert_alike

TARGET = "fraud-commands"
PLAIN: dict[str, Any] = {
    "posting_id": "e:D",
    "entry_id": "e",
    "payment_id": None,
    "account_id": "alice",
    "account_type": "checking",
    "side": "DEBIT",
    "amount_minor": 5,
    "currency": "EUR",
    "account_sequence": 1,
    "balance_minor_after": 0,
    "branch": 0,
    "reference": None,
    "booked_at": 0,
    "held_minor_after": 0,
    "effective_at": None,
    "journal_id": None,
    "reverses": None,
    "reason": None,
    "purpose": None,
    "rate_e8": None,
    "asked_at": None,
    "actor": None,
}


def posting(**changes: Any) -> ev.PostingRecorded:
    return ev.PostingRecorded("e1", "north", 0, "c", None, **{**PLAIN, **changes})


def hold(account: str = "alice") -> ev.HoldRecorded:
    said = ("checking", "PLACED", 5, "EUR", 5, 0, 0, 0, None)
    return ev.HoldRecorded("e1", "north", 0, "c", None, "p1", account, *said)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (posting(payment_id="p1"), True),
        (posting(payment_id="p1", account_type="nostro"), True),  # a bank's own account may pay, too
        (posting(payment_id="p1", side="CREDIT"), False),  # its debtor's side tells it
        (posting(payment_id="p1", account_id="$clearing:EUR"), False),
        (posting(payment_id="p1", side="CREDIT", account_id="$clearing:EUR"), False),
        (posting(journal_id="j1"), False),  # what leaves by a journal is no payment
        (posting(journal_id="j1", side="CREDIT"), True),
        (posting(journal_id="j1", side="CREDIT", account_type="merchant"), True),
        (posting(journal_id="j1", side="CREDIT", account_type="nostro"), False),
        (posting(journal_id="j1", side="CREDIT", account_type="internal"), False),
        (posting(journal_id="j1", side="CREDIT", account_id="$clearing:EUR"), False),
        (posting(journal_id="r1", side="CREDIT", reverses="p1"), False),
        (posting(payment_id="p1", reverses="p0"), False),
        (posting(), False),
        (posting(side="CREDIT"), False),  # the balance that an account was opened with
        (hold(), False),
        (ev.BranchTicked("e", "", 0, "c", None, "$clock:0", 0), False),
    ],
)
def test_the_fraud_decisions_are_told_of_what_was_paid_and_of_what_came_in(event: Any, told: bool) -> None:
    assert is_told(event) is told
    log = [(event, 0)]
    replay = assert_alike(PostingsIntake(TARGET), PostingsBatch(TARGET), log, [])
    assert replay.said == ({TARGET: [("", event)]} if told else {})
    assert replay.rows.data == {} and replay.rejected == []
    assert replay.in_columns == (type(event) in PostingsBatch.classes)


POSTINGS = st.builds(
    posting,
    payment_id=st.sampled_from([None, "p1", ""]),
    journal_id=st.sampled_from([None, "j1"]),
    reverses=st.sampled_from([None, None, "x"]),
    side=st.sampled_from(["DEBIT", "CREDIT"]),
    account_id=st.sampled_from(["alice", "$clearing:EUR", "bob$"]),
    account_type=st.sampled_from(["checking", "savings", "investment", "merchant", "nostro", "internal"]),
)
STRANGER = ev.BranchTicked("e", "", 0, "c", None, "$clock:0", 0)


@given(
    st.lists(st.one_of(POSTINGS, POSTINGS, st.just(hold()), st.just(STRANGER)), max_size=30),
    st.lists(st.integers(0, 30), max_size=3),
)
def test_columns_pass_on_what_rows_do(events: list[Any], cuts: list[int]) -> None:
    log = [(event, number) for number, event in enumerate(events)]
    replay = assert_alike(PostingsIntake(TARGET), PostingsBatch(TARGET), log, cuts)
    assert [event for _, event in replay.said.get(TARGET, [])] == [one for one in events if is_told(one)]
