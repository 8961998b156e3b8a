"""The desk, which is what the reconciliation stream runs, as a stream over files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from pipeline.backtest.matching.over_rows import OverRows
from pipeline.backtest.matching.streams import TENANT
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.reconciliation.desk.batch import CLASSES, DeskRun
from pipeline.domain.reconciliation.desk.stream import apply
from pipeline.domain.reconciliation.scoring.lags import DAYS_MAX
from pipeline.domain.reconciliation.scoring.weights import Weights

DAYS_AFTER = 2 * (DAYS_MAX + 3)
"""A day until an item is met, the longest wait, as long again for what is suggested."""


class DeskAtOnce:
    """The desk's rules (`over_rows.Rules`), with the rows of each account decoded once for all events."""

    def __init__(self, items: int = 1) -> None:
        """`items`: about how many will come."""
        self._counts: defaultdict[tuple[str, str], int] = defaultdict(lambda: items)
        self._run: DeskRun | None = None

    def apply(self, event: Any, at: Arrival, rows: Any, out: Outbox) -> None:
        """Apply an event to rows; what accounts know is written where an event is for all of them."""
        if not isinstance(event, CLASSES):
            if self._run is not None:
                self._run.write()
                self._run = None
            apply(event, at, rows, out)
            return
        if self._run is None:
            self._run = DeskRun(rows, at, self._counts)
        self._run.apply(event, at.recorded_at)
        out.items += self._run.out.items
        self._run.out.items.clear()


def over_desk(weights: Weights | None = None, items: int = 1) -> OverRows:
    """Return the desk as a stream over files. `weights`: instead of the default ones."""
    first = [] if weights is None else [published(weights)]
    return OverRows(DeskAtOnce(items), DAYS_AFTER, ticks, first)


def published(weights: Weights) -> ev.MatchingWeightsPublished:
    """Return the event by which weights are in use from the beginning."""
    return ev.MatchingWeightsPublished(
        event_id="weights",
        tenant_id=TENANT,
        occurred_at=0,
        correlation_id="weights",
        causation_id=None,
        role="LIVE",
        of_tenant=TENANT,
        weights=weights.canonical().decode(),
        sha256=weights.hash(),
        effective_from=0,
    )


def ticks(at_us: int) -> Iterator[ev.BranchTicked]:
    """Yield the event that says that a time has come."""
    yield ev.BranchTicked(
        event_id=f"tick-{at_us}",
        tenant_id=TENANT,
        occurred_at=at_us,
        correlation_id="tick",
        causation_id=None,
        account_id="$branch",
        branch=0,
    )
