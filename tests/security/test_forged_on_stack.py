"""Forged records on a real stack: who writes in the place of a worker is refused or found within seconds.

One forged offset by default; all kinds of them in memory: test_forged_offsets.py.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from pipeline.cli.supervisor import environment
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.ledger.rows import account_key, unpack_account
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.exit_codes import EXIT_CRASH
from pipeline.runtime.kafka.topics import changelog_name
from tests.chaos.forged import SKIPPED, Forger
from tests.integration.cluster import ROOT, Cluster, cluster_in
from tests.integration.topic_events import events_of
from tests.integration.views_bank import get
from tests.progress import SILENCE_S, ended, eventually

TENANT, ALERTS, COMMANDS = "north", "invariant-alerts", "ledger-commands"
FORGED_MINOR = 10_000_000_00


class Attacked:
    """A cluster with two accounts on one branch, and what forges its records."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.settings = cluster.settings
        self.forger = Forger(cluster.settings)
        registry = Registry(self.settings.schema_registry_url, self.settings.data_dir / "schemas")
        registry.connect()
        self.codec = Codec(registry)
        self.debtor, self.creditor, *_ = (
            name for name in map("account-{}".format, range(99)) if self.home(name) == 0
        )

    def home(self, account_id: str) -> int:
        """Return the partition of an account."""
        return partition_of(f"{TENANT}/{account_id}", self.settings.partitions)

    def send(self, topic: str, account_id: str, event: Any) -> None:
        """Write an event where it belongs."""
        key = f"{TENANT}/{account_id}".encode()
        self.forger.put(topic, self.home(account_id), key, self.codec.encode([event])[0])

    def refusal(self) -> str:
        """Start the worker, which must end at once; return what it has said since."""
        log = self.cluster.log(0)
        before = log.stat().st_size
        self.cluster.start(0)
        process = self.cluster.workers.pop(0)
        assert ended(process) == EXIT_CRASH
        return log.read_bytes()[before:].decode()

    def alerts(self) -> list[Any]:
        """Return the invariants that were found broken."""
        return events_of(self.settings, ALERTS)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """A worker that has applied some payments, and stands still."""
    with cluster_in(tmp_path_factory.mktemp("attacked")) as cluster:
        cluster.start(0)
        cluster.wait_ready(0)
        attacked = Attacked(cluster)
        for number, account_id in enumerate((attacked.debtor, attacked.creditor)):
            attacked.send("accounts", account_id, opened(f"open {number}", account_id))
        for account_id in (attacked.debtor, attacked.creditor):
            eventually(partial(is_open, attacked, account_id))
        for number in range(3):
            attacked.send("payments", attacked.debtor, initiated(attacked, f"p{number}", 1))
        eventually(lambda: balance(attacked, attacked.creditor) == 100_03)
        assert cluster.terminate(0) == 0
        yield attacked


def now() -> int:
    return int(time.time() * 1_000_000)


def opened(event_id: str, account_id: str) -> ev.AccountOpened:
    head = event_id, TENANT, now(), event_id, None
    return ev.AccountOpened(*head, account_id, "customer", "checking", "EUR", 100_00, "retail", [], 0)


def initiated(attacked: Attacked, payment_id: str, amount: int) -> ev.PaymentInitiated:
    head = payment_id, TENANT, now(), payment_id, None
    parties = payment_id, attacked.debtor, attacked.creditor, amount, "EUR", "payment", ""
    return ev.PaymentInitiated(*head, *parties, None, None, None, None, None, None, None)


def is_open(attacked: Attacked, account_id: str) -> bool:
    return balance(attacked, account_id) == 100_00


def balance(attacked: Attacked, account_id: str) -> int | None:
    answer = get(f"{attacked.cluster.url(0)}/balances/{TENANT}/{account_id}")
    return int(answer.body["data"]["balance_minor"]) if answer.status == 200 else None


def migrated(attacked: Attacked, *arguments: str) -> str:
    """Run `ledgerflow migrate` in a process; return what it says."""
    process = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "migrate", *arguments],
        cwd=ROOT,
        env={**environment(attacked.settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


Forge = Callable[[Attacked], None]


def skips_ten(attacked: Attacked) -> None:
    attacked.forger.beside("fraud", 0, attacked.forger.applied("fraud", 0) + SKIPPED)


def swallows_a_partition(attacked: Attacked) -> None:
    attacked.forger.own("ledger", 0, 10**12)


def skips_in_a_stream_without_a_table(attacked: Attacked) -> None:
    attacked.forger.beside("intake-accounts", 0, 10**12)


@pytest.mark.parametrize(
    ("forge", "right", "names"),
    [
        (skips_ten, "changelogs", ("stream fraud", "fraud-commands[0]")),
        pytest.param(
            *(swallows_a_partition, "source-offsets"),
            ("stream ledger", "ledger-commands[0]", "1000000000000"),
            marks=pytest.mark.long,
        ),
        pytest.param(
            *(skips_in_a_stream_without_a_table, "changelogs", ("stream intake-accounts", "accounts[0]")),
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_forged_source_offset_stops_the_worker_in_one_line_until_it_is_put_right(
    attacked: Attacked, forge: Forge, right: str, names: tuple[str, ...]
) -> None:
    forge(attacked)
    said = attacked.refusal()
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert all(name in line for name in names) and "Traceback" not in said
    assert "took over 1 offsets" in migrated(attacked, "--take", right, "--reason", "forged in a test")
    assert "nothing to do" in migrated(attacked)


@pytest.mark.long
def test_a_group_that_is_ahead_of_its_streams_stops_the_worker(attacked: Attacked) -> None:
    consumer = Consumer({**attacked.settings.librdkafka(), "group.id": attacked.settings.app_id})
    ahead = attacked.forger.applied("intake-payments", 0) + SKIPPED
    eventually(lambda: committed(consumer, ahead))
    consumer.close()
    said = attacked.refusal()
    assert "payments[0]: the group ledgerflow has committed" in said and "Traceback" not in said
    migrated(attacked, "--take", "changelogs", "--reason", "the group was ahead in a test")


def committed(consumer: Consumer, offset: int) -> bool:
    try:
        consumer.commit(offsets=[TopicPartition("payments", 0, offset)], asynchronous=False)
    except Exception:
        return False
    return True


def test_forged_records_are_found_within_seconds(attacked: Attacked) -> None:
    """A forged balance row is in changelog and table after a restart: comparing these shows nothing.

    The journal does: the next posting of the account does not follow from the one before.
    """
    changelog = changelog_name(attacked.settings.app_id, "ledger")
    key = account_key(TENANT, attacked.creditor)
    account = unpack_account(attacked.forger.rows(changelog, 0)[key] or b"")
    account.credits_posted += FORGED_MINOR
    attacked.forger.put(changelog, 0, key, account.pack())
    attacked.cluster.start(0)
    attacked.cluster.wait_ready(0)
    assert balance(attacked, attacked.creditor) == 100_03 + FORGED_MINOR
    assert attacked.alerts() == []
    problems = [problem for check in attacked.cluster.verify().checks for problem in check.problems]
    assert any(attacked.creditor in problem for problem in problems)
    decided = ev.PaymentDecided(
        *("forged", TENANT, now(), "forged", None, "forged", attacked.debtor, attacked.creditor, 7, "EUR"),
        *("payment", "", None, None, None, None, "APPROVE", 0, [], "rules", None),
    )
    started = time.monotonic()
    attacked.send(COMMANDS, attacked.debtor, decided)
    wanted = {"settled_unscreened", "balance"}
    eventually(lambda: {one.fields["invariant"] for one in attacked.alerts()} >= wanted)
    assert time.monotonic() - started < SILENCE_S
    (unscreened,) = (one for one in attacked.alerts() if one.fields["invariant"] == "settled_unscreened")
    assert unscreened.fields["account_id"] == attacked.debtor
    assert "payment forged" in unscreened.fields["found"]
