"""Runs the peer: a job as the Java program takes it (Job.java), its command, its life."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import schemas
from pipeline.runtime.avro.registry import Registry
from pipeline.runtime.settings import Settings
from tests.benchmarks import processes

HEAP_MB = 1024
START_TIMEOUT_S = 120.0
"""Of a start; in restore mode it restores before it is ready."""


def job(
    settings: Settings,
    registry: Registry,
    name: str,
    app_id: str,
    source: str,
    *,
    mode: str = "count",
    records: int = 0,
    warmup_records: int = 0,
    commit_interval_ms: int = 100,
    caching: bool = True,
) -> dict[str, Any]:
    """Return a job of the peer, `name` sum or ledger; its state goes into a folder of the data directory.

    `mode`: count (until `records` are committed; the clock starts after `warmup_records`), serve (until
    killed) or restore (until the stores of a former run of `app_id` are rebuilt: their folder is emptied).
    """
    state_dir = settings.data_dir.absolute() / f"{app_id}-state"
    if mode == "restore":
        shutil.rmtree(state_dir, ignore_errors=True)
    newest = (schemas.newest(record_name) for record_name in schemas.record_names())
    return {
        "job": name,
        "mode": mode,
        "bootstrap_servers": settings.bootstrap_servers,
        "application_id": app_id,
        "state_dir": str(state_dir),
        "source": source,
        "partitions": settings.partitions,
        "commit_interval_ms": commit_interval_ms,
        "caching": caching,
        "schema_ids": {schema.record_name: registry.id_of(schema) for schema in newest},
        "records": records,
        "warmup_records": warmup_records,
    }


def run(jars: Path, given: dict[str, Any], log: Path) -> dict[str, Any]:
    """Run the peer until it is done; return what it measured and `rss_mib`. Raises processes.RunFailed."""
    return processes.run(_command(jars, given), log)


@contextmanager
def start(jars: Path, given: dict[str, Any], log: Path) -> Iterator[processes.Process]:
    """Yield the peer once it runs; it is killed at the end. Raises processes.RunFailed."""
    with processes.Process(_command(jars, given), log) as process:
        process.wait_for(lambda said: bool(said.get("ready")), START_TIMEOUT_S)
        yield process


def _command(jars: Path, given: dict[str, Any]) -> list[str]:
    return [
        "java",
        "-cp",
        f"{jars}/*",
        f"-Xmx{HEAP_MB}m",
        f"-Xms{HEAP_MB}m",
        "-XX:+UseParallelGC",
        "-Dorg.apache.avro.specific.use_custom_coders=true",
        "-Dorg.apache.avro.fastread=false",  # which would go before the coders made for each class
        "-Dorg.apache.avro.SERIALIZABLE_PACKAGES=ledgerflow",  # Avro trusts no class without being told
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "peer.Main",
        json.dumps(given),
    ]
