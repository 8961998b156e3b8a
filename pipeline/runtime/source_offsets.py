"""How far each stream has applied its log, as two topics and the group say it: they must agree.

    changelog of the stream, written with its rows  =  <app>-source-offsets   in one transaction
    the group's committed offset                   <=  both: a broker that crashed may give older ones back
    the end of the log                             >=  both

The changelog's offset stands among the rows, so rows and offset cannot part. `<app>-source-offsets` is the
second witness. Whoever forges one of them, or the group's, to have a stream skip records or apply them twice,
stops the worker. Whoever forges all of them is found by `verify`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipeline.runtime.faults import Fault, WorkerFault
from pipeline.runtime.kafka.topics import source_offsets_name

_DIGITS = re.compile(rb"[0-9]{1,19}")
_SHOWN_MAX = 40
KEEP = "keep topics and data as they are, find out who may write there, and look at `ledgerflow verify`"


class Said(NamedTuple):
    """What is written of how far a stream has applied a partition of its log."""

    stream: str
    topic: str
    """The log."""
    partition: int
    changelog: str
    own: bytes | None
    """In its changelog; None: nothing."""
    beside: bytes | None
    """In `<app>-source-offsets`; None: nothing."""
    has_rows: bool
    """Whether its table has a row."""
    log: bytes | None = None
    """The log that its changelog says the offset is of; None: it does not say."""
    earlier: str | None = None
    """The log that it read in an earlier version."""


def number_of(value: bytes, where: str) -> int:
    """Return an offset as it is written. Raises WorkerFault where it is none; `where`: topic[partition]."""
    if _DIGITS.fullmatch(value) is None:
        shown = repr(value[:_SHOWN_MAX])[2:-1]
        raise WorkerFault(Fault("offset_mismatch", where, f"{shown!r} is no offset of a stream; {KEEP}"))
    return int(value)


def require_agreement(app_id: str, said: Iterable[Said], ends: Mapping[tuple[str, int], int]) -> None:
    """Raises WorkerFault for the first stream whose offsets differ, are missing, or are behind its log's end.

    `ends`: where the logs end, by topic and partition.
    """
    for one in said:
        _require(app_id, one, ends[one.topic, one.partition])


def _require(app_id: str, said: Said, end: int) -> None:
    log, changelog = f"{said.topic}[{said.partition}]", f"{said.changelog}[{said.partition}]"
    second = f"{source_offsets_name(app_id)}[{said.partition}]"
    own = None if said.own is None else number_of(said.own, changelog)
    beside = None if said.beside is None else number_of(said.beside, second)
    if own is None and (beside is not None or said.has_rows):
        applied = "" if beside is None else f" (applied up to {beside} by {second})"
        found = f"{changelog} does not say how far {log} is applied{applied}"
        found += ": an earlier version wrote it. Run `ledgerflow migrate` once, while no worker runs"
        raise _fault("offset_missing", said, found, beside)
    if said.earlier is not None and own is not None and said.log != said.topic.encode():
        found = (
            f"{changelog} says how far {said.earlier} is applied, and {said.stream} reads {said.topic} now"
        )
        found += ": an earlier version wrote it. Run `ledgerflow migrate` once, while no worker runs"
        raise _fault("offset_missing", said, found, own)
    if own != beside:
        found = f"{log} is applied up to {_shown(own)} by {changelog}, up to {_shown(beside)} by {second}"
        raise _fault("offset_mismatch", said, f"{found}; {KEEP}", own)
    if own is not None and own > end:
        found = f"{log} is applied up to {own} by {changelog} and {second}, and ends at {end}"
        raise _fault("offset_mismatch", said, f"{found}; {KEEP}", own)


def require_group_behind(group: str, topic: str, partition: int, committed: int, applied: int) -> None:
    """Raises WorkerFault where a group's committed offset is ahead of what its streams have applied."""
    if committed > applied:
        log = f"{topic}[{partition}]"
        found = f"the group {group} has committed {committed}, its streams have applied up to {applied}"
        fault = Fault("offset_mismatch", log, f"{found}; {KEEP}", topic, partition, applied)
        raise WorkerFault(fault)


def _fault(code: str, said: Said, found: str, offset: int | None) -> WorkerFault:
    return WorkerFault(Fault(code, f"stream {said.stream}", found, said.topic, said.partition, offset))


def _shown(offset: int | None) -> str:
    return "nothing" if offset is None else str(offset)
