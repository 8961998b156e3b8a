"""`ledgerflow accept-loss`: go on without records that a log has lost.

A worker that finds its next record gone stops, and names this command. What is accepted stands on
operator-actions, with the reason; workers, `verify` and `rebuild` read it there.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.problems import BadInput
from pipeline.cli.reach import (
    ANSWER_WITHIN_S,
    errors_in_one_line,
    require_kafka,
    require_registry,
    require_topic,
    settings_for,
)
from pipeline.cli.reasons import Reason, reason_of
from pipeline.domain.kernel import events as ev
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.kafka.operator_actions import LOSS_ACCEPTED, act
from pipeline.runtime.kafka.own_offsets import reached
from pipeline.runtime.kafka.topics import COMPACTED, TOPICS
from pipeline.verify.streams import READERS

LOGS = frozenset(topic.name for topic in TOPICS if not topic.compacted)


def accept_loss(
    log: Annotated[
        str, typer.Argument(metavar="TOPIC/PARTITION", help="The log, as the worker's error names it.")
    ],
    up_to: Annotated[
        int,
        typer.Option("--up-to", metavar="OFFSET", min=1, help="The first offset that the log still has."),
    ],
    reason: Reason,
    start: Annotated[
        int | None,
        typer.Option(
            "--from",
            metavar="OFFSET",
            min=0,
            help="The first offset that was never read.",
            show_default="what the streams have committed",
        ),
    ] = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Accept that a log has lost its records below an offset: the streams go on at that offset.

    Records that are still there cannot be given up with it. Start the worker again afterwards, unless `up`
    or another supervisor does. `verify` names what was accepted, and does not fail for it.
    """
    settings = settings_for(data, bootstrap_servers, schema_registry_url)
    why = reason_of(reason)
    topic, partition = place_of(log)
    if topic not in LOGS:
        kind = "is compacted: it is no log" if topic in COMPACTED else "is no topic of the streams"
        raise BadInput(f"{topic} {kind}; `ledgerflow topics` lists them")
    count = require_topic(require_kafka(settings), topic)
    if partition >= count:
        raise BadInput(f"{topic} has partitions 0 to {count - 1}, and no {partition}")
    require_registry(settings)
    with errors_in_one_line(settings):
        place = topic, partition
        asked = settings.librdkafka(), settings.app_id, place, READERS
        first, _, applied = reached(*asked, ANSWER_WITHIN_S)
        if first == 0:
            raise BadInput(f"{topic}/{partition} has lost nothing: it begins at offset 0")
        if up_to != first:
            raise BadInput(f"{topic}/{partition} begins at offset {first}: say --up-to {first}")
        begin = min(first, applied if start is None else start)
        codec = Codec(Registry(settings.registry(), settings.data_dir / "schemas"))
        event = act(settings, codec, LOSS_ACCEPTED, why, topic, partition, begin, first)
    _tell(event, as_json)


def place_of(text: str) -> tuple[str, int]:
    """Return topic and partition of `topic/partition`. Raises BadInput."""
    topic, _, number = text.rpartition("/")
    if not topic or not (number.isascii() and number.isdigit()) or len(number) > 9:
        raise BadInput(f"{text!r} is no TOPIC/PARTITION, such as payments/3")
    return topic, int(number)


def _tell(event: ev.OperatorActed, as_json: bool) -> None:
    topic, partition, begin, first = event.topic, event.partition, event.first_offset, event.end_offset
    if as_json:
        told = {"topic": topic, "partition": partition, "first_offset": begin, "end_offset": first}
        typer.echo(json.dumps({**told, "operator": event.operator, "reason": event.reason}))
        return
    lost = f"offsets {begin} to {first - 1} are given up" if begin < first else "all that is gone was read"
    typer.echo(f"{topic}/{partition}: {lost}; the streams go on at {first}")
