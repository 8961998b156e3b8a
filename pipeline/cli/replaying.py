"""The part of `ledgerflow rebuild --from commands` that runs in the process with the rules (topologies)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import typer

from pipeline.cli.problems import Failed
from pipeline.cli.proposing import (
    Asked,
    person_here,
    require_correction_accounts,
    send_all,
    show_proposals,
)
from pipeline.cli.reach import errors_in_one_line, require_kafka
from pipeline.cli.rebuild import FOLDER, RebuildSource, bar_on_screen, rebuild_errors_in_one_line, show_result
from pipeline.rebuild.corrections import Cause
from pipeline.rebuild.proposals import Balances, propose
from pipeline.rebuild.replay import LAYOUT, LivePartition, Replayed, replay, sent_since
from pipeline.rebuild.scratch import Scratch
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.kafka.topic_ids import topic_ids
from pipeline.runtime.private_files import snapshot_key
from pipeline.runtime.rules import rules_version
from pipeline.runtime.settings import Settings
from pipeline.runtime.signing import trusted_parts, verified_content
from pipeline.runtime.store.restoring import choose
from pipeline.runtime.streams import StreamSpec


def run_replay(
    spec: StreamSpec,
    settings: Settings,
    rules: dict[str, str],
    snapshot: Path,
    limit: int,
    *,
    as_json: bool,
    anew: bool,
    asked: Asked | None = None,
) -> None:
    """Replay a stream's log and compare it with a snapshot of its table; `asked`: and propose corrections.

    `rules`: the parameters of the rules, by name. Raises Failed; typer.Exit with the exit code at the end.
    """
    admin, here = require_kafka(settings), rules_version()
    with errors_in_one_line(settings), rebuild_errors_in_one_line():
        chosen = choose(trusted_parts(snapshot, snapshot_key(settings)), frozenset({str(spec.table)}))
        for part, copy in chosen:  # a forged copy would clear, or blame, the live table
            for _ in verified_content(part.folder / copy.folder, copy):
                pass
        live = [
            LivePartition(copy.partition, copy.source_offset, part.folder / copy.folder)
            for part, copy in chosen
        ]
        _require_all_partitions(live, settings.partitions, f"{snapshot} has no copy of {spec.table}")
        copied_ms = max(int(part.manifest.taken_at.timestamp() * 1000) for part, _ in chosen)
        about = {
            "app_id": settings.app_id,
            "layout": LAYOUT,
            "rules": here,
            **rules,
            **topic_ids(admin, (spec.source,)),
        }
        registry = Registry(settings.registry(), settings.data_dir / "schemas")
        codec = Codec(registry, refuse_foreign=settings.foreign_schemas == "refuse")
        balances = None if asked is None else Balances(asked.against)
        with (
            Scratch(settings.data_dir / FOLDER / RebuildSource.COMMANDS, about, anew) as scratch,
            bar_on_screen() as (move, say),
        ):
            if scratch.begun_anew:
                typer.echo("the rules or the log have changed since the last run: starting over", err=True)
            found = asyncio.run(
                replay(
                    settings.aiokafka(), codec, scratch, spec, live, copied_ms, settings.partitions, limit,
                    move, say, balances,
                )
            )  # fmt: skip
            since = asyncio.run(sent_since(settings.aiokafka(), codec, spec.source, live)) if asked else {}
    live_rules = sorted({part.manifest.rules for part, _ in chosen})
    if asked is None or balances is None:
        _show(found, snapshot.name, live_rules, here, as_json=as_json)
        return
    require_correction_accounts(asked, balances)
    versions = {copy.partition: part.manifest.rules for part, copy in chosen}
    causes = {
        one.partition: Cause(versions[one.partition], here, one.partition, one.source_offset) for one in live
    }
    proposed, kept = propose(
        balances, causes, time.time_ns() // 1000, found.booked_against, since, person_here(settings)
    )
    if asked.send and proposed:
        with errors_in_one_line(settings):
            send_all(settings, codec, proposed)
    told: dict[str, Any] = {"snapshot": snapshot.name, "live_rules": live_rules, "rules": here}
    show_proposals(proposed, kept, balances, told, sent=asked.send, as_json=as_json)


def _require_all_partitions(live: list[LivePartition], partitions: int, otherwise: str) -> None:
    """Raises Failed if a partition has no copy."""
    missing = sorted(set(range(partitions)) - {one.partition for one in live})
    if missing:
        numbers = ", ".join(map(str, missing))
        raise Failed(f"{otherwise}, partition {numbers}: take a snapshot of every worker")


def _show(found: Replayed, snapshot: str, live_rules: list[str], here: str, *, as_json: bool) -> None:
    """Show the result of a replay by the rules of version `here`. Raises typer.Exit."""
    told = {
        "from": RebuildSource.COMMANDS,
        "snapshot": snapshot,
        "live_rules": live_rules,
        "rules": here,
        "records_read": found.records,
        "dead_letters": found.dead_letters,
        "legs": found.counts._asdict(),
    }
    if any(found.counts) and not as_json:
        typer.echo(
            f"between branches: these rules do not send {found.counts.left_out:,} of the commands in the log,"
            f" and send {found.counts.besides:,} that are not in it"
        )
    table = f"the live table ({snapshot}, now under rules {', '.join(live_rules)})"
    right = not found.differences.found
    show_result(found.differences, told, right, as_json, table, f"a replay under rules {here}")
