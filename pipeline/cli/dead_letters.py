"""`ledgerflow dead-letters list|show|redrive|discard`.

A redriven record carries the number of attempts and the offset of its dead letter in headers. If it fails
again, its new dead letter has these headers, too: then the older one is replaced, and neither listed nor
redriven again. Redriving a record that was applied meanwhile has no effect, because event ids are remembered.
Who redrove or discarded which letters, and why, is on operator-actions.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import letter_view
from pipeline.cli.letters import (
    ACTIONS,
    DISCARDED,
    OPEN,
    REDRIVEN,
    STATES,
    UNKNOWN,
    Letter,
    Selection,
    read_letters,
    selection,
    spans,
)
from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import errors_in_one_line, settings_for
from pipeline.cli.reasons import Reason, reason_of
from pipeline.cli.records import time_text
from pipeline.cli.redriving import REDRIVEN_BYTES_MAX, send
from pipeline.cli.screen import Table, screen
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import NotRegistered, Registry
from pipeline.runtime.kafka.dead_letters import TOPIC
from pipeline.runtime.kafka.operator_actions import About, act_all
from pipeline.runtime.kafka.topics import READ
from pipeline.runtime.settings import Settings

NO_REASON = "no reason was given"

app = typer.Typer(no_args_is_help=True, help="Records that could not be applied: look, send again, give up.")

Code = Annotated[str | None, typer.Option("--code", metavar="CODE", help="Only those with this code.")]
FromTopic = Annotated[
    str | None, typer.Option("--topic", metavar="TOPIC", help="Only those from this topic.")
]
Tenant = Annotated[str | None, typer.Option("--tenant", metavar="TENANT", help="Only those of this tenant.")]
Key = Annotated[str | None, typer.Option("--key", metavar="PREFIX", help="Only those whose key begins so.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Only records of this time or later.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only records before this time.")]
At = Annotated[
    list[str] | None,
    typer.Option(
        "--at",
        metavar="PARTITION/OFFSET",
        help="Only this letter, or PARTITION/FIRST-LAST; may be given several times.",
    ),
]
Limit = Annotated[int | None, typer.Option("--limit", "-n", metavar="N", min=0, help="Only the first N.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
def list_letters(
    code: Code = None,
    topic: FromTopic = None,
    tenant: Tenant = None,
    key: Key = None,
    since: Since = None,
    until: Until = None,
    at: At = None,
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", help="Only those that are " + ", ".join(STATES))
    ] = None,
    limit: Limit = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """List dead letters: the code, the stream that refused the record, and where the record is.

    With --json one object per line. No payload is shown, and long keys are cut: `dead-letters show` has more.
    """
    if state is not None and state not in STATES:
        raise BadInput(f"--state {state!r}: it may be {', '.join(STATES)}")
    states = STATES if state is None else (state,)
    chosen = selection(topic, code, tenant, key, since, until, at, states)
    settings = settings_for(data, bootstrap_servers, schema_registry_url)
    with errors_in_one_line(settings):
        letters = read_letters(settings, chosen, must_know=state is not None)[:limit]
    if as_json:
        for letter in letters:
            typer.echo(json.dumps(letter_view.as_json(letter)))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("letter", "state", "time", "code", "stage", "record", "key", "attempt", "message"):
        table.add_column(title, overflow="ellipsis" if title == "message" else "fold")
    for letter in letters:
        error = letter.error
        at_time, told = time_text(letter.timestamp_ms), letter_view.origin(letter)
        cells = letter.place, letter.state, at_time, error.get("code"), error.get("stage"), told, letter.key
        table.add_row(*cells, error.get("attempt"), error.get("message"))
    if letters:
        screen().print(table, markup=False)
    typer.echo(_count(letters, "dead letter"), err=True)
    if any(letter.state == UNKNOWN for letter in letters):
        typer.echo("the schema registry does not answer: what was decided about them is not known", err=True)


@app.command("show")
def show(
    place: Annotated[str, typer.Argument(metavar="PARTITION/OFFSET", help="As `list` has it.")],
    full: Annotated[
        Path | None,
        typer.Option("--full", metavar="FILE", help="Write all of it into a new file, as JSON."),
    ] = None,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Show a dead letter in detail: why it is one, its headers, its value decoded where that is possible.

    Keys, headers and values are cut; --full FILE has them whole.
    """
    settings = settings_for(data, bootstrap_servers, schema_registry_url)
    letter_view.show(settings, place, full, as_json)


@app.command("redrive")
def redrive(
    code: Code = None,
    topic: FromTopic = None,
    tenant: Tenant = None,
    key: Key = None,
    since: Since = None,
    until: Until = None,
    at: At = None,
    limit: Limit = None,
    reason: Reason = NO_REASON,
    again: Annotated[
        bool, typer.Option("--again", help="Also those that were redriven or discarded before.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Send dead letters to their topics again, key and value unchanged.

    Use it once the cause is gone, such as a schema that was not registered. A record of an upstream's topic
    goes to the partition of its key, one of a stream's own topic to the partition that it was on. What fails
    again becomes a dead letter again, with its attempts counted. None is sent twice, unless with --again.
    """
    words = reason_of(reason)
    chosen = selection(topic, code, tenant, key, since, until, at, STATES if again else (OPEN,))
    settings = settings_for(data, bootstrap_servers, schema_registry_url)
    with errors_in_one_line(settings):
        found = [letter for letter in read_letters(settings, chosen) if letter.error.get("topic") in READ]
        whole = [letter for letter in found if letter.has_payload]
        if len(whole) < len(found):
            _say_what_stays([letter for letter in found if not letter.has_payload])
        letters = _within_bounds(whole[:limit])
        targets = Counter(letter.error["topic"] for letter in letters)
        said = ", ".join(f"{count} to {name}" for name, count in sorted(targets.items()))
        _confirm(letters, f"Send {said}?", "sent", yes)
        if letters:
            codec = _codec(settings)
            send(settings, letters)
            _decide(settings, codec, REDRIVEN, words, letters)
    if as_json:
        typer.echo(json.dumps({"redriven": len(letters), "topics": dict(sorted(targets.items()))}))
    else:
        typer.echo(f"sent again: {_count(letters, 'record')}")


@app.command("discard")
def discard(
    reason: Reason,
    code: Code = None,
    topic: FromTopic = None,
    tenant: Tenant = None,
    key: Key = None,
    since: Since = None,
    until: Until = None,
    at: At = None,
    limit: Limit = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are open.")] = False,
    yes: Yes = False,
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Give dead letters up: they are listed as discarded, and not redriven unless with --again.

    Nothing is deleted: the letters stay on their topic, and who gave them up, when and why is kept.
    """
    words = reason_of(reason)
    chosen: Selection = selection(topic, code, tenant, key, since, until, at, (OPEN,))
    if not chosen.names_some and not everything:
        raise BadInput("say which: --at, --code, --topic, --tenant, --key, --since, --until, or --all")
    settings = settings_for(data, bootstrap_servers, schema_registry_url)
    with errors_in_one_line(settings):
        letters = read_letters(settings, chosen)[:limit]
        _confirm(letters, f"Discard {_count(letters, 'dead letter')}?", "discarded", yes)
        if letters:
            _decide(settings, _codec(settings), DISCARDED, words, letters)
    if as_json:
        typer.echo(json.dumps({"discarded": len(letters)}))
    else:
        typer.echo(f"discarded: {_count(letters, 'dead letter')}")


def _say_what_stays(letters: list[Letter]) -> None:
    where = ", ".join(letter_view.origin(letter) for letter in letters[:3])
    more = f" and {len(letters) - 3} more" if len(letters) > 3 else ""
    typer.echo(
        f"without their payload, so they cannot be sent again: {_count(letters, 'dead letter')}. They are too"
        f" large, or batches that were not read, and are still where they came from: {where}{more}",
        err=True,
    )


def _within_bounds(letters: list[Letter]) -> list[Letter]:
    """Return as many of the first letters as one run may hold in memory; say so where that is not all."""
    size = 0
    for number, letter in enumerate(letters):
        size += letter.size
        if number and size > REDRIVEN_BYTES_MAX:
            typer.echo(f"one run sends {number:,} of {len(letters):,}: run it again for the rest", err=True)
            return letters[:number]
    return letters


def _confirm(letters: list[Letter], question: str, done: str, yes: bool) -> None:
    """Ask before something is done. Raises BadInput where nobody can be asked, Abort where they say no."""
    if not letters or yes:
        return
    if not sys.stdin.isatty():
        raise BadInput(
            f"{_count(letters, 'record')} would be {done}: confirm with --yes, as there is no terminal"
        )
    typer.confirm(question, abort=True)


def _codec(settings: Settings) -> Codec:
    return Codec(Registry(settings.registry(), settings.data_dir / "schemas"))


def _decide(settings: Settings, codec: Codec, state: str, reason: str, letters: list[Letter]) -> None:
    """Write down what was decided. Raises Failed, KafkaException, RegistryUnavailable."""
    about = [About(TOPIC, *span) for span in spans(letters)]
    try:
        act_all(settings, codec, ACTIONS[state], reason, about)
    except NotRegistered as error:
        raise Failed(f"{error}: run `ledgerflow schemas register`") from None


def _count(letters: list[Letter], noun: str) -> str:
    """Return how many letters there are, in all and by code, as text."""
    codes: Counter[str] = Counter(letter.error.get("code", "?") for letter in letters)
    said = ", ".join(f"{count} {code}" for code, count in codes.most_common())
    return f"{len(letters)} {noun}{'' if len(letters) == 1 else 's'}" + (f" ({said})" if said else "")
