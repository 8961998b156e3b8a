"""The peer Kafka Streams: it is built from our schemas, and does the work of our streams, exactly.

What needs a build and a broker is marked `benchmark`: `pytest -m benchmark tests/benchmarks`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

import schemas
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.routing import record_key
from pipeline.runtime.local.stack import LocalStack
from pipeline.runtime.settings import Settings, load_settings
from tests.benchmarks import kafka_streams
from tests.benchmarks.bench import Bench, Peers, Sizes, Tuning
from tests.benchmarks.inputs import TENANT, envelope, now_us
from tests.benchmarks.jobs import ledger, sums
from tests.benchmarks.kafka_streams import maven
from tests.ledger.branches import DAY, Branches

EVENTS, PAYMENTS = 3_000, 300
CACHED, UNCACHED = Tuning(100, caching=True), Tuning(20, caching=False)
BOOKED_IN_ANY_ORDER = (
    *("account_sequence", "balance_minor_after", "balance_minor", "held_minor_after", "booked_at"),
)
"""Legs come back whenever they do: what a posting finds on its account differs from run to run."""


@pytest.fixture(scope="module")
def jars() -> Path:
    """The peer, built once a machine."""
    why = kafka_streams.missing()
    if why is not None:
        pytest.skip(f"Kafka Streams cannot be built here: {why}")
    return kafka_streams.build(load_settings().cache_dir / "benchmarks")


@pytest.fixture
def bench(jars: Path, settings: Settings, stack: LocalStack) -> Bench:
    """The broker of the tests, with the peer."""
    broker = psutil.Process(stack.pids["kafka"])
    return Bench(settings, Sizes(EVENTS, PAYMENTS, 0, 0.0), Peers(kafka_streams=jars), broker)


def test_the_peer_is_built_against_the_newest_version_of_each_schema() -> None:
    pom = (maven.PROJECT / "pom.xml").read_text()
    patterns = re.findall(r'<include name="(.*)"/>', pom)
    built = {str(path.relative_to(maven.SCHEMAS)) for name in patterns for path in maven.SCHEMAS.glob(name)}
    assert len(built) == 14
    assert built <= {schemas.newest(name).path for name in schemas.record_names()}


def test_without_java_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    maven.missing.cache_clear()
    try:
        assert "no java" in str(kafka_streams.missing())
    finally:
        maven.missing.cache_clear()


@pytest.mark.benchmark
@pytest.mark.usefixtures("jars")
def test_a_build_that_fails_says_what_maven_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pom.xml").write_text("<project><nothing/></project>")
    monkeypatch.setattr(maven, "PROJECT", tmp_path)
    with pytest.raises(kafka_streams.BuildFailed, match="ERROR"):
        kafka_streams.build(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.benchmark
def test_sums_are_exact_with_and_without_caching_and_after_a_restore(bench: Bench) -> None:
    contenders = sums.contenders(bench)
    assert contenders[f"sum_{CACHED.name}"](0)["items"] > 0
    assert contenders[f"sum_{UNCACHED.name}"](0)["items"] > 0
    app_id = f"sum-{UNCACHED.name}-0"
    restored = bench.run_kafka_streams(
        bench.kafka_streams("sum", app_id, sums.SOURCE, UNCACHED, mode="restore")
    )
    assert restored["restored"] == EVENTS


@pytest.mark.benchmark
def test_the_ledger_job_is_exact(bench: Bench) -> None:
    assert ledger.contenders(bench)[f"ledger_{CACHED.name}"](0)["postings"] > PAYMENTS


@pytest.mark.benchmark
@pytest.mark.parametrize("tuning", [CACHED, UNCACHED], ids=["cached", "uncached"])
def test_the_peer_says_what_our_ledger_says(bench: Bench, tuning: Tuning) -> None:
    app_id, now = f"same-{tuning.name}", now_us()
    ours = Branches(bench.settings.partitions)
    ours.recorded_at = now
    commands = list(_commands(app_id, now))
    said = ours.run(*commands)
    start = bench.ends(ledger.SOURCE, "postings", "balances", "payment-events", "dead-letters")
    bench.start_at(app_id, {ledger.SOURCE: start[ledger.SOURCE]})
    bench.produce(ledger.SOURCE, ((record_key(command), command) for command in commands))
    applied = sum(len(branch.log) for branch in ours.branches)
    job = bench.kafka_streams("ledger", app_id, ledger.SOURCE, tuning, records=applied)
    assert bench.run_kafka_streams(job)["records"] == applied

    expected = {topic: [event for to, _, event in said if to == topic] for topic in start}
    found = {topic: list(bench.read(topic, start)) for topic in ("payment-events", "postings", "balances")}
    assert _alike(found["payment-events"]) == _alike(expected["payment-events"])
    codes = {event.code for event in expected["payment-events"]}
    assert {"ok", "declined", "insufficient_funds", "exists", "too_old", "creditor_not_found"} <= codes
    assert _alike(found["postings"], *BOOKED_IN_ANY_ORDER) == _alike(
        expected["postings"], *BOOKED_IN_ANY_ORDER
    )
    legs = list(bench.read(ledger.SOURCE, start))
    assert _alike(legs) == _alike([*commands, *expected[ledger.SOURCE]])
    assert _last(found["balances"]) == _last(expected["balances"])
    if not tuning.caching:
        assert len(found["balances"]) == len(expected["balances"])
    assert ours.dead() == ["invalid_currency"]
    assert sum(bench.ends("dead-letters")["dead-letters"]) > sum(start["dead-letters"])


@pytest.mark.benchmark
def test_it_serves_until_it_is_killed(bench: Bench) -> None:
    with bench.start_kafka_streams("ledger", "served", ledger.SOURCE, CACHED) as process:
        assert process.alive
        assert process.rss_mib > 0
    assert not process.alive


def _commands(seed: str, now: int) -> Iterator[Any]:
    """Yield commands that meet every rule of payments, and whose outcomes do not hang on when legs come back.

    The peer does not remember with which balance and limit an account was opened: what repeats is the same.
    """
    rich = [f"{seed}-rich-{number}" for number in range(8)]
    poor, dollars, endless = f"{seed}-poor", f"{seed}-dollars", f"{seed}-endless"
    accounts = [*((name, "EUR", 1_000_000, 0) for name in rich), (poor, "EUR", 100, 0)]
    accounts += [(dollars, "USD", 100, 0), (endless, "EUR", 0, None), (endless, "EUR", 0, None)]
    accounts += [(rich[0], "USD", 5, 0), (f"{seed}-odd", "eur", 5, 0), (f"{seed}-owing", "EUR", -700, 1_000)]
    for number, (name, currency, amount, limit) in enumerate(accounts):
        yield ev.AccountOpened(
            *envelope(f"{seed}-open-{number}", now),
            *(name, "customer", "nostro" if name == rich[1] else "checking", currency, amount),
            *("retail", (), limit),
        )
    tries = [(payer, payee, 10, "APPROVE") for payer in rich for payee in rich]  # one of eight to itself
    tries += [(rich[number], f"{seed}-nobody-{number}", 7, "APPROVE") for number in range(8)]
    tries += [
        (poor, rich[0], 60, "APPROVE"),
        (poor, rich[0], 60, "APPROVE"),
        (endless, rich[2], 999, "APPROVE"),
    ]
    tries += [
        (rich[0], dollars, 5, "APPROVE"),
        (dollars, rich[0], 5, "APPROVE"),
        (rich[3], rich[4], 0, "APPROVE"),
    ]
    tries += [(rich[5], rich[6], 5, "DECLINE"), (f"{seed}-unknown", rich[0], 5, "APPROVE")]
    for number, (payer, payee, amount, outcome) in enumerate(tries):
        yield _decided(f"{seed}-{number}", now + number, payer, payee, amount, outcome)
    yield _decided(f"{seed}-0", now, rich[0], rich[0], 10, "APPROVE")
    yield _decided(f"{seed}-1", now, rich[0], rich[1], 11, "APPROVE")
    yield _decided(f"{seed}-old", now - 91 * DAY, rich[0], rich[1], 10, "APPROVE")


def _decided(name: str, at: int, payer: str, payee: str, amount: int, outcome: str) -> ev.PaymentDecided:
    return ev.PaymentDecided(
        *envelope(f"{name}-{amount}", at),
        *(name, payer, payee, amount, "EUR", "transfer", f"invoice {name}"),
        *("app", None, None, None),
        *(outcome, 0, (), "v1"),
    )


def _alike(events: list[Any], *without: str) -> Counter[str]:
    """Return events as a multiset, without some fields."""

    def blank(event: Any) -> dict[str, int]:
        return dict.fromkeys(set(without).intersection(event.__struct_fields__), 0)

    return Counter(repr(msgspec.structs.replace(event, **blank(event))) for event in events)


def _last(balances: list[Any]) -> dict[str, tuple[Any, ...]]:
    """Return what was said last of each account, without what caused it."""
    assert {event.tenant_id for event in balances} == {TENANT}
    return {event.account_id: msgspec.structs.astuple(event)[5:] for event in balances}
