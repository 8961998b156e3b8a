"""What the fraud stream goes by: thresholds, times, admission, and what it has compiled."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.fraud.account_rows import RatesOfTenants
from pipeline.domain.fraud.deciding.in_force import Deciders, InForce
from pipeline.domain.fraud.deciding.settings import Thresholds
from pipeline.domain.fraud.features.tables import THRESHOLD
from pipeline.domain.fraud.publishing.in_use import Publications
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from pipeline.domain.tenants.quotas import Gate

CLOCKS_DIFFER_US = 3_600 * MICROSECONDS_PER_SECOND
AHEAD_US = 300 * MICROSECONDS_PER_SECOND
"""How far a command may be ahead of its record, as the ledger has it where nothing else is set."""
DECISIONS_KEPT_DAYS = 120
"""How long a decision is kept for labels."""


class Terms:
    """What a stream goes by; holds no state of its own, and keeps what it has compiled."""

    def __init__(
        self,
        deciders: Callable[[Rows], Deciders] | None = None,
        thresholds: Thresholds | None = None,
        gate: Gate | None = None,
        windows: Windows | None = None,
        ahead_us: int | None = AHEAD_US,
        decisions_kept_days: int = DECISIONS_KEPT_DAYS,
        near_threshold_minor: int = THRESHOLD,
    ) -> None:
        """`deciders`: what is in force by rows; `near_threshold_minor`: the reporting threshold, EUR.

        `ahead_us`: how far a payment that waits may be ahead of its record; None: as far as it is.
        """
        windows = windows or Windows()
        self.deciders = deciders or Publications().deciders
        self.thresholds = thresholds or Thresholds()
        self.gate = gate or Gate()
        self.ahead_us = ahead_us
        self.near_threshold_minor = near_threshold_minor
        self.rates = RatesOfTenants()
        self.window_us = windows.duplicates_days * MICROSECONDS_PER_DAY
        """How long ids are known: a payment id that comes again is a repeat."""
        self.kept_us = max(decisions_kept_days * MICROSECONDS_PER_DAY, self.window_us)
        """How long a decision is kept for labels."""
        self.too_old_us = self.window_us + CLOCKS_DIFFER_US
        """How much older than its tenant's time a payment surely is too old for the ledger."""
        self.alerts_kept_us = windows.both_days * MICROSECONDS_PER_DAY


def named(force: InForce) -> str:
    """Return how a decision names what made it: the sets of rules, the live and the anomaly model."""
    live = "" if force.live is None else f"; model {force.live.name}"
    return f"{force.sets}{live}" + ("" if force.anomaly is None else f"; anomaly {force.anomaly.name}")
