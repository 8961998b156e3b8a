"""Every code that a `fault_found` on operational-alerts can have: what it means, and what to do about it.

The table of schemas/README.md is written from here (`python -m tests.project.references`).
"""

from __future__ import annotations

from typing import NamedTuple


class FaultCode(NamedTuple):
    """A kind of fault around the streams."""

    code: str
    meaning: str
    remedy: str


FAULTS: tuple[FaultCode, ...] = (
    FaultCode(
        "broker_silent",
        "Kafka gave no answer for a while, and answers again. Nothing was lost; payments waited.",
        "Look at the broker: is it overloaded, frozen, out of disk, cut off?",
    ),
    FaultCode(
        "foreign_schema",
        "Records come of a version of an event that the registry has and the catalogue has not. What its new "
        "fields say is dropped, or the records are dead letters (`LEDGERFLOW_FOREIGN_SCHEMAS`).",
        "Ask who registered it; `ledgerflow schemas check --registry` lists all. Add the version to the "
        "catalogue, or have its producer use ours.",
    ),
    FaultCode(
        "log_lost",
        "A log starts after the offset that its streams had reached: the records between are gone.",
        "Find out who deleted them. `ledgerflow accept-loss` goes on without them.",
    ),
    FaultCode(
        "offset_mismatch",
        "Changelog, source-offsets and the group do not agree how far a log is applied, or it ends before.",
        "Nobody but workers may write there: find out who did. `ledgerflow verify` shows what it has done.",
    ),
    FaultCode(
        "offset_missing",
        "A changelog does not say how far its stream has applied its log, or it says so of the log that the "
        "stream read before: an earlier version wrote it.",
        "Stop the workers and run `ledgerflow migrate`, once.",
    ),
    FaultCode(
        "partition_stuck",
        "A worker has died several times at one offset of a log: a record there may be the cause.",
        "Look at the worker's log. `ledgerflow quarantine` makes a dead letter of the record.",
    ),
    FaultCode(
        "row_unreadable",
        "A row of a table cannot be decoded: a newer version wrote it, or nobody of ours did.",
        "Start the newer version; else find out who may write to the changelog.",
    ),
    FaultCode(
        "topic_missing",
        "A topic that the streams read or write is not there any more.",
        "Find out who deleted it. What to do: runtime/README.md, Settings of topics.",
    ),
    FaultCode(
        "topic_settings",
        "A topic has other settings or another number of partitions than the streams rely on.",
        "Find out who changed it; `ledgerflow topics --repair` sets settings back.",
    ),
    FaultCode(
        "transaction_open",
        "A producer has a transaction open for long, and readers of committed records wait for its end.",
        "Ask its owner; `ledgerflow transactions abort` ends it.",
    ),
)
"""In alphabetical order."""
