"""One chaos run: a cluster under load, faults by schedule, then silence, then the verdict.

stack + 2 workers -> load (seeded, with bad records, retries, refusals) || faults, each followed by a check
                  -> the load ends -> everything is caught up -> the verifier and the checker
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.loadgen.plan import history
from pipeline.loadgen.report import LoadReport
from pipeline.loadgen.run import QUIET_TIMEOUT_S
from pipeline.loadgen.run import run as run_load
from pipeline.runtime.kafka.access import LOAD
from pipeline.runtime.settings import load_settings
from pipeline.verify.findings import Problem, first_of
from pipeline.verify.streams import READERS
from tests.chaos.alarms import false_alarms
from tests.chaos.checker import Checker
from tests.chaos.faults import Faults
from tests.chaos.keeper import Keeper
from tests.chaos.lag import LagWatch
from tests.chaos.network import Network, ProxiedStack
from tests.chaos.schedule import Strike, schedule
from tests.chaos.town_producer import Town
from tests.integration.cluster import QUIET_S, Cluster, cluster_in, problems

RATE = 60.0
ACCOUNTS = 200
PAYMENTS_PER_ACCOUNT_MAX = 200
"""All within some thirty hours of event time: with more the fraud rules hold what customers usually pay, and
what is planted in the books cannot come."""
MALFORMED_PCT = 2.0
LOAD_ENDS_WITHIN_S = 600.0
WORKERS = (0, 1)
NOT_CHECKED_AFTER = ("zombie", "broker", "freeze", "registry")
"""Faults that leave the cluster in no state to be read at once."""


class Outcome(NamedTuple):
    """What a run has shown."""

    seed: int
    seconds: float
    strikes: list[Strike]
    records: int
    """Produced as input, hostile ones among them."""
    dead_letters: int
    problems: list[str]
    first: str | None
    """The earliest record that is wrong, by Kafka's time."""
    exits: Counter[int]
    """Exit codes of workers that ended on the way."""
    recovered_s: list[float]
    """How long killed workers took to be ready again."""
    converged_s: float
    """From the end of the load until nothing moved any more."""
    lag_max: int
    """Largest number of records that the streams were behind, all logs together."""


HELD_AFTER_S = 2.0
"""The load looks that often whether it may go on, at the least."""
LATE_FACTOR = 2.0
"""There is load for so many times the length of the schedule; it is stopped after the last fault."""


class Load(threading.Thread):
    """Produces a seeded history, with everything planted, and a fraud town, until it is told to stop."""

    def __init__(
        self,
        cluster: Cluster,
        seed: int,
        seconds: float,
        rate: float = RATE,
        streams_within_s: float = QUIET_TIMEOUT_S,
    ) -> None:
        """`streams_within_s`: how long streams that do not get on are waited for at the end."""
        super().__init__(name="load", daemon=True)
        self._streams_within_s = streams_within_s
        self._cluster = cluster
        self._rate = rate
        count = int(rate * seconds)
        self._plan = history(
            seed=seed,
            count=count,
            now=int(time.time() * 1_000_000),
            accounts=max(ACCOUNTS, count // PAYMENTS_PER_ACCOUNT_MAX),
            malformed_pct=MALFORMED_PCT,
        )
        self.town: Town | None = None
        """Beside it, when it runs."""
        self.manifest = cluster.settings.data_dir / f"planted-{seed}.jsonl"
        self.flowing = threading.Event()
        """Set when the accounts are open and payments flow; the clock of the schedule starts then."""
        self._ending = threading.Event()
        self._going = threading.Event()
        self._going.set()
        self._report: LoadReport | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Produce the plan at its rate."""
        settings = self._cluster.settings_of(LOAD)
        try:
            self.town = Town(self._cluster, self._plan)
            self.town.open()
            self._report = run_load(
                self._plan,
                {**settings.librdkafka(), "log_level": "0"},  # it says every failed connection
                settings.registry(),
                rate=self._rate,
                manifest_path=self.manifest,
                on_progress=self._note,
                stop=self._ending,
                await_accounts_s=60.0,
                group=settings.app_id,
                streams_within_s=self._streams_within_s,
                readers=READERS,
            )
            self.town.flush()
        except BaseException as error:
            self._error = error
        finally:
            self.flowing.set()

    def _note(self, report: LoadReport) -> None:
        if report.payments:
            self.flowing.set()
        self._going.wait()  # in the thread that produces
        if self.town is not None:
            self.town.follow(report.payments)

    def hold(self) -> None:
        """Produce nothing for a while; what was produced is acknowledged soon."""
        self._going.clear()
        time.sleep(HELD_AFTER_S)

    def release(self) -> None:
        """Go on."""
        self._going.set()

    def end(self) -> LoadReport:
        """Let the load come to its end, and return its report; raises what it has raised."""
        self._ending.set()
        self.join(LOAD_ENDS_WITHIN_S)
        if self._error is not None:
            raise self._error
        if self._report is None:
            raise AssertionError(f"the load has not ended within {LOAD_ENDS_WITHIN_S:.0f} s")
        if self.town is not None and self.town.failed:
            raise AssertionError(f"Kafka did not take {self.town.failed} records of the fraud town")
        self._cluster.manifests.append(self.manifest)
        return self._report


@contextmanager
def running(
    folder: Path,
    program: Sequence[str] = (),
    workers: Sequence[int] = WORKERS,
    standbys: int = 0,
    *,
    secure: bool = False,
) -> Iterator[tuple[Keeper, Faults]]:
    """Run a cluster of workers, each behind its proxy; `program`: what Python runs as a worker.

    `secure`: workers and load log in with their roles, faults and judges as the administrator.
    """
    with cluster_in(folder, ProxiedStack, secure=secure) as cluster:
        network = Network(cluster.settings)
        cluster.servers.update(network.servers)
        cluster.more["STANDBY_REPLICAS"] = str(standbys)
        if program:
            cluster.program = list(program)
        keeper = Keeper(cluster, set(workers))
        try:
            for number in workers:
                keeper.wait_ready(number)
            yield keeper, Faults(keeper, network)
        finally:
            keeper.stop()
            cluster.stop()
            network.stop()


def chaos(
    folder: Path, seed: int, seconds: float, names: Sequence[str], *, secure: bool = False, rate: float = RATE
) -> Outcome:
    """Run the schedule of a seed in a folder of its own; raises if the cluster cannot be kept going.

    With an even seed every table has a standby copy. `rate`: ordinary payments a second.
    """
    strikes = schedule(seed, seconds, names)
    with running(folder, standbys=1 - seed % 2, secure=secure) as (keeper, faults):
        cluster = keeper.cluster
        # On a busy machine faults come late, and without load some of them would strike nothing.
        load, lag = Load(cluster, seed, LATE_FACTOR * seconds, rate), LagWatch(cluster.settings)
        load.start()
        lag.start()
        load.flowing.wait()
        started = time.monotonic()
        watch, found = checker_of(cluster), list[Problem]()
        faults.logs.load = load
        faults.logs.see = lambda: found.extend(watch.check(quiet=False))
        for strike in strikes:
            time.sleep(max(0.0, started + strike.at_s - time.monotonic()))
            say(f"{time.monotonic() - started:6.1f} s  {strike.fault} (worker {strike.worker})")
            faults.strike(strike)
            if strike.fault == "broker":
                watch.offsets.broker_crashed()
            if strike.fault not in NOT_CHECKED_AFTER:
                found += watch.check(quiet=False)
        load.join(max(0.0, started + seconds - time.monotonic()))
        report = load.end()
        ended = time.monotonic()
        for number in WORKERS:
            keeper.wait_ready(number)
        others = problems(cluster.verify())
        struck = {strike.fault for strike in strikes}
        others += false_alarms(cluster.settings, struck)
        converged_s = time.monotonic() - ended - QUIET_S
        lag.stop()
        # Nobody reads what is deleted; who has read it all the time has it.
        final = watch if faults.logs.cut else checker_of(cluster, "broker" in struck)
        found += final.check(quiet=True)
        if report.failed:
            others.append(f"load: Kafka did not take {report.failed} records")
        assert load.town is not None
        records = sum(report.records.values()) + load.town.records + faults.hostile
        return Outcome(
            seed,
            seconds,
            strikes,
            records,
            final.dead_letters,
            [*map(str, found), *others],
            str(first_of(found)) if found else None,
            keeper.exits,
            faults.recovered_s,
            converged_s,
            lag.largest,
        )


def checker_of(cluster: Cluster, broker_crashed: bool = False) -> Checker:
    """Return the checker of a cluster's topics and views; `broker_crashed`: whether the broker was killed."""
    settings = cluster.settings
    urls = [cluster.url(number) for number in sorted(cluster.workers)]
    where = settings.librdkafka(), settings.registry(), settings.app_id
    told = load_settings().tenants  # as the workers, which have this environment
    tenants = "" if told is None else told.read_text("utf-8")
    return Checker(*where, urls, cluster.manifests, tenants, broker_crashed)


def say(line: str) -> None:
    """Tell what happens, on standard error."""
    print(line, file=sys.stderr, flush=True)
