"""The model of the ledger: short logs by hand, and what each command is answered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.by_hand import NOW_US, Event, about, decided, envelope, opened, record
from tests.chaos.ledger_model import Branch
from tests.chaos.wire import (
    COMMANDS,
    DAY_US,
    LONG_MAX,
    LONG_MIN,
    PAYMENT_EVENTS,
    POSTINGS,
    home_of,
)


def leg(kind: str, payment: str, amount: int = 5, **other: Any) -> Event:
    parties = {"debtor_account_id": "alice", "creditor_account_id": "bob"}
    fields = {"leg_id": f"leg {payment}", "amount_minor": amount, "currency": "EUR", **parties, **other}
    if kind == "LegRequested":
        fields |= {"account_id": "bob", "origin_branch": 1, "reference": "r"}
    return kind, envelope(f"{kind} {payment}", payment_id=payment, **fields)


ALICE, BOB = opened("alice", 100), opened("bob")
HELD = decided("p", "alice", "bob", 30, "REVIEW")

ANSWERS: list[tuple[str, list[Event], list[str]]] = [
    ("an account opens with nothing", [BOB], []),
    ("an account is opened twice", [BOB, BOB], ["exists"]),
    ("again in another currency", [BOB, opened("bob", currency="USD")], ["exists_with_different_currency"]),
    (
        "again as another type",
        [BOB, opened("bob", account_type="savings")],
        ["exists_with_different_content"],
    ),
    ("an account of the ledger's own", [opened("$bob")], ["dead:invalid_account_id"]),
    ("a currency of two letters", [opened("bob", currency="EU")], ["dead:invalid_currency"]),
    ("a negative limit", [opened("bob", limit=-1)], ["dead:invalid_limit"]),
    ("a balance beyond 64 bits", [opened("bob", LONG_MIN)], ["dead:overflow"]),
    ("opening sums beyond 64 bits", [ALICE, opened("bob", LONG_MAX)], ["dead:overflow"]),
    ("a payment settles", [ALICE, BOB, decided("p", "alice", "bob", 30)], ["ok", "ok"]),
    ("the last cent", [ALICE, BOB, decided("p", "alice", "bob", 100)], ["ok", "ok"]),
    ("a cent too much", [ALICE, BOB, decided("p", "alice", "bob", 101)], ["insufficient_funds"]),
    ("no debtor", [BOB, decided("p", "alice", "bob", 1)], ["debtor_not_found"]),
    ("no creditor", [ALICE, decided("p", "alice", "bob", 1)], ["creditor_not_found"]),
    ("nothing", [ALICE, BOB, decided("p", "alice", "bob", 0)], ["amount_must_be_positive"]),
    ("to oneself", [ALICE, decided("p", "alice", "alice", 1)], ["accounts_must_differ"]),
    (
        "another currency",
        [ALICE, BOB, decided("p", "alice", "bob", 1, currency="USD")],
        ["currency_mismatch"],
    ),
    ("declined", [ALICE, BOB, decided("p", "alice", "bob", 1, "DECLINE")], ["declined"]),
    (
        "too old, and forgotten",
        [
            ALICE,
            BOB,
            decided("q", "alice", "bob", 1),
            decided("p", "alice", "bob", 1, occurred_at=NOW_US - 91 * DAY_US),
            decided("p", "alice", "bob", 1),
        ],
        ["ok", "ok", "too_old", "ok", "ok"],
    ),
    ("held and released", [ALICE, BOB, HELD, about("PaymentReviewed", "p", approved=True)], ["ok", "ok"]),
    (
        "held and stopped",
        [ALICE, BOB, HELD, about("PaymentReviewed", "p", approved=False)],
        ["ok", "declined"],
    ),
    ("held and cancelled", [ALICE, BOB, HELD, about("PaymentCancelled", "p")], ["ok", "cancelled"]),
    (
        "another debtor's review",
        [ALICE, BOB, HELD, about("PaymentReviewed", "p", "bob", approved=True)],
        ["ok", "payment_not_found"],
    ),
    (
        "cancelled too late",
        [ALICE, BOB, decided("p", "alice", "bob", 1), about("PaymentCancelled", "p")],
        ["ok", "ok", "already_settled"],
    ),
    (
        "a failed id stays failed",
        [ALICE, BOB, decided("p", "alice", "bob", 999), decided("p", "alice", "bob", 999)],
        ["insufficient_funds", "exists"],
    ),
    (
        "an id for another amount",
        [ALICE, BOB, decided("p", "alice", "bob", 1), decided("p", "alice", "bob", 2)],
        ["ok", "ok", "exists_with_different_amount"],
    ),
    (
        "an account that is not empty stays",
        [ALICE, ("AccountClosed", envelope("x", account_id="alice"))],
        ["account_not_empty"],
    ),
    (
        "a closed account gets nothing",
        [ALICE, BOB, ("AccountClosed", envelope("x", account_id="bob")), decided("p", "alice", "bob", 1)],
        ["creditor_closed"],
    ),
    (
        "a limit lets the balance fall",
        [
            ALICE,
            BOB,
            ("AccountLimitSet", envelope("x", account_id="alice", overdraft_limit_minor=1)),
            decided("p", "alice", "bob", 101),
        ],
        ["ok", "ok"],
    ),
    ("a leg is posted", [BOB, leg("LegRequested", "p")], ["LegPosted"]),
    (
        "a leg comes twice",
        [BOB, leg("LegRequested", "p"), leg("LegRequested", "p")],
        ["LegPosted", "dead:leg_exists"],
    ),
    ("a leg for nobody", [leg("LegRequested", "p")], ["LegRefused"]),
    ("an answer to nobody", [leg("LegPosted", "p")], ["dead:leg_not_expected"]),
    ("a tenant that no key can carry", [opened("bob", tenant_id="")], ["dead:invalid_tenant_id"]),
    ("another log's event", [("TradeExecuted", envelope("x", account_id="a"))], ["dead:unexpected_event"]),
]


@pytest.mark.parametrize("log, answers", [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS])
def test_the_model_answers_each_command_as_the_rules_say(log: list[Event], answers: list[str]) -> None:
    branch, said = Branch(0, 1), []
    for offset, (event, fields) in enumerate(log):
        dead, out = branch.apply(record(event, fields, offset))
        said += [f"dead:{dead}"] if dead else []
        said += [wanted.fields["code"] for wanted in out if wanted.topic == PAYMENT_EVENTS]
        said += [wanted.event for wanted in out if wanted.topic == COMMANDS]
    assert said == answers
    assert sum(account.balance for account in branch.accounts.values()) == 0


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
