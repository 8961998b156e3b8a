"""`ledgerflow topics`."""

from __future__ import annotations

import json

import typer

from pipeline.cli.options import Bootstrap, Data, Json
from pipeline.cli.reach import errors_in_one_line, require_kafka, settings_for
from pipeline.cli.screen import Table, screen
from pipeline.runtime.kafka.topics import describe_topics


def topics(data: Data = None, bootstrap_servers: Bootstrap = None, as_json: Json = False) -> None:
    """List the topics: what each is for, who writes it, and how much it holds.

    Offsets count the records, and one marker for each transaction.
    """
    settings = settings_for(data, bootstrap_servers)
    require_kafka(settings)
    with errors_in_one_line(settings):
        rows = describe_topics(settings)
    if as_json:
        typer.echo(json.dumps(rows))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("topic", "partitions", "offsets", "kept", "written by", "holds"):
        number = title in ("partitions", "offsets")
        table.add_column(
            title, justify="right" if number else "left", no_wrap=title != "holds", overflow="fold"
        )
    for row in rows:
        missing = row["partitions"] == 0
        kept = "missing" if missing else "newest by key" if row["compacted"] else "all"
        numbers = ("-", "-") if missing else (str(row["partitions"]), f"{row['offsets']:,}")
        table.add_row(str(row["topic"]), *numbers, kept, str(row["written_by"]), str(row["holds"]))
    screen().print(table)
