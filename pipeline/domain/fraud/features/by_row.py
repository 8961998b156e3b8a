"""What features are made of, for one payment: a state is a list of integers.

`by_column` has the same functions for many payments; a property test holds both equal. The rules of the
features (`paying`, `receiving`) are written once, over these.
"""

from __future__ import annotations

from bisect import bisect_right
from math import isqrt
from typing import Any

from pipeline.domain.fraud.features.bounds import COUNTED, CROWDED, FAN_IN_LEVELS, SUM_MAX
from pipeline.domain.fraud.features.layout import FIRST, LAST, SAMPLED, Ids, Ring, Sketch

State = list[int]


def get(m: State, place: int) -> int:
    """Return a value that later changes of the state leave alone."""
    return m[place]


def where(condition: Any, yes: Any, no: Any) -> Any:
    """Return one of two values."""
    return yes if condition else no


def least(a: int, b: int) -> int:
    """Return the smaller one."""
    return a if a < b else b


def most(a: int, b: int) -> int:
    """Return the larger one."""
    return a if a > b else b


def negate(condition: Any) -> bool:
    """Return whether a condition is false."""
    return not condition


def root(x: int) -> int:
    """Return the square root, rounded down."""
    return isqrt(x)


def trailing_zeros(minor: int, scale: int) -> int:
    """Return the zeros at the end of an amount in whole units, at most 9."""
    found = 0
    for _ in range(9):
        scale *= 10
        if minor % scale:
            break
        found += 1
    return found


def ring_add(m: State, ring: Ring, at_s: int, values: tuple[int, ...], when: bool | None = None) -> int:
    """Add values to the fields of a time's bucket; return the bucket's place."""
    if when is False:
        return 0
    number = at_s // ring.bucket_s + 1
    n = ring.slots
    tags = m[ring.at : ring.at + n]
    if number in tags:
        found = place = ring.at + tags.index(number)
        for value in values:
            place += n
            total = m[place] + value
            m[place] = total if total < SUM_MAX else SUM_MAX
        return found
    hand = m[ring.hand]
    m[ring.hand] = (hand + 1) % n
    found = place = ring.at + hand
    m[place] = number
    for value in values:
        place += n
        m[place] = value
    return found


def ring_most(m: State, ring: Ring, place: int, field: int, value: int, when: bool | None = None) -> None:
    """Raise a field of the bucket at a place to a value."""
    if when is not False:
        place += ring.slots * field
        m[place] = most(m[place], value)


def ring_less(m: State, ring: Ring, at_s: int, field: int) -> None:
    """Take one off a field of a time's bucket, if there is one; it never falls below 0."""
    for place in window(m, ring, at_s, 1):
        place += ring.slots * field
        m[place] = most(m[place] - 1, 0)


def window(m: State, ring: Ring, at_s: int, buckets: int, ago: int = 0) -> Any:
    """Return which buckets are in the window that ends with the bucket of a time, or `ago` before it."""
    high = at_s // ring.bucket_s + 1 - ago
    low = high - buckets
    tags = m[ring.at : ring.at + ring.slots]
    low = low if low > 0 else 0
    return [place for place, tag in enumerate(tags, ring.at) if low < tag <= high]


def ring_sum(m: State, ring: Ring, places: Any, field: int) -> int:
    """Return the sum of a field over a window."""
    further = ring.slots * field
    return sum([m[place + further] for place in places])


def ring_highest(m: State, ring: Ring, places: Any, field: int) -> int:
    """Return the largest value of a field over a window, 0 for an empty one."""
    further = ring.slots * field
    return max([m[place + further] for place in places], default=0)


def see(m: State, ids: Ids, key: int, at_s: int, first: int, when: bool | None = None) -> None:
    """Note that an id was used. Without room the one that was used longest ago is forgotten."""
    if when is False:
        return
    a, n = ids.at, ids.slots
    keys = m[a : a + n]
    if key in keys:
        place = a + keys.index(key)
        m[place + LAST * n] = most(m[place + LAST * n], at_s)
        m[place + FIRST * n] = least(m[place + FIRST * n], first)
        return
    times = m[a + n : a + 2 * n]
    oldest = min(times)
    if oldest >= at_s:
        return
    place = a + times.index(oldest)
    m[place], m[place + LAST * n], m[place + FIRST * n] = key, at_s, first
    for column in range(3, ids.fields):
        m[place + column * n] = 0


def find(m: State, ids: Ids, key: int, column: int) -> int:
    """Return a column of an id, 0 where it is not known."""
    keys = m[ids.at : ids.at + ids.slots]
    return m[ids.at + column * ids.slots + keys.index(key)] if key in keys else 0


def change(m: State, ids: Ids, key: int, column: int, by: int, when: bool | None = None) -> None:
    """Change a counter of an id that is known; it never falls below 0."""
    if when is False:
        return
    keys = m[ids.at : ids.at + ids.slots]
    if key in keys:
        place = ids.at + column * ids.slots + keys.index(key)
        m[place] = most(m[place] + by, 0)


def highest(m: State, ids: Ids, column: int) -> int:
    """Return the largest value of a column."""
    return max(m[ids.at + column * ids.slots : ids.at + (column + 1) * ids.slots])


def newest_other(m: State, ids: Ids, key: int, until: int) -> int:
    """Return the last time of another id, not after `until`; 0 for none."""
    a, n = ids.at, ids.slots
    return max(
        [t if k != key and t <= until else 0 for k, t in zip(m[a : a + n], m[a + n : a + 2 * n], strict=True)]
    )


def used(m: State, ids: Ids, after: int, until: int) -> int:
    """Return how many ids were used after a time and first used until another one."""
    a, n = ids.at + LAST * ids.slots, ids.slots
    pairs = zip(m[a : a + n], m[a + n : a + 2 * n], strict=True)
    return len([1 for last, first in pairs if last > after and first <= until])


def began(m: State, ids: Ids, after: int, until: int) -> int:
    """Return how many ids were first used in a time."""
    a = ids.at + FIRST * ids.slots
    return len([1 for first in m[a : a + ids.slots] if after < first <= until])


def note(m: State, sketch: Sketch, key: int, at_s: int, when: bool | None = None) -> None:
    """Note in a sketch that an id was used."""
    if when is False:
        return
    further, place = divmod(key, sketch.slots)
    place += sketch.at
    m[place] = most(m[place], at_s)
    if further % SAMPLED == 0:
        place = sketch.at + sketch.slots + further // SAMPLED % sketch.slots
        m[place] = most(m[place], at_s)


def distinct(m: State, ids: Ids, sketch: Sketch, after: int, until: int) -> int:
    """Return how many ids were used in a time: exact as long as not all places are of that time."""
    exact = used(m, ids, after, until)
    if exact < ids.slots:
        return exact
    half = sketch.at + sketch.slots
    found = len([1 for last in m[sketch.at : half] if last > after])
    if found < CROWDED:
        return max(exact, COUNTED[found])
    sampled = len([1 for last in m[half : sketch.end] if last > after])
    return max(COUNTED[found], COUNTED[sampled] * SAMPLED)


def put_tag(
    m: State, tags: Ids, key: int, at_s: int, hops: int, amount: int, when: bool | None = None
) -> None:
    """Note where money came from; the tag of the same origin is replaced, or else the oldest one."""
    if when is False:
        return
    a, n = tags.at, tags.slots
    keys, times = m[a : a + n], m[a + n : a + 2 * n]
    place = keys.index(key) if key in keys else times.index(min(times))
    if times[place] <= at_s:
        for column, value in enumerate((key, at_s, hops, amount)):
            m[a + column * n + place] = value


def tags_of(m: State, tags: Ids, after: int, until: int, low: int, high: int, hops: int, count: int) -> Any:
    """Return the newest tags of a time and with an amount in bounds: (origin, hops) each, (0, 0) for none."""
    a, n = tags.at, tags.slots
    rows = zip(*(m[a + column * n : a + (column + 1) * n] for column in range(4)), range(n), strict=True)
    # By time, then by place, as the columns choose.
    fit = sorted(
        (-at, place, key, far)
        for key, at, far, amount, place in rows
        if after < at <= until and low <= amount <= high and far < hops
    )[:count]
    found = [(key, far) for _, _, key, far in fit]
    return found + [(0, 0)] * (count - len(found))


def hops_to(m: State, tags: Ids, key: int, after: int, until: int, low: int, high: int) -> int:
    """Return the fewest hops since money left an account, 0 where none is known of it."""
    a, n = tags.at, tags.slots
    for place in range(a, a + n):
        if m[place] == key and after < m[place + n] <= until and low <= m[place + 3 * n] <= high:
            return m[place + 2 * n]
    return 0


def level(count: int) -> int:
    """Return how many of the levels of fan-in a count has reached."""
    return bisect_right(FAN_IN_LEVELS, count)
