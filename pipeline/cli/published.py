"""What has been published to fraud-rules: its records, applied as the streams apply them.

records of the topic -> events -> domain rules over rows in memory -> sets, models, and what was refused
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pipeline.cli.publications import Refused, applied, read_topic
from pipeline.cli.records import TopicRecord
from pipeline.domain.fraud.publishing.publications import PUBLICATIONS, publish
from pipeline.domain.fraud.publishing.rows import INDEX_KEY, Index, read_index
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.runtime.settings import Settings
from pipeline.verify.decode import Decoder

TOPIC = "fraud-rules"
SHOWN_BY = "`ledgerflow rules list`, `ledgerflow model list`"


class Log(NamedTuple):
    """What a log of publications comes to."""

    known: Index
    times: dict[str, int]
    """By hash of a set: from when on it holds, event time, microseconds UTC."""
    refused: tuple[Refused, ...]


def read_log(settings: Settings) -> Log:
    """Read the topic to its present end. Raises Failed, BadInput."""
    return _log(lambda apply: read_topic(settings, TOPIC, PUBLICATIONS, apply))


def log_of(records: Iterable[TopicRecord], read: Decoder) -> Log:
    """Return what records come to; those of a tenant come in the order of its partition."""
    return _log(lambda apply: applied(records, read, TOPIC, PUBLICATIONS, apply))


def _log(read_all: Callable[[Callable[[Any], None]], tuple[Refused, ...]]) -> Log:
    rows, times = MemoryRows(), dict[str, int]()

    def apply(event: Any) -> None:
        publish(event, rows)
        if type(event).__name__ == "FraudRulesPublished":
            times[event.sha256] = event.effective_from

    refused = read_all(apply)
    return Log(read_index(rows.get(INDEX_KEY)), times, refused)
