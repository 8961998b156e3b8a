"""The model of the ledger: what it keeps, and where records belong. `tests/ledgers` has its answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.verify.model.ledger import Branch
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import (
    POSTINGS,
    home_of,
)
from tests.chaos.by_hand import about, decided, envelope, opened, record

ALICE, BOB = opened("alice", 100), opened("bob")
HELD = decided("p", "alice", "bob", 30, "REVIEW")


def test_an_event_of_another_log_is_a_dead_letter() -> None:
    trade = record("TradeExecuted", envelope("x", account_id="a"))
    assert Branch(0, 1).apply(trade) == ("unexpected_event", [])


def test_the_model_keeps_each_posting_and_each_hold() -> None:
    branch = Branch(0, 1)
    out = []
    for offset, (event, fields) in enumerate((ALICE, BOB, HELD)):
        out += branch.apply(record(event, fields, offset))[1]
    alice = branch.accounts["north", "alice"]
    assert (alice.debits_pending, alice.balance, alice.sequence) == (30, 100, 1)
    released = branch.apply(record(*about("PaymentReviewed", "p", approved=True), 3))[1]
    postings = [wanted.fields for wanted in out + released if wanted.topic == POSTINGS]
    columns = ("account_id", "side", "amount_minor", "balance_minor_after", "account_sequence")
    assert [tuple(map(posting.get, columns)) for posting in postings] == [
        ("$opening:EUR:0", "DEBIT", 100, -100, 1),
        ("alice", "CREDIT", 100, 100, 1),
        ("alice", None, 30, None, None),
        ("alice", "DEBIT", 30, 70, 2),
        ("bob", "CREDIT", 30, 30, 1),
    ]
    assert [posting["held_minor_after"] for posting in postings] == [0, 0, 30, 0, 0]
    assert alice.debits_pending == 0


def test_an_answer_to_a_later_record_of_the_same_event_id_is_not_taken_for_the_first_ones() -> None:
    closed = "AccountClosed", envelope("end", account_id="alice")
    again = "AccountClosed", envelope("end", account_id="alice", occurred_at=0)
    judge = Branch(0, 1, clock_ahead_us=0)
    log = [record(*event, at) for at, event in enumerate((opened("alice"), closed, HELD, again))]
    (refused,) = [
        wanted for made in log for wanted in judge.apply(made)[1] if wanted.event == "CommandRefused"
    ]
    assert refused.fields["code"] == "too_old"
    said = record("CommandRefused", refused.fields)

    def among_those_near_by(
        topic: str, ahead: int, matches: Callable[[Record], bool], sure: bool
    ) -> Record | None:
        return said if matches(said) else None

    told = Branch(0, 1, witness=among_those_near_by)
    answers = [[wanted.event for wanted in told.apply(made)[1]] for made in log]
    assert "CommandRefused" not in answers[1] and "CommandRefused" in answers[3]


def test_a_record_out_of_its_place_is_a_dead_letter() -> None:
    home = home_of("north/bob", 4)
    wrong = record(*BOB, partition=(home + 1) % 4)
    cases = {
        "wrong_partition": wrong,
        "wrong_key": record(*BOB, partition=home)._replace(key=b"north/eve"),
        "no_key": record(*BOB, partition=home)._replace(key=None),
        "malformed_value": wrong._replace(event=None, fault="malformed_value"),
    }
    for code, misplaced in cases.items():
        assert Branch(misplaced.partition, 4).apply(misplaced) == (code, [])


@pytest.mark.parametrize("key", ["", "a", "ab", "abc", "north/alice", "nord/Zoë", "north/$clearing:EUR:0"])
def test_the_model_places_keys_as_kafka_does(key: str) -> None:
    from aiokafka.partitioner import murmur2

    assert home_of(key, 12) == (murmur2(key.encode()) & 0x7FFFFFFF) % 12
