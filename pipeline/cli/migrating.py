"""What `ledgerflow migrate` does, in a process that knows the streams (`topologies.migration`)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import typer

from pipeline.cli.problems import Failed
from pipeline.cli.reach import errors_in_one_line
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.kafka import patches
from pipeline.runtime.kafka.adoption import (
    AdoptionError,
    Place,
    StreamLog,
    alone_in_the_group,
    group_offsets,
    plan,
    read_found,
    write,
)
from pipeline.runtime.kafka.topics import create_topics
from pipeline.runtime.settings import Settings

REASON = "offsets of an earlier version, taken over into the changelogs"


def run_migration(
    streams: Sequence[StreamLog],
    tables: Sequence[str],
    tableless: Sequence[str],
    settings: Settings,
    take: str | None,
    reason: str | None,
) -> None:
    """Take over what the changelogs of `streams` lack; say what was done. Raises Failed."""
    places = [Place(log, number) for log in streams for number in range(settings.partitions)]
    with errors_in_one_line(settings):
        try:
            patches.install()
            create_topics(settings, tables, tableless)
            registry = Registry(settings.registry(), settings.data_dir / "schemas")
            registry.connect()
            codec = Codec(registry)
            with alone_in_the_group(settings) as member:
                found = asyncio.run(read_found(settings, codec, places))
                adoptions = plan(places, found, take)
                if adoptions or take is not None:
                    group = group_offsets(found, adoptions)
                    write(settings, codec, member, adoptions, group, reason or REASON)
        except (AdoptionError, patches.UnsupportedVersion) as error:
            raise Failed(str(error)) from None
    if not adoptions and take is None:
        typer.echo("every changelog says how far its stream has applied its log: nothing to do")
        return
    streams_said = len({one.place.log.stream for one in adoptions})
    typer.echo(f"took over {len(adoptions)} offsets of {streams_said} streams; start the workers")
