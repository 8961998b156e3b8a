"""Where logs are read from: the group's committed offsets, and what an app knows better.

Faust reads from the offsets that the group has committed. Ledgerflow's streams keep their own offsets
besides, because a broker that crashed may give older ones back. An app that has such knowledge sets
`app.transport.positions`; any other app is read as Faust reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import ClassVar, Protocol

from aiokafka import TopicPartition
from faust.types import TP

from pipeline.runtime.kafka.quarantine import Quarantined


class Positions(Protocol):
    """What the transport asks an app about its logs, and tells it. Offsets are those of the next record."""

    @property
    def source_offsets(self) -> Mapping[TP, int]:
        """Where logs are resumed at the least, whatever the group's committed offsets are."""

    @property
    def read_again(self) -> Set[TP]:
        """The logs to read from their beginning: those with a stream that has never read them."""

    @property
    def quarantined(self) -> Quarantined:
        """What people have decided not to read of logs."""

    def note_batch(self, place: TopicPartition | None, first: int, last: int) -> None:
        """Take note of a batch that is about to be inflated (None: none is). From the consumer's thread."""

    def linger_s(self, topic: str) -> float:
        """Return how long a log may gather records between two fetches, seconds."""

    def require(self, tp: TP, position: int, first: int, end: int | None = None) -> None:
        """Look at a log that does not have its next record: it begins at `first`, or ends at `end`.

        Returns where it may be read on from `first`. Raises LogLost, or ends the process. From any thread.
        """

    def expect(self, committed: Mapping[TP, int], stale: Set[TP]) -> None:
        """Take the offsets that the consumer was set to after a rebalance.

        `stale`: the logs of which the group had an older offset than `source_offsets`.
        """


class GroupPositions:
    """Positions of an app that knows nothing but its group's committed offsets."""

    source_offsets: Mapping[TP, int] = {}
    read_again: Set[TP] = frozenset()
    quarantined: ClassVar[Quarantined] = {}

    def note_batch(self, place: TopicPartition | None, first: int, last: int) -> None:
        """Do nothing."""

    def linger_s(self, topic: str) -> float:
        """Return 0: no log gathers."""
        return 0.0

    def require(self, tp: TP, position: int, first: int, end: int | None = None) -> None:
        """Do nothing: such an app reads on, as Faust does."""

    def expect(self, committed: Mapping[TP, int], stale: Set[TP]) -> None:
        """Do nothing."""
