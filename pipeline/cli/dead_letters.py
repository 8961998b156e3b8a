"""`ledgerflow dead-letters list|redrive`.

A redriven record carries the number of attempts and the offset of its dead letter in headers. If it fails
again, its new dead letter has these headers, too: then the older one is replaced, and neither listed nor
redriven again. Redriving a record that was applied meanwhile has no effect, because event ids are remembered.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import closing
from typing import Annotated, Any

import typer
from confluent_kafka import KafkaError, Message, Producer

from pipeline.cli.options import Bootstrap, Data, Json
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import errors_in_one_line, require_kafka, require_topic, settings_for
from pipeline.cli.records import ERROR_HEADER, TopicReader, TopicRecord, key_text
from pipeline.cli.screen import Table, screen
from pipeline.runtime.kafka.dead_letters import HEADER_ATTEMPT, HEADER_LEFT_OUT, KEPT_BYTES_MAX, TOPIC
from pipeline.runtime.kafka.topics import TOPICS, UPSTREAM
from pipeline.runtime.settings import Settings

REDRIVEN = "ledgerflow.redriven"
"""Header of a redriven record: topic, partition and offset of its dead letter."""
KNOWN = frozenset(spec.name for spec in TOPICS)
LEFT_OUT = HEADER_LEFT_OUT.removeprefix(ERROR_HEADER)
BATCH = 1_000
DELIVERED_WITHIN_S = 60.0

app = typer.Typer(no_args_is_help=True, help="Records that could not be applied: list them, send them again.")

Code = Annotated[str | None, typer.Option("--code", metavar="CODE", help="Only those with this code.")]
FromTopic = Annotated[
    str | None, typer.Option("--topic", metavar="TOPIC", help="Only those from this topic.")
]
Limit = Annotated[int | None, typer.Option("--limit", "-n", metavar="N", min=0, help="Only the first N.")]


@app.command("list")
def list_letters(
    code: Code = None,
    topic: FromTopic = None,
    limit: Limit = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
) -> None:
    """List dead letters: the code, the stream that refused the record, and where the record is.

    With --json one object per line. No payload is shown; `ledgerflow tail dead-letters` decodes it.
    """
    settings = settings_for(data, bootstrap_servers)
    letters = _open_letters(settings, code, topic)[:limit]
    if as_json:
        for letter in letters:
            place = {"partition": letter.partition, "offset": letter.offset}
            typer.echo(json.dumps({"dead_letter": place, "key": key_text(letter.key), **letter.error}))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("code", "stage", "record", "key", "attempt", "message"):
        table.add_column(title, overflow="fold")
    for letter in letters:
        error = letter.error
        message = "" if error.get("message") in (None, "") else error["message"]
        table.add_row(
            error.get("code"),
            error.get("stage"),
            _origin(letter),
            key_text(letter.key),
            error.get("attempt"),
            message,
        )
    if letters:
        screen().print(table, markup=False)
    typer.echo(_count(letters, "dead letter"), err=True)


@app.command("redrive")
def redrive(
    code: Code = None,
    topic: FromTopic = None,
    limit: Limit = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
) -> None:
    """Send dead letters to their topics again, key and value unchanged.

    Use it once the cause is gone, such as a schema that was not registered. A record of an upstream's topic
    goes to the partition of its key, one of a stream's own topic to the partition that it was on. What fails
    again becomes a dead letter again, with its attempts counted.
    """
    settings = settings_for(data, bootstrap_servers)
    letters = [
        letter for letter in _open_letters(settings, code, topic) if letter.error.get("topic") in KNOWN
    ]
    whole = [letter for letter in letters if LEFT_OUT not in letter.error]
    if len(whole) < len(letters):
        large = _count([letter for letter in letters if LEFT_OUT in letter.error], "record")
        typer.echo(f"too large to be sent again, still where they came from: {large}", err=True)
    letters = whole[:limit]
    targets = Counter(letter.error["topic"] for letter in letters)
    if letters and not yes:
        if not sys.stdin.isatty():
            raise BadInput(
                f"{_count(letters, 'record')} would be sent: confirm with --yes, as there is no terminal"
            )
        said = ", ".join(f"{count} to {name}" for name, count in sorted(targets.items()))
        typer.confirm(f"Send {said}?", abort=True)
    with errors_in_one_line(settings):
        _send(settings, letters)
    if as_json:
        typer.echo(json.dumps({"redriven": len(letters), "topics": dict(sorted(targets.items()))}))
    else:
        typer.echo(f"sent again: {_count(letters, 'record')}")


def _open_letters(settings: Settings, code: str | None, topic: str | None) -> list[TopicRecord]:
    """Return the dead letters that no later one replaces, oldest first. Raises BadInput, Failed."""
    if topic is not None and topic not in KNOWN:
        raise BadInput(f"there is no topic {topic!r}: `ledgerflow topics` lists them")
    partitions = require_topic(require_kafka(settings), TOPIC)
    with errors_in_one_line(settings), closing(TopicReader(settings, TOPIC, partitions)) as reader:
        letters = list(reader.all())
    replaced = {
        value.decode(errors="replace")
        for letter in letters
        for name, value in letter.headers
        if name == REDRIVEN
    }
    chosen = [
        letter
        for letter in letters
        if letter.place not in replaced
        and code in (None, letter.error.get("code"))
        and topic in (None, letter.error.get("topic"))
    ]
    chosen.sort(key=lambda letter: (letter.timestamp_ms, letter.partition, letter.offset))
    return chosen


def redriven(letter: TopicRecord) -> dict[str, Any]:
    """Return the record to produce for a dead letter, as keyword arguments of confluent-kafka's `produce`."""
    error = letter.error
    own = [
        (name, value)
        for name, value in letter.headers
        if not name.startswith(ERROR_HEADER) and name != REDRIVEN
    ]
    own += [(HEADER_ATTEMPT, error.get("attempt", "1").encode()), (REDRIVEN, letter.place.encode())]
    record: dict[str, Any] = {
        "topic": error["topic"],
        "key": letter.key,
        "value": letter.value,
        "headers": own,
        "timestamp": letter.timestamp_ms,
    }
    # Streams choose partitions themselves: for accounts of a branch, and for prices on every partition.
    if (error["topic"] not in UPSTREAM or letter.key is None) and error.get("partition", "").isdigit():
        record["partition"] = int(error["partition"])
    return record


def _send(settings: Settings, letters: list[TopicRecord]) -> None:
    """Produce the letters again, in order. Raises Failed unless every one is acknowledged."""
    refused: list[str] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            refused.append(error.str())

    own = {
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "message.max.bytes": 2 * KEPT_BYTES_MAX,
    }
    producer = Producer({**settings.librdkafka(), **own, "log_level": 0})
    for start in range(0, len(letters), BATCH):
        for letter in letters[start : start + BATCH]:
            producer.produce(**redriven(letter), on_delivery=delivered)
        if producer.flush(DELIVERED_WITHIN_S):
            refused.append(f"no acknowledgement within {DELIVERED_WITHIN_S:.0f} s")
        if refused:
            raise Failed(
                f"Kafka refused {len(refused)} records ({refused[0]}): run it again, nothing is applied twice"
            )


def _origin(letter: TopicRecord) -> str:
    error = letter.error
    return f"{error.get('topic')}[{error.get('partition')}]@{error.get('offset')}"


def _count(letters: list[TopicRecord], noun: str) -> str:
    """Return how many letters there are, in all and by code, as text."""
    codes = Counter(letter.error.get("code", "?") for letter in letters)
    said = ", ".join(f"{count} {code}" for code, count in codes.most_common())
    return f"{len(letters)} {noun}{'' if len(letters) == 1 else 's'}" + (f" ({said})" if said else "")
