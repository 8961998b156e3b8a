"""One dead letter in detail, and the forms in which letters are shown. Whatever is long is cut."""

from __future__ import annotations

import base64
import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import typer

from pipeline.cli.letters import (
    KEY_SHOWN_MAX,
    TEXT_SHOWN_MAX,
    Letter,
    cut,
    place_of,
    read_letters,
    selection,
)
from pipeline.cli.problems import BadInput
from pipeline.cli.reach import errors_in_one_line
from pipeline.cli.records import ERROR_HEADER, TopicReader, TopicRecord, decoder, field_text, time_text
from pipeline.cli.records import as_json as record_as_json
from pipeline.cli.screen import Table, screen
from pipeline.runtime.kafka.dead_letters import TOPIC
from pipeline.runtime.settings import Settings
from pipeline.verify.decode import Event
from schemas.dead_letter_codes import DEAD_LETTERS

BYTES_SHOWN_MAX = 256
"""Bytes of a value that is shown although it is no event."""
HEADERS_SHOWN_MAX = 50
FIELDS_SHOWN_MAX = 200


def origin(letter: Letter) -> str:
    """Return where the record of a letter stands, or all the offsets that a batch had."""
    error = letter.error
    last = f"-{error['last-offset']}" if "last-offset" in error else ""
    return f"{error.get('topic')}[{error.get('partition')}]@{error.get('offset')}{last}"


def as_json(letter: Letter) -> dict[str, Any]:
    """Return a letter as JSON values; texts are cut."""
    place = {"partition": letter.partition, "offset": letter.offset}
    told: dict[str, Any] = {"dead_letter": place, "key": letter.key, "state": letter.state, **letter.error}
    if letter.decision is not None:
        _, _, _, operator, reason, at_us = letter.decision
        told["decided"] = {"operator": operator, "reason": reason, "at": at_us}
    return told


def show(settings: Settings, place: str, full: Path | None, in_json: bool) -> None:
    """Show the letter at `partition/offset`; write all of it into a new file `full`.

    Raises BadInput, Failed.
    """
    partition, offset, last = place_of(place)
    if last != offset:
        raise BadInput(f"{place!r} names several letters: show one, PARTITION/OFFSET")
    with errors_in_one_line(settings):
        found = read_letters(settings, selection(None, None, None, None, None, None, [place]))
        if not found:
            raise BadInput(f"there is no dead letter at {place}: `ledgerflow dead-letters list` has them")
        with closing(TopicReader(settings, TOPIC, 0)) as reader:
            record = next(iter(reader.from_offsets({partition: offset})))
        event = decoder(settings).decode(record.value)
    if full is not None:
        _write(full, json.dumps(_whole(found[0], record, event), indent=1) + "\n")
    if in_json:
        shown = {**as_json(found[0]), "headers": _headers(record), "value": _value(record, event)}
        typer.echo(json.dumps(shown))
    else:
        screen().print(_table(found[0], record, event), markup=False)
        if full is not None:
            typer.echo(f"all of it: {full}", err=True)


def _write(path: Path, content: str) -> None:
    """Write a new file that its owner alone can read: a payload may be anyone's. Raises BadInput."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadInput(f"--full {path}: {error.strerror}; name a new file") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)


def _whole(letter: Letter, record: TopicRecord, event: Event | None) -> dict[str, Any]:
    """Return all of a letter, bytes in base64."""
    headers = [[name, base64.b64encode(value or b"").decode()] for name, value in record.headers]
    raw = {
        name: None if content is None else base64.b64encode(content).decode()
        for name, content in (("key_base64", record.key), ("value_base64", record.value))
    }
    return {**as_json(letter), **record_as_json(record, event), **raw, "headers_base64": headers}


def _table(letter: Letter, record: TopicRecord, event: Event | None) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    error = letter.error
    meaning = next((code for code in DEAD_LETTERS if code.code == error.get("code")), None)
    rows = {
        "letter": f"{letter.place}, {letter.state}",
        "record": origin(letter),
        "time": time_text(letter.timestamp_ms),
        "code": error.get("code", "?"),
        "means": None if meaning is None else meaning.meaning,
        "remedy": None if meaning is None else meaning.remedy,
        "message": error.get("message"),
        "stage": error.get("stage"),
        "attempt": error.get("attempt"),
        "key": letter.key,
        "size": f"{letter.size:,} bytes of key and value",
    }
    if letter.decision is not None:
        _, _, _, operator, reason, at_us = letter.decision
        rows["decided"] = f"{time_text(at_us // 1000)} by {operator}: {reason}"
    if not letter.has_payload:
        rows["payload"] = "not in the letter, so it cannot be sent again; the record is where it came from"
    for name, told in rows.items():
        if told:
            table.add_row(name, told)
    for name, value in _headers(record).items():
        table.add_row("header", f"{name} = {value}")
    shown = _value(record, event)
    if isinstance(shown, dict):
        table.add_row("event", event.name if event is not None else "")
        for name, value in shown.items():
            table.add_row("", f"{name} = {value}")
    elif shown is not None:
        table.add_row("value", shown)
    return table


def _headers(record: TopicRecord) -> dict[str, str]:
    """Return the headers that the record came with, cut."""
    own = [header for header in record.headers if not header[0].startswith(ERROR_HEADER)]
    return {
        cut(name, KEY_SHOWN_MAX): cut((value or b"")[: 4 * TEXT_SHOWN_MAX].decode(errors="backslashreplace"),
                                      TEXT_SHOWN_MAX)
        for name, value in own[:HEADERS_SHOWN_MAX]
    }  # fmt: skip


def _value(record: TopicRecord, event: Event | None) -> dict[str, str] | str | None:
    """Return the fields of a value that decodes, else its first bytes in hexadecimal; cut."""
    if event is not None:
        fields = list(event.fields.items())[:FIELDS_SHOWN_MAX]
        return {
            cut(name, KEY_SHOWN_MAX): cut(field_text(name, value), TEXT_SHOWN_MAX) for name, value in fields
        }
    if record.value is None:
        return None
    more = "..." if len(record.value) > BYTES_SHOWN_MAX else ""
    return record.value[:BYTES_SHOWN_MAX].hex(" ") + more
