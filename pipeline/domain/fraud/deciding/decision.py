"""What is decided about one payment."""

from __future__ import annotations

import msgspec

APPROVE, REVIEW, DECLINE = "APPROVE", "REVIEW", "DECLINE"
OUTCOMES = (APPROVE, REVIEW, DECLINE)
"""By their rank."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What is decided about one payment."""

    rank: int
    """Of the outcome, in OUTCOMES."""
    score_bp: int
    """0 to 10,000."""
    points: int
    """Of the rules, 0 to 100."""
    live_bp: int
    """What the models say, basis points; MISSING without one."""
    shadow_bp: int
    anomaly_bp: int
    shadow_rank: int
    """Of the outcome, if the shadow model were the live one; the same as `rank` without one."""
    noted: bool
    """Whether rules fired that do not count."""
    beside: tuple[tuple[str, bool], ...] = ()
    """Of the rules in state shadow that fired, by label: whether they alone would make an alert of it."""

    @property
    def outcome(self) -> str:
        """APPROVE, REVIEW or DECLINE."""
        return OUTCOMES[self.rank]
