"""What the fraud stream remembers of a debtor: payments asked for, and habits of the approved ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.verify.model.fraud_settings import SETTINGS, WINDOWS
from pipeline.verify.model.wire import (
    LAYOUT,
    LONG_MAX,
    msgpack,
)

PAYEES_KEPT, DEVICES_KEPT, COUNTRIES_KEPT = 32, 8, 8
AMOUNT_MAX, AMOUNTS_MAX = 10**15, 256
"""The statistics take no larger amount, and halve their sums at so many amounts."""


class Payment(NamedTuple):
    """A payment as the rules see it; ids as `hash_of` makes them."""

    at_s: int
    amount: int
    payee: int
    device: int | None
    country: str | None

    @property
    def country_id(self) -> int | None:
        """Return the first eight bytes of the country as a number: how it is remembered."""
        return None if self.country is None else int.from_bytes(self.country.encode()[:8], "big")


@dataclass
class Seen:
    """A payee, device or country that payments have named."""

    key: int
    first_s: int
    last_s: int
    approved: bool = False


@dataclass
class Debtor:
    """What is known of a debtor: all payments asked for, and the habits of the approved ones."""

    clock_s: int = 0
    """The newest event time; starts in 1970."""
    asked: list[tuple[int, int]] = field(default_factory=list)
    """Time and amount of each payment of the last seven days."""
    attempts: int = 0
    too_late: int = 0
    probe_s: int | None = None
    payees: list[Seen] = field(default_factory=list)
    devices: list[Seen] = field(default_factory=list)
    countries: list[Seen] = field(default_factory=list)

    approved: int = 0
    approved_s: int | None = None
    country: str | None = None
    country_s: int | None = None
    amounts: int = 0
    amounts_sum: int = 0
    squares: int = 0

    def start_s(self, window: str) -> int:
        """Return where a window begins; it ends with the bucket of the newest payment."""
        _, seconds, buckets = WINDOWS[window]
        return (self.clock_s // seconds - buckets + 1) * seconds

    def covers(self, window: str, at_s: int) -> bool:
        """Whether a time is in a window, or later."""
        return at_s >= self.start_s(window)

    def within(self, window: str) -> list[tuple[int, int]]:
        """Return the payments in a window."""
        start_s = self.start_s(window)
        return [one for one in self.asked if one[0] >= start_s]

    def remembered(self, payment: Payment) -> list[tuple[list[Seen], int, int]]:
        """Return where the payee, device and country of a payment are kept, their ids, and how many stay."""
        places = (
            (self.payees, payment.payee, PAYEES_KEPT),
            (self.devices, payment.device, DEVICES_KEPT),
            (self.countries, payment.country_id, COUNTRIES_KEPT),
        )
        return [(seen, key, kept) for seen, key, kept in places if key is not None]

    def ask(self, payment: Payment) -> None:
        """Count a payment that was asked for."""
        if not self.covers("week", payment.at_s):
            self.too_late += 1
            return
        self.attempts += 1
        self.asked = [*self.within("week"), (payment.at_s, payment.amount)]
        if payment.amount < SETTINGS["probe_amount_below_minor"]:
            self.probe_s = payment.at_s if self.probe_s is None else max(self.probe_s, payment.at_s)
        for seen, key, kept in self.remembered(payment):
            note(seen, key, payment.at_s, kept)

    def learn(self, payment: Payment) -> None:
        """Make an approved payment a habit."""
        at_s = payment.at_s
        self.approved += 1
        self.approved_s = at_s if self.approved_s is None else max(self.approved_s, at_s)
        for seen, key, _ in self.remembered(payment):
            for one in seen:
                one.approved |= one.key == key
        if payment.country is not None and (self.country_s is None or at_s >= self.country_s):
            self.country, self.country_s = payment.country, at_s
        amount = min(payment.amount, AMOUNT_MAX)
        sums = [self.amounts + 1, self.amounts_sum + amount, self.squares + amount**2]
        self.amounts, self.amounts_sum, self.squares = (
            sums if sums[0] < AMOUNTS_MAX else [each // 2 for each in sums]
        )

    def row(self) -> bytes:
        """Return the debtor's row."""
        near = [one for one in self.within("day") if near_threshold(one[1])]
        rings = [self._ring(window, self.within(window)) for window in WINDOWS]
        memories = [
            [[getattr(one, name) for one in seen] for name in ("key", "first_s", "last_s", "approved")]
            for seen in (self.payees, self.devices, self.countries)
        ]
        asked = [self.clock_s, self.attempts, self.too_late, self.probe_s]
        habits = [self.approved, self.approved_s, self.country, self.country_s]
        sums = [self.amounts, self.amounts_sum, self.squares >> 63, self.squares & LONG_MAX]
        return packed([rings, self._ring("day", near), *memories, *asked, *habits, *sums])

    def _ring(self, window: str, payments: Sequence[tuple[int, int]]) -> list[Any]:
        """Return counts and sums of a window's buckets, bucket b at b modulo their number; and the last b."""
        _, seconds, buckets = WINDOWS[window]
        counts, sums = [0] * buckets, [0] * buckets
        for at_s, amount in payments:
            counts[at_s // seconds % buckets] += 1
            sums[at_s // seconds % buckets] += amount
        return [counts, [min(one, LONG_MAX) for one in sums], self.clock_s // seconds]


def note(seen: list[Seen], key: int, at_s: int, kept: int) -> None:
    """Remember an id; of more than `kept` the one used longest ago goes, the smaller one of equals."""
    for one in seen:
        if one.key == key:
            one.first_s, one.last_s = min(one.first_s, at_s), max(one.last_s, at_s)
            return
    seen.append(Seen(key, at_s, at_s))
    if len(seen) > kept:
        oldest = min(range(len(seen)), key=lambda place: (seen[place].last_s, seen[place].key))
        seen[oldest] = seen[-1]  # the newcomer takes its place, unless it is the oldest itself
        seen.pop()


def near_threshold(amount: int) -> bool:
    """Whether an amount is under the reporting threshold by at most the margin."""
    threshold = SETTINGS["structuring_threshold_minor"]
    return amount < threshold and amount * 100 >= threshold * (100 - SETTINGS["structuring_margin_percent"])


@lru_cache(100_000)
def hash_of(text: str) -> int:
    """Return the 64 bits (BLAKE2b) by which rows keep an id."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def packed(content: Sequence[Any], layout: int = LAYOUT) -> bytes:
    """Return a row: its layout, then its content as MessagePack."""
    return bytes([layout]) + pack(content)


def pack(value: Any) -> bytes:
    """Return lists, texts, integers, truth values and None as MessagePack."""
    if not isinstance(value, list | tuple):
        return msgpack(value)
    size = len(value)
    head = bytes([0x90 | size]) if size < 16 else b"\xdc" + size.to_bytes(2, "big")
    # Most are the zeros of empty buckets, which would take most of the time.
    return head + b"".join([b"\0" if one == 0 and one is not False else pack(one) for one in value])
