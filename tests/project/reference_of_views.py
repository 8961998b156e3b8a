"""The reference of views and metrics, as Markdown: from the views' declaration, and a worker's metrics."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pipeline.domain.kernel.views import AccountView
from pipeline.runtime.problems import Problems
from pipeline.web.metrics import WorkerCollector
from pipeline.web.pages import WORKER_PAGES, by_path
from pipeline.web.query import parameters_of
from tests.project.markdown import table
from topologies.app import VIEWS


def parameters() -> dict[str, list[str]]:
    """Return the parameters that each page takes, in the order of their names."""
    found: dict[str, list[str]] = {path: [] for path in WORKER_PAGES}
    for path, views in by_path(VIEWS).items():
        parts = tuple(part for part in path.split("/") if part.startswith("{"))
        found[path] = sorted({name for view in views for name in parameters_of(view, parts).names})
    return found


def block() -> str:
    """Return the table of pages."""
    takes, rows = parameters(), []
    for path, views in by_path(VIEWS).items():
        said = [page.about for view in views for page in view.pages if f"/{view.name}{page.path}" == path]
        rows.append((f"`{path}`", ", ".join(f"`{name}`" for name in takes[path]), "; ".join(said)))
    rows += [(f"`{path}`", "", about) for path, about in WORKER_PAGES.items()]
    return table(("page", "parameters", "what it shows"), rows)


def columns_block() -> str:
    """Return the columns of each view, in the order that CSV has them."""
    rows = []
    for view in VIEWS:
        times = view.times if isinstance(view, AccountView) else ()
        of_times = f" with {', '.join(f'`{time}`' for time in times)}" if times else ""
        rows.append((f"{view.name}{of_times}", ", ".join(view.columns)))
    return table(("view", "columns"), rows)


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
        tasks=tasks,
        rebalancing=True,
        rebalancing_count=0,
        audit_alerts=0,
        audited={},
        problems=Problems(),
        codec=SimpleNamespace(foreign_values={}),
        in_recovery=False,
    )
