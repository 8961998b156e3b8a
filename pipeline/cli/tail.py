"""`ledgerflow tail`."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Annotated

import typer

from pipeline.cli.options import Bootstrap, Data, RegistryUrl
from pipeline.cli.reach import errors_in_one_line, require_kafka, require_topic, settings_for
from pipeline.cli.records import TopicReader, TopicRecord, as_json, as_line, decoder

LAST = 10


def tail(
    topic: Annotated[
        str, typer.Argument(help="The topic; `ledgerflow topics` lists them.", show_default=False)
    ],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep showing new events as they come; Ctrl-C ends it.")
    ] = False,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Start with the first record.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            "-n",
            metavar="N",
            min=0,
            show_default=f"the last {LAST}",
            help="The last N records; with --from-beginning the first N; with --follow stop after N.",
        ),
    ] = None,
    as_json_lines: Annotated[
        bool, typer.Option("--json", help="One JSON object per line; times are microseconds since 1970, UTC.")
    ] = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Show the events of a topic, decoded: the last ones, or all, or as they come.

    Only committed records are shown. Of a dead letter you see why it is one, and where it came from.
    """
    settings = settings_for(data, bootstrap_servers, schema_registry_url)
    partitions = require_topic(require_kafka(settings), topic)
    decode = decoder(settings).decode
    show, style = _shower()

    with errors_in_one_line(settings), closing(TopicReader(settings, topic, partitions)) as reader:
        wanted = _records(reader, from_beginning=from_beginning, follow=follow, limit=limit)
        try:
            for record in wanted:
                event = decode(record.value)
                if as_json_lines:
                    typer.echo(json.dumps(as_json(record, event)))
                else:
                    show(as_line(record, event, style))
        except KeyboardInterrupt:  # the usual end of --follow
            return


def _shower() -> tuple[Callable[[str], object], Callable[[str, str], str]]:
    """Return what shows a line of escaped text, and what colours a part of it on a terminal."""
    if not sys.stdout.isatty():
        return typer.echo, lambda text, _: text
    past_the_guard = getattr(sys.stdout, "rich_proxied_file", sys.stdout)
    return partial(print, file=past_the_guard, flush=True), lambda text, colour: typer.style(text, fg=colour)


def _records(
    reader: TopicReader, *, from_beginning: bool, follow: bool, limit: int | None
) -> Iterator[TopicRecord]:
    """Yield the records that the options ask for."""
    if from_beginning:
        found: Iterator[TopicRecord] = reader.all()
        return itertools.islice(itertools.chain(found, reader.follow()) if follow else found, limit)
    if not follow:
        return iter(reader.last(LAST if limit is None else limit))
    if limit is not None:
        return itertools.islice(reader.follow(), limit)
    return itertools.chain(reader.last(LAST), reader.follow())
