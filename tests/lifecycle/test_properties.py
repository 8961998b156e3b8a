"""Lives of payments beside the streams that they come from: whatever upstreams send, whoever is first.

What never changes: the steps of a life are what the ledger said of the payment, in order, after its
screening, and never what it said of a repeat by its time alone; its state is the ledger's; a replay of the
log gives the same bytes.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import record_key
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.rows import unpack_payment
from pipeline.domain.lifecycle.rows import NOT_KEPT, WAITS_FOR, unpack_life
from pipeline.domain.lifecycle.stream import STATES, Lifecycle
from tests.ledger.branches import DAY, TENANT, envelope, opened
from tests.simulated_cluster import SimulatedCluster, decoder, encode

PARTITIONS = 2
NOW = 1_767_268_800_000_000
HOUR = 3_600_000_000
ACCOUNTS = ("a0", "a1", "a2", "a3")
DECODE = decoder().decode
FROM_FRAUD = ("payment_screened", "payment_reviewed")

names = st.sampled_from(("p0", "p1", "p2", "p3", "p4"))
debtors = st.sampled_from(ACCOUNTS)
payments = st.builds(
    lambda name, debtor, creditor, amount, at: (
        ev.PaymentInitiated,
        {
            "occurred_at": at,
            "payment_id": name,
            "debtor_account_id": debtor,
            "creditor_account_id": creditor,
            "amount_minor": amount,
            "currency": "EUR",
            "payment_type": "payment",
            "reference": "",
            "channel": None,
            "device_id": None,
            "counterparty_country": None,
            "merchant_category": None,
        },
    ),
    names,
    debtors,
    st.sampled_from((*ACCOUNTS, "nobody")),
    st.sampled_from((1, 5, 60, 0, 999_999)),
    st.integers(NOW - 9 * HOUR, NOW) | st.sampled_from((NOW - 8 * DAY, NOW - 100 * DAY, NOW + DAY)),
)
commands = st.builds(
    lambda kind, name, debtor, approved: (
        kind,
        {"payment_id": name, "debtor_account_id": debtor, "occurred_at": NOW, "reason": ""}
        | ({"approved": approved, "reviewer": "r"} if kind is ev.PaymentReviewed else {}),
    ),
    st.sampled_from((ev.PaymentReviewed, ev.PaymentCancelled)),
    names,
    debtors,
    st.booleans(),
)
logs = st.lists(st.lists(payments | commands, min_size=1, max_size=6), max_size=8)
"""Chunks, after each of which all streams rest; within one the fraud stream is ahead of the ledger."""


def played(chunks: list[list[Any]]) -> SimulatedCluster:
    """Return a cluster that has processed what upstreams sent; each event has an id of its own."""
    cluster, number = SimulatedCluster(PARTITIONS, NOW), 0

    def produce(topic: str, event: Any) -> None:
        key = record_key(event)
        cluster.append(topic, partition_of(key, PARTITIONS), key.encode(), encode(event))

    for name in ACCOUNTS:
        produce("accounts", opened(f"open {name}", name, 100))
    cluster.process()
    for chunk in chunks:
        for kind, fields in chunk:
            number += 1
            produce("payments", kind(**{**envelope(f"e{number}"), **fields}))
        cluster.process()
    return cluster


@given(logs)
@settings(max_examples=40, deadline=None)
def test_a_life_is_what_the_streams_said_and_its_state_is_the_ledgers(chunks: list[list[Any]]) -> None:
    cluster = played(chunks)
    for number in range(PARTITIONS):
        said: dict[str, list[str]] = defaultdict(list)
        kept = set[str]()
        for record in cluster.records["payment-events", number]:
            event = DECODE(record.value)
            assert event is not None
            if event.name not in ("CommandRefused", "PaymentReviewed", "PaymentScreened"):
                payment_id = event.fields["payment_id"]
                if event.fields["code"] not in NOT_KEPT:
                    kept.add(payment_id)
                elif payment_id in kept:
                    note("too old, of a payment that is known")
                    continue
                said[payment_id].append(event.fields["event_id"])
        ledger, rows = (cluster.rows[name, number].data for name in ("ledger", "lifecycle"))
        known = {key: unpack_payment(row) for key, row in ledger.items() if key[:1] == b"p"}
        lives = {key: unpack_life(row) for key, row in rows.items() if key[:1] == b"p"}
        assert known.keys() <= lives.keys()
        for key, life in lives.items():
            note(f"{life.state} in {len(life.steps)} steps")
            payment = known.get(key)
            if payment is None:
                assert life.is_forgotten
                continue
            ids = [step.event_id for step in life.steps if step.name not in FROM_FRAUD]
            assert ids == said[key.decode().split("\0")[2]][-len(ids) :]
            state = payment.state
            if state == "HELD" and life.steps[0].name != "payment_screened":
                state = "RESERVED"  # the ledger began this life: its screening was another one's repetition
            assert life.state == state, "nothing is in flight when all is quiet"
            assert life.debtor_account_id == payment.debtor_account_id
            assert life.creditor_account_id == payment.creditor_account_id
            assert (life.amount_minor, life.currency) == (payment.amount_minor, payment.currency)
            assert len(life.steps) <= 2 + len(STATES)
        due = {key.split(b"\0")[-1] for key in rows if key[:1] == b"q"}
        stuck = {key.split(b"\0")[-1] for key in rows if key[:1] == b"s"}
        waiting = {key.split(b"\0")[-1] for key, life in lives.items() if life.state in WAITS_FOR}
        assert (due | stuck, due & stuck) == (waiting, set()), "each one that waits is due or stuck"


@given(logs)
@settings(max_examples=20, deadline=None)
def test_a_replay_of_the_log_gives_the_same_bytes(chunks: list[list[Any]]) -> None:
    cluster = played(chunks)
    for number in range(PARTITIONS):
        rows, out = MemoryRows(), Outbox()
        for record in cluster.records["payment-events", number]:
            event = DECODE(record.value)
            assert event is not None
            kind: Any = ev.EVENTS[f"ledgerflow.{event.name}"]
            Lifecycle().apply(kind(**event.fields), Arrival(NOW, number, PARTITIONS), rows, out)
        assert rows.data == cluster.rows["lifecycle", number].data
        values = [record.value for record in cluster.records["payment-alerts", number]]
        assert [encode(event) for *_, event in out.items] == values
        assert all(key.startswith(f"{TENANT}/") for _, key, _ in out.items)
