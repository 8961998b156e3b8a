"""The restore job: a table from its changelog on an empty disk, as many records as the sum job has events.

Kafka Streams writes its changelog itself, by summing up uncached: one record an event, two an account. Ours
would write fewer, so the same records are written for it. What is restored must be exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pipeline.domain.kernel.rows import row_key
from pipeline.runtime.kafka.topics import changelog_name
from tests.benchmarks import inputs, processes
from tests.benchmarks.bench import Bench, Tuning, rated
from tests.benchmarks.exactness import expect
from tests.benchmarks.inputs import TENANT, Record
from tests.benchmarks.jobs.shape import Run
from tests.benchmarks.jobs.sums import SumInput, check_table, sum_events
from tests.benchmarks.sum_rules import SUM_BYTES, TABLE

SOURCE, LAST = "benchmark-restore", "benchmark-restored"
UNCACHED = Tuning(100, caching=False)


def contenders(bench: Bench) -> dict[str, Run]:
    """Make the input of both changelogs; return who restores them."""
    events, partitions = bench.sizes.events, bench.settings.partitions
    given, last = SumInput([[] for _ in range(partitions)]), SumInput([[] for _ in range(partitions)])
    bench.create_topic(SOURCE)
    bench.create_topic(LAST)
    bench.produce(SOURCE, sum_events(events, partitions, given, max(1, events // 2)))
    # One more payment, after which a worker tells the digest of the whole table.
    bench.produce(LAST, sum_events(1, partitions, last))
    sums = given.sums() + last.sums()

    def ours(number: int) -> dict[str, Any]:
        name = f"restore-{number}"
        bench.create_changelogs(name, TABLE)
        inputs.write(bench.settings, changelog_name(name, TABLE), _changelog(given))
        with processes.Process(bench.worker("sum", name, 1, source=LAST), bench.log(name)) as worker:
            found = worker.wait_for(lambda line: "restored" in line)
            done = worker.wait_for(lambda line: bool(line.get("done")))
            check_table("restored", done["digest"], sums)
            expect("records restored", found["restored"], events)
            return rated(found | {"rss_mib": worker.rss_mib}, events)

    def kafka_streams(number: int) -> dict[str, Any]:
        name = f"restore-kafka-streams-{number}"
        bench.run_kafka_streams(bench.kafka_streams("sum", name, SOURCE, UNCACHED, records=events))
        given = bench.kafka_streams("sum", name, SOURCE, UNCACHED, mode="restore")
        found = bench.run_kafka_streams(given)
        expect("records restored", found["restored"], events)
        return rated(found, events)

    peers = {"restore_kafka_streams": kafka_streams} if bench.peers.kafka_streams else {}
    return {**peers, "restore": ours}


def _changelog(given: SumInput) -> Iterator[Record]:
    """Yield what a worker that commits after every payment would have written."""
    sums: Counter[str] = Counter()
    for partition, payments in enumerate(given.by_partition):
        for account, amount in payments:
            sums[account] += amount
            value = sums[account].to_bytes(SUM_BYTES, "big", signed=True)
            yield Record(row_key("s", TENANT, account), value, partition)
