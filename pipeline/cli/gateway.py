"""`ledgerflow gateway`: the one door for people and programs."""

from __future__ import annotations

import os
import sys

from pipeline.cli.options import Bootstrap, Data, RegistryUrl
from pipeline.cli.reach import require_kafka, settings_for
from pipeline.cli.supervisor import environment
from pipeline.runtime import interrupts
from pipeline.runtime.kafka.access import GATEWAY

COMMAND = (sys.executable, "-m", "topologies.gateway")
"""A process of its own, because `pipeline.cli` must not import the topologies."""


def gateway(
    data: Data = None,
    bootstrap_servers: Bootstrap = None,
    schema_registry_url: RegistryUrl = None,
) -> None:
    """Run a gateway in the foreground, against an existing cluster: HTTP in, events out.

    It listens on LEDGERFLOW_GATEWAY_HOST and LEDGERFLOW_GATEWAY_PORT; its API is described at /openapi.json,
    and for people at /docs. Several may run side by side. `ledgerflow keys create` makes a key for a program.
    """
    settings = settings_for(data, bootstrap_servers, schema_registry_url, GATEWAY)
    require_kafka(settings)
    os.environ.update(environment(settings))
    interrupts.hold()
    os.execv(COMMAND[0], [*COMMAND])
