"""The settings of now, for topics on which they were never others: what they decide is judged, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pipeline.verify.model.tenants import Tenants
from pipeline.verify.streams import FRAUD, LEDGER, LIFECYCLE, POSITION, RECONCILIATION


class PresentSettings(NamedTuple):
    """What decides beside the log; the defaults are those of the streams."""

    dedupe_window_days: int = 90
    holds_max: int = 1_000
    rate_max_age_seconds: int = 86_400
    rate_tolerance_bp: int = 100
    backdating: str = "book"
    proposal_days: int = 7
    tenants: str = ""
    """The text of the file of tenants."""
    fraud_review_score_min: int = 50
    fraud_decline_score_min: int = 80
    fraud_decisions_kept_days: int = 120
    stuck_after_seconds: int = 3_600
    review_after_seconds: int = 28_800
    reversal_window_days: int = 400

    @property
    def arguments(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the arguments of the models, by stream."""
        tenants = Tenants(self.tenants)
        keep_days = max(self.dedupe_window_days + 1, self.reversal_window_days)
        waiting = dict.fromkeys(("SCHEDULED", "SCREENED", "RESERVED", "AUTHORISED"), self.stuck_after_seconds)
        return {
            FRAUD.table: {
                "tenants": tenants,
                "window_days": self.dedupe_window_days,
                "keep_days": keep_days,
                "labels_days": self.fraud_decisions_kept_days,
                "review_from": self.fraud_review_score_min,
                "decline_from": self.fraud_decline_score_min,
            },
            LEDGER.table: {
                "tenants": tenants,
                "window_days": self.dedupe_window_days,
                "keep_days": keep_days,
                "holds_max": self.holds_max,
                "rate_age_us": self.rate_max_age_seconds * 1_000_000,
                "rate_tolerance_bp": self.rate_tolerance_bp,
                "refuses_past": self.backdating == "refuse",
                "proposal_days": self.proposal_days,
            },
            LIFECYCLE.table: {
                "tenants": tenants,
                "bounds_s": {**waiting, "HELD": self.review_after_seconds},
                "keep_days": keep_days,
            },
            POSITION.table: {"window_days": self.dedupe_window_days, "keep_days": keep_days},
            RECONCILIATION.table: {"tenants": tenants, "keep_days": keep_days},
        }
