"""`ledgerflow export`: all data of one tenant, such as when its contract ends."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from pipeline.cli.export_files import MANIFEST, PROGRESS_EVERY, ExportFiles
from pipeline.cli.options import Bootstrap, Data, Json, RegistryUrl
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import errors_in_one_line, require_kafka, require_registry, settings_for
from pipeline.cli.records import schemas_of
from pipeline.cli.screen import screen
from pipeline.domain.kernel.ids import ID_CHARS_MAX
from pipeline.runtime.kafka.topics import TOPICS
from pipeline.runtime.settings import Settings
from pipeline.verify.log import KafkaLog

PARTIAL = ".partial"
MARK = ".ledgerflow-export"
"""Name of a file that marks the folder of an unfinished export, which may be deleted."""


def export(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="A new folder for the files.", show_default=False)
    ],
    as_json: Json = False,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Export all data of a tenant: events as Avro files, balances as CSV, a manifest.

    It takes committed records whose key and event both name the tenant, as far as the topics go when it
    starts. Before the last export of a tenant close it (setting LEDGERFLOW_TENANTS) and let the streams catch
    up. Nothing is overwritten. DIR appears once it is complete; an export that was stopped starts over.
    """
    if not tenant or len(tenant) > ID_CHARS_MAX or "/" in tenant or "\0" in tenant:
        raise BadInput(f"{tenant!r} cannot be a tenant's id")
    settings = settings_for(data, bootstrap_servers, schema_registry_url)
    with _partial(out) as folder:
        require_kafka(settings)
        require_registry(settings)
        manifest = _write_export(settings, tenant, folder)
        (folder / MARK).unlink()
        folder.rename(out)
        _sync_folder(out.parent)
    if as_json:
        typer.echo(json.dumps({name: manifest[name] for name in manifest if name != "schemas"}))
        return
    if manifest["behind"]:
        screen(stderr=True).print(
            f"the streams have not caught up, so newer events may be missing: {manifest['behind']}",
            style="yellow",
        )
    accounts = manifest["files"]["balances.csv"]["records"]
    typer.echo(f"{manifest['records']:,} records, {accounts:,} accounts: {out / MANIFEST}")


@contextmanager
def _partial(out: Path) -> Iterator[Path]:
    """Yield the folder that becomes `out`. Raises BadInput where it exists already or is in use."""
    if out.exists() or out.is_symlink():
        raise BadInput(f"--out {out} exists, and an export overwrites nothing: name a new folder")
    folder = out.with_name(out.name + PARTIAL)
    if folder.exists() and not (folder / MARK).is_file():
        raise BadInput(f"{folder} exists and is not of an export: move it, or name another --out")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / MARK).open("a") as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"another export is writing {folder}") from None
        for left in folder.iterdir():
            if left.name != MARK:
                left.unlink()
        try:
            yield folder
        finally:
            if folder.exists():  # the export did not finish
                shutil.rmtree(folder)


def _write_export(settings: Settings, tenant: str, folder: Path) -> dict[str, Any]:
    """Write a tenant's records; return the manifest. Raises Failed, BadInput."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    progress = Progress(*columns, console=screen(stderr=True), transient=True)
    log = KafkaLog(settings.librdkafka(), settings.app_id)
    files = ExportFiles(tenant, folder, schemas_of(settings))
    with errors_in_one_line(settings), closing(log), closing(files), progress:
        topics = [spec.name for spec in TOPICS if log.partitions(spec.name)]
        behind = log.wait_until_quiet(topics, quiet_s=0, timeout_s=0)
        ends = {
            topic: {number: log.end(topic, number) for number in range(log.partitions(topic))}
            for topic in topics
        }
        bar = progress.add_task("", total=sum(sum(parts.values()) for parts in ends.values()) or 1)
        before = 0
        for topic, parts in ends.items():
            progress.update(bar, description=f"reading {topic}")
            for partition, end in parts.items():
                for number, record in enumerate(log.read(topic, partition)):
                    files.take(record)
                    if number % PROGRESS_EVERY == 0:
                        progress.update(bar, completed=before + record.offset)
                before += end
                progress.update(bar, completed=before)
            files.finish_topic()
        if not files.records:
            raise Failed(f"no topic holds a record of tenant {tenant!r}: check the spelling")
        read_to = {topic: {str(part): end for part, end in parts.items()} for topic, parts in ends.items()}
        return files.finish(read_to, {"ledgerflow": version("ledgerflow"), "behind": behind})


def _sync_folder(folder: Path) -> None:
    """Write the entries of a folder to disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
