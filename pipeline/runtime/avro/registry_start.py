"""The schema registry at the start of a worker: waited for, within bounds, and every schema must be there.

A worker that has seen all schemas before starts without the registry: what an id means never changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import schemas
from pipeline.runtime.avro.registry import NotRegistered, RegistryUnavailable
from schemas import SchemaVersion

WAIT_S = 60.0
SAY_EVERY_S = 5.0


class Known(Protocol):
    """What is known of a registry. `registry.Registry` is one."""

    def connect(self) -> bool:
        """Ask for the ids of our schemas; return whether the registry answered."""

    def id_of(self, schema: SchemaVersion) -> int:
        """Return the id of a schema. Raises NotRegistered, RegistryUnavailable."""


def connect(
    registry: Known,
    url: str,
    say: Callable[[str], object],
    wait_s: float = WAIT_S,
    say_every_s: float = SAY_EVERY_S,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Connect a worker's registry, waiting up to `wait_s` for an answer; `say` tells people in the meantime.

    Raises RegistryUnavailable where none comes and not all schemas are known, NotRegistered where the
    registry lacks one of ours.
    """
    began = time.monotonic()
    while not registry.connect():
        waited = time.monotonic() - began
        if _knows_all(registry):
            say(f"the schema registry at {url} does not answer: going on with the schemas known from before")
            return
        if waited >= wait_s:
            raise RegistryUnavailable(
                f"the schema registry at {url} has not answered for {waited:.0f} s: start it,"
                " or set LEDGERFLOW_SCHEMA_REGISTRY_URL"
            )
        say(f"waiting for the schema registry at {url}, for up to {max(1, round(wait_s - waited))} s more")
        sleep(min(say_every_s, max(0.0, wait_s - waited)))
    for schema in schemas.load():
        try:
            registry.id_of(schema)
        except NotRegistered as error:
            raise NotRegistered(f"{error}: run `ledgerflow schemas register`") from None


def _knows_all(registry: Known) -> bool:
    try:
        for schema in schemas.load():
            registry.id_of(schema)
    except (NotRegistered, RegistryUnavailable):
        return False
    return True
