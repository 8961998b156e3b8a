"""`ledgerflow migrate`."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from enum import StrEnum
from typing import Annotated

import typer

from pipeline.cli import endpoints
from pipeline.cli.local_kafka import with_kafka
from pipeline.cli.options import Bootstrap, Data, RegistryUrl
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import NOTHING, require_kafka, require_registry, settings_for
from pipeline.cli.reasons import OptionalReason, reason_of
from pipeline.cli.supervisor import environment
from pipeline.runtime.kafka.adoption import CHANGELOGS, SECOND
from pipeline.runtime.local.credentials import ADMIN

MIGRATION = (sys.executable, "-m", "topologies.migration")
"""A process of its own, because `pipeline.cli` must not import the topologies."""


class Take(StrEnum):
    """Which of two offsets that differ is right."""

    CHANGELOGS = CHANGELOGS
    SECOND = SECOND


def migrate(
    take: Annotated[
        Take | None,
        typer.Option("--take", help="Where offsets differ: which are right. Needs --reason."),
    ] = None,
    reason: OptionalReason = None,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Take what an earlier version wrote over, once, while no worker runs: source offsets into changelogs.

    Kafka and the registry of a data directory are started for it. operator-actions has what was done.
    """
    if (take is not None) and not reason:
        raise BadInput("--take needs a --reason: it is written to operator-actions")
    settings = settings_for(data, bootstrap_servers, schema_registry_url, ADMIN, NOTHING)
    running_here = endpoints.read(settings.data_dir)
    if running_here is not None and bootstrap_servers in (None, running_here.bootstrap_servers):
        # Joining the workers' group would take their partitions away from them.
        raise Failed(f"`ledgerflow up` runs on {settings.data_dir}: stop it first")
    flags = [] if take is None else ["--take", take.value]
    flags += [] if reason is None else ["--reason", reason_of(reason)]
    with ExitStack() as running:
        # It writes changelogs as a worker does, and operator-actions.
        settings = with_kafka(settings, running, ADMIN)
        require_kafka(settings)
        require_registry(settings)
        command = [*MIGRATION, *flags]
        code = subprocess.run(command, env={**os.environ, **environment(settings)}, check=False).returncode
    raise typer.Exit(code)
