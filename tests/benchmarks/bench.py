"""The one broker of a run, and what every job does with it: topics, input, workers of ours, peers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.avro.registry import Registry, register_all
from pipeline.runtime.kafka.topics import create_topics
from pipeline.runtime.settings import ENV_PREFIX, Settings
from tests.benchmarks import exactness, inputs, kafka_streams, processes
from tests.benchmarks.starts import Starts
from tests.progress import SILENCE_S

WORKER = "tests.benchmarks.our_worker"
QUIET_S = 2.0
"""A stream that has applied nothing for so long has nothing more to say to its own log."""


class Sizes(NamedTuple):
    """How much the jobs do in a round."""

    events: int
    """Of the sum job, and what is built on it."""
    payments: int
    """Of the ledger and fraud jobs; as many fills and items of the other two."""
    accounts: int
    """Of the memory job, which has ten payment ids an account."""
    seconds: float
    """How long each rate of the latency jobs, and the views job, is kept up."""
    seeds: int = 4
    """Of the quality jobs: how many of their data sets are judged."""
    small: bool = False
    """Whether those are the small ones of the tests."""
    public: tuple[Path, Path] | None = None
    """Of the reconciliation-quality job: the two files of the public pairs, books and bank."""
    encrypted: bool = False
    """Whether that job's texts are encrypted."""


class Peers(NamedTuple):
    """The peers of this run that can be run; None where one is not wanted or not there."""

    kafka_streams: Path | None = None
    """The jars that tests.benchmarks.kafka_streams has built."""
    quixstreams: Path | None = None
    """The Python of the environment that quixstreams is installed in."""


class Tuning(NamedTuple):
    """How Kafka Streams is run; the best one counts."""

    commit_interval_ms: int
    caching: bool

    @property
    def name(self) -> str:
        """Its part of a contender's name."""
        return f"kafka_streams_{self.commit_interval_ms}{'' if self.caching else '_uncached'}"


TUNINGS = tuple(Tuning(interval_ms, caching) for interval_ms in (100, 20) for caching in (True, False))


class Bench:
    """One broker, its registry, and where the processes of a run leave their data and logs."""

    def __init__(self, settings: Settings, sizes: Sizes, peers: Peers, broker: psutil.Process) -> None:
        register_all(settings.schema_registry_url)
        create_topics(settings, ())
        self.settings = settings
        self._starts = Starts(settings)
        self.sizes = sizes
        self.peers = peers
        self._broker = broker
        self.registry = Registry(settings.schema_registry_url, settings.data_dir / "schemas")
        self.registry.connect()
        self.codec = Codec(self.registry)

    def log(self, name: str) -> Path:
        """Return the file that a process logs to."""
        return self.settings.data_dir / f"{name}.log"

    def create_topic(self, topic: str) -> None:
        """Create a topic that is not the product's, with as many partitions."""
        admin = AdminClient(self.settings.librdkafka())
        new = NewTopic(topic, self.settings.partitions, self.settings.replication_factor)
        for created in admin.create_topics([new]).values():
            created.result(SILENCE_S)

    def produce(self, topic: str, keyed: Iterable[tuple[str, Any]]) -> int:
        """Write (key, event) pairs to a topic; return how many records that are."""
        return inputs.produce(self.settings, self.codec, topic, keyed)

    def ends(self, *topics: str) -> exactness.Offsets:
        """Return where topics end now."""
        return exactness.ends(self.settings, topics)

    def start_at(self, group: str, offsets: exactness.Offsets) -> None:
        """Have a group that has no members yet start at offsets."""
        exactness.start_group_at(self.settings, group, offsets)
        self._starts.at(group, offsets)

    def read(self, topic: str, start: exactness.Offsets) -> Iterator[Any]:
        """Yield the committed events of a topic from `start`; raises as `exactness.read`."""
        return exactness.read(self.settings, self.codec, topic, start[topic])

    def rows(self, topic: str) -> dict[bytes, bytes]:
        """Return what a changelog comes to: the last committed value of each key that has one."""
        return exactness.rows(self.settings, topic)

    def overrides(self, app_id: str) -> dict[str, Any]:
        """Return the settings of a worker: a data folder of its own, this broker."""
        settings = self.settings
        return {
            "data_dir": str(settings.data_dir / app_id),
            "kafka_port": settings.kafka_port,
            "registry_port": settings.registry_port,
            "web_port": settings.web_port,
            "app_id": app_id,
            "tick_seconds": 0,  # jobs make up event time
        }

    def environment(self, app_id: str) -> dict[str, str]:
        """Return the same settings as the environment of the product's own worker."""
        return {ENV_PREFIX + name.upper(): str(value) for name, value in self.overrides(app_id).items()}

    def create_changelogs(self, app_id: str, *tables: str, tableless: tuple[str, ...] = ()) -> None:
        """Create what an app of ours needs beside the catalogue."""
        create_topics(self.settings.model_copy(update={"app_id": app_id}), tables, tableless)
        self._starts.with_changelogs(app_id, (*tables, *tableless))

    def worker(self, job: str, app_id: str, records: int | None, **more: Any) -> list[str]:
        """Return the command of a worker of ours; `records`: at how many it is done."""
        given = {"job": job, "records": records, "worker": 0, "settings": self.overrides(app_id), **more}
        return processes.module(WORKER, given)

    def run_ours(
        self,
        job: str,
        app_id: str,
        records: int,
        *,
        table: str | None = None,
        continues: bool = False,
        **more: Any,
    ) -> dict[str, Any]:
        """Run one worker of ours until it has applied and committed `records` records, all of them good.

        `table`: what its table is called, where that is not the job's name. `continues`: the stream may say
        more to its own log, and is done when it is quiet.
        """
        if continues:
            more["quiet_s"] = QUIET_S
        self.create_changelogs(app_id, table or job)
        before = self._broker_spent()
        found = processes.run(self.worker(job, app_id, records, **more), self.log(app_id))
        after = self._broker_spent()
        found["broker_cpu_s"] = round(after[0] - before[0], 2)
        found["written_mib"] = round((after[1] - before[1]) / 2**20, 1)
        is_whole = found["records"] >= records if continues else found["records"] == records
        if not is_whole or found["dead_letters"]:
            raise exactness.Inexact(f"{app_id}: expected {records} records, all good: {found}")
        return found

    def _broker_spent(self) -> tuple[float, int]:
        """Return the CPU seconds of the broker so far, and the bytes of all records in its logs."""
        times = self._broker.cpu_times()
        segments = (self.settings.data_dir / "kafka").rglob("*.log")
        return times.user + times.system, sum(path.stat().st_size for path in segments)

    def kafka_streams(
        self, job: str, app_id: str, source: str, tuning: Tuning, **more: Any
    ) -> dict[str, Any]:
        """Return a job of the peer Kafka Streams; see kafka_streams.job."""
        return kafka_streams.job(
            self.settings, self.registry, job, app_id, source, **tuning._asdict(), **more
        )

    def start_kafka_streams(self, *job: Any, **more: Any) -> AbstractContextManager[processes.Process]:
        """Return the peer as a context: it runs within, until it is killed."""
        assert self.peers.kafka_streams is not None
        given = self.kafka_streams(*job, mode="serve", **more)
        return kafka_streams.start(self.peers.kafka_streams, given, self.log(given["application_id"]))

    def run_kafka_streams(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run the peer until it is done."""
        assert self.peers.kafka_streams is not None
        found = kafka_streams.run(self.peers.kafka_streams, job, self.log(job["application_id"]))
        return dict(found)


def rated(found: dict[str, Any], items: int, **more: Any) -> dict[str, Any]:
    """Return what was done a second, by the clock and by the CPU time that it took."""
    return {
        "items": items,
        "per_s": round(items / found["seconds"]),
        "per_cpu_s": round(items / found["cpu_s"]),
        "seconds": round(found["seconds"], 3),
        "cpu_s": round(found["cpu_s"], 3),
        "rss_mib": found["rss_mib"],
        **{name: found[name] for name in ("broker_cpu_s", "written_mib") if name in found},
        **more,
    }
