"""Sliding windows of event time as ring buffers: payments of the last minute, hour, day and week.

A window is divided into buckets of equal length. It ends with the bucket of the newest payment, which is not
full yet, so a window is never longer than its name says and at most one bucket shorter. Bucket b, the number
of the interval since 1970, is stored at index b modulo the number of buckets.
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.money import INT64_MAX

MINUTE, HOUR, DAY, WEEK = 0, 1, 2, 3
BUCKETS = ((5, 12), (300, 12), (3600, 24), (21600, 28))
"""Per window: seconds a bucket, number of buckets. A change needs a new layout of profiles."""
DAY_BUCKET_S, DAY_BUCKETS = BUCKETS[DAY]
WEEK_BUCKET_S, WEEK_BUCKETS = BUCKETS[WEEK]

_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE_INTEGERS = msgspec.msgpack.Decoder(list[int]).decode
_EMPTY_ROW = {size: _ENCODE([0] * size) for _, size in BUCKETS}
_EMPTY = {size: msgspec.Raw(row) for size, row in _EMPTY_ROW.items()}
"""By number of buckets: empty buckets, encoded as in a row."""


def _alone(size: int, place: int) -> tuple[msgspec.Raw, bytes, bytes]:
    """Return an encoded ring with one payment: its counts, and the bytes before and after its sum."""
    empty = _EMPTY_ROW[size]
    at = len(empty) - size + place
    return msgspec.Raw(empty[:at] + b"\1" + empty[at + 1 :]), empty[:at], empty[at + 1 :]


_ALONE = {size: [_alone(size, place) for place in range(size)] for _, size in BUCKETS}
"""By number of buckets and index."""


class Ring(msgspec.Struct, array_like=True, gc=False):
    """Counts and sums of the last buckets; bucket b is at index b modulo their number.

    Both lists are decoded only when they are needed. Most payments come so long after the previous one that
    the shorter rings are just cleared, and then hold only the new payment.
    """

    packed_counts: msgspec.Raw
    """MessagePack of the list, and the list itself once it was decoded; the same for `packed_sums`."""
    packed_sums: msgspec.Raw
    newest: int = 0

    @property
    def counts(self) -> list[int]:
        """The number of payments by index; a list that callers may change."""
        if type(self.packed_counts) is msgspec.Raw:
            self.packed_counts = _DECODE_INTEGERS(self.packed_counts)  # type: ignore[assignment]
        return self.packed_counts  # type: ignore[return-value]

    @property
    def sums(self) -> list[int]:
        """The sum of amounts by index, minor units; a list that callers may change."""
        if type(self.packed_sums) is msgspec.Raw:
            self.packed_sums = _DECODE_INTEGERS(self.packed_sums)  # type: ignore[assignment]
        return self.packed_sums  # type: ignore[return-value]

    def roll(self, bucket: int, size: int) -> None:
        """Make `bucket` the newest of `size` buckets, unless it is older; clear the buckets that drop out."""
        newest = self.newest
        if bucket <= newest:
            return
        self.newest, packed = bucket, self.packed_counts
        if bucket - newest >= size or (type(packed) is msgspec.Raw and bytes(packed) == _EMPTY_ROW[size]):
            self.packed_counts = self.packed_sums = _EMPTY[size]
        else:
            counts, sums = self.counts, self.sums
            for passed in range(newest + 1, bucket + 1):
                counts[passed % size] = sums[passed % size] = 0

    def holds(self, bucket: int, size: int) -> bool:
        """Whether the bucket is not too old for the ring."""
        return bucket > self.newest - size

    def add(self, bucket: int, size: int, amount_minor: int) -> None:
        """Count an amount, minor units, in its bucket, which must not be newer than the newest one.

        A bucket that is too old is ignored.
        """
        if bucket <= self.newest - size:
            return
        place = bucket % size
        if self.packed_counts is _EMPTY[size]:
            self.packed_counts, before, after = _ALONE[size][place]
            self.packed_sums = msgspec.Raw(before + _ENCODE(amount_minor) + after)
            return
        counts, sums = self.counts, self.sums
        counts[place] += 1
        total = sums[place] + amount_minor
        sums[place] = total if total < INT64_MAX else INT64_MAX


def empty_ring(size: int) -> Ring:
    """Return an empty ring of `size` buckets, one of the sizes in BUCKETS."""
    return Ring(_EMPTY[size], _EMPTY[size])
