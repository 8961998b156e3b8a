"""What workers have said of faults around them: what no fault of the run explains is a problem of its own.

Workers compare what they rely on (offsets in three places, rows, topics) and stop where it does not agree.
So a worker may find what a mutant does before it comes to anything; a sound one must raise no false alarm.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pipeline.runtime.kafka.topics import OPERATIONAL_ALERTS
from pipeline.runtime.settings import Settings
from tests.integration.topic_events import events_of

EXPLAINED_BY: dict[str, frozenset[str]] = {
    "foreign_schema": frozenset(),
    "log_lost": frozenset({"truncate"}),
    "offset_mismatch": frozenset({"forge"}),
    "offset_missing": frozenset(),
    "row_unreadable": frozenset(),
    "topic_missing": frozenset(),
    "topic_settings": frozenset({"drift"}),
}
"""The faults of which a worker may say this."""
OFTEN = frozenset({"broker_silent", "partition_stuck", "transaction_open"})
"""What a busy machine, or workers that are killed again and again, explain."""


def unexplained(alerts: Collection[Any], struck: Collection[str]) -> list[str]:
    """Return what alerts (decoded `fault_found`) say that none of the faults that struck explains."""
    found = []
    for said in (alert.fields for alert in alerts):
        explained = EXPLAINED_BY.get(said["code"], frozenset()).intersection(struck)
        if said["code"] not in OFTEN and not explained:
            found.append(f"{said['code']}: {said['subject']}: {said['found']} (said by {said['worker']})")
    return found


def false_alarms(settings: Settings, struck: Collection[str]) -> list[str]:
    """Return what a cluster's workers have said of faults around them that did not strike."""
    return unexplained(events_of(settings, OPERATIONAL_ALERTS), struck)
