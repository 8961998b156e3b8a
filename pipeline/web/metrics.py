"""/metrics in Prometheus' text format, read from the partition tasks at each scrape.

Faust's own Prometheus sensor is not used: its hooks run for every event and cost as much as the stream.
"""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.web.host import WebHost
from pipeline.web.progress import progress, recovered

LABELS = ("stream", "partition")


class WorkerCollector(Collector):
    """The counters of this worker's tasks since their partitions were assigned, and of its audit."""

    def __init__(self, app: WebHost) -> None:
        self._app = app

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the app must not be read before it runs."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return the present metrics, without partitions that moved away."""
        yield from self._of_streams()
        yield from self._of_worker()

    def _of_streams(self) -> Iterable[Metric]:
        app = self._app
        applied = CounterMetricFamily(
            "ledgerflow_applied_records", "Records applied or refused", labels=LABELS
        )
        dead = CounterMetricFamily(
            "ledgerflow_dead_letters", "Records that became dead letters", labels=LABELS
        )
        committed = GaugeMetricFamily("ledgerflow_committed_offset", "Next offset to apply", labels=LABELS)
        lag = GaugeMetricFamily("ledgerflow_lag_records", "Records not committed yet", labels=LABELS)
        stable = GaugeMetricFamily(
            "ledgerflow_last_stable_age_seconds",
            "How long committed records have waited for somebody's open transaction",
            labels=LABELS,
        )
        broken = CounterMetricFamily(
            "ledgerflow_invariant_alerts", "Alerts of broken invariants", labels=LABELS
        )
        for tp, task in sorted(app.tasks.running.items()):
            labels = (task.spec.name, str(task.partition))
            state = progress(app, task)
            applied.add_metric(labels, task.applied_records)
            dead.add_metric(labels, task.dead_letters)
            if "invariants" in task.streams:
                broken.add_metric(("invariants", labels[1]), task.alerts)
            committed.add_metric(labels, state.as_of_offset)
            stable.add_metric(labels, app.stable.age_s(tp))
            if state.lag is not None:
                lag.add_metric(labels, state.lag)
        broken.add_metric(("audit", ""), app.audit_alerts)
        audited = CounterMetricFamily(
            "ledgerflow_audits", "Comparisons by the audit of the worker", labels=("audit",)
        )
        for name, count in sorted(app.audited.items()):
            audited.add_metric((name,), count)
        foreign = CounterMetricFamily(
            "ledgerflow_foreign_records",
            "Records of versions not in the catalogue",
            labels=("event",),
        )
        for name, count in sorted(dict(app.codec.foreign_values).items()):
            foreign.add_metric((name,), count)
        yield from (applied, dead, committed, lag, stable, broken, audited, foreign)

    def _of_worker(self) -> Iterable[Metric]:
        app = self._app
        problems = GaugeMetricFamily(
            "ledgerflow_problems", "What keeps the worker from its work now", labels=("problem",)
        )
        for name, count in sorted(app.problems.counts().items()):
            problems.add_metric((name,), count)
        yield problems
        ready = recovered(app) and not app.problems.any
        yield GaugeMetricFamily(
            "ledgerflow_ready",
            "1 once every partition is restored, and while there is no problem",
            value=ready,
        )
        yield GaugeMetricFamily(
            "ledgerflow_recovery_seconds", "How long the last recovery took", value=app.tasks.ready_after_s
        )
        yield CounterMetricFamily(
            "ledgerflow_rebalances", "Rebalances of the group seen", value=app.rebalancing_count
        )


def registry_of(app: WebHost) -> CollectorRegistry:
    """Return the registry of a worker: its tasks, its process (memory, CPU, files), its Python."""
    registry = CollectorRegistry()
    registry.register(WorkerCollector(app))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> web.Response:
    """Return the answer to a scrape."""
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
