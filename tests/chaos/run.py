"""One chaos run: a cluster under load, faults by schedule, then silence, then the verdict.

stack + 2 workers -> load (seeded, with bad records, retries, late and skewed input) || faults
                  -> the load ends -> everything is caught up -> the verifier and the checker
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.loadgen.plan import history
from pipeline.loadgen.run import LoadReport
from pipeline.loadgen.run import run as run_load
from tests.chaos.checker import Checker
from tests.chaos.faults import Faults, Keeper
from tests.chaos.schedule import Strike, schedule
from tests.integration.cluster import Cluster, cluster_in, problems

RATE = 60.0
ACCOUNTS = 200
MALFORMED_PCT = 2.0
QUIET_S = 10.0
LOAD_ENDS_WITHIN_S = 600.0
CHECKED_AFTER = ("kill", "wipe", "torn", "storm")
"""Faults that leave broker and registry there for a check of what is committed so far."""


class Outcome(NamedTuple):
    """What a run has shown."""

    seed: int
    strikes: list[Strike]
    records: int
    problems: list[str]
    exits: Counter[int]
    """Exit codes of workers that ended on the way."""
    recovered_s: list[float]

    def figures(self) -> dict[str, Any]:
        """Return the outcome as one JSON object."""
        return {
            "seed": self.seed,
            "faults": Counter(strike.fault for strike in self.strikes),
            "records": self.records,
            "problems": self.problems,
            "exits": {str(code): count for code, count in sorted(self.exits.items())},
            "recovered_s": [round(seconds, 1) for seconds in self.recovered_s],
        }


class _Load(threading.Thread):
    """Produces until it is told to stop."""

    def __init__(self, cluster: Cluster, seed: int, seconds: float) -> None:
        super().__init__(name="load", daemon=True)
        self._cluster = cluster
        self._plan = history(
            seed=seed,
            count=int(RATE * seconds),
            now=int(time.time() * 1_000_000),
            accounts=ACCOUNTS,
            malformed_pct=MALFORMED_PCT,
        )
        self.manifest = cluster.settings.data_dir / f"planted-{seed}.jsonl"
        self.flowing = threading.Event()
        """Set when the accounts are open and payments flow; the clock of the schedule starts then."""
        self.ending = threading.Event()
        self.report: LoadReport | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Produce the plan at RATE."""
        settings = self._cluster.settings
        try:
            self.report = run_load(
                self._plan,
                {**settings.librdkafka(), "log_level": "0"},  # it says every failed connection
                settings.schema_registry_url,
                rate=RATE,
                manifest_path=self.manifest,
                on_progress=self._note,
                stop=self.ending,
                await_accounts_s=60.0,
            )
        except BaseException as error:
            self.error = error
        finally:
            self.flowing.set()

    def _note(self, report: LoadReport) -> None:
        if report.payments:
            self.flowing.set()


def chaos(folder: Path, seed: int, seconds: float, names: Sequence[str]) -> Outcome:
    """Run the schedule of a seed in a folder of its own; raises if the cluster cannot be kept going."""
    strikes = schedule(seed, seconds, names)
    with cluster_in(folder) as cluster:
        keeper = Keeper(cluster, {0, 1})
        faults = Faults(keeper)
        try:
            for number in (0, 1):
                keeper.wait_ready(number)
            load = _Load(cluster, seed, seconds)
            load.start()
            load.flowing.wait()
            started = time.monotonic()
            watch, early = checker_of(cluster), list[str]()
            for strike in strikes:
                time.sleep(max(0.0, started + strike.at_s - time.monotonic()))
                say(f"{time.monotonic() - started:6.1f} s  {strike.fault} (worker {strike.worker})")
                faults.strike(strike)
                if strike.fault in CHECKED_AFTER:
                    early += map(str, watch.check(quiet=False))
            load.join(max(0.0, started + seconds - time.monotonic()))
            load.ending.set()
            load.join(LOAD_ENDS_WITHIN_S)
            if load.error is not None:
                raise load.error
            if load.report is None:
                raise AssertionError(
                    f"the load has not ended {LOAD_ENDS_WITHIN_S:.0f} s after the last fault"
                )
            cluster.manifests.append(load.manifest)
            for number in (0, 1):
                keeper.wait_ready(number)
            found = [*early, *problems(cluster.verify(QUIET_S))]
            found += map(str, checker_of(cluster).check(quiet=True))
            if load.report.failed:
                found.append(f"load: Kafka did not take {load.report.failed} records")
            records = sum(load.report.records.values())
            return Outcome(seed, strikes, records, found, keeper.exits, faults.recovered_s)
        finally:
            keeper.stop()


def checker_of(cluster: Cluster) -> Checker:
    """Return the checker of a cluster's topics and views."""
    settings = cluster.settings
    urls = [cluster.url(number) for number in sorted(cluster.workers)]
    where = settings.bootstrap_servers, settings.schema_registry_url, settings.app_id
    return Checker(*where, urls, cluster.manifests)


def say(line: str) -> None:
    """Tell what happens, on standard error."""
    print(line, file=sys.stderr, flush=True)
