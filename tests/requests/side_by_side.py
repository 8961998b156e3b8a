"""The rules of requests beside their model: the first difference, record by record."""

from __future__ import annotations

from typing import Any

from pipeline.verify.model.requests import RequestBranch
from tests.chaos import side_by_side
from tests.ledgers.engines import record_of

FAR_US = 4_000_000_000_000_000


def first_difference(model: RequestBranch, rules: Any, events: list[Any]) -> str | None:
    """Apply events to both, recorded long after they happened; return the first difference, or None."""
    log = [record_of(event, FAR_US, 0, offset) for offset, event in enumerate(events)]
    return side_by_side.first_difference(model, rules, log)
