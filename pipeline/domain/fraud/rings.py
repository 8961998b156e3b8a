"""Rings of buckets by event time: the payments of the last minute, hour, day and week, and their sum.

A window ends with the bucket of the newest payment, which is under way, so it is never longer than its name
says and at most one bucket shorter. Bucket b is at place b modulo their number.
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
"""By size: nothing in any bucket, as it stands in a row."""


def _alone(size: int, place: int) -> tuple[msgspec.Raw, bytes, bytes]:
    """Return one payment at a place as it stands in a row: the counts, and what is around its sum."""
    empty = _EMPTY_ROW[size]
    at = len(empty) - size + place
    return msgspec.Raw(empty[:at] + b"\1" + empty[at + 1 :]), empty[:at], empty[at + 1 :]


_ALONE = {size: [_alone(size, place) for place in range(size)] for _, size in BUCKETS}
"""By size and place."""


class Ring(msgspec.Struct, array_like=True, gc=False):
    """Counts and sums of the last buckets of equal length; bucket b is at place b modulo their number.

    They stay as they are in the row until they are looked at: most payments come so long after the one before
    that the shorter rings are emptied unseen, and hold that one payment then.
    """

    packed_counts: msgspec.Raw
    """As `packed_sums`, a list once it was looked at."""
    packed_sums: msgspec.Raw
    newest: int = 0

    @property
    def counts(self) -> list[int]:
        """How many payments, by place; may be changed."""
        if type(self.packed_counts) is msgspec.Raw:
            self.packed_counts = _DECODE_INTEGERS(self.packed_counts)  # type: ignore[assignment]
        return self.packed_counts  # type: ignore[return-value]

    @property
    def sums(self) -> list[int]:
        """The sum of their amounts, by place; may be changed."""
        if type(self.packed_sums) is msgspec.Raw:
            self.packed_sums = _DECODE_INTEGERS(self.packed_sums)  # type: ignore[assignment]
        return self.packed_sums  # type: ignore[return-value]

    def roll(self, bucket: int, size: int) -> None:
        """Make `bucket` the newest of `size`, unless it is older; buckets that fall out become empty."""
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
        """Whether the bucket is not older than the ring."""
        return bucket > self.newest - size

    def add(self, bucket: int, size: int, amount_minor: int) -> None:
        """Count an amount in its bucket, which must not be newer than the newest; too old a one is not."""
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
    """Return a ring of so many buckets, one of the numbers in BUCKETS."""
    return Ring(_EMPTY[size], _EMPTY[size])
