"""A stream that reads another log than in an earlier version: its offset goes to whoever reads that log now.

    fraud, up to N of payments     ->   intake-payments goes on at N of payments
    (its changelog names no log)        fraud begins at 0 of fraud-commands; its changelog names that log

What never changes: a record of the earlier log is applied once, by the stream or by its heir. All of a move
is one Kafka transaction of a member of the group (`adoption.write`). So there are three places to die at:
before it is decided nothing is written, and the next run does it all; after it is decided the changelog names
the log, and the next run finds nothing to do; between decision and marks, the broker writes the marks, and
whoever starts waits for them, because it reads to the end that its logs had, committed or not. The topics are
made before; empty ones mean nothing to anybody. A worker that starts earlier stops: an offset is taken for
one of its log only where the changelog names that log (`runtime.source_offsets`). One of the version before
that starts later stops, too: the group is ahead of its offset, 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pipeline.runtime.kafka.adoption import Adoption, AdoptionError, Found, Place, source_offset_key
from pipeline.runtime.kafka.topics import source_offsets_name
from pipeline.runtime.store.database import SOURCE_LOG_KEY, SOURCE_OFFSET_KEY


class Move(NamedTuple):
    """One partition of a stream that begins at another log, and who goes on with the earlier one."""

    place: Place
    heir: Place
    offset: int
    """Up to where the stream has applied the earlier log: there the heir begins."""


Written = tuple[str, int, bytes, bytes]
"""A record: topic, partition, key, value."""


def to_move(places: Sequence[Place], found: Found) -> list[Place]:
    """Return the places whose offset is one of the earlier log of their stream."""
    return [
        place
        for place in places
        if place.log.earlier is not None
        and (place in found.own or place in found.beside)
        and found.logs.get(place) != place.log.topic.encode()
    ]


def plan_moves(
    places: Sequence[Place], found: Found, adoptions: Sequence[Adoption]
) -> tuple[list[Adoption], list[Move]]:
    """Return the adoptions of places that stay with their log, and the moves of the others.

    `adoptions`: what `adoption.plan` has for all of them, where two offsets of a place are not the same.
    Raises AdoptionError where somebody has begun with the earlier log already.
    """
    right = {one.place: one.offset for one in adoptions}
    moving = to_move(places, found)
    moves = []
    for place in moving:
        (heir,) = (
            one for one in places if one.log.topic == place.log.earlier and one.partition == place.partition
        )
        begun = found.own.get(heir, found.beside.get(heir))
        if begun is not None:
            raise AdoptionError(
                f"{heir} has applied {heir.log.topic} up to {begun}, and {place} has not left it: no version"
                " wrote that. Find out who did"
            )
        moves.append(Move(place, heir, right[place] if place in right else found.own[place]))
    return [one for one in adoptions if one.place not in set(moving)], moves


def records_of(move: Move, app_id: str) -> Iterator[Written]:
    """Yield what a move writes: the name of the log last, so that no part of it would let a worker start."""
    second, number, offset = source_offsets_name(app_id), move.place.partition, b"%d" % move.offset
    yield move.heir.log.changelog, number, SOURCE_OFFSET_KEY, offset
    yield second, number, source_offset_key(move.heir), offset
    yield move.place.log.changelog, number, SOURCE_OFFSET_KEY, b"0"
    yield second, number, source_offset_key(move.place), b"0"
    yield move.place.log.changelog, number, SOURCE_LOG_KEY, move.place.log.topic.encode()


def offsets_after(found: Found, moves: Sequence[Move]) -> Mapping[Place, int]:
    """Return how far places have applied their logs by source-offsets, once the moves are made."""
    gone = {move.place for move in moves}
    stay = {place: offset for place, offset in found.beside.items() if place not in gone}
    return {**stay, **{move.heir: move.offset for move in moves}}
