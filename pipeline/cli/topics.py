"""`ledgerflow topics`."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.problems import BadInput
from pipeline.cli.reach import errors_in_one_line, require_kafka, settings_for
from pipeline.cli.reasons import OptionalReason, reason_of
from pipeline.cli.screen import Table, screen
from pipeline.cli.topic_repair import advice, findings_of, repair_topics, tell
from pipeline.runtime.kafka.topic_settings import MISSING
from pipeline.runtime.kafka.topics import describe_topics

NO_REASON = "no reason given"


def topics(
    repair: Annotated[
        bool, typer.Option("--repair", help="Set settings back that the streams rely on; write it down.")
    ] = False,
    reason: OptionalReason = None,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
    as_json: Json = False,
) -> None:
    """List the topics: what each is for, who writes it, and how much it holds; or repair their settings.

    Offsets count the records, and one marker for each transaction. What is not as the streams need it is said
    on standard error.
    """
    settings = settings_for(data, bootstrap_servers, schema_registry_url)
    admin = require_kafka(settings)
    if repair:
        tell(repair_topics(settings, admin, reason_of(reason or NO_REASON)), as_json)
        return
    if reason is not None:
        raise BadInput("--reason is for --repair")
    with errors_in_one_line(settings):
        rows = describe_topics(settings)
        wrong = findings_of(settings, admin)
    listed = {row["topic"] for row in rows}  # the list itself says which of these are missing
    for one in wrong:
        if one.setting == MISSING and one.topic in listed:
            continue
        typer.echo(f"{one.topic}: {advice(one)}", err=True)
    if as_json:
        typer.echo(json.dumps(rows))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("topic", "parts", "offsets", "written by", "holds"):
        justify: Literal["left", "right"] = "right" if title in ("parts", "offsets") else "left"
        table.add_column(title, justify=justify, no_wrap=title not in ("written by", "holds"))
    for row in rows:
        numbers = (str(row["partitions"]), f"{row['offsets']:,}") if row["partitions"] else ("-", "missing")
        kept = " (the newest of each key)" if row["compacted"] else ""
        table.add_row(str(row["topic"]), *numbers, str(row["written_by"]), f"{row['holds']}{kept}")
    screen().print(table)
