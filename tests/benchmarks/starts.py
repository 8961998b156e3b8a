"""Where the streams of a new app start, in a log that has the records of earlier rounds.

start_at: offsets of the logs --+
create_changelogs: the tables --+-> source offsets, as the streams themselves would have written them
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from confluent_kafka import Producer

from pipeline.runtime.kafka.topics import changelog_name, source_offsets_name
from pipeline.runtime.settings import Settings
from pipeline.runtime.store.database import SOURCE_LOG_KEY, SOURCE_OFFSET_KEY
from tests.benchmarks.exactness import Offsets
from topologies.app import STREAMS

WITHIN_S = 30.0


class Starts:
    """Remembers what apps start at and their changelogs; writes the offsets once, when it knows both."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._offsets: dict[str, Offsets] = {}
        self._changelogs: dict[str, tuple[str, ...]] = {}
        self._written: set[str] = set()

    def at(self, app_id: str, offsets: Offsets) -> None:
        """Note the offsets by log and partition."""
        self._offsets[app_id] = offsets
        self._write(app_id)

    def with_changelogs(self, app_id: str, names: Iterable[str]) -> None:
        """Note the changelogs, which exist now: those of tables, and of streams without one."""
        self._changelogs[app_id] = tuple(names)
        self._write(app_id)

    def _write(self, app_id: str) -> None:
        if app_id in self._written or app_id not in self._offsets or app_id not in self._changelogs:
            return
        self._written.add(app_id)
        producer = Producer({**self._settings.librdkafka(), "enable.idempotence": True})
        for stream, name, log in self._streams(app_id):
            for partition, offset in enumerate(self._offsets[app_id].get(log, ())):
                value = b"%d" % offset
                for key, said in ((SOURCE_LOG_KEY, log.encode()), (SOURCE_OFFSET_KEY, value)):
                    producer.produce(changelog_name(app_id, name), said, key, partition)
                producer.produce(source_offsets_name(app_id), value, stream.encode(), partition)
        assert not producer.flush(WITHIN_S), "source offsets were not written"

    def _streams(self, app_id: str) -> Iterator[tuple[str, str, str]]:
        """Yield stream, name of its changelog, and log. What is no product's stream reads the only log."""
        known = {stream.table or stream.name: stream for stream in STREAMS}
        for name in self._changelogs[app_id]:
            if name in known:
                yield known[name].name, name, known[name].source
            else:
                yield name, name, next(iter(self._offsets[app_id]))
