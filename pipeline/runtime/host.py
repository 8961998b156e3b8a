"""What the runtime needs of the worker that it runs in. `app.App` is one; a test can be another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pipeline.runtime.at_work import Marks
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.faults import Faults
from pipeline.runtime.kafka.membership import Member
from pipeline.runtime.problems import Problems
from pipeline.runtime.store.partition_store import PartitionStore


class Host(Protocol):
    """The process that streams run in: its names, its way to Kafka, its tables, and how it ends."""

    @property
    def group(self) -> str:
        """The id of the app, which is its consumer group and the first part of its topics' names."""

    @property
    def transactional_id(self) -> str:
        """The id of this worker's transactions: starting with it ends those of the process before."""

    @property
    def partitions(self) -> int:
        """The number of partitions of every log and table."""

    @property
    def codec(self) -> Codec:
        """What decodes and encodes the events of the streams."""

    @property
    def connection(self) -> Mapping[str, Any]:
        """How aiokafka's clients reach the cluster: their arguments."""

    @property
    def member(self) -> Member:
        """The membership in the group in which the present partitions were assigned."""

    @property
    def faults(self) -> Faults:
        """Where faults around the streams are reported."""

    @property
    def problems(self) -> Problems:
        """What keeps this worker from its work now; `/ready` tells."""

    @property
    def at_work(self) -> Marks:
        """Where it notes what it works on, for whoever asks why it died."""

    def store(self, table: str, partition: int) -> PartitionStore:
        """Return the rows of a partition of a table, opening its database if need be."""

    def fail(self, error: BaseException) -> None:
        """End the process: nothing half-done becomes visible; the restart resumes from the last commit."""
