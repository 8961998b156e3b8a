"""Windows of the fraud features: buckets in the order in which they began, ids with first and last time.

What never changes: a window ends with the bucket of the payment that asks, whatever else has been counted. Of
buckets and ids only so many are kept; which one goes is documented, and so are the registers beyond.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
BUCKET_SUM_MAX = 10**17
IDS_KEPT = 32
REGISTERS = 64
CROWDED = 56
"""From so many registers in use on, the sample of one id in 16 speaks."""
FULL = 310
"""What 64 registers in use count as."""


class Buckets:
    """What was counted by buckets of time; a new one takes the place of the one that began longest ago."""

    __slots__ = ("begun", "counted", "kept", "seconds")

    def __init__(self, seconds: int, kept: int) -> None:
        self.seconds, self.kept = seconds, kept
        self.begun = 0
        """How many buckets have begun: each takes the next place, and after the last the first."""
        self.counted: dict[int, list[int]] = {}
        """By the number of the bucket, in the order in which they began."""

    def of(self, at_s: int, width: int) -> list[int]:
        """Return what is counted in the bucket of a time, to be added to."""
        number = at_s // self.seconds
        found = self.counted.get(number)
        if found is None:
            if len(self.counted) == self.kept:
                del self.counted[next(iter(self.counted))]
            found = self.counted[number] = [0] * width
            self.begun += 1
        return found

    def within(self, at_s: int, buckets: int, ago: int = 0) -> list[list[int]]:
        """Return the last so many buckets up to that of a time, or up to so many before it."""
        last = at_s // self.seconds - ago
        return [one for number, one in self.counted.items() if last - buckets < number <= last]


def added(total: int, amount: int) -> int:
    """Return a sum of a bucket, which ends somewhere."""
    return min(total + amount, BUCKET_SUM_MAX)


@dataclass(slots=True)
class Remembered:
    """Ids with their first and last time; of more than `kept` the one that was used longest ago goes."""

    kept: int
    places: list[int] = field(default_factory=list)
    """The ids; a new one takes the place of the one that goes."""
    first_s: dict[int, int] = field(default_factory=dict)
    last_s: dict[int, int] = field(default_factory=dict)
    approved: dict[int, int] = field(default_factory=dict)
    """Approved payments that named the id."""
    registers: dict[int, int] = field(default_factory=dict)
    """When an id of each register in use was last used."""
    sample: dict[int, int] = field(default_factory=dict)
    """The same, of one id in 16."""

    def note(self, key: int, at_s: int, sketched: bool = False) -> None:
        if sketched:
            place = key % 64
            self.registers[place] = max(self.registers.get(place, 0), at_s)
            if key // 64 % 16 == 0:
                place = key // 1024 % 64
                self.sample[place] = max(self.sample.get(place, 0), at_s)
        if key in self.last_s:
            self.first_s[key] = min(self.first_s[key], at_s)
            self.last_s[key] = max(self.last_s[key], at_s)
            return
        if len(self.places) < self.kept:
            self.places.append(key)
        else:
            oldest = min(self.places, key=self.last_s.__getitem__)
            if at_s <= self.last_s[oldest]:
                return
            self.places[self.places.index(oldest)] = key
            self.approved.pop(oldest, None)
            del self.first_s[oldest], self.last_s[oldest]
        self.first_s[key] = self.last_s[key] = at_s

    def between(self, from_s: int, until_s: int) -> int:
        """Return how many ids may have been used from one time to another, the second not included."""
        return sum(last >= from_s and self.first_s[key] < until_s for key, last in self.last_s.items())

    def different(self, from_s: int, until_s: int) -> int:
        """Return how many different ids were used, by the registers where there are more than are kept."""
        exact = self.between(from_s, until_s)
        if exact < self.kept:
            return exact
        used = sum(at_s >= from_s for at_s in self.registers.values())
        counted = linear(used)
        if used >= CROWDED:
            counted = max(counted, 16 * linear(sum(at_s >= from_s for at_s in self.sample.values())))
        return max(exact, counted)


def linear(used: int) -> int:
    """Return how many ids so many of 64 registers stand for (linear counting)."""
    return FULL if used == REGISTERS else round(-REGISTERS * log(1 - used / REGISTERS))
