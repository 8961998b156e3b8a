"""Fraud streams that are broken on purpose: each must be found beside the judge's model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.domain.fraud import alert_rows, receipt_work
from pipeline.domain.fraud.deciding import deciding, in_force
from pipeline.domain.fraud.deciding.models import Fitted, Models
from pipeline.domain.fraud.expressions import compiled
from pipeline.domain.fraud.features import by_column, by_row, paying
from pipeline.domain.fraud.features.bounds import MISSING
from pipeline.domain.fraud.model.drift import Spread

Set = Callable[[Any, str, Any], None]
"""Sets an attribute of a module or a class: `setattr`, or what can take it back."""


def look_ahead_label(patch: Set) -> None:
    """Take the frauds of a payee into account up to the payment, before their labels can be known."""
    patch(paying, "DELAY_DAYS", 0)


def window_at_newest(patch: Set) -> None:
    """Hang windows on the newest bucket, not on the payment."""
    window = by_row.window

    def newest(m: Any, ring: Any, at_s: int, buckets: int, ago: int = 0) -> Any:
        last = max(m[ring.at : ring.at + ring.slots])
        return window(m, ring, max(last - 1, 0) * ring.bucket_s, buckets, ago)

    patch(by_row, "window", newest)
    many = by_column.window

    def newest_of_many(m: Any, ring: Any, at_s: Any, buckets: int, ago: int = 0) -> Any:
        last = m[ring.at : ring.at + ring.slots].max(axis=0)
        return many(m, ring, (last - 1).clip(0) * ring.bucket_s, buckets, ago)

    patch(by_column, "window", newest_of_many)


def risk_not_broadcast(patch: Set) -> None:
    """Keep cards of payees to itself."""
    patch(receipt_work.ReceiptWork, "told", lambda self: [])


def other_model_than_named(patch: Set) -> None:
    """Let the model score that was made first, whichever one is named."""
    made: list[Fitted] = []
    at, score, scores = Models.at, deciding._score, deciding._scores

    def noted(self: Any, role: str, tenant_id: str, at_us: int) -> Fitted | None:
        found = at(self, role, tenant_id, at_us)
        if found is not None and role == "LIVE":
            made.append(found)
        return found

    patch(Models, "at", noted)
    patch(deciding, "_score", lambda model, of: score(made[0] if model in made else model, of))
    patch(deciding, "_scores", lambda model, of: scores(made[0] if model in made else model, of))


def list_ignored(patch: Set) -> None:
    """Find nobody on a list."""
    for module in (compiled, in_force):
        patch(module, "entries_of", lambda one: {})


def alert_lost(patch: Set) -> None:
    """Lose each tenth alert."""
    add, count = alert_rows.Alerts.add, [0]

    def lossy(*about: Any) -> str | None:
        alert_id = add(*about)
        count[0] += 1
        return alert_id if count[0] % 10 else None

    patch(alert_rows.Alerts, "add", lossy)


def drift_of_nothing(patch: Set) -> None:
    """Count no value of features, but the score alone."""
    counts = Spread.counts

    def of_score(self: Any, columns: Any, scores: Any) -> Any:
        return counts(self, np.full_like(columns, MISSING), scores)

    patch(Spread, "counts", of_score)


def shadow_alone(patch: Set) -> None:
    """Compare a shadow rule's points with what makes an alert, without those of the rules that count."""
    alerts = compiled.CompiledRules.alerts
    patch(
        compiled.CompiledRules,
        "alerts",
        lambda self, label, points, excused, least: alerts(self, label, points * 0, excused, least),
    )


MUTANTS = (
    look_ahead_label,
    window_at_newest,
    risk_not_broadcast,
    other_model_than_named,
    list_ignored,
    alert_lost,
    drift_of_nothing,
    shadow_alone,
)
