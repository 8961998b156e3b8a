"""The tenants job: how long a quiet tenant waits while a noisy one sends far more than its quota.

    quiet: 50 payments/s, all the time                   -> initiated -> settled, p50 to p99
    noisy: 20,000 payments/s in the first half of it     -> settled, or refused (quota_exceeded)

Three workers in turn, each with the whole product: the quiet tenant alone, with its neighbour under a quota
of 500/s, and with a neighbour that nothing holds back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import inf
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.runtime.settings import ENV_PREFIX
from tests.benchmarks import latency, processes, product
from tests.benchmarks.bench import Bench
from tests.benchmarks.exactness import Inexact
from tests.benchmarks.jobs.shape import Run
from tests.benchmarks.latency import PACED, Answers
from tests.benchmarks.paced import PacedJob, Phase

QUIET, NOISY = "quiet", "noisy"
QUIET_PER_S, NOISY_PER_S, QUOTA_PER_S = 50, 20_000, 500
WARM_UP_PER_S = 200
QUIET_ACCOUNTS, NOISY_ACCOUNTS = 2_000, 20_000
"""So many that nobody pays often enough to be held by the fraud rules."""
READY_WITHIN_S = 120.0


def contenders(bench: Bench) -> dict[str, Run]:
    """Return who is measured; each run has accounts and payments of its own."""
    quota = bench.settings.data_dir / "tenants.toml"
    quota.write_text(f"[tenants.{NOISY}]\npayments_per_second = {QUOTA_PER_S}\nburst = {QUOTA_PER_S}\n")

    def run(name: str, neighbour: bool, **more: str) -> Run:
        def measured(number: int) -> dict[str, Any]:
            seconds = bench.sizes.seconds
            quiet = PacedJob(
                f"{name}-{number}",
                QUIET_ACCOUNTS,
                False,
                [Phase(WARM_UP_PER_S, seconds), Phase(QUIET_PER_S, seconds)],
                QUIET,
            )
            burst = [Phase(NOISY_PER_S, seconds / 2)] if neighbour else []
            noisy = PacedJob(f"{name}-{number}-noisy", NOISY_ACCOUNTS, False, burst, NOISY)
            return _measured(bench, quiet, noisy, more)

        return measured

    return {
        "tenants_alone": run("tenants_alone", neighbour=False),
        "tenants_quota": run("tenants_quota", neighbour=True, **{f"{ENV_PREFIX}TENANTS": str(quota)}),
        "tenants_no_quota": run("tenants_no_quota", neighbour=True),
    }


def _measured(bench: Bench, quiet: PacedJob, noisy: PacedJob, more: dict[str, str]) -> dict[str, Any]:
    neighbour: Counter[str] = Counter()
    of = answered_by(neighbour)
    with product.worker(bench, quiet.seed, **more) as worker:
        product.open_accounts(bench, quiet)
        if not noisy.phases:
            answers = Answers(bench, "payment-events", bench.ends("payment-events"))
            rates = latency.measure(bench, worker, "payments", quiet, answers, of)
        else:
            product.open_accounts(bench, noisy)
            given = {"job": noisy, "topic": "payments", "settings": bench.overrides(quiet.seed)}
            with processes.Process(processes.module(PACED, given), bench.log(noisy.seed)) as load:
                load.wait_for(lambda line: "ready" in line, READY_WITHIN_S)
                answers = Answers(bench, "payment-events", bench.ends("payment-events"))
                rates = latency.measure(bench, worker, "payments", quiet, answers, of, load)
        sent = sum(phase.payments for phase in noisy.phases)
        if sum(neighbour.values()) != sent:
            raise Inexact(f"{noisy.seed}: {sent} payments were sent, answered were {dict(neighbour)}")
        return {"rates": rates, "neighbour": dict(neighbour), "rss_mib": worker.rss_mib}


def answered_by(neighbour: Counter[str]) -> latency.Answered:
    """Return a function that says when each quiet payment was settled, and counts what the noisy ones got."""

    def answered(job: PacedJob, outputs: Iterator[tuple[float, Any]]) -> list[float]:
        settled: dict[str, float] = {}
        for at, event in outputs:
            if event.tenant_id == job.tenant:
                if isinstance(event, ev.PaymentSettled):
                    settled[event.payment_id] = at
            elif isinstance(event, ev.PaymentSettled):
                neighbour["settled"] += 1
            elif isinstance(event, ev.CommandRefused):
                neighbour[event.code] += 1
        count = sum(phase.payments for phase in job.phases)
        return [settled.get(job.payment_id(number), inf) for number in range(count)]

    return answered
