"""`ledgerflow topics --repair`: settings of topics are set back, each as an action of whoever runs it.

what the streams rely on, against what Kafka has -> set one by one -> TOPIC_REPAIRED on operator-actions
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from typing import NamedTuple

import typer
from confluent_kafka.admin import AdminClient

from pipeline.cli.problems import Failed
from pipeline.cli.reach import ANSWER_WITHIN_S, errors_in_one_line, require_registry
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.kafka.operator_actions import act
from pipeline.runtime.kafka.topic_settings import (
    MISSING,
    PARTITIONS,
    Finding,
    ask,
    changelogs_of,
    findings,
    repair,
    requirements,
)
from pipeline.runtime.settings import Settings

ACTION = "TOPIC_REPAIRED"
SEE = "pipeline/runtime/README.md, Settings of topics"
NO_COMMAND = {
    MISSING: "a worker creates it at its start, unless the streams have used it before: then it was deleted,"
    f" and only a copy brings it back ({SEE})",
    PARTITIONS: f"no command takes partitions away ({SEE})",
}
"""What to do about what cannot be set."""


class Repaired(NamedTuple):
    """What was done about the findings."""

    done: list[Finding]
    left: list[Finding]


def findings_of(settings: Settings, admin: AdminClient) -> list[Finding]:
    """Return what is wrong with the topics of the application. Raises KafkaException."""
    there = admin.list_topics(timeout=ANSWER_WITHIN_S).topics
    tables = changelogs_of(settings.app_id, there)
    required = requirements(settings, tables)
    if "partitions" not in settings.model_fields_set:  # those of most topics, then
        numbers = Counter(len(there[one.topic].partitions) for one in required if one.topic in there)
        common = numbers.most_common(1)[0][0] if numbers else settings.partitions
        required = [one._replace(partitions=common) for one in required]
    return findings(required, ask(admin, [topic.topic for topic in required]))


def repair_topics(settings: Settings, admin: AdminClient, reason: str) -> Repaired:
    """Set back all settings that can be, and write each down. Raises Failed where Kafka refuses."""
    require_registry(settings)
    with (
        errors_in_one_line(settings),
        closing(Registry(settings.registry(), settings.data_dir / "schemas")) as registry,
    ):
        codec = Codec(registry)
        done, left = [], []
        for one in findings_of(settings, admin):
            if one.wanted is None:
                left.append(one)
                continue
            repair(admin, one)
            changed = f"{one.setting}: {one.found} -> {one.wanted}"
            act(settings, codec, ACTION, reason, one.topic, 0, subject=changed)
            done.append(one)
    return Repaired(done, left)


def tell(repaired: Repaired, as_json: bool) -> None:
    """Print what was done and what is left. Raises Failed where something is left."""
    if as_json:
        rows = [
            {"topic": one.topic, "setting": one.setting, "found": one.found, "wanted": one.wanted}
            | {"repaired": some is repaired.done, "detail": advice(one)}
            for some in repaired
            for one in some
        ]
        typer.echo(json.dumps(rows))
    else:
        for one in repaired.done:
            typer.echo(f"{one.topic}: {one.setting} set from {one.found} to {one.wanted}")
        for one in repaired.left:
            typer.echo(f"{one.topic}: {advice(one)}", err=True)
        typer.echo(f"{len(repaired.done)} settings set back", err=True)
    if repaired.left:
        raise Failed(f"{len(repaired.left)} findings are left that no setting mends: see {SEE}")


def advice(finding: Finding) -> str:
    """Return what a finding is, with what to do where nothing can be set."""
    more = NO_COMMAND.get(finding.setting)
    return finding.detail if more is None else f"{finding.detail}; {more}"
