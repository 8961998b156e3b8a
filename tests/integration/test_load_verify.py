"""The load generator and the verifier on the real stack, with a worker between them.

A stack of its own: the verifier judges everything that a cluster holds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from pipeline.domain.kernel.partitions import partition_of
from pipeline.loadgen import demo, history, run
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry, register_all
from pipeline.runtime.kafka.topics import create_topics
from pipeline.runtime.local.stack import LocalStack
from pipeline.runtime.settings import Settings
from pipeline.verify import Report, verify
from pipeline.verify.log import KafkaLog
from tests.conftest import settings_in
from tests.ledger.branches import opened
from tests.progress import SILENCE_S, ended, wait_for
from tests.progress import run as run_command
from topologies.app import TABLELESS, TABLES

HUGE = 40 * 2**20
PAYMENTS = 600
ROOT = Path(__file__).parents[2]


def now_us() -> int:
    return time.time_ns() // 1_000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A stack with one worker."""
    settings = settings_in(tmp_path_factory.mktemp("load"))
    with LocalStack(settings):
        register_all(settings.registry())
        create_topics(settings, TABLES, TABLELESS)
        names = ("data_dir", "kafka_port", "controller_port", "registry_port", "web_port")
        environment = {f"LEDGERFLOW_{name.upper()}": str(getattr(settings, name)) for name in names}
        worker = subprocess.Popen(
            [sys.executable, "-m", "topologies.worker"], cwd=ROOT, env={**os.environ, **environment}
        )
        try:
            yield settings
        finally:
            worker.terminate()
            ended(worker)


def verified(settings: Settings, *manifests: Path) -> Report:
    return verify(settings.librdkafka(), settings.registry(), manifests, wait_quiet_s=3.0)


def test_a_bounded_load_is_processed_exactly_and_all_that_was_planted_is_found(
    cluster: Settings, tmp_path: Path
) -> None:
    manifest = tmp_path / "manifest.jsonl"
    plan = history(21, PAYMENTS, now_us(), accounts=200, malformed_pct=3.0)
    # The worker may still be starting: be patient with the accounts.
    kafka, registry = cluster.librdkafka(), cluster.registry()
    report = run(plan, kafka, registry, manifest_path=manifest, await_accounts_s=SILENCE_S)
    assert report.done and report.failed == 0 and report.payments == PAYMENTS
    stories = {"hold", "journal", "reversal", "limit", "period", "link"}
    stories |= {"exchange", "schedule", "approval", "past"}
    assert set(report.planted) == stories | {"break", "fraud", "malformed", "refusal", "retry", "review"}
    verdict = verified(cluster, manifest)
    assert verdict.ok, verdict.to_json()
    silent = {check.name for check in verdict.checks if not check.counted}
    assert silent == {"views", "invariant_alerts", "requests", "personal"}, "no gateway has run"


@pytest.mark.long
def test_a_second_load_with_another_seed_does_not_collide(cluster: Settings, tmp_path: Path) -> None:
    manifest = tmp_path / "second.jsonl"
    plan = demo(22, now_us(), rate=400.0, speed=20_000.0, accounts=200)
    report = run(
        plan,
        cluster.librdkafka(),
        cluster.schema_registry_url,
        rate=400.0,
        duration=4.0,
        manifest_path=manifest,
        await_accounts_s=SILENCE_S,
    )
    assert 500 < report.payments <= 2_000 and report.done
    verdict = verified(cluster, manifest)
    assert verdict.ok, verdict.to_json()


def test_redriven_dead_letters_are_applied_or_dead_again_and_everything_still_holds(
    cluster: Settings,
) -> None:
    before = letters(cluster)
    misplaced = [letter for letter in before if letter["code"] == "wrong_partition"]
    assert misplaced and len(misplaced) < len(before)
    assert {letter["state"] for letter in before} == {"open"}
    done = json.loads(cli(cluster, "dead-letters", "redrive", "--yes", "--json", "--reason", "mended"))
    assert done["redriven"] == len(before)
    verdict = verified(cluster)
    assert verdict.ok, verdict.to_json()
    # On the right partition what was misplaced is good; what is malformed fails again, and is counted.
    attempts = Counter((letter["code"], letter["attempt"]) for letter in letters(cluster))
    assert attempts["wrong_partition", "1"] == len(misplaced)
    assert {code for code, attempt in attempts if attempt == "2"} >= {"malformed_value", "wrong_magic_byte"}
    assert ("wrong_partition", "2") not in attempts
    states = {(letter["code"], letter["state"], letter["attempt"]) for letter in letters(cluster)}
    assert ("wrong_partition", "redriven", "1") in states and ("malformed_value", "open", "2") in states
    # What was redriven is not sent twice; what is given up is listed as that.
    only = ["--code", "wrong_partition", "--yes", "--json"]
    assert json.loads(cli(cluster, "dead-letters", "redrive", *only))["redriven"] == 0
    assert json.loads(cli(cluster, "dead-letters", "redrive", "--again", *only))["redriven"] == len(misplaced)
    why = ["--code", "malformed_value", "--reason", "of a test", "--yes", "--json"]
    given_up = json.loads(cli(cluster, "dead-letters", "discard", *why))["discarded"]
    told = [letter for letter in letters(cluster) if letter["state"] == "discarded"]
    assert len(told) == given_up > 0 and {letter["code"] for letter in told} == {"malformed_value"}


def letters(settings: Settings) -> list[dict[str, str]]:
    """Return what `dead-letters list` says."""
    return [json.loads(line) for line in cli(settings, "dead-letters", "list", "--json").splitlines()]


def cli(settings: Settings, *arguments: str) -> str:
    """Run a command of the product; return what it writes."""
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    where = ["--bootstrap-servers", settings.bootstrap_servers]
    where += ["--schema-registry-url", settings.schema_registry_url, "--data", str(settings.data_dir)]
    done = run_command([*command, *where], cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_tenant_is_exported_whole_and_its_books_sum_to_zero(cluster: Settings, tmp_path: Path) -> None:
    out = tmp_path / "north"
    done = json.loads(cli(cluster, "export", "north", "--out", str(out), "--json"))
    assert json.loads((out / "manifest.json").read_text())["files"] == done["files"]
    assert done["balances"]["balance_minor"] and not any(done["balances"]["balance_minor"].values())
    exported: Counter[str] = Counter()
    for name, about in done["files"].items():
        if "schema_id" in about:
            with (out / name).open("rb") as source:
                rows = list(fastavro.reader(source))
            assert {row["event"]["tenant_id"] for row in rows} == {"north"}
            exported[about["topic"]] += len(rows)
    there: Counter[str] = Counter()
    log = KafkaLog(cluster.librdkafka())
    for topic in ("accounts", "ledger-commands", "postings", "payment-events", "positions", "fraud-alerts"):
        for partition in range(cluster.partitions):
            keys = [record.key or b"" for record in log.read(topic, partition)]
            there[topic] += sum(key.startswith(b"north/") for key in keys)
    log.close()
    for topic, records in there.items():
        counts = done["topics"][topic]
        assert counts["records"] == exported[topic] > 0
        assert records == sum(counts[name] for name in ("records", "unreadable", "of_another_tenant"))
    command = [sys.executable, "-m", "pipeline.cli", "export", "north", "--out", str(out)]
    again = run_command(command, cwd=ROOT)
    assert (again.returncode, "overwrites nothing" in again.stderr) == (2, True)


@pytest.mark.long
def test_a_record_beyond_every_limit_is_a_dead_letter_and_its_partition_goes_on(cluster: Settings) -> None:
    """Compressed it is small: the broker takes it, and no producer of ours could write it again."""
    registry = Registry(cluster.schema_registry_url, cluster.data_dir / "schemas")
    registry.connect()
    huge, large, good = (opened("e", "vast", customer_id="x" * size) for size in (HUGE, 2**20, 1))
    producer = Producer({**cluster.librdkafka(), "compression.type": "lz4", "message.max.bytes": 2 * HUGE})
    key = f"{good.tenant_id}/{good.account_id}"
    partition = partition_of(key, cluster.partitions)
    for value in Codec(registry).encode([huge, large, good]):
        producer.produce("accounts", value, key, partition=partition)
        assert producer.flush(30.0) == 0
    verdict = verified(cluster)
    assert verdict.ok, verdict.to_json()  # the third is applied
    left_out, kept = (letter for letter in letters(cluster) if letter["code"] == "too_large")
    assert int(left_out["left-out"]) > HUGE and (kept.get("left-out"), kept["key"]) == (None, key)
    done = json.loads(cli(cluster, "dead-letters", "redrive", "--yes", "--json", "--code", "too_large"))
    assert done["redriven"] == 1


def rebuilt(settings: Settings, *arguments: str, **environment: str) -> tuple[int, Any]:
    """Run `ledgerflow rebuild`; return its exit code and what it says."""
    where = ["--data", str(settings.data_dir), "--bootstrap-servers", settings.bootstrap_servers]
    where += ["--schema-registry-url", settings.schema_registry_url, "--json"]
    command = [sys.executable, "-m", "pipeline.cli", "rebuild", *arguments, *where]
    done = run_command(command, cwd=ROOT, env={**os.environ, **environment})
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_balances_rebuilt_from_the_postings_and_from_the_commands_are_those_of_the_streams(
    cluster: Settings,
) -> None:
    code, told = rebuilt(cluster, "--from", "postings")
    assert (code, told["differences"], told["faults"]) == (0, [], [])
    assert told["compared"]["account"] > 200 and told["records_read"] > 2 * PAYMENTS
    code, told = rebuilt(cluster, "--from", "postings")
    assert (code, told["records_read"]) == (0, 0)
    url = f"http://127.0.0.1:{cluster.web_port}"
    code, told = rebuilt(cluster, "--from", "commands", "--url", url)
    assert (code, told["differences"]) == (0, [])
    assert told["compared"]["payment"] > PAYMENTS
    replayed = told["records_read"]
    moving, produced = demo(23, now_us(), rate=100.0, speed=20_000.0, accounts=50), [0]
    kafka, registry = cluster.librdkafka(), cluster.registry()
    more: Any = {"on_progress": lambda report: produced.append(report.payments)}
    loading = threading.Thread(target=lambda: run(moving, kafka, registry, rate=100.0, duration=4.0, **more))
    loading.start()
    wait_for(lambda: produced[-1] > 100, "payments that are produced meanwhile", lambda: produced[-1])
    code, told = rebuilt(cluster, "--from", "commands", "--url", url)  # the streams go on
    loading.join()
    assert (code, told["differences"]) == (0, [])
    assert 0 < told["records_read"] < replayed
    assert told["legs"] == {"left_out": 0, "besides": 0}


def test_a_replay_by_other_rules_shows_both_sides_of_every_payment(cluster: Settings) -> None:
    """Some payments are too old now, also of accounts on two branches: all differences sum to zero."""
    url = f"http://127.0.0.1:{cluster.web_port}"
    arguments = ("--from", "commands", "--url", url, "--limit", "10000")
    code, told = rebuilt(cluster, *arguments, LEDGERFLOW_DEDUPE_WINDOW_DAYS="30")
    assert (code, told["ok"]) == (1, False) and len(told["differences"]) < 10_000
    changes = {
        one["name"]: one["rebuilt"] - one["live"]
        for one in told["differences"]
        if (one["kind"], one["field"]) == ("account", "balance_minor")
    }
    between = [change for name, change in changes.items() if "/$clearing:" in name]
    assert len(changes) > len(between) > 1
    assert (sum(changes.values()), sum(between)) == (0, 0)
    assert told["legs"]["left_out"] > 0 == told["legs"]["besides"]


def test_a_posting_that_nobody_should_have_written_is_seen(cluster: Settings) -> None:
    """The last test of this stack: it damages the journal."""
    consumer = Consumer({**cluster.librdkafka(), "group.id": "damage"})
    consumer.assign([TopicPartition("postings", 0, 0)])
    message = consumer.poll(30.0)
    consumer.close()
    assert message is not None and message.error() is None
    producer = Producer(cluster.librdkafka())
    producer.produce("postings", message.value(), message.key(), partition=0)
    assert producer.flush(30.0) == 0
    verdict = verified(cluster)
    failed = {check.name for check in verdict.checks if not check.ok}
    assert {"entries", "fold", "zero_sum"} <= failed
    code, told = rebuilt(cluster, "--from", "postings")
    assert (code, told["ok"]) == (1, False)
    assert told["journal_faults"] >= 1 and told["differing"] == {"account": 1}
