"""Quotas: how many payments a tenant may initiate, by a token bucket for each tenant and partition.

    q tenant -> tokens, time of the newest payment

A bucket fills at the tenant's rate, divided by the number of partitions, up to its share of the burst. Each
payment takes one token; without a token it is refused. Linked payments take a token each, or all are refused:
a link of more payments than a full bucket holds is never allowed. Everything is integer arithmetic: a
unit of the bucket is 1 / (1,000,000 x partitions) of a payment, so a microsecond adds exactly as many units
as payments are allowed a second.

The time of a bucket never goes back. It is the payment's `occurred_at`, but never later than its record, and
never more than `LATENESS_MAX_US` before it. Otherwise a file of old payments, sent at once, would earn tokens
for every second of the past, and the quota would not limit this burst.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from pipeline.domain.kernel.layouts import RowKind
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.tenants.settings import UNRESTRICTED, Tenant, Tenants

FAMILY = "q"
BUCKET_ROW = RowKind("fraud", "quota", FAMILY)
"""The buckets are in the table of the fraud stream, which reads the initiated payments."""
LATENESS_MAX_US = 10_000_000
_PAYMENT_UNITS = 1_000_000
"""Units of one payment if there is one partition; times the number of partitions otherwise."""
_ROW = struct.Struct(">Bqq")


class Bucket(NamedTuple):
    """A tenant's token bucket on one partition."""

    units: int
    at_us: int


def bucket_key(tenant_id: str) -> bytes:
    """Return the key of a tenant's bucket."""
    return row_key(FAMILY, tenant_id)


def pack_bucket(bucket: Bucket) -> bytes:
    """Return the row of a bucket."""
    return _ROW.pack(BUCKET_ROW.layout, *bucket)


def read_bucket(row: bytes | None) -> Bucket | None:
    """Return the bucket of a row. Raises UnreadableRow."""
    return None if row is None else Bucket(*BUCKET_ROW.unpacked(_ROW, row))


def event_time(occurred_at: int, recorded_at: int) -> int:
    """Return the time of a payment for its bucket; all times are microseconds UTC."""
    return min(max(occurred_at, recorded_at - LATENESS_MAX_US), recorded_at)


def take_token(
    bucket: Bucket | None, tenant: Tenant, at_us: int, partitions: int, payments: int = 1
) -> tuple[Bucket, bool]:
    """Return the bucket after payments, and whether it had a token for each of them.

    `bucket` None: the tenant's first payment; its bucket is full. `at_us`: `event_time` of the payment. A
    bucket holds at least one payment: otherwise a small burst over many partitions would let no payment pass.
    """
    rate = tenant.payments_per_second
    assert rate is not None
    burst = rate if tenant.burst is None else tenant.burst
    full, price = max(burst, partitions) * _PAYMENT_UNITS, payments * partitions * _PAYMENT_UNITS
    units, now = full, at_us
    if bucket is not None:
        now = max(at_us, bucket.at_us)
        units = min(full, bucket.units + (now - bucket.at_us) * rate)
    if units < price:
        return Bucket(units, now), False
    return Bucket(units - price, now), True


class Gate:
    """Admission control of payments by tenant settings and quotas; holds no state of its own."""

    def __init__(self, tenants: Tenants | None = None) -> None:
        self._tenants = tenants or UNRESTRICTED
        self.open = self._tenants == UNRESTRICTED
        """Whether no tenant is restricted, so that `refusal` need not be called."""

    def review_may_need_two(self, tenant_id: str, amount_minor: int) -> bool:
        """Whether two people may have to approve a held payment: one that reads a review does not know."""
        return self._tenants.review_may_need_two(tenant_id, amount_minor)

    def refusal(
        self,
        tenant_id: str,
        occurred_at: int,
        recorded_at: int,
        partitions: int,
        rows: Rows,
        payments: int = 1,
    ) -> str | None:
        """Return the result code if payments may not be initiated, None if they may; count them in the quota.

        `payments`: how many there are in a link; it takes a token for each, or none.
        """
        tenant = self._tenants.of(tenant_id)
        if tenant.closed:
            return "tenant_closed"
        if tenant.payments_per_second is None:
            return None
        key = bucket_key(tenant_id)
        at_us = event_time(occurred_at, recorded_at)
        bucket, allowed = take_token(read_bucket(rows.get(key)), tenant, at_us, partitions, payments)
        rows.put(key, pack_bucket(bucket))
        return None if allowed else "quota_exceeded"
