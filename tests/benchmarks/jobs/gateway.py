"""The gateway job: reads and commands through the gateway, beside a bare FastAPI application.

Both stand before the same views of one worker.

    reads at full speed   client -> gateway, or bare -> worker's view     in turn, slice by slice
    reads at 500/s        the same two, each request measured from when it was due
    commands              client -> gateway -> claim -> the payment's topic -> 202; all of them must settle
    quiet and noisy       40 reads/s of one key, without and with another that asks as fast as it can

Every read through the gateway is in the access log before it is answered, and their number is checked.
"""

from __future__ import annotations

from statistics import median
from typing import Any

from tests.benchmarks import gateways, processes, product
from tests.benchmarks.bench import Bench
from tests.benchmarks.exactness import expect
from tests.benchmarks.gateways import Door
from tests.benchmarks.inputs import TENANT
from tests.benchmarks.jobs.shape import Run
from tests.benchmarks.paced import PacedJob, Phase

ACCOUNTS, PATHS = 5_000, 2_000
CONNECTIONS, COMMAND_CONNECTIONS, NOISY_CONNECTIONS = 32, 64, 16
PACED_PER_S = 500
SLICES = 2
QUIET_PER_S, LIMIT_PER_MINUTE = 40, 3_000
COMMANDS_PER_S_MAX = 5_000
"""So many payments are made ready for each second of posting."""
WARM_UP_S = 2.0
READS, POSTS = "tests.benchmarks.reads", "tests.benchmarks.posts"


def contenders(bench: Bench) -> dict[str, Run]:
    """Return who is measured; each run has accounts and payments of its own."""

    def ours(number: int) -> dict[str, Any]:
        name, seconds = f"gateway-{number}", bench.sizes.seconds
        job = PacedJob(name, ACCOUNTS, False, [Phase(COMMANDS_PER_S_MAX, WARM_UP_S + seconds)])
        with product.worker(bench, name) as worker:
            product.open_accounts(bench, job)
            found = _reads(bench, name, job) | _commands(bench, name, job)
            found["quiet"] = {
                "alone": _quiet(bench, name, job, None),
                "beside_limited": _quiet(bench, name, job, LIMIT_PER_MINUTE),
                "beside_unlimited": _quiet(bench, name, job, gateways.UNLIMITED),
            }
            return {**found, "worker_cpu_s": round(worker.cpu_s(), 2), "rss_mib": worker.rss_mib}

    return {"gateway": ours}


def _asked(door: Door, job: PacedJob, connections: int, headers: dict[str, str]) -> dict[str, Any]:
    paths = [f"/v1/{TENANT}/balances/{job.account(place)}" for place in range(PATHS)]
    return {"url": door.url, "paths": paths, "connections": connections, "headers": headers}


class _Measured:
    """Reads of one of the two: what they took, and how many there were."""

    def __init__(self, door: Door, reads: processes.Process) -> None:
        self._door, self._reads = door, reads
        self.count = 0
        self.slices: list[dict[str, Any]] = []

    def read(self, seconds: float, rate: int = 0) -> dict[str, Any]:
        """Read for a while; return requests a second, percentiles, and CPU time a request."""
        before = self._door.process.cpu_s()
        self._reads.tell(f"{seconds} {rate}")
        found = self._reads.wait_for(lambda line: "requests_per_s" in line)
        self.count += found["requests"]
        cpu_us = (self._door.process.cpu_s() - before) * 1e6 / max(1, found["requests"])
        return {**found, "cpu_us": round(cpu_us)}

    def middle(self, key: str) -> float:
        """Return the median of a figure over the slices."""
        return float(median(one[key] for one in self.slices))


def _reads(bench: Bench, name: str, job: PacedJob) -> dict[str, Any]:
    """Return reads a second and waits of the gateway and of the bare application, by turns."""
    start, seconds = bench.ends("access-log"), bench.sizes.seconds
    key = gateways.headers(bench, name, TENANT, "analyst")
    with (
        gateways.bare_proxy(bench, name) as bare,
        gateways.gateway(bench, name) as gateway,
        gateways.client(bench, f"{name}-bare-reads", READS, _asked(bare, job, CONNECTIONS, key)) as of_bare,
        gateways.client(bench, f"{name}-reads", READS, _asked(gateway, job, CONNECTIONS, key)) as reads,
    ):
        ours, theirs = _Measured(gateway, reads), _Measured(bare, of_bare)
        for one in (ours, theirs):
            one.read(WARM_UP_S)
        for _ in range(SLICES):
            for one in (theirs, ours):
                one.slices.append(one.read(seconds / SLICES))
        paced = {"bare_at_500": theirs.read(seconds, PACED_PER_S), "at_500": ours.read(seconds, PACED_PER_S)}
        rss_mib = gateway.process.rss_mib
    logged = sum(event.permission == "query:balances" for event in bench.read("access-log", start))
    expect("reads in the access log", logged, ours.count)
    return {
        "reads_per_s": ours.middle("requests_per_s"),
        "bare_reads_per_s": theirs.middle("requests_per_s"),
        "reads_ratio_bare": round(ours.middle("requests_per_s") / theirs.middle("requests_per_s"), 2),
        "cpu_us": ours.middle("cpu_us"),
        "bare_cpu_us": theirs.middle("cpu_us"),
        **paced,
        "p99_ms": paced["at_500"]["p99_ms"],
        "gateway_rss_mib": rss_mib,
    }


def _commands(bench: Bench, name: str, job: PacedJob) -> dict[str, Any]:
    """Return commands accepted a second; each must be settled, once."""
    start, seconds = bench.ends("payment-events"), bench.sizes.seconds
    key = gateways.headers(bench, name, TENANT, "upstream")
    with gateways.gateway(bench, name) as gateway:
        asked = {"url": gateway.url, "headers": key, "job": job, "connections": COMMAND_CONNECTIONS}
        with gateways.client(bench, f"{name}-posts", POSTS, asked) as posts:
            accepted = 0
            for length in (WARM_UP_S, seconds):
                before = gateway.process.cpu_s()
                posts.tell(f"{length}")
                found = posts.wait_for(lambda line: "accepted" in line)
                accepted += found["accepted"]
                found["cpu_us"] = round((gateway.process.cpu_s() - before) * 1e6 / found["accepted"])
    product.wait_until_settled(bench, start, accepted)
    return {"commands_per_s": found["commands_per_s"], "commands": found}


def _quiet(bench: Bench, name: str, job: PacedJob, noisy_per_minute: int | None) -> dict[str, Any]:
    """Return how long a quiet key waits; beside a noisy one that may ask so often a minute, or alone."""
    seconds = bench.sizes.seconds
    quiet_key, noisy_key = (gateways.headers(bench, name, TENANT, "analyst") for _ in range(2))
    with gateways.gateway(bench, name, noisy_per_minute or LIMIT_PER_MINUTE) as gateway:
        quiet = _asked(gateway, job, CONNECTIONS, quiet_key)
        noisy = _asked(gateway, job, NOISY_CONNECTIONS, noisy_key) | {"refusable": True}
        with (
            gateways.client(bench, f"{name}-quiet", READS, quiet) as of_quiet,
            gateways.client(bench, f"{name}-noisy", READS, noisy) as of_noisy,
        ):
            of_quiet.tell(f"{WARM_UP_S} {QUIET_PER_S}")
            of_quiet.wait_for(lambda line: "requests_per_s" in line)
            if noisy_per_minute is not None:
                of_noisy.tell(f"{seconds + 1} 0")
            of_quiet.tell(f"{seconds} {QUIET_PER_S}")
            found = of_quiet.wait_for(lambda line: "requests_per_s" in line)
            expect("quiet reads that were refused", found["refused"], 0)
            if noisy_per_minute is not None:
                found["noisy"] = of_noisy.wait_for(lambda line: "requests_per_s" in line)
            return found
