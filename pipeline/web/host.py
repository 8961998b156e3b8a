"""The protocol of the worker that serves the views. `runtime.app.App` is one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Set
from typing import Any, Protocol

import aiohttp
from faust.types import TP

from pipeline.runtime.assignments import Tasks
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.kafka.fetched import FetchState
from pipeline.runtime.problems import Problems
from pipeline.runtime.snapshots import Snapshots
from pipeline.runtime.stable import StableWatch
from pipeline.runtime.store.partition_store import PartitionStore


class WebHost(Protocol):
    """A worker: its web server, partitions with their progress, peers and versions."""

    web: Any
    """Faust's web server, which serves the pages."""
    http_client: aiohttp.ClientSession
    """Client for requests to peers; it belongs to the web server's thread."""
    loop: asyncio.AbstractEventLoop
    """The event loop of the streams. The views have a thread and an event loop of their own."""
    codec: Codec
    """What decodes the records of the streams."""
    tasks: Tasks
    snapshots: Snapshots
    stable: StableWatch
    """For how long its logs have waited for open transactions."""
    problems: Problems
    """What keeps it from its work now."""
    partitions: int
    """The number of partitions of every log and table."""
    hosts: tuple[str, tuple[str, ...]]
    """The host that the views are served on, and other names under which they may be asked for."""
    connections_max: int
    """How many connections to its views may be open."""
    rules: str
    """The version of the rules that it was started with."""
    tenants: str
    """The version of the file of tenants that it was started with."""
    audit_alerts: int
    """How many alerts its audit has raised."""
    audited: dict[str, int]
    """How often each check of its audit compared something, by name."""
    rebalancing: bool
    """Whether the group is being rebalanced."""
    in_recovery: bool
    """Whether its tables are being restored."""
    rebalancing_count: int
    """How many rebalances of the group it has seen."""

    @property
    def address(self) -> str:
        """The address of its views, as its peers know it, without a slash at the end."""

    @property
    def tables_ready(self) -> bool:
        """Whether every table of the last assignment is restored."""

    @property
    def assigned(self) -> Set[TP]:
        """The partitions of logs that the last assignment gave it."""

    @property
    def table_names(self) -> frozenset[str]:
        """The names of its tables."""

    def page(self, path: str, *, name: str) -> Callable[[type], Any]:
        """Return a decorator that adds a Faust view class to the web server."""

    def open_store(self, table: str, partition: int) -> PartitionStore | None:
        """Return the database of a partition of a table; None where it is not open here."""

    def owners(self, table: str) -> Mapping[int, str]:
        """Return the address of the worker that has each partition of a table, as of the last assignment."""

    def fetch_state(self, tp: TP) -> FetchState | None:
        """Return how far a partition is fetched; None where it is not fetched, or not yet."""
