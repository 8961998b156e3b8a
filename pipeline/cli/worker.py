"""`ledgerflow worker`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from pipeline.cli.options import Bootstrap, Data, RegistryUrl
from pipeline.cli.reach import require_kafka, settings_for
from pipeline.cli.supervisor import environment
from pipeline.runtime import interrupts
from pipeline.runtime.kafka.access import WORKER
from pipeline.runtime.operator_files import require_operator_files

COMMAND = (sys.executable, "-m", "topologies.worker")
"""A process of its own, because `pipeline.cli` must not import the topologies."""


def worker(
    number: Annotated[
        int,
        typer.Option(
            "--worker",
            metavar="N",
            min=0,
            help="Number of this worker on this machine, from 0; its folder and web port follow from it.",
        ),
    ] = 0,
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Run one worker in the foreground, against an existing cluster.

    It takes its share of the partitions, keeps their tables and serves the table views. Missing topics are
    created. SIGTERM ends it in good order (exit code 0). After a crash (exit code 70) start it again.
    """
    settings = settings_for(data, bootstrap_servers, schema_registry_url, WORKER)
    require_operator_files(settings)
    require_kafka(settings)
    os.environ.update(environment(settings))
    interrupts.hold()
    os.execv(COMMAND[0], [*COMMAND, "--worker", str(number)])
