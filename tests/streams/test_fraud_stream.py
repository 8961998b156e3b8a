"""The fraud stream: a decision for every payment, whenever it happened and however often it comes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

import schemas
from pipeline.domain.fraud.log_batch import FraudLogBatch
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.routing import record_key
from pipeline.loadgen import Produce
from pipeline.runtime.settings import load_settings
from schemas import remittance
from tests.fraud.logs import busy_log
from tests.ledger.branches import DAY, envelope, opened
from tests.runtime.task_bench import PARTITIONS, own_accounts
from tests.simulated_cluster import ENCODE, SimulatedCluster
from tests.streams.extremes import assert_extremes_pass
from tests.streams.poison import assert_applied_or_dead
from tests.streams.stream_bench import (
    CHANGELOG,
    RECORD_NAMES,
    RECORDED_AT,
    Step,
    StreamBench,
    accept_by_hundreds,
    applied_by_columns,
    assert_replays,
    framed,
)
from topologies import fraud
from topologies.configuration import Configuration

A, B = own_accounts(2)
NOON = 1_767_268_800_000_000
"""2026-01-01 12:00 UTC, microseconds."""
SPEC = fraud.STREAMS[0].spec(Configuration(load_settings()))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[StreamBench]:
    built = StreamBench(SPEC, tmp_path)
    yield built
    built.close()


def payment(
    payment_id: str, at: int = NOON, amount_minor: int = 10_00, **changes: Any
) -> ev.PaymentInitiated:
    """Return a payment of A; its event has the payment's id unless told."""
    fields = {
        **envelope(payment_id, at),
        "payment_id": payment_id,
        "debtor_account_id": A,
        "creditor_account_id": "shop",
        "amount_minor": amount_minor,
        "currency": "EUR",
        "payment_type": "payment",
        "reference": "thanks",
        "channel": "app",
        "device_id": "phone",
        "counterparty_country": "FR",
        "merchant_category": None,
        "creditor_reference": None,
        "remittance_text": None,
    }
    return ev.PaymentInitiated(**{**fields, **changes})


def reviewed(payment_id: str) -> ev.PaymentReviewed:
    """Return a reviewer's approval of a payment of A."""
    fields: dict[str, Any] = {
        "payment_id": payment_id,
        "debtor_account_id": A,
        "reviewer": "r",
        "reason": "known",
    }
    return ev.PaymentReviewed(**envelope(f"review of {payment_id}", NOON), **fields, approved=True)


def cancelled(payment_id: str) -> ev.PaymentCancelled:
    """Return the cancellation of a payment of A."""
    head = envelope(f"cancellation of {payment_id}", NOON)
    return ev.PaymentCancelled(**head, payment_id=payment_id, debtor_account_id=A, reason="none")


def show(step: Step) -> str:
    """Return what became of a record: its outputs in order, or its reason; `.` stands for rows written."""
    if step.dead is not None:
        return step.dead
    shown = []
    for topic, partition, key, event in step.said:
        assert (partition, key) == (0, f"acme/{A}")
        if type(event) is ev.PaymentDecided:
            assert topic == "ledger-commands"
            shown.append(" ".join([event.outcome, *(one.rule.partition("@")[0] for one in event.reasons)]))
            screened = next(one for *_, one in step.said if type(one) is ev.PaymentScreened)
            assert (screened.decision_id, screened.outcome) == (event.event_id, event.outcome)
        elif type(event) is ev.PaymentScreened:
            assert topic == "payment-events"
        else:
            shown.append(f"{topic} {type(event).__name__}")
    return "; ".join(shown) + (" ." if step.changed else "")


ALERT = "; fraud-alerts FraudAlertRaised"
LIVES = "; payment-events PaymentReviewed"
LIFE: list[tuple[Any, str]] = [
    (cancelled("p1"), "ledger-commands PaymentCancelled ."),  # the first event: the clock gets a row
    (reviewed("p1"), f"ledger-commands PaymentReviewed{LIVES}"),
    (payment("p1"), "APPROVE ."),
    (payment("p1"), "APPROVE"),
    (payment("p1", event_id="retry", occurred_at=NOON + 1), "APPROVE ."),  # the clock moves
    (payment("p1", event_id="other", amount_minor=99), f"REVIEW payment_id_reused{ALERT} ."),
    (payment("p1", event_id="third", amount_minor=98), "REVIEW payment_id_reused"),
    (payment("p2", NOON - DAY // 24), "APPROVE ."),
    (payment("p3", NOON - 10 * DAY), f"REVIEW too_late{ALERT} ."),
    (payment("p3", NOON - 10 * DAY), "REVIEW too_late"),
    (reviewed("p3"), f"ledger-commands PaymentReviewed{LIVES} ."),  # late as it is, it becomes a habit
    (payment("p4", 2**63 - 1), "APPROVE ."),  # a clock that is ahead counts as the time of the record
    (payment("p5", RECORDED_AT), "APPROVE ."),
    (payment("p6", -(2**63)), "APPROVE"),  # the ledger will refuse it as too old
    (payment("p7", amount_minor=0), "APPROVE"),  # the ledger will refuse it
    (payment("p/8"), "invalid_id"),
    (cancelled("\0"), "invalid_id"),
    (payment("p8", creditor_reference="RF19539007547034"), "invalid_creditor_reference"),
    *[(payment(f"probe{number}", RECORDED_AT), "APPROVE .") for number in range(8)],
    (payment("p9", RECORDED_AT), f"REVIEW payments_1min{ALERT} ."),
    (reviewed("p9"), f"ledger-commands PaymentReviewed{LIVES} ."),  # it becomes a habit, once
    (reviewed("p9"), f"ledger-commands PaymentReviewed{LIVES}"),
]


async def test_early_late_and_repeated_payments_are_decided_once_each(bench: StreamBench) -> None:
    for event, expected in LIFE:
        assert show(await bench.step(bench.of(event))) == expected, event


async def test_a_log_cut_into_other_batches_gives_the_same_bytes_and_rows(
    bench: StreamBench, tmp_path: Path
) -> None:
    for event, _ in LIFE:
        record = bench.of(event)
        bench.record(record.value[:-2], record.key)
        for number in range(3):
            bench.of(payment(f"{event.event_id} {number}", RECORDED_AT - number * DAY, 100_00 * number))
    for record in bench.log:
        await bench.step(record)
    await assert_replays(bench, tmp_path)


@pytest.mark.parametrize("count", [3, 40], ids=["few", "columns"])
async def test_every_payment_is_decided_or_a_dead_letter(
    count: int, bench: StreamBench, tmp_path: Path
) -> None:
    goods = [payment(f"p{number}", NOON + number * DAY) for number in range(count)]
    stranger = ev.TradeSettled(**envelope("e"), trade_id="t", account_id=A, settled_at=0)
    await assert_applied_or_dead(bench, goods, "debtor_account_id", stranger, tmp_path)


async def test_versions_one_two_and_the_upstreams_next_are_decided_in_one_topic(bench: StreamBench) -> None:
    text = json.loads(schemas.versions("ledgerflow.PaymentInitiated")[1].text)
    text["fields"].append({"name": "purpose", "type": ["null", "string"], "default": None})
    next_version = json.dumps(text)
    next_id = bench.registry.add(next_version)
    payments = [payment(f"p{number}", NOON + number * DAY) for number in range(75)]
    for number, event in enumerate(payments):
        if number % 3 == 2:
            fields = {**msgspec.to_builtins(event), "purpose": "rent"}
            bench.record(framed(next_id, next_version, fields), f"acme/{A}".encode())
        else:
            bench.of(event, version=number % 3 + 1)
    await bench.accept(*bench.log)
    await bench.settled()
    assert bench.dead() == []
    decided = bench.decoded({("", 0): bench.written()["ledger-commands", 0]})
    shown = [(event.payment_id, event.device_id, event.counterparty_country) for *_, event in decided]
    since_v2 = [(None, None), ("phone", "FR"), ("phone", "FR")]
    assert shown == [(f"p{number}", *since_v2[number % 3]) for number in range(75)]


REFERENCES = ["rent", "", "RF18539007547034", "rf18 5390 0754 7034 May", "RF19539007547034", "RF71 2348 231"]
YEARS = 7 * 365 * DAY
FORWARDED = ("payments", "fraud-commands")
"""Topics that have the payments as they were sent, byte for byte."""


def old_payments(length: int) -> list[tuple[Any, int]]:
    """Return a log of years ago, and when each record came: payments with what version 1 had, and reviews."""
    chance, log = Random(11), []
    for event, at in busy_log(chance, length, own_accounts(3)):
        changes: dict[str, Any] = {"occurred_at": event.occurred_at - YEARS}
        if type(event) is ev.PaymentInitiated:
            reference = chance.choice(REFERENCES)
            changes |= {"device_id": None, "counterparty_country": None, "reference": reference}
            changes |= remittance.split(reference)._asdict()
        log.append((msgspec.structs.replace(event, **changes), at - YEARS))
    return log


def mixed(event: Any) -> int:
    """Return the version in which a payment is written where all are in one log: a retry may have another."""
    return 1 + event.occurred_at % 3


@pytest.mark.parametrize(
    "batch, payments", [(1, 300), (30, 300), (900, 900)], ids=["single", "few", "columns"]
)
async def test_old_payments_are_decided_alike_whatever_their_versions(
    batch: int, payments: int, tmp_path: Path
) -> None:
    written, rows = [], []
    for how in (1, 2, 3, mixed):
        bench = StreamBench(SPEC, tmp_path / str(how))
        for event, at in old_payments(payments):
            version = how if isinstance(how, int) else how(event)
            bench.of(event, version if type(event) is ev.PaymentInitiated else None, recorded_at=at)
        for start in range(0, len(bench.log), batch):
            await bench.accept(*bench.log[start : start + batch])
        await bench.settled()
        assert bench.dead() == []
        written.append({place: said for place, said in bench.written().items() if place[0] != CHANGELOG})
        rows.append(bench.rows())
        bench.close()
    assert len(written[0]["ledger-commands", 0]) == payments and written[0]["fraud-alerts", 0]
    assert written == [written[0]] * 4
    assert rows == [rows[0]] * 4


def test_old_payments_move_the_same_money_whatever_their_versions() -> None:
    accounts = [opened(f"opening {name}", name, 10**9) for name in (*own_accounts(3), *shops())]
    said = []
    for how in (1, 2, 3, mixed):
        cluster = SimulatedCluster(PARTITIONS, NOON)
        for event in (*accounts, *(event for event, _ in old_payments(300))):
            version = schemas.newest(RECORD_NAMES[type(event)])
            if type(event) is ev.PaymentInitiated:
                number = how if isinstance(how, int) else how(event)
                version = schemas.versions(version.record_name)[number - 1]
            value = ENCODE(version, msgspec.to_builtins(event))
            cluster.produce(Produce(version.topic, record_key(event).encode(), value, None, ()))
            cluster.process()
        said.append({place: log for place, log in cluster.records.items() if place[0] not in FORWARDED})
    assert sum(len(log) for (topic, _), log in said[0].items() if topic == "postings") > 100
    assert said == [said[0]] * 4


def shops() -> list[str]:
    return [f"shop-{number}" for number in range(99)]


async def test_extreme_values_are_decided_or_dead_letters(tmp_path: Path) -> None:
    await assert_extremes_pass(SPEC, tmp_path, [ev.PaymentInitiated, ev.PaymentReviewed, ev.PaymentCancelled])


async def test_points_from_which_payments_are_reviewed_are_settings(tmp_path: Path) -> None:
    """A round amount is 5 points by the default set, which holds nothing by themselves."""
    said = []
    for number, least in enumerate(((5, 100), (6, 100), (1, 5))):
        (tmp_path / str(number)).mkdir()
        settings = load_settings(fraud_review_score_min=least[0], fraud_decline_score_min=least[1])
        bench = StreamBench(fraud.STREAMS[0].spec(Configuration(settings)), tmp_path / str(number))
        step = await bench.step(bench.of(payment("p1", amount_minor=1_000_00)))
        said.append(show(step).partition(";")[0].removesuffix(" ."))
        bench.close()
    assert said == ["REVIEW round_amount", "APPROVE", "DECLINE round_amount"]


async def test_large_batches_go_by_columns_and_write_the_same_bytes(
    bench: StreamBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, lengths = Random(5), applied_by_columns(monkeypatch, FraudLogBatch)
    for event, at in busy_log(chance, 900, own_accounts(3)):
        version = chance.choice([1, 2, 3]) if type(event) is ev.PaymentInitiated else None
        record = bench.of(event, version, recorded_at=at)
        if chance.random() < 0.01:
            bench.log[-1] = dataclasses.replace(record, value=record.value[: chance.choice([0, 4, -1])])
    await accept_by_hundreds(bench)
    assert lengths == [] and len(bench.dead()) > 3
    await assert_replays(bench, tmp_path)
    assert sum(lengths) > 500


async def test_payments_beyond_a_quota_are_refused_with_the_same_bytes_by_columns_and_by_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tenants.toml").write_text("[tenants.acme]\npayments_per_second = 1\nburst = 40\n")
    spec = fraud.STREAMS[0].spec(Configuration(load_settings(tenants=tmp_path / "tenants.toml")))
    bench, lengths = StreamBench(spec, tmp_path), applied_by_columns(monkeypatch, FraudLogBatch)
    for number in range(700):
        event = payment(f"p{number}", RECORDED_AT + number * 1_000_000 // PARTITIONS)
        bench.of(event, recorded_at=event.occurred_at)
    await accept_by_hundreds(bench)
    assert lengths == [] and bench.dead() == []
    await assert_replays(bench, tmp_path)
    assert sum(lengths) >= 700
    said = bench.decoded({("payment-events", 0): bench.written()["payment-events", 0]})
    refused = [one for one in said if not isinstance(one[-1], ev.PaymentScreened)]
    decided = bench.decoded({("ledger-commands", 0): bench.written()["ledger-commands", 0]})
    bench.close()
    assert {(event.command, event.code) for *_, event in refused} == {("payment_initiated", "quota_exceeded")}
    # A part of the burst, and then as many in PARTITIONS seconds as all partitions have in one.
    assert len(decided) == 40 // PARTITIONS + 699 // PARTITIONS**2
    ids = {event.payment_id for *_, event in (*refused, *decided)}
    assert len(ids) == len(refused) + len(decided) == 700


async def test_a_batch_of_a_few_dozen_goes_by_columns(
    bench: StreamBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows cost so much here that a worker at a thousand payments a second would not keep up by them."""
    applied = applied_by_columns(monkeypatch, FraudLogBatch)
    for number in range(2 * fraud.COLUMNS_FROM - 1):
        bench.of(payment(f"p{number}", NOON + number * 3_600_000_000))
    few = fraud.COLUMNS_FROM - 1
    await bench.accept(*bench.log[:few])
    assert applied == [] and few < 32
    await bench.accept(*bench.log[few:])
    assert sum(applied) > 0
