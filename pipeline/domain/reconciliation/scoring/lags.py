"""How many days a bank takes from a posting's date to the line's booking, counted: of an account, of a party.

The usual lag is the median of the confirmed pairs; an item is due after the 99th percentile and a day. Until
enough pairs are known, the usual lag is none and the wait the longest. Counts are halved when they are many,
so that a bank that has become slower or faster is followed.
"""

from __future__ import annotations

DAYS_MAX = 45
"""Longer lags are counted as this one."""
KNOWN_FROM = 20
"""Pairs from which on a usual lag is known."""
WAIT_KNOWN_FROM = 200
"""Pairs from which on a 99th percentile is known."""
COUNTED_MAX = 4_000
"""With so many pairs all counts are halved."""
LONGEST_WAIT_DAYS = 31
"""How long an item waits while its account's percentile is not known."""

Lags = tuple[int, ...]
"""How many confirmed pairs had each lag, from 0 days to DAYS_MAX."""

NO_LAGS: Lags = (0,) * (DAYS_MAX + 1)


def with_lag(lags: Lags, days: int) -> Lags:
    """Return the lags with one more confirmed pair; a line that came first counts as 0 days."""
    at = min(max(days, 0), DAYS_MAX)
    counted = [*lags]
    counted[at] += 1
    return tuple([one // 2 for one in counted] if sum(counted) >= COUNTED_MAX else counted)


def usual_lag(lags: Lags, or_else: int = 0) -> int:
    """Return the median lag in days; another one (for a party: the account's) while few pairs are known."""
    return _quantile(lags, 50) if sum(lags) >= KNOWN_FROM else or_else


def wait_days(lags: Lags) -> int:
    """Return after how many days an item is due: the 99th percentile of the lags and a day."""
    return _quantile(lags, 99) + 1 if sum(lags) >= WAIT_KNOWN_FROM else LONGEST_WAIT_DAYS


def _quantile(lags: Lags, percent: int) -> int:
    total, below = sum(lags), 0
    for days, count in enumerate(lags):
        below += count
        if 100 * below >= percent * total:
            return days
    return DAYS_MAX
