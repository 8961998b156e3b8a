"""The jobs, one module each; `JOBS` names them in the order in which a round runs them."""

from tests.benchmarks.jobs import (
    ceiling,
    fraud,
    fraud_freshness,
    fraud_latency,
    fraud_quality,
    gateway,
    history,
    latency,
    ledger,
    memory,
    pipeline,
    positions,
    reconciliation,
    reconciliation_quality,
    restore,
    sums,
    tenants,
    views,
    workers,
)
from tests.benchmarks.jobs.shape import Job

JOBS: dict[str, Job] = {
    "sum": Job(sums.contenders, by_default=True),
    "ledger": Job(ledger.contenders, by_default=True),
    "fraud": Job(fraud.contenders, by_default=True),
    "positions": Job(positions.contenders, by_default=True),
    "reconciliation": Job(reconciliation.contenders, by_default=True),
    "history": Job(history.contenders),
    "ceiling": Job(ceiling.contenders),
    "restore": Job(restore.contenders),
    "latency": Job(latency.contenders),
    "pipeline": Job(pipeline.contenders),
    "tenants": Job(tenants.contenders),
    "views": Job(views.contenders),
    "gateway": Job(gateway.contenders),
    "fraud-latency": Job(fraud_latency.contenders),
    "fraud-freshness": Job(fraud_freshness.contenders),
    "workers": Job(workers.contenders),
    "memory": Job(memory.contenders, once=True, by_name_only=True),
    "fraud-quality": Job(fraud_quality.contenders, once=True, by_name_only=True, needs_stack=False),
    "reconciliation-quality": Job(
        reconciliation_quality.contenders, once=True, by_name_only=True, needs_stack=False
    ),
}
