"""A broker that stands still, topics that somebody changes or deletes, a registry that is away.

One stack (`ledgerflow up`) for all; each test leaves it as it found it, but for the last one, which ends it.
The default run shows the same in memory: tests/runtime/test_pulse.py, test_topic_settings.py and
test_topic_ids.py, tests/cli/test_conditions.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from pipeline.cli.conditions import told_by
from pipeline.runtime.exit_codes import EXIT_TOPICS, EXIT_UNUSABLE
from pipeline.runtime.kafka.pulse import BROKER_SILENT
from pipeline.runtime.kafka.topic_watch import TOPIC_MISSING, TOPIC_SETTINGS
from pipeline.runtime.kafka.topics import changelog_name
from pipeline.runtime.local import guardian
from pipeline.runtime.settings import ENV_PREFIX, Settings
from tests.chaos.drift import Drift, drift, repair_topics
from tests.e2e.running_up import CLI, ROOT, Place, belonging
from tests.progress import SILENCE_S, wait_for

pytestmark = pytest.mark.long

FROZEN_S = 16.0
"""Longer than a session (6 s) and than the controller waits for a broker (9 s): leaders are elected anew."""
ENDS_WITHIN_S = 2 * guardian.GRACE_S + 30.0
"""Workers and the load first, then registry and Kafka; each has its grace, and is killed after it."""
CREATE_TIME = Drift("payments", "message.timestamp.type", "CreateTime")


class Running(Place):
    """A running `up` with one worker."""

    @property
    def settings(self) -> Settings:
        """Where it is."""
        return Settings(
            data_dir=self.data_dir,
            bootstrap_servers=f"127.0.0.1:{self.ports['kafka']}",
            schema_registry_url=f"http://127.0.0.1:{self.ports['registry']}/apis/ccompat/v7",
        )

    @property
    def url(self) -> str:
        """Where its worker's views are."""
        return f"http://127.0.0.1:{self.ports['web']}"

    def tells(self, name: str) -> list[str]:
        """Return the subjects of the problems of a kind that its worker tells."""
        return [one.subject for one in told_by(self.url) or () if one.name == name]

    def wait_told(self, name: str, subject: str) -> None:
        """Wait until its worker tells a problem."""
        wait_for(lambda: subject in self.tells(name), f"{name} of {subject}")
        assert self.status() == 503

    def wait_ready(self) -> None:
        """Wait until its worker is ready."""
        wait_for(lambda: self.status() == 200, "/ready")

    def status(self) -> int:
        """Return the status of `/ready`; 0 where it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=2) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def events(self, topic: str) -> list[dict[str, Any]]:
        """Return the events on a topic."""
        said = self.ask("tail", topic, "--from-beginning", "--json")
        return [json.loads(line) for line in said.splitlines()]

    def pay(self) -> None:
        """Let payments go through: the load ends when the streams have applied them."""
        self.ask("load", "--count", "20", "--accounts", "10")

    def worker(self, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run another worker, which must end by itself."""
        given = {
            "DATA_DIR": str(self.data_dir / "another"),
            "WEB_PORT": str(int(self.ports["web"]) + 1),
            "BOOTSTRAP_SERVERS": self.settings.bootstrap_servers,
            "SCHEMA_REGISTRY_URL": self.settings.schema_registry_url,
            **settings,
        }
        return subprocess.run(
            [sys.executable, "-m", "topologies.worker"],
            cwd=ROOT,
            env={**os.environ, **{f"{ENV_PREFIX}{name}": value for name, value in given.items()}},
            capture_output=True,
            text=True,
            timeout=SILENCE_S,
        )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = Running(tmp_path_factory.mktemp("broker"))
    place.up()
    try:
        place.endpoints()
        yield place
    finally:
        place.kill()


def test_up_survives_a_broker_that_stands_still_and_says_so(running: Running) -> None:
    running.pay()
    (kafka,) = [one for one in running.java() if "kafka.Kafka" in one.cmdline()]
    kafka.send_signal(signal.SIGSTOP)
    try:
        frozen_at = time.monotonic()
        running.wait_told(BROKER_SILENT, "Kafka")
        time.sleep(max(0.0, frozen_at + FROZEN_S - time.monotonic()))
        running.wait_told(BROKER_SILENT, "Kafka")
    finally:
        kafka.send_signal(signal.SIGCONT)
    running.wait_ready()
    assert running.process is not None and running.process.poll() is None
    running.pay()
    (alert,) = wait_for(
        lambda: [one for one in running.events("operational-alerts") if BROKER_SILENT in json.dumps(one)],
        "the alert of the silence",
    )
    assert "did not answer for" in json.dumps(alert)


def test_settings_that_drift_are_named_and_repaired_and_no_worker_starts_on_them(running: Running) -> None:
    drift(running.settings, [CREATE_TIME, Drift("postings", "retention.ms", "604800000")])
    running.wait_told(TOPIC_SETTINGS, "payments")
    running.wait_told(TOPIC_SETTINGS, "postings")
    done = running.worker()
    assert (done.returncode, done.stderr.count("\n")) == (EXIT_TOPICS, 1), done.stderr
    assert "payments: message.timestamp.type is CreateTime, must be LogAppendTime" in done.stderr
    said = repair_topics(running.settings, reason="somebody tried something")
    assert "payments: message.timestamp.type set from CreateTime to LogAppendTime" in said
    running.wait_ready()
    actions = [one for one in running.events("operator-actions") if "TOPIC_REPAIRED" in json.dumps(one)]
    assert len(actions) == 2 and "somebody tried something" in json.dumps(actions[0])
    running.pay()
    running.ask("verify")


def test_a_registry_that_does_not_answer_ends_commands_in_one_line(running: Running) -> None:
    nowhere = "http://127.0.0.1:9/apis/ccompat/v7"
    done = subprocess.run(
        [*CLI, "load", "--count", "1", "--schema-registry-url", nowhere, "--data", str(running.data_dir)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SILENCE_S,
    )
    assert (done.returncode, done.stderr.count("\n")) == (EXIT_UNUSABLE, 1), done.stderr


def test_a_changelog_that_is_deleted_is_named_never_made_anew_and_sigterm_still_ends_everything(
    running: Running,
) -> None:
    changelog = changelog_name("ledgerflow", "ledger")
    admin = AdminClient({**running.settings.librdkafka(), "log_level": 0})
    admin.delete_topics([changelog])[changelog].result(SILENCE_S)
    running.wait_told(TOPIC_MISSING, changelog)
    done = running.worker()
    assert (done.returncode, done.stderr.count("\n")) == (EXIT_TOPICS, 1), done.stderr
    assert "deleted, though the streams have applied records" in done.stderr and changelog in done.stderr
    assert changelog not in admin.list_topics(timeout=SILENCE_S).topics
    began = time.monotonic()
    ended = running.end(signal.SIGTERM)
    assert time.monotonic() - began < ENDS_WITHIN_S
    assert ended.code == 0, ended
    screen = ended.out + ended.err
    assert "Traceback" not in screen
    for line in ("broker_silent: Kafka at", "broker_silent is over: Kafka at", "topic_missing: ledgerflow-"):
        assert line in screen
    assert belonging(running.data_dir) == []
