"""The topics that are compared, as their records come; some are shown to others on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from pipeline.verify.model.record import Record
from pipeline.verify.streams import Only

Listener = Callable[[Record], None]
"""What is shown a record."""


class Topics(Protocol):
    """What is compared. Iterators may end and, when the topics have grown, go on."""

    @property
    def count(self) -> int:
        """Partitions of every topic."""
        ...

    def source(self, topic: str, partition: int) -> Iterator[Record]:
        """Return what a stream has read, in order."""
        ...

    def output(self, topic: str, partition: int, events: Only, again: bool = False) -> Iterator[Record]:
        """Return the records that carry some events; `again`: they are read elsewhere, too."""
        ...


class Heard:
    """Records that are shown to others on their way, and those of them that are asked for."""

    def __init__(
        self,
        records: Iterator[Record],
        listeners: Sequence[Listener],
        where: Callable[[Record], bool] | None = None,
    ) -> None:
        self._records = records
        self._listeners = listeners
        self._where = where

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        for record in self._records:
            for listener in self._listeners:
                listener(record)
            if self._where is None or self._where(record):
                return record
        raise StopIteration
