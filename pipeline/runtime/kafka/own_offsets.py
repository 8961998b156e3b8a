"""How far the streams say themselves that they have applied their logs: `<app>-source-offsets`.

It is written in the transactions of the outputs, as the group's offsets are. Those may be older after a crash
of the broker: Kafka 4.1.2 was seen to answer, until the next commit, with what it had 90 seconds before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import KafkaException, TopicPartition

from pipeline.runtime.kafka.log_ends import Place, asking, begins, ends
from pipeline.runtime.kafka.short_topics import Rows, rows_of
from pipeline.runtime.kafka.topics import source_offsets_name

_DIGITS_MAX = 19
OWN_WITHIN_S = 5.0
"""How long their topic may take, where the group's word would do."""
Readers = Mapping[str, Sequence[str]]
"""The names of the streams that read a log, by its topic."""


class Reached(NamedTuple):
    """What a partition has for readers of committed records, and how far the streams have read it."""

    first: int
    end: int
    applied: int
    """By the group or by the streams themselves, whichever is further; 0 where neither says anything."""


def reached(
    connection: Mapping[str, Any], app_id: str, place: Place, readers: Readers, within_s: float
) -> Reached:
    """Return how far a log and the streams, whose group is never joined, have come.

    Raises KafkaException where there is no answer within `within_s`.
    """
    consumer = asking(connection, app_id, committed=True)
    try:
        first, end = begins(consumer, [place], within_s), ends(consumer, [place], within_s)
        (found,) = consumer.committed([TopicPartition(*place)], timeout=within_s)
    finally:
        consumer.close()
    own: Mapping[Place, int] = {}
    with contextlib.suppress(KafkaException):  # it may not be read, or no worker has ever run
        own = own_offsets(connection, app_id, readers, [place[1]], OWN_WITHIN_S)
    return Reached(first[place], end[place], max(found.offset, own.get(place, 0), 0))


def own_offsets(
    connection: Mapping[str, Any], app_id: str, readers: Readers, partitions: Iterable[int], within_s: float
) -> dict[Place, int]:
    """Return up to where logs are applied. Raises KafkaException, also where the topic may not be read."""
    places = [(source_offsets_name(app_id), number) for number in sorted(set(partitions))]
    consumer = asking(connection, app_id, committed=True)
    try:
        starts = begins(consumer, places, within_s)
    finally:
        consumer.close()
    return applied(rows_of(connection, app_id, starts, within_s, committed=True), readers)


def applied(rows: Rows, readers: Readers) -> dict[Place, int]:
    """Return how far logs are applied by each of their streams, where all of them have said something.

    Where a stream that nobody knows of has written there, or something cannot be read, nothing is known.
    """
    known = {name.encode() for names in readers.values() for name in names}
    if rows.skipped or any(key not in known for _, key in rows.latest):
        return {}
    found = {}
    for number in {partition for partition, _ in rows.latest}:
        for log, names in readers.items():
            said = [rows.latest.get((number, name.encode())) or b"" for name in names]
            if said and all(one.isdigit() and len(one) <= _DIGITS_MAX for one in said):
                found[log, number] = min(map(int, said))
    return found
