"""`ledgerflow quarantine`."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import (
    errors_in_one_line,
    require_kafka,
    require_registry,
    require_topic,
    settings_for,
)
from pipeline.cli.reasons import Reason, reason_of
from pipeline.runtime.at_work import Work, parse
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import NotRegistered, Registry
from pipeline.runtime.kafka.operator_actions import QUARANTINED, act
from pipeline.runtime.kafka.own_offsets import reached
from pipeline.runtime.kafka.topics import READ, REQUEST_TIMEOUT_S
from pipeline.runtime.settings import Settings
from pipeline.verify.streams import READERS


def quarantine(
    place: Annotated[
        str,
        typer.Argument(
            metavar="TOPIC/PARTITION/OFFSET[-LAST]",
            help="The record, or the first and the last one, such as payments/3/120 or payments/3/120-168.",
        ),
    ],
    reason: Reason,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Make records that end a worker again and again dead letters, without looking into them.

    The decision goes to operator-actions. A worker reads it when it gets the partition: one that keeps dying
    does so by itself. A batch that is covered whole is not even unpacked; if one cannot be unpacked, all of
    it is one dead letter. Records that the streams have applied already stay applied.
    """
    try:
        work = parse(place)
    except ValueError:
        raise BadInput(
            f"{place!r} names no record: write TOPIC/PARTITION/OFFSET, such as payments/3/120, or"
            " TOPIC/PARTITION/FIRST-LAST"
        ) from None
    words = reason_of(reason)
    if work.topic not in READ:
        raise BadInput(f"no stream reads {work.topic!r}: `ledgerflow topics` lists the topics")
    settings = settings_for(data, bootstrap_servers, schema_registry_url)
    partitions = require_topic(require_kafka(settings), work.topic)
    if work.partition >= partitions:
        raise BadInput(f"{work.topic} has {partitions} partitions, from 0")
    require_registry(settings)
    with errors_in_one_line(settings):
        _require_unread(settings, work)
        codec = Codec(Registry(settings.registry(), settings.data_dir / "schemas"))
        try:
            event = act(
                settings, codec, QUARANTINED, words, work.topic, work.partition, work.first, work.last + 1
            )
        except NotRegistered as error:
            raise Failed(f"{error}: run `ledgerflow schemas register`") from None
    if as_json:
        typer.echo(f'{{"quarantined": "{work}", "event_id": "{event.event_id}"}}')
    else:
        typer.echo(f"quarantined by {event.operator}: {work}; workers see it when they get the partition")


def _require_unread(settings: Settings, work: Work) -> None:
    """Raises BadInput where the streams have applied the records, or where there are none yet."""
    place = work.topic, work.partition
    first, end, applied = reached(settings.librdkafka(), settings.app_id, place, READERS, REQUEST_TIMEOUT_S)
    if not first <= work.first or work.last >= end:
        raise BadInput(f"{work.topic}[{work.partition}] has offsets from {first} to {end - 1}")
    if work.last < applied:
        raise BadInput(f"the streams have applied {work.topic}[{work.partition}] up to {applied - 1}")
