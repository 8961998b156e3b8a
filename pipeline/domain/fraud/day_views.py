"""The view of a tenant's days: what shadow rules and a shadow model would have done, and drift."""

from __future__ import annotations

from pipeline.domain.fraud.day_rows import DAY_ROW, read_day
from pipeline.domain.fraud.state_rows import PAYER_ROW
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.kernel.views import TENANT_PAGE, Row, Tables, TableView, ViewPage, time_text


def _day(tables: Tables, key: tuple[str, ...], value: bytes) -> Row:
    tenant_id, day, partition = key
    known = read_day(value)
    shadow, live = known.shadow, known.live
    moved = None if live is None or live.moved is None else live.moved
    return {
        "tenant_id": tenant_id,
        "day": time_text(int(day) * MICROSECONDS_PER_DAY),
        "partition": int(partition),
        "is_over": known.is_over,
        "shadow_rules": [
            {"rule": one.label, "fired": one.fired, "alerts_added": one.added} for one in known.rules
        ],
        "shadow_model": None if shadow is None else shadow.name,
        "shadow_payments": None if shadow is None else shadow.payments,
        "shadow_alerts": None if shadow is None else shadow.alerts,
        "alerts_added": None if shadow is None else shadow.added,
        "alerts_lost": None if shadow is None else shadow.lost,
        "live_model": None if live is None else live.name,
        "live_payments": None if live is None else live.payments,
        "moved": None if moved is None else [{"feature": name, "psi_bp": bp} for name, bp in moved],
    }


DAYS = TableView(
    name="fraud-days",
    table="fraud",
    family=DAY_ROW.family,
    key=("tenant_id", "day", "partition"),
    columns=(
        *("tenant_id", "day", "partition", "is_over", "shadow_rules", "shadow_model", "shadow_payments"),
        *("shadow_alerts", "alerts_added", "alerts_lost", "live_model", "live_payments", "moved"),
    ),
    show=_day,
    pages=(
        ViewPage(
            TENANT_PAGE,
            "What rules and models in shadow would have done, by day, and how payments have moved",
        ),
    ),
    marker=PAYER_ROW.family,
)
