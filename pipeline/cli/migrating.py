"""What `ledgerflow migrate` does, in a process that knows the streams (`topologies.migration`)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

import typer

from pipeline.cli.problems import Failed
from pipeline.cli.reach import errors_in_one_line
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.kafka import patches
from pipeline.runtime.kafka.adoption import (
    Adoption,
    AdoptionError,
    Place,
    StreamLog,
    alone_in_the_group,
    group_offsets,
    plan,
    read_found,
    write,
)
from pipeline.runtime.kafka.moving import offsets_after, plan_moves, records_of
from pipeline.runtime.kafka.topics import create_topics
from pipeline.runtime.manifests import SnapshotError, folders_of, names
from pipeline.runtime.private_files import snapshot_key
from pipeline.runtime.settings import Settings, SettingsError
from pipeline.runtime.signing import SIGNATURE, sign_manifest

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
                adoptions, moves = plan_moves(places, found, plan(places, found, take))
                if adoptions or moves or take is not None:
                    group = group_offsets(offsets_after(found, moves), adoptions)
                    moved = [
                        (Adoption(one.heir, one.offset, False), [*records_of(one, settings.app_id)])
                        for one in moves
                    ]
                    write(settings, codec, member, adoptions, group, reason or REASON, moved)
        except (AdoptionError, patches.UnsupportedVersion) as error:
            raise Failed(str(error)) from None
    signed = _sign_snapshots(settings)
    if signed:
        typer.echo(f"signed {signed} snapshots of an earlier version")
    for stream, log in dict.fromkeys((one.place.log.stream, one.place.log.topic) for one in moves):
        typer.echo(f"{stream} reads {log} now")
    if not adoptions and not moves and take is None:
        if not signed:
            typer.echo("changelogs have their offsets and snapshots their signatures: nothing to do")
        return
    said = {one.place.log.stream for one in adoptions} | {one.place.log.stream for one in moves}
    count = len(adoptions) + len(moves)
    typer.echo(f"took over {count} offsets of {len(said)} streams; start the workers")


def _sign_snapshots(settings: Settings) -> int:
    """Sign the snapshots that an earlier version left without a signature; return how many. Raises Failed.

    Each file is compared with its manifest first. What has a signature, right or wrong, is left as it is.
    """
    folder, count = settings.snapshots_dir.expanduser(), 0
    try:
        key = snapshot_key(settings)
        for name in names(folder):
            unsigned = [part for part in folders_of(folder / name) if not os.path.lexists(part / SIGNATURE)]
            for part in unsigned:
                sign_manifest(part, key)
            count += bool(unsigned)
    except (SnapshotError, SettingsError) as error:
        raise Failed(str(error)) from None
    return count
