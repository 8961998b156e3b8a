"""The settings of the fraud stream; what decides comes by events."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from pipeline.domain.fraud.deciding.settings import Thresholds
from pipeline.domain.fraud.terms import DECISIONS_KEPT_DAYS
from pipeline.domain.kernel.settings import ConceptSettings

_DEFAULT = Thresholds()


class FraudSettings(ConceptSettings, frozen=True):
    """What rules' points come to, and how long decisions are kept."""

    gone: ClassVar[dict[str, str]] = {
        "fraud_rules_file": "fraud rules are events now, `ledgerflow rules publish FILE`; the points of a"
        " review and a refusal are LEDGERFLOW_FRAUD_REVIEW_SCORE_MIN and LEDGERFLOW_FRAUD_DECLINE_SCORE_MIN"
    }
    fraud_review_score_min: Annotated[
        int, Meta(ge=1, le=100, description="Points of the fraud rules from which a payment is reviewed.")
    ] = _DEFAULT.review_score_min
    fraud_decline_score_min: Annotated[
        int,
        Meta(ge=1, le=100, description="Points from which it is declined; not below those of a review."),
    ] = _DEFAULT.decline_score_min
    fraud_decisions_kept_days: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000,
            description="Days of event time in which labels of a payment count; at least those of ids.",
        ),
    ] = DECISIONS_KEPT_DAYS


SETTINGS = FraudSettings
