"""Gateways, and what they are measured beside, as processes of a run; and who asks them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.gateway.identity.keys import FILE_NAME, Keys
from pipeline.runtime.settings import ENV_PREFIX
from tests.benchmarks import processes, product
from tests.benchmarks.bench import Bench

READY_WITHIN_S = 60.0
UNLIMITED = 600_000
"""Requests a minute: the highest limit that can be set."""


class Door(NamedTuple):
    """A process that answers for a worker's views."""

    url: str
    process: processes.Process


@contextmanager
def gateway(bench: Bench, app_id: str, requests: int = UNLIMITED) -> Iterator[Door]:
    """Yield a gateway before the worker of `app_id`, once it is ready; a key may ask so often a minute."""
    port = bench.settings.gateway_port
    limits = {
        f"{ENV_PREFIX}GATEWAY_PORT": str(port),
        f"{ENV_PREFIX}GATEWAY_REQUESTS": str(requests),
        f"{ENV_PREFIX}GATEWAY_TENANT_REQUESTS": str(UNLIMITED),
    }
    command = [sys.executable, "-m", "topologies.gateway"]
    with _started(bench, f"{app_id}-gateway", command, port, bench.environment(app_id) | limits) as door:
        yield door


@contextmanager
def bare_proxy(bench: Bench, app_id: str) -> Iterator[Door]:
    """Yield a bare FastAPI application before the same worker, once it is ready."""
    port = bench.settings.web_port + 1  # of a second worker, which this run does not have
    given = {"port": port, "url": product.base_url(bench)}
    with _started(
        bench, f"{app_id}-bare", processes.module("tests.benchmarks.bare_proxy", given), port, {}
    ) as door:
        yield door


def headers(bench: Bench, app_id: str, tenant: str, *roles: str) -> dict[str, str]:
    """Return the headers of a program with a new key that has roles in a tenant."""
    folder = Path(bench.overrides(app_id)["data_dir"])
    made, _ = Keys(folder / FILE_NAME).create("program", {tenant: list(roles)}, 1)
    return {"Authorization": f"Bearer {made}"}


@contextmanager
def client(bench: Bench, name: str, module: str, asked: dict[str, Any]) -> Iterator[processes.Process]:
    """Yield a process that asks a server, once it is ready."""
    with processes.Process(processes.module(module, asked), bench.log(name)) as process:
        process.wait_for(lambda line: "ready" in line)
        yield process


@contextmanager
def _started(
    bench: Bench, name: str, command: list[str], port: int, variables: dict[str, str]
) -> Iterator[Door]:
    url = f"http://127.0.0.1:{port}"
    with processes.Process(command, bench.log(name), variables) as process:
        deadline = time.monotonic() + READY_WITHIN_S
        while not product.answers(f"{url}/ready"):
            if time.monotonic() > deadline or not process.alive:
                raise process.failure("did not become ready")
            time.sleep(0.1)
        yield Door(url, process)
