"""What is remembered of an account that pays, and how a payment is counted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from pipeline.verify.model.fraud_habits import Habits
from pipeline.verify.model.fraud_windows import DAY_S, HOUR_S, Buckets, Remembered, added

NEAR_BUCKET_S = 6 * HOUR_S
NOTHING = 2**63
"""The smallest amount of a bucket without one."""
LATEST_S = 2**40
"""Later times count as this one, and those of 1970's first second and before as 1."""
DEVICES_KEPT, COUNTRIES_KEPT = 8, 8


class Payment(NamedTuple):
    """A payment as the features see it."""

    at_s: int
    debtor: int
    payee: int
    device: int
    country: int
    currency: str
    minor: int
    digits: int
    """Decimals of its currency."""
    amount: int | None
    """In EUR."""
    opened_s: int | None

    @property
    def is_round(self) -> bool:
        return not self.minor % int(10 ** (self.digits + 1))


@dataclass(slots=True)
class Payer:
    """What was asked for by an account; its habits are approved payments alone."""

    began_s: int | None = None
    newest_s: int | None = None
    probe_s: int | None = None
    frauds: int = 0
    rings: dict[int, Buckets] = field(
        default_factory=lambda: {
            5: Buckets(5, 16),
            300: Buckets(300, 16),
            HOUR_S: Buckets(HOUR_S, 32),
            DAY_S: Buckets(DAY_S, 40),
        }
    )
    near: Buckets = field(default_factory=lambda: Buckets(NEAR_BUCKET_S, 32))
    payees: Remembered = field(default_factory=lambda: Remembered(32))
    devices: Remembered = field(default_factory=lambda: Remembered(DEVICES_KEPT))
    countries: Remembered = field(default_factory=lambda: Remembered(COUNTRIES_KEPT))
    habits: Habits = field(default_factory=Habits)


@dataclass(slots=True)
class Pair:
    """Payments of a debtor to a payee."""

    count: int = 0
    total: int = 0
    first_s: int = 0
    last_s: int = 0
    approved: int = 0


def count(payment: Payment, payer: Payer, pair: Pair, near: bool) -> None:
    """Count a payment in all windows of its debtor."""
    at_s, amount = payment.at_s, payment.amount or 0
    for ring in payer.rings.values():
        bucket = ring.of(at_s, 3)
        bucket[2] = NOTHING if not bucket[0] else bucket[2]
        bucket[0] += 1
        bucket[1] = added(bucket[1], amount)
        bucket[2] = bucket[2] if payment.amount is None else min(bucket[2], amount)
    if near:
        bucket = payer.near.of(at_s, 2)
        bucket[0] += 1
        bucket[1] = added(bucket[1], amount)
    pair.first_s = min(pair.first_s, at_s) if pair.count else at_s
    pair.last_s = max(pair.last_s, at_s) if pair.count else at_s
    pair.count += 1
    pair.total = added(pair.total, amount)
    known_before = payment.payee in payer.payees.first_s
    payer.payees.note(payment.payee, at_s, sketched=True)
    if not known_before and payment.payee in payer.payees.first_s:
        payer.payees.first_s[payment.payee] = pair.first_s
    if payment.device:
        payer.devices.note(payment.device, at_s)
    if payment.country:
        payer.countries.note(payment.country, at_s)
    payer.newest_s = max(at_s, payer.newest_s or at_s)


@lru_cache(100_000)
def id63(text: str) -> int:
    """Return an id as the states keep it: 63 bits of BLAKE2b, never 0."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1 or 1
