"""The intake streams: upstream records into the log of their state machine, byte for byte, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.domain.intake.stream import Intake
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.routing import record_key
from pipeline.runtime.settings import load_settings
from pipeline.verify.model.intake import Intake as Model
from pipeline.verify.model.record import Record
from tests.fraud_publishing import publishing as published
from tests.ledger.branches import envelope, opened
from tests.runtime.task_bench import PARTITIONS, closed, own_accounts
from tests.streams.poison import assert_applied_or_dead
from tests.streams.stream_bench import RECORDED_AT, StreamBench, assert_replays
from topologies import intake
from topologies.configuration import Configuration

A, B = own_accounts(2)
TARGETS = {
    "accounts": "ledger-commands",
    "payments": "fraud-commands",
    "statements": "reconciliation-items",
    "trades": "position-commands",
    "prices": "position-commands",
    "rates": "ledger-commands",
    "fraud-labels": "fraud-commands",
    "fraud-rules": "fraud-commands",
    "break-actions": "reconciliation-items",
    "matching-rules": "reconciliation-items",
}
SOURCES = list(TARGETS)
EVERYWHERE = ("prices", "rates", "fraud-rules", "matching-rules")
KEYS = {
    "payments": "debtor_account_id",
    "fraud-labels": "debtor_account_id",
    "prices": "instrument_id",
    "rates": "base_currency",
    "fraud-rules": "tenant_id",
    "matching-rules": "tenant_id",
}


@pytest.fixture
def bench_of(tmp_path: Path) -> Iterator[Callable[[str], StreamBench]]:
    """Builds the bench of the intake of a topic."""
    built = []

    def build(source: str) -> StreamBench:
        (stream,) = [stream for stream in intake.STREAMS if stream.source == source]
        built.append(StreamBench(stream.spec(Configuration(load_settings())), tmp_path))
        return built[-1]

    yield build
    for bench in built:
        bench.close()


def quoted(event_id: str, **changes: Any) -> ev.RateQuoted:
    """Return a rate, which every partition gets."""
    pair = {"base_currency": "EUR", "quote_currency": "USD", "rate_e8": 108_000_000, "effective_from": 0}
    return ev.RateQuoted(**envelope(event_id), **{**pair, **changes})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"rate_e8": 10**17}, None),
        ({"rate_e8": 0}, "invalid_rate"),
        ({"rate_e8": -1}, "invalid_rate"),
        ({"rate_e8": 10**17 + 1}, "invalid_rate"),
        ({"quote_currency": "EUR"}, "invalid_rate"),
        ({"quote_currency": "XXX"}, "invalid_currency"),
        ({"base_currency": "euro"}, "invalid_currency"),
    ],
)
def test_a_rate_is_one_between_two_currencies(changes: dict[str, Any], code: str | None) -> None:
    event, out = quoted("q1", **changes), Outbox()
    said = None
    try:
        Intake("rates", "ledger-commands").apply(event, Arrival(0, 0, 1), None, out)
    except Reject as reject:
        said = reject.code
    assert said == code
    key = f"acme/{event.base_currency}".encode()
    told = Record("rates", 0, 0, 0, key, b"", {}, "RateQuoted", msgspec.to_builtins(event), None)
    assert Model(0, 1).apply(told)[0] == code


def upstream(source: str, event_id: str, account: str = A) -> Any:
    """Return an event of an upstream topic."""
    head = envelope(event_id)
    if source == "accounts":
        return opened(event_id, account)
    if source == "payments":
        return ev.PaymentCancelled(**head, payment_id=event_id, debtor_account_id=account, reason="x")
    if source == "prices":
        return ev.PriceQuoted(**head, instrument_id="ACME", price_e8=1, currency="EUR")
    if source == "rates":
        return quoted(event_id)
    if source == "fraud-labels":
        about = {"payment_id": event_id, "debtor_account_id": account, "creditor_account_id": "bob"}
        return ev.PaymentLabelled(**head, **about, label="FRAUD", source="CUSTOMER", labelled_at=0)
    if source == "fraud-rules":
        withdrawn = published.in_role(None, 0, tenant=head["tenant_id"])
        return msgspec.structs.replace(withdrawn, **head)
    if source == "break-actions":
        person = ev.Actor("idp", "anna", "session")
        return ev.BreakAssigned(**head, account_id=account, break_id="b", assignee="anna", actor=person)
    if source == "matching-rules":
        about = {"role": "LIVE", "of_tenant": head["tenant_id"], "weights": None, "sha256": None}
        return ev.MatchingWeightsPublished(**head, **about, effective_from=0)
    if source == "trades":
        return ev.TradeSettled(**head, trade_id=event_id, account_id=account, settled_at=0)
    figures: dict[str, Any] = {
        "opening_balance_minor": 0,
        "closing_balance_minor": 0,
        "line_count": 0,
        "closed_at": 0,
    }
    return ev.StatementClosed(**head, statement_id=event_id, account_id=account, currency="EUR", **figures)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("count", [3, 40], ids=["few", "columns"])
async def test_every_record_is_passed_on_or_a_dead_letter(
    source: str, count: int, bench_of: Callable[[str], StreamBench], tmp_path: Path
) -> None:
    bench = bench_of(source)
    goods = [upstream(source, f"e{number}", A if number % 2 else B) for number in range(count)]
    stranger = upstream("trades" if source == "accounts" else "accounts", "e")
    key_field = KEYS.get(source, "account_id")
    await assert_applied_or_dead(bench, goods, key_field, stranger, tmp_path)


@pytest.mark.parametrize("source", SOURCES)
async def test_records_keep_their_bytes_and_order_whatever_their_times_and_however_often_they_come(
    source: str, bench_of: Callable[[str], StreamBench]
) -> None:
    bench = bench_of(source)
    times = [5, 3, 3, 2**62, -(2**62), 4]
    events = [msgspec.structs.replace(upstream(source, f"e{time}"), occurred_at=time) for time in [*times, 5]]
    for number, event in enumerate(events):
        bench.of(event, recorded_at=RECORDED_AT - number * 1_000_000)
    await bench.accept(*bench.log[:4])
    await bench.accept(*bench.log[4:])
    await bench.settled()
    passed_on: list[Any] = [(record.key, record.value, [], None) for record in bench.log]
    partitions = range(PARTITIONS) if source in EVERYWHERE else [0]
    assert bench.written() == {(TARGETS[source], number): passed_on for number in partitions}


async def test_old_and_new_versions_of_an_event_pass_through_one_topic_unchanged(
    bench_of: Callable[[str], StreamBench],
) -> None:
    bench = bench_of("accounts")
    since_v2 = {
        "regulatory_tier": "professional",
        "compliance_flags": ("pep",),
        "overdraft_limit_minor": 5_00,
    }
    accounts = [opened("o", A, 7, **since_v2), closed(A, 1)]
    accounts[1] = msgspec.structs.replace(accounts[1], regulatory_notification_sent=True)
    for _ in range(30):  # enough of each schema to be decoded in columns
        for version in (1, 2):
            for event in accounts:
                bench.of(event, version)
    await bench.accept(*bench.log)
    await bench.settled()
    assert bench.dead() == []
    written = bench.written()["ledger-commands", 0]
    assert [value for _, value, _, _ in written] == [record.value for record in bench.log]
    # What version 1 does not say has the defaults of version 2.
    old = [opened("o", A, 7), closed(A, 1)]
    assert bench.codec.decode([value for _, value, _, _ in written]).events == [*old, *accounts] * 30


@pytest.mark.parametrize("source", SOURCES)
async def test_a_log_cut_into_other_batches_is_passed_on_with_the_same_bytes(
    source: str, bench_of: Callable[[str], StreamBench], tmp_path: Path
) -> None:
    bench = bench_of(source)
    good = upstream(source, "e0")
    for number in range(30):
        bench.of(upstream(source, f"e{number}"))
        bench.record(bench.value(good)[: number + 1], record_key(good).encode())
    for record in bench.log:
        await bench.step(record)
    await assert_replays(bench, tmp_path)
