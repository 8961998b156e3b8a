"""The example of topologies/README.md, taken from its text, as part of a worker on real Kafka."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import record_key
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.kafka.topics import changelog_name
from pipeline.runtime.settings import Settings
from tests.integration.cluster import ROOT, Cluster, cluster_in
from tests.integration.views_bank import Answer, get
from tests.progress import eventually

README = (ROOT / "topologies" / "README.md").read_text("utf-8")
FILE = re.compile(r"^\*\*`([^`]+)`\*\*\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
APP = "topologies/app.py"
FILES_END = ')\n"""The topology files'
ACCOUNTS = ("ann", "bob", "cid")
PARTIES = ACCOUNTS[:2]
"""Debtor and creditor of a payment; the third account has nothing but its opening."""
EVERY = 2
NOON_US = (int(time.time()) // 86_400 * 86_400 - 43_200) * 1_000_000
"""Yesterday's noon: no rule about nights, and no clock ahead."""
WITHIN_S = 60.0


def example() -> dict[str, str]:
    """Return the files of the example by their paths; of app.py the line that is added."""
    found = dict(FILE.findall(README))
    assert len(found) == len(FILE.findall(README)), "every file once"
    return found


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product with the example in it."""
    root = tmp_path_factory.mktemp("product")
    for name in ("pipeline", "schemas", "topologies"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in example().items():
        path = root / name
        if name == APP:
            text = path.read_text("utf-8").replace(FILES_END, text + FILES_END)
            assert text.count('    "activity",\n') == 1
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    run(root, "pipeline.schema_models")
    return root


def environment(root: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a process of the copy."""
    given = {f"LEDGERFLOW_{name}": value for name, value in settings.items()}
    return {**os.environ, "PYTHONPATH": str(root), **given}


def run(root: Path, module: str, *arguments: str, code: int = 0, **settings: str) -> str:
    """Run a module of the copy; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=root,
        env=environment(root, **settings),
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


class Bank:
    """A stack of its own, one worker with the example's stream, and a tenant's accounts."""

    def __init__(self, root: Path, cluster: Cluster) -> None:
        self.root = root
        self.settings = cluster.settings
        self.where = {
            "BOOTSTRAP_SERVERS": cluster.settings.bootstrap_servers,
            "SCHEMA_REGISTRY_URL": cluster.settings.schema_registry_url,
            "DATA_DIR": str(cluster.settings.data_dir),
        }
        run(root, "pipeline.cli", "schemas", "register", **self.where)
        web = {"WEB_PORT": str(cluster.settings.web_port), "ACTIVITY_EVERY_POSTINGS": str(EVERY)}
        self.worker = subprocess.Popen(
            [sys.executable, "-m", "topologies.worker"], cwd=root, env=environment(root, **self.where, **web)
        )
        self._codec = Codec(Registry(self.settings.schema_registry_url, self.settings.data_dir / "codec"))

    def get(self, path: str) -> Answer:
        return get(f"http://127.0.0.1:{self.settings.web_port}{path}")

    def tail(self, topic: str) -> list[dict[str, Any]]:
        """Return the events of a topic as the command shows them."""
        told = run(self.root, "pipeline.cli", "tail", topic, "--from-beginning", "--json", **self.where)
        return [json.loads(line)["value"] for line in told.splitlines()]

    def produce(self, topic: str, *events: Any) -> None:
        producer = Producer(self.settings.librdkafka())
        for event, value in zip(events, self._codec.encode(list(events)), strict=True):
            key = record_key(event)
            producer.produce(topic, value, key, partition_of(key, self.settings.partitions))
        assert producer.flush(30) == 0


def envelope(event_id: str) -> tuple[str, str, int, str, None]:
    return event_id, "acme", NOON_US, "c", None


@pytest.fixture(scope="module")
def bank(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    with cluster_in(tmp_path_factory.mktemp("example")) as cluster:
        running = Bank(copy, cluster)
        try:
            eventually(lambda: running.get("/ready").status == 200)
            opened = (
                ev.AccountOpened(
                    *envelope(f"open {name}"), name, "c", "checking", "EUR", 1_000, "retail", (), 0
                )
                for name in ACCOUNTS
            )
            running.produce("accounts", *opened)
            eventually(lambda: all(running.get(f"/balances/acme/{name}").status == 200 for name in ACCOUNTS))
            details = ("transfer", "probe", None, None, None, None, None, "probe")
            paid = ev.PaymentInitiated(*envelope("pay"), "p-1", *PARTIES, 50, "EUR", *details)
            running.produce("payments", paid)
            yield running
        finally:
            running.worker.kill()
            running.worker.wait()


def test_the_table_is_shown_by_its_view(bank: Bank) -> None:
    def shown() -> dict[str, int]:
        rows = bank.get("/activity?tenant=acme&limit=1000").body.get("data", [])
        return {row["account_id"]: row["postings"] for row in rows if row["account_id"] in ACCOUNTS}

    eventually(lambda: shown() == {"ann": 2, "bob": 2, "cid": 1})
    one = bank.get("/activity/acme/bob").body
    assert one["data"] == {"tenant_id": "acme", "account_id": "bob", "postings": 2}
    assert (one["meta"]["stream"], one["meta"]["log"]) == ("activity", "postings")
    assert bank.get("/activity/acme/nobody").status == 404
    assert "/activity/{tenant}/{account}" in bank.get("/").body["pages"]


def test_the_output_topic_has_its_events_as_the_setting_says(bank: Bank) -> None:
    def counted() -> set[tuple[str, int]]:
        events = bank.tail("account-activity")
        return {(one["account_id"], one["postings"]) for one in events if one["account_id"] in ACCOUNTS}

    eventually(lambda: counted() == {("ann", EVERY), ("bob", EVERY)})
    topics = json.loads(run(bank.root, "pipeline.cli", "topics", "--json", **bank.where))
    (topic,) = [one for one in topics if one["topic"] == "account-activity"]
    assert (topic["written_by"], topic["holds"], topic["partitions"]) == ("activity", "activity_counted", 4)


def test_the_table_has_a_changelog(bank: Bank) -> None:
    changelog = changelog_name(bank.settings.app_id, "activity")
    eventually(lambda: sum(ends(bank.settings, changelog)) >= len(ACCOUNTS))


def ends(settings: Settings, topic: str) -> list[int]:
    """Return the end of each partition of a topic."""
    consumer = Consumer({**settings.librdkafka(), "group.id": "ends"})
    try:
        return [
            consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30)[1]
            for number in range(settings.partitions)
        ]
    finally:
        consumer.close()


def test_a_bad_value_of_its_setting_is_refused_in_one_line(copy: Path) -> None:
    told = run(copy, "topologies.worker", code=2, ACTIVITY_EVERY_POSTINGS="0")
    assert told == (
        "error: LEDGERFLOW_ACTIVITY_EVERY_POSTINGS=0: input should be greater than or equal to 1\n"
    )


def test_the_example_touches_what_the_text_says_and_keeps_the_rules_of_the_house(copy: Path) -> None:
    places = {"/".join(name.split("/")[:3]) for name in example()}
    assert places == {
        *("schemas/account-activity/topic.toml", "schemas/account-activity/activity_counted"),
        *("pipeline/domain/activity", "topologies/activity.py", APP),
    }
    shutil.copy(ROOT / "pyproject.toml", copy)
    if (ROOT / ".mypy_cache").is_dir():  # what is not changed was checked there
        shutil.copytree(ROOT / ".mypy_cache", copy / ".mypy_cache")
    for check in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        done = subprocess.run(
            [sys.executable, "-m", *check], cwd=copy, env=environment(copy), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    lint = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(lint, cwd=copy, env=environment(copy), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
