"""What the rules' points come to."""

from __future__ import annotations

import msgspec


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """From how many points of the rules a payment is reviewed, and declined."""

    review_score_min: int = 50
    decline_score_min: int = 80

    def __post_init__(self) -> None:
        if not 1 <= self.review_score_min <= self.decline_score_min <= 100:
            raise ValueError("1 <= review_score_min <= decline_score_min <= 100 must hold")
