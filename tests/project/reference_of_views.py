"""The reference of views and metrics, as Markdown: from the pages of a worker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pipeline.web.metrics import WorkerCollector
from pipeline.web.pages import INDEX
from pipeline.web.past import BALANCE_AT, HISTORY, STATEMENT
from pipeline.web.views import VIEWS
from tests.project.markdown import table


def block() -> str:
    """Return the table of pages."""
    return table(("page", "what it shows"), [(f"`{path}`", about) for path, about in INDEX.items()])


def columns_block() -> str:
    """Return the columns of each view, in the order that CSV has them."""
    views = [(view.name, view.columns) for view in VIEWS]
    past = [
        ("balances with `as_of`, `known_at`", BALANCE_AT),
        ("history", HISTORY),
        ("statements", STATEMENT),
    ]
    views += [(name, view.columns) for name, view in past]
    return table(("view", "columns"), [(name, ", ".join(columns)) for name, columns in views])


def metrics_block() -> str:
    """Return the table of a worker's own metrics."""
    rows = []
    for family in WorkerCollector(_idle_worker()).collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = ", ".join(getattr(family, "_labelnames", ()))
        rows.append((f"`{name}`", family.type, labels, family.documentation))
    return table(("metric", "type", "labels", "meaning"), rows)


def _idle_worker() -> Any:
    """Return as much of a worker as the collector looks at; it runs nothing."""
    tasks = SimpleNamespace(running={}, ready_after_s=0.0)
    return SimpleNamespace(
        tasks=tasks, rebalancing=True, rebalancing_count=0, audit_alerts=0, audited={}, in_recovery=False
    )
