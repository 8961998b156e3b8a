"""`ledgerflow migrate`."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import endpoints
from pipeline.cli.options import Bootstrap, Data, RegistryUrl
from pipeline.cli.problems import BadInput, Failed
from pipeline.cli.reach import require_kafka, require_registry, settings_for
from pipeline.cli.reasons import OptionalReason, reason_of
from pipeline.cli.supervisor import environment
from pipeline.cli.up import local_settings
from pipeline.runtime.kafka.adoption import CHANGELOGS, SECOND
from pipeline.runtime.local.artifacts import ArtifactError
from pipeline.runtime.local.credentials import ADMIN, credentials_of
from pipeline.runtime.local.stack import LocalStack, StackError
from pipeline.runtime.settings import Settings

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
    settings = settings_for(data, bootstrap_servers, schema_registry_url, ADMIN)
    running_here = endpoints.read(settings.data_dir)
    if running_here is not None and bootstrap_servers in (None, running_here.bootstrap_servers):
        # Joining the workers' group would take their partitions away from them.
        raise Failed(f"`ledgerflow up` runs on {settings.data_dir}: stop it first")
    flags = [] if take is None else ["--take", take.value]
    flags += [] if reason is None else ["--reason", reason_of(reason)]
    with ExitStack() as running:
        settings = _with_kafka(settings, running)
        require_kafka(settings)
        require_registry(settings)
        command = [*MIGRATION, *flags]
        code = subprocess.run(command, env={**os.environ, **environment(settings)}, check=False).returncode
    raise typer.Exit(code)


def _with_kafka(settings: Settings, running: ExitStack) -> Settings:
    """Return where Kafka is; that of a local stack which stands still is started. Raises Failed."""
    local = (Path(settings.data_dir).expanduser() / "kafka" / "meta.properties").exists()
    if "bootstrap_servers" in settings.model_fields_set or not local:
        return settings
    secure = credentials_of(settings.data_dir) is not None
    try:
        stack = running.enter_context(LocalStack(local_settings(settings), secure=secure))
    except (StackError, ArtifactError) as error:
        raise Failed(str(error)) from None
    return stack.settings_of(ADMIN)  # it writes changelogs as a worker does, and operator-actions
