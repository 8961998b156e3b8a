"""`ledgerflow transactions list|abort`: other people's open transactions, which hold the streams back.

A transaction is aborted by taking its transactional id over, as the next start of its owner would do: the
coordinator ends it, and the producer that has it open is fenced. So no transaction of a healthy producer can
be lost half: it is aborted whole, and its producer gets an error.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Annotated, Any

import typer
from aiokafka.errors import KafkaError
from confluent_kafka import Producer

from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import errors_in_one_line, require_kafka, require_registry, settings_for
from pipeline.cli.reasons import Reason, reason_of
from pipeline.cli.screen import Table, screen
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.kafka.open_transactions import OpenTransaction, open_transactions, time_text
from pipeline.runtime.kafka.operator_actions import TRANSACTION_ABORTED, act
from pipeline.runtime.kafka.topics import REQUEST_TIMEOUT_S, TOPICS
from pipeline.runtime.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Open transactions on the topics: list them, abort one.")


@app.command("list")
def list_transactions(
    older_than_s: Annotated[
        float, typer.Option("--older-than", metavar="S", min=0, help="Only those open for so many seconds.")
    ] = 0.0,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
) -> None:
    """List the open transactions on the topics, the oldest first: whose, since when, and where.

    Readers of committed records wait for them. The workers' own last some milliseconds. With --json one
    object per line.
    """
    settings = settings_for(data, bootstrap_servers)
    now_ms = time.time() * 1000
    found = [one for one in _open(settings) if _age_s(one, now_ms) >= older_than_s]
    if as_json:
        for one in found:
            typer.echo(json.dumps(_as_dict(one, now_ms)))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("producer", "transactional id", "open since", "seconds", "at most, s", "from"):
        table.add_column(title, overflow="fold")
    for one in found:
        table.add_row(
            str(one.producer_id),
            "unknown" if one.transactional_id is None else ascii(one.transactional_id)[1:-1],
            "?" if one.started_ms is None else time_text(one.started_ms),
            "?" if one.started_ms is None else f"{_age_s(one, now_ms):.0f}",
            "?" if one.timeout_ms is None else f"{one.timeout_ms / 1000:g}",
            ", ".join(f"{start.topic}[{start.partition}]@{start.offset}" for start in one.starts),
        )
    if found:
        screen().print(table, markup=False)
    typer.echo(f"{len(found)} open transaction{'' if len(found) == 1 else 's'}", err=True)


@app.command("abort")
def abort(
    producer: Annotated[int, typer.Argument(metavar="PRODUCER", min=0, help="Its id, as `list` shows it.")],
    reason: Reason,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Abort the open transaction of a producer: nothing of it becomes visible, and the producer is fenced.

    Ask its owner first: what it has sent in the transaction is not processed, unless it sends it again.
    """
    settings = settings_for(data, bootstrap_servers, schema_registry_url)
    why = reason_of(reason)
    found = [one for one in _open(settings) if one.producer_id == producer]
    if not found:
        raise BadInput(f"producer {producer} has no open transaction here: `ledgerflow transactions list`")
    one, first = found[0], found[0].starts[0]
    if one.transactional_id is None:
        raise Failed(
            f"no coordinator knows producer {producer}, or it may not be asked: abort its transaction with"
            f" Kafka's own kafka-transactions.sh abort --topic {first.topic} --partition {first.partition}"
            f" --start-offset {first.offset}"
        )
    require_registry(settings)
    with errors_in_one_line(settings):
        take_over(settings, one.transactional_id)
        codec = Codec(Registry(settings.registry(), settings.data_dir / "schemas"))
        event = act(settings, codec, TRANSACTION_ABORTED, why, first.topic, first.partition, subject=str(one))
    if as_json:
        told = {**_as_dict(one, time.time() * 1000), "operator": event.operator, "reason": why}
        typer.echo(json.dumps(told))
    else:
        typer.echo(f"aborted: {one}")


def take_over(settings: Settings, transactional_id: str) -> None:
    """End the open transaction of a transactional id and fence its producer. Raises KafkaException."""
    producer = Producer({**settings.librdkafka(), "transactional.id": transactional_id, "log_level": 0})
    producer.init_transactions(REQUEST_TIMEOUT_S)


def _open(settings: Settings) -> list[OpenTransaction]:
    """Return the open transactions on the topics. Raises Failed."""
    known = require_kafka(settings).list_topics(timeout=REQUEST_TIMEOUT_S).topics
    topics = {topic.name: list(known[topic.name].partitions) for topic in TOPICS if topic.name in known}
    try:
        return asyncio.run(open_transactions(settings.aiokafka(), topics))
    except (KafkaError, TimeoutError) as error:
        raise Failed(f"Kafka at {settings.bootstrap_servers} does not answer: {error!r}") from None


def _age_s(one: OpenTransaction, now_ms: float) -> float:
    """Return for how long it is open; of an unknown time without end, so that no filter hides it."""
    return float("inf") if one.started_ms is None else max(0.0, (now_ms - one.started_ms) / 1000)


def _as_dict(one: OpenTransaction, now_ms: float) -> dict[str, Any]:
    age_s = _age_s(one, now_ms)
    return {
        "producer_id": one.producer_id,
        "epoch": one.epoch,
        "transactional_id": one.transactional_id,
        "open_since": None if one.started_ms is None else time_text(one.started_ms),
        "seconds": None if one.started_ms is None else round(age_s, 1),
        "timeout_seconds": None if one.timeout_ms is None else one.timeout_ms / 1000,
        "starts": [start._asdict() for start in one.starts],
    }
