"""Sends events to the input topics as an upstream does, and waits for what becomes of them.

event -> the newest schema, its id from the registry -> frame -> topic, by key -> a view has the answer
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import typer
from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from pydantic import ValidationError

from pipeline.cli.asking import NotFound
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import (
    KAFKA,
    NOTHING,
    errors_in_one_line,
    require_kafka,
    require_topic,
    settings_for,
    worker_urls,
)
from pipeline.domain.kernel.ids import ID_CHARS_MAX
from pipeline.domain.kernel.partitions import partition_of
from pipeline.input_event import InputEvent
from pipeline.runtime.avro.connection import client, serializer
from pipeline.runtime.avro.registry import answer_of
from pipeline.runtime.kafka.access import LOAD
from pipeline.runtime.settings import Settings
from schemas.result_codes import RESULTS

DELIVERED_WITHIN_S = 30.0
LOOK_EVERY_S = 0.1
WAIT_S = 15.0
TEXT_SHOWN = 500
"""Characters of a long text that a dry run shows: the part of a model has 700,000."""
_ID_FORM = "an id is not empty, has no slash and no NUL, and does not begin with $"

DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Send nothing: show the event, and the topic, partition (of LEDGERFLOW_PARTITIONS) and key.",
    ),
]
Wait = Annotated[
    float,
    typer.Option("--wait", metavar="S", min=0, help="Wait so many seconds for the answer; 0: do not wait."),
]
_Event = TypeVar("_Event", bound=InputEvent)
_Found = TypeVar("_Found")


class Sent(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int
    key: str
    event_id: str

    @property
    def said(self) -> str:
        """The place in words."""
        return f"{self.topic}[{self.partition}]@{self.offset}, key {self.key}"


def event_of(kind: type[_Event], tenant_id: str, **fields: Any) -> _Event:
    """Return an event that happens now. Raises BadInput where a field cannot be what is given."""
    for name, value in {"tenant_id": tenant_id, **fields}.items():
        if name.endswith("_id") and isinstance(value, str) and len(value) > ID_CHARS_MAX:
            raise BadInput(f"{name}: {len(value)} characters, at most {ID_CHARS_MAX}")
    try:
        return kind(tenant_id=tenant_id, occurred_at=datetime.now(UTC), **fields)
    except ValidationError as error:
        first = error.errors()[0]
        why = _ID_FORM if first["type"] == "string_pattern_mismatch" else first["msg"]
        raise BadInput(f"{'.'.join(map(str, first['loc']))} {first['input']!r}: {why}") from None


def names_of(text: str, kind: str, example: str) -> tuple[str, str]:
    """Return the two parts of TENANT/NAME. Raises BadInput."""
    tenant_id, slash, name = text.partition("/")
    if not (tenant_id and slash and name):
        raise BadInput(f"{text!r} is no {kind}: write TENANT/{kind.upper()}, such as {example}")
    return tenant_id, name


def show_unsent(events: Sequence[InputEvent], partitions: int) -> None:
    """Print events, and where they would go. Asks nobody."""
    for event in events:
        key = event.key().decode()
        place = {"topic": event.TOPIC, "partition": partition_of(key, partitions), "partitions": partitions}
        about = {**place, "key": key, "record_name": event.RECORD_NAME}
        shown = {name: _shortened(value) for name, value in event.model_dump(mode="json").items()}
        typer.echo(json.dumps({**about, "event": shown}, indent=1))
    typer.echo("nothing was sent: leave --dry-run out to send it", err=True)


def _shortened(value: Any) -> Any:
    """Return a value as people can read it: of a text that fills screens, how long it is."""
    if not isinstance(value, str) or len(value) <= 4 * TEXT_SHOWN:
        return value
    return f"{value[:TEXT_SHOWN]}... ({len(value)} characters)"


def send(settings: Settings, event: InputEvent) -> Sent:
    """Produce an event, and return its place once Kafka has acknowledged it. Raises as `send_all`."""
    return send_all(settings, [event])[0]


def send_all(settings: Settings, events: Sequence[InputEvent]) -> list[Sent]:
    """Produce events of one topic, in order, and return their places once Kafka has acknowledged all.

    Raises Failed where Kafka or the registry does not answer or refuses, BadInput where there is no topic.
    """
    require_topic(require_kafka(settings), events[0].TOPIC)
    done: dict[int, tuple[KafkaError | None, Message]] = {}

    def acknowledged(number: int, error: KafkaError | None, message: Message) -> None:
        done[number] = error, message

    with errors_in_one_line(settings):
        values = _framed(settings, events)
        producer = Producer(
            {
                **settings.librdkafka(),
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "log_level": 0,
            }
        )
        for number, (event, value) in enumerate(zip(events, values, strict=True)):
            told = partial(acknowledged, number)
            producer.produce(event.TOPIC, value, event.key(), on_delivery=told)
        left = producer.flush(DELIVERED_WITHIN_S)
    if left or len(done) < len(events):
        raise Failed(
            f"Kafka has not acknowledged it within {DELIVERED_WITHIN_S:.0f} s; it may have it: send the same"
            " id again, it has one effect"
        )
    sent = []
    for number, event in enumerate(events):
        error, message = done[number]
        if error is not None:
            raise Failed(f"Kafka refuses it: {error.str()}")
        partition, offset = message.partition(), message.offset()
        assert partition is not None and offset is not None
        sent.append(Sent(event.TOPIC, partition, offset, event.key().decode(), event.event_id))
    return sent


def _framed(settings: Settings, events: Sequence[InputEvent]) -> list[bytes]:
    """Return the values of records. Raises RegistryUnavailable, and Failed where a schema is missing."""
    values = []
    with client(settings.registry()) as registry:
        serializers: dict[str, AvroSerializer] = {}
        for event in events:
            about, name = SerializationContext(event.TOPIC, MessageField.VALUE), event.RECORD_NAME
            if name not in serializers:
                serializers[name] = serializer(registry, event.schema_text())
            value = answer_of(partial(serializers[name], event.to_avro(), about))
            if value is None:
                raise Failed(
                    f"the schema registry lacks {event.RECORD_NAME}: run `ledgerflow schemas register`"
                )
            values.append(bytes(value))
    return values


def answer_within(
    seconds: float,
    look: Callable[[], _Found | None],
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> _Found | None:
    """Return what `look` finds once it finds something, None after so many seconds.

    What is not known yet, or a worker that cannot answer now, is asked again. Raises Failed where at the end
    no worker answers.
    """
    deadline, unanswered = clock() + seconds, None
    while True:
        try:
            found = look()
            unanswered = None
            if found is not None:
                return found
        except NotFound:
            unanswered = None
        except Failed as error:
            unanswered = error
        if clock() >= deadline:
            if unanswered is not None:
                raise unanswered
            return None
        pause(LOOK_EVERY_S)


def tell(
    sent: list[Sent], answer: dict[str, Any] | None, told: str | None, following: list[str], as_json: bool,
    data: Path | None,
) -> None:  # fmt: skip
    """Say what was sent, what became of it, and which commands show more; `told` None: nobody waited."""
    if as_json:
        typer.echo(json.dumps({"sent": [one._asdict() for one in sent], "answer": answer}))
        return
    for one in sent:
        typer.echo(f"sent to {one.said}")
    if told is not None:
        typer.echo(told)
    options = "" if data is None else f" --data {shlex.quote(str(data))}"
    for number, command in enumerate(following):
        typer.echo(f"{'   ' if number else 'next'}  ledgerflow {command}{options}", err=True)


def settings_to_send(
    data: Path | None,
    bootstrap_servers: str | None,
    schema_registry_url: str | None,
    dry_run: bool,
    role: str = LOAD,
) -> Settings:
    """Return the settings of a command that sends as `role`; where nothing is sent, no stack need run."""
    needs = NOTHING if dry_run else KAFKA
    return settings_for(data, bootstrap_servers, schema_registry_url, role, needs)


def urls_to_ask(url: str | None, settings: Settings) -> list[str]:
    """Return the URLs of the workers to ask, in order: the one that is given, else those of the stack."""
    return worker_urls(settings) if url is None else [url.rstrip("/")]


def no_answer(sent: Sent, seconds: float, where: str) -> Failed:
    """Return the error of an event whose answer has not come; `where`: what shows it when it does."""
    return Failed(
        f"sent to {sent.said}, and no answer within {seconds:g} s: ask again with `{where}`; `ledgerflow"
        " dead-letters list` has what could not be applied, `ledgerflow tail payment-events` what was refused"
    )


def meaning_of(code: str) -> str:
    """Return what a result code means and what to do about it, in words."""
    found = next((result for result in RESULTS if result.code == code), None)
    return code if found is None else f"{code}: {found.meaning} {found.remedy}"
