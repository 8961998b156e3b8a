"""The limit: the sum job's input fetched and decoded with proof, and nothing else."""

from __future__ import annotations

from typing import Any

from tests.benchmarks import processes
from tests.benchmarks.bench import Bench, rated
from tests.benchmarks.exactness import expect
from tests.benchmarks.jobs.shape import Run
from tests.benchmarks.jobs.sums import SumInput, sum_events

SOURCE = "benchmark-ceiling"
MODULE = "tests.benchmarks.ceiling_worker"


def contenders(bench: Bench) -> dict[str, Run]:
    """Produce the input; return who decodes it."""
    events, partitions = bench.sizes.events, bench.settings.partitions
    bench.create_topic(SOURCE)
    bench.produce(SOURCE, sum_events(events, partitions, SumInput([[] for _ in range(partitions)])))

    def ours(number: int) -> dict[str, Any]:
        name = f"ceiling-{number}"
        bench.create_changelogs(name)
        given = {"source": SOURCE, "records": events, "settings": bench.overrides(name)}
        found = processes.run(processes.module(MODULE, given), bench.log(name))
        expect(
            "records decoded, and those not by columns", (found["records"], found["not_columns"]), (events, 0)
        )
        return rated(found, events)

    return {"ceiling": ours}
