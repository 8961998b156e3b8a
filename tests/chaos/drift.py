"""Settings of topics that somebody changes while the streams run, and what the workers say about it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from pipeline.cli.conditions import Told, told_by
from pipeline.runtime.kafka.topics import changelog_name, source_offsets_name
from pipeline.runtime.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).parents[2]
TOLD_WITHIN_S = 40.0
"""A worker looks every ten seconds, and may just be starting."""
ASK_EVERY_S = 0.25
REQUEST_WITHIN_S = 30.0
WEEK_MS = str(7 * 86_400_000)


class Drift(NamedTuple):
    """A setting that is changed."""

    topic: str
    setting: str
    value: str


def drifts(app_id: str) -> list[Drift]:
    """Return changes that endanger what the streams promise, and harm nothing within minutes.

    Nothing expires in a week, and the segment that is written to is never compacted.
    """
    return [
        Drift("payments", "message.timestamp.type", "CreateTime"),
        Drift("accounts", "retention.ms", WEEK_MS),
        Drift("postings", "retention.ms", WEEK_MS),
        Drift("ledger-commands", "cleanup.policy", "compact"),
        Drift("statements", "cleanup.policy", "compact,delete"),
        Drift(changelog_name(app_id, "ledger"), "cleanup.policy", "delete"),
        Drift(changelog_name(app_id, "fraud"), "delete.retention.ms", "1000000"),
        Drift(source_offsets_name(app_id), "cleanup.policy", "delete"),
    ]


def drift(settings: Settings, changes: list[Drift]) -> None:
    """Change settings. Raises KafkaException."""
    admin = AdminClient({**settings.librdkafka(), "log_level": 0})
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            one.topic,
            incremental_configs=[
                ConfigEntry(one.setting, one.value, incremental_operation=AlterConfigOpType.SET)
            ],
        )
        for one in changes
    ]
    for future in admin.incremental_alter_configs(resources).values():
        future.result(REQUEST_WITHIN_S)


def repair_topics(settings: Settings, reason: str = "drift of a test") -> str:
    """Set settings back by the command; return what it said. Raises AssertionError where it fails."""
    given = {
        "BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "SCHEMA_REGISTRY_URL": settings.schema_registry_url,
        "DATA_DIR": str(settings.data_dir),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "topics", "--repair", "--reason", reason],
        cwd=ROOT,
        env={**os.environ, **{f"{ENV_PREFIX}{name}": value for name, value in given.items()}},
        capture_output=True,
        text=True,
        timeout=4 * REQUEST_WITHIN_S,
    )
    if done.returncode != 0:
        raise AssertionError(f"topics --repair ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def told(url: str, name: str) -> list[Told] | None:
    """Return what a worker tells of a kind of problem; None where it does not answer."""
    found = told_by(url)
    return None if found is None else [one for one in found if one.name == name]


def require_told(url: str, name: str) -> None:
    """Raises AssertionError where a worker answers, and does not tell a kind of problem.

    One that does not answer may just be starting, which is no lie.
    """
    found = told(url, name)
    if found is not None and not found:
        raise AssertionError(f"{url}/ready says nothing of {name}")


def wait_told(url: str, name: str, refuses: Callable[[], bool]) -> None:
    """Wait until a worker tells a kind of problem, or refuses to start because of it.

    Raises AssertionError where it does neither.
    """
    deadline = time.monotonic() + TOLD_WITHIN_S
    while not (found := told(url, name)) and not (found is None and refuses()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{url}/ready has not told {name} within {TOLD_WITHIN_S:.0f} s")
        time.sleep(ASK_EVERY_S)
