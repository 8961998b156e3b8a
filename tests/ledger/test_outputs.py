"""What the ledger tells the world, under which keys and ids; and what its rows hold."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.layouts import UnknownLayout
from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject, derived_id
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import cause_name, record_key
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.rows import (
    Account,
    account_key,
    payment_key,
    read_payment,
    unpack_account,
    write_payment,
)
from pipeline.domain.ledger.stream import Ledger
from tests.ledger.branches import TENANT, Branches, decided, envelope, opened
from tests.ledgers.player import play
from tests.ledgers.words import BRANCHES, account_id


def _postings(items: list[tuple[str, str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (event.side, event.account_id, event.amount_minor, event.account_sequence, event.balance_minor_after)
        for topic, _, event in items
        if topic == "postings"
    ]


def test_an_entry_is_two_postings_debit_first() -> None:
    ledger = Branches(1)
    ledger.run(opened("e1", "A", 1000), opened("e2", "B"))
    cause = decided("e3", "P1", "A", "B", 400)
    items = ledger.run(cause)
    assert _postings(items) == [("DEBIT", "A", 400, 2, 600), ("CREDIT", "B", 400, 1, 400)]
    debit, credit = (event for topic, _, event in items if topic == "postings")
    entry_id = derived_id(cause_name(cause), "settle")
    assert (debit.entry_id, credit.entry_id) == (entry_id, entry_id)
    assert (debit.posting_id, credit.posting_id) == (f"{entry_id}:D", f"{entry_id}:C")
    assert (debit.payment_id, debit.reference, debit.currency) == ("P1", "reference of P1", "EUR")
    assert (debit.causation_id, debit.correlation_id, debit.branch) == ("e3", "test", 0)


def test_a_balance_tells_the_four_counters_and_what_is_available() -> None:
    ledger = Branches(1)
    items = ledger.run(
        opened("e1", "A", 1000, overdraft_limit_minor=50, account_type="merchant"),
        opened("e2", "B"),
        decided("e3", "P1", "A", "B", 300),
        decided("e4", "P2", "A", "B", 400, outcome="REVIEW"),
    )
    latest = {key: event for topic, key, event in items if topic == "balances"}
    a, b = latest["acme/A"], latest["acme/B"]
    assert (a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted) == (400, 300, 0, 1000)
    assert (b.debits_pending, b.debits_posted, b.credits_pending, b.credits_posted) == (0, 0, 400, 300)
    assert (a.balance_minor, a.available_minor, a.account_sequence) == (700, 300, 2)
    assert (b.balance_minor, b.available_minor, b.account_sequence) == (300, 300, 1)
    assert (a.overdraft_limit_minor, a.status, a.account_type) == (50, "OPEN", "merchant")


def test_every_output_names_its_cause_and_lies_under_its_accounts_key() -> None:
    ledger = play(
        """
        open A 10.00
        open B.1
        open N.1 nostro
        pay P1 A->B.1 1.00 => reserved
        pay P2 A->N.1 1.00 => reserved
        pay P3 A->X.1 1.00 => reserved
        deliver => settled, settled, failed creditor_not_found
        pay P1 A->B.1 1.00 => refused exists
        """
    )
    for branch in ledger.branches:
        causes = {event.event_id for event, _ in branch.log}
        for topic, key, event in branch.said:
            assert event.causation_id in causes and event.tenant_id == TENANT
            if type(event) in (ev.LegRequested, ev.LegPosted, ev.LegRefused, ev.PostingRecorded):
                assert key == record_key(event)
            else:
                debtor = getattr(event, "account_id", None) or event.debtor_account_id
                assert key == f"{TENANT}/{debtor}", topic


def test_event_ids_are_unique_within_a_topic() -> None:
    ledger = play(
        """
        open A 10.00
        open B.1
        open N.1 nostro
        pay P1 A->B.1 1.00 => reserved
        pay P2 A->N.1 1.00 REVIEW => reserved
        approve P2 A
        deliver => settled, settled
        """
    )
    said = [(topic, event.event_id) for branch in ledger.branches for topic, _, event in branch.said]
    assert len(said) == len(set(said))


def test_postings_of_nostro_accounts_are_copied_to_reconciliation() -> None:
    ledger = Branches(1)
    items = ledger.run(
        opened("e1", "N", 500, account_type="nostro"),
        opened("e2", "A", 100),
        decided("e3", "P1", "A", "N", 60),
        decided("e4", "P2", "N", "A", 20),
    )
    copied = [(key, event) for topic, key, event in items if topic == "reconciliation-items"]
    posted = [(key, event) for topic, key, event in items if topic == "postings" and event.account_id == "N"]
    assert copied == posted
    assert [(event.side, event.amount_minor) for _, event in copied] == [
        ("CREDIT", 500),
        ("CREDIT", 60),
        ("DEBIT", 20),
    ]
    assert {event.account_type for _, event in copied} == {"nostro"}


def test_a_leg_carries_the_payment_and_its_branch() -> None:
    ledger = play("open A 10.00\nopen B.1\npay P1 A->B.1 4.00 => reserved")
    leg = ledger.branches[1].waiting[0][0]
    assert (leg.payment_id, leg.amount_minor, leg.currency, leg.origin_branch) == ("P1", 400, "EUR", 0)
    assert (leg.account_id, leg.debtor_account_id) == (account_id("B.1"), account_id("A"))
    items = ledger.deliver()
    assert {event.reference for topic, _, event in items if topic == "postings"} == {"reference of P1"}


def test_a_refusal_names_the_command() -> None:
    ledger = Branches(1)
    ledger.run(
        opened("e1", "A", 100),
        opened("e2", "A", 100),
        ev.AccountLimitSet(**envelope("e3"), account_id="X", overdraft_limit_minor=0),
        ev.AccountClosed(
            **envelope("e4"), account_id="A", reason="fraud", regulatory_notification_sent=False
        ),
        ev.PaymentCancelled(**envelope("e5"), payment_id="P9", debtor_account_id="A", reason=""),
    )
    assert [
        (event.command, event.account_id, event.payment_id, event.code)
        for event in ledger.said(ev.CommandRefused)
    ] == [
        ("account_opened", "A", None, "exists"),
        ("account_limit_set", "X", None, "account_not_found"),
        ("account_closed", "A", None, "account_not_empty"),
        ("payment_cancelled", "A", "P9", "payment_not_found"),
    ]


def test_another_streams_event_is_a_dead_letter() -> None:
    rows, out = MemoryRows(), Outbox()
    price = ev.PriceQuoted(**envelope("e"), instrument_id="I", price_e8=1, currency="EUR")
    with pytest.raises(Reject, match="unexpected_event"):
        Ledger().apply(price, Arrival(0, 0, 1), rows, out)
    assert rows.data == {} and out.items == []


class _WatchedRows(MemoryRows):
    """Rows that remember what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[bytes] = set()

    def get(self, key: bytes) -> bytes | None:
        self.asked.add(key)
        return super().get(key)


def test_keys_foretell_the_reads_that_differ_from_event_to_event() -> None:
    """What a command reads beyond them is internal, hot, or the creditor of a reviewed payment."""
    ledger, rows = Ledger(), _WatchedRows()
    log = [
        opened("e1", "A", 100),
        opened("e2", "B"),
        decided("e3", "P1", "A", "B", 10),
        decided("e4", "P2", "A", "B", 10, outcome="REVIEW"),
        ev.PaymentCancelled(**envelope("e5"), payment_id="P2", debtor_account_id="A", reason=""),
    ]
    for event in log:
        rows.asked.clear()
        ledger.apply(event, Arrival(0, 0, 1), rows, Outbox())
        hot = {key for key in rows.asked if key == b"w" or b"\0$" in key}
        beyond = rows.asked - hot - set(Ledger.keys(event))
        assert beyond == ({account_key(TENANT, "A"), account_key(TENANT, "B")} if event is log[-1] else set())


ACCOUNTS = [
    Account(0, "EUR"),
    Account(5, "JPY", 1, None, 1, 2, 3, 4, 5),
    Account(3, "USD", 0, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX),
]


@pytest.mark.parametrize("account", ACCOUNTS)
def test_an_account_row_is_56_bytes_and_reads_back(account: Account) -> None:
    assert len(account.pack()) == 56
    assert unpack_account(account.pack()) == account


def test_rows_of_an_unknown_layout_are_not_guessed_at() -> None:
    with pytest.raises(UnknownLayout, match="layout 9"):
        unpack_account(b"\x09" + ACCOUNTS[0].pack()[1:])
    rows = MemoryRows()
    rows.put(payment_key(TENANT, "P1"), b"\x09")
    with pytest.raises(UnknownLayout, match="layout 9"):
        read_payment(rows, TENANT, "P1")


def test_a_payment_row_reads_back() -> None:
    rows = MemoryRows()
    payment = Payment("HELD", "ok", "A", "B", INT64_MAX, "EUR", "é", INT64_MIN, "transfer", None)
    write_payment(rows, TENANT, "P1", payment)
    assert read_payment(rows, TENANT, "P1") == payment
    assert read_payment(rows, TENANT, "P2") is None


def test_an_event_too_old_or_refused_writes_no_payment() -> None:
    ledger = Branches(1)
    ledger.recorded_at = now = 10**16
    ledger.run(opened("e1", "A", 100), opened("e2", "B"), decided("e3", "P1", "A", "B", 1, occurred_at=now))
    before = dict(ledger.branches[0].rows.data)
    ledger.run(decided("e4", "P2", "A", "B", 1), opened("e5", "A"))
    assert ledger.branches[0].rows.data == before


def test_the_hash_of_an_internal_account_is_not_its_branch() -> None:
    """Why the runtime must not ask the partitioner about its postings and balances."""
    keys = [f"{TENANT}/$clearing:EUR:{branch}" for branch in range(BRANCHES)]
    assert [partition_of(key, BRANCHES) for key in keys] != list(range(BRANCHES))
