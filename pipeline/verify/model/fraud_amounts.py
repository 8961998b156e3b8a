"""Amounts that can be compared: minor units of EUR, by the rate of the payment's time."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

AMOUNT_MAX = 10**12
RATE_UNIT = 10**9


@dataclass
class EuroRates:
    """Minor units of EUR for 10**9 minor units of a currency, from a time on."""

    times: dict[str, list[int]] = field(default_factory=dict)
    worth: dict[str, dict[int, int]] = field(default_factory=dict)

    def add(self, currency: str, from_s: int, worth_e9: int) -> None:
        """Let a rate hold from a time on; of two for one time the later one holds."""
        known = self.worth.setdefault(currency, {})
        known[from_s] = worth_e9
        self.times[currency] = sorted(known)

    def euros(self, currency: str, minor: int, at_s: int) -> int | None:
        """Return an amount in minor units of EUR; None without a rate."""
        if currency == "EUR":
            return min(minor, AMOUNT_MAX)
        times = self.times.get(currency, [])
        place = bisect_right(times, at_s)
        if not place:
            return None
        return min(minor * self.worth[currency][times[place - 1]] // RATE_UNIT, AMOUNT_MAX)
