"""The profile of a debtor: a row of bounded size, however many payments there are.

    attempts    every requested payment: count and sum by window, payees, devices and countries seen
    habits      only approved payments (at once or by a reviewer): known payees, devices, countries; amounts

Habits are separate from attempts, so that a fraudster cannot make a payee known by trying.

Windows are rings of buckets (`rings`). A payment out of order is counted in its own bucket. A payment older
than a ring is not counted in that ring; one older than the longest ring (seven days) is only counted in
`too_late`. Ids are stored as 64-bit hashes, so that their size is fixed. All times are whole seconds UTC of
event time.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import msgspec

from pipeline.domain.fraud.rings import (
    BUCKETS,
    DAY,
    DAY_BUCKET_S,
    DAY_BUCKETS,
    WEEK,
    WEEK_BUCKET_S,
    WEEK_BUCKETS,
    Ring,
    empty_ring,
)
from pipeline.domain.fraud.settings import DEVICES_KEPT, PAYEES_KEPT
from pipeline.domain.kernel.layouts import RowKind, unpacker
from pipeline.domain.kernel.money import INT64_MAX
from pipeline.domain.kernel.rows import row_key

FAMILY = "f"
PROFILE_ROW = RowKind("fraud", "profile", FAMILY)

COUNTRIES_KEPT = 8

_ROLLING = (*BUCKETS, BUCKETS[DAY])
"""Buckets of the windows, and of the amounts near the threshold."""

AMOUNT_MAX = 10**15
"""The statistics count larger amounts as this one, so that the sums fit into 64 bits."""
AMOUNTS_MAX = 256
"""At this number of amounts number and sums are halved: older amounts weigh less, and sums stay bounded."""


def id64(text: str) -> int:
    """Return a 64-bit hash of an id."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


class Attempt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A payment as the rules see it."""

    at_s: int
    amount_minor: int
    payee: int
    device: int | None
    country: str | None
    """At most 8 characters, upper case."""

    @property
    def country_id(self) -> int | None:
        """The country as a number, as `Memory` stores it; None: the payment names none."""
        return None if self.country is None else country_id(self.country)


@lru_cache(maxsize=1024)
def country_id(country: str) -> int:
    """Return a country (at most 8 characters) as a number, as `Memory` stores it."""
    return int.from_bytes(country.encode()[:8], "big")


class Memory(msgspec.Struct, array_like=True, gc=False):
    """The most recently used ids, by event time; among equally old ids the smaller one is forgotten first.

    The lists are parallel: one element for each id.
    """

    ids: list[int]
    first_s: list[int]
    last_s: list[int]
    known: list[bool]

    def knows(self, key: int) -> bool:
        """Whether an approved payment used this id."""
        return key in self.ids and self.known[self.ids.index(key)]

    def see(self, key: int, at_s: int, kept: int) -> None:
        """Note that a payment used this id; beyond `kept` ids the least recently used one is forgotten."""
        if key in self.ids:
            place = self.ids.index(key)
            if at_s > self.last_s[place]:
                self.last_s[place] = at_s
            elif at_s < self.first_s[place]:
                self.first_s[place] = at_s
        elif len(self.ids) < kept:
            self.ids.append(key)
            self.first_s.append(at_s)
            self.last_s.append(at_s)
            self.known.append(False)
        else:
            oldest_s, oldest = min(zip(self.last_s, self.ids, strict=True))
            if (oldest_s, oldest) < (at_s, key):
                place = self.ids.index(oldest)
                self.ids[place], self.known[place] = key, False
                self.first_s[place] = self.last_s[place] = at_s

    def learn(self, key: int) -> None:
        """Note that a payment with this id was approved; nothing happens if the id is forgotten."""
        if key in self.ids:
            self.known[self.ids.index(key)] = True

    def distinct(self, key: int, times_s: list[int], after_s: int) -> int:
        """Return how many ids have a time (one of the lists) after `after_s`, `key` always among them."""
        found = len([at_s for at_s in times_s if at_s > after_s])
        if key in self.ids and times_s[self.ids.index(key)] > after_s:
            return found
        return found + 1


def _rings() -> list[Ring]:
    return [empty_ring(size) for _, size in BUCKETS]


def _day_ring() -> Ring:
    return empty_ring(DAY_BUCKETS)


def _memory() -> Memory:
    return Memory([], [], [], [])


class Profile(msgspec.Struct, array_like=True, gc=False):
    """The profile of a debtor, as its row stores it."""

    rings: list[Ring] = msgspec.field(default_factory=_rings)
    """Per minute, hour, day and week."""
    near_threshold: Ring = msgspec.field(default_factory=_day_ring)
    """Amounts just under the reporting threshold, per day."""
    payees: Memory = msgspec.field(default_factory=_memory)
    devices: Memory = msgspec.field(default_factory=_memory)
    countries: Memory = msgspec.field(default_factory=_memory)
    newest_s: int = 0
    attempts: int = 0
    too_late: int = 0
    probe_s: int | None = None
    """The time of the newest very small amount (a possible test payment)."""

    approved: int = 0
    approved_s: int | None = None
    """The time of the newest approved payment."""
    country: str | None = None
    country_s: int | None = None
    """Country and time of the newest approved payment that names a country."""
    amounts: int = 0
    amounts_sum: int = 0
    squares_high: int = 0
    squares_low: int = 0
    """The sum of the squared amounts, in two parts of 63 bits: too large for one integer of the row."""

    def is_too_late(self, at_s: int) -> bool:
        """Whether a payment of that time is older than the longest window."""
        return not self.rings[WEEK].holds(at_s // WEEK_BUCKET_S, WEEK_BUCKETS)

    def roll(self, at_s: int) -> None:
        """Move the windows forward to this time; nothing happens for an earlier time."""
        for (seconds, size), ring in zip(_ROLLING, (*self.rings, self.near_threshold), strict=True):
            if at_s // seconds > ring.newest:
                ring.roll(at_s // seconds, size)

    def add(self, attempt: Attempt, *, near_threshold: bool, probe: bool) -> None:
        """Count a requested payment; `roll` must have been called with its time."""
        at_s, amount = attempt.at_s, attempt.amount_minor
        if self.is_too_late(at_s):
            self.too_late += 1
            return
        self.attempts += 1
        self.newest_s = max(self.newest_s, at_s)
        for (seconds, size), ring in zip(BUCKETS, self.rings, strict=True):
            ring.add(at_s // seconds, size, amount)
        if near_threshold:
            self.near_threshold.add(at_s // DAY_BUCKET_S, DAY_BUCKETS, amount)
        if probe:
            self.probe_s = at_s if self.probe_s is None else max(self.probe_s, at_s)
        self.payees.see(attempt.payee, at_s, PAYEES_KEPT)
        if attempt.device is not None:
            self.devices.see(attempt.device, at_s, DEVICES_KEPT)
        country = attempt.country_id
        if country is not None:
            self.countries.see(country, at_s, COUNTRIES_KEPT)

    def learn(self, attempt: Attempt) -> None:
        """Add an approved payment to the debtor's habits."""
        at_s = attempt.at_s
        self.approved += 1
        if self.approved_s is None or at_s > self.approved_s:
            self.approved_s = at_s
        self.payees.learn(attempt.payee)
        if attempt.device is not None:
            self.devices.learn(attempt.device)
        country = attempt.country_id
        if country is not None:
            self.countries.learn(country)
            if self.country_s is None or at_s >= self.country_s:
                self.country, self.country_s = attempt.country, at_s
        self._learn_amount(min(attempt.amount_minor, AMOUNT_MAX))

    @property
    def squares(self) -> int:
        """The sum of the squared amounts."""
        return (self.squares_high << 63) | self.squares_low

    def _learn_amount(self, amount: int) -> None:
        squares = self.squares + amount * amount
        self.amounts += 1
        self.amounts_sum += amount
        if self.amounts >= AMOUNTS_MAX:
            self.amounts //= 2
            self.amounts_sum //= 2
            squares //= 2
        self.squares_high, self.squares_low = squares >> 63, squares & INT64_MAX


_unpack_profile = unpacker(PROFILE_ROW, Profile)


def profile_key(tenant_id: str, account_id: str) -> bytes:
    """Return the key of a debtor's profile."""
    return row_key(FAMILY, tenant_id, account_id)


def read_profile(row: bytes | None) -> Profile:
    """Return the profile in a row, an empty one where there is no row. Raises UnreadableRow."""
    return Profile() if row is None else _unpack_profile(row)


def pack_profile(profile: Profile) -> bytes:
    """Return the row of a profile."""
    return PROFILE_ROW.pack(profile)
