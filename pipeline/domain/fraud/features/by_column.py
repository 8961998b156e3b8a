"""What features are made of, for many payments of different keys at once: the same functions as `by_row`.

A state is a matrix of int64 with a row for each place and a payment a column. `when` says which payments a
change is for; None is all. What is returned is an array of int64 or bool, a value a payment.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.domain.fraud.features.bounds import COUNTED_COLUMN, CROWDED, FAN_IN_LEVELS_COLUMN, SUM_MAX
from pipeline.domain.fraud.features.layout import FIRST, LAST, SAMPLED, Ids, Ring, Sketch

State = np.ndarray
where = np.where
least = np.minimum
most = np.maximum
negate = np.logical_not


def get(m: State, place: int) -> Any:
    """Return a value that later changes of the state leave alone."""
    return m[place].copy()


def root(x: np.ndarray) -> Any:
    """Return the square root, rounded down: a float's guess, put right by integers."""
    found: np.ndarray = np.sqrt(x.astype(np.float64)).astype(np.int64)
    found -= found * found > x
    found += (found + 1) * (found + 1) <= x
    return found


def trailing_zeros(minor: np.ndarray, scale: np.ndarray) -> Any:
    """Return the zeros at the end of an amount in whole units, at most 9."""
    found = np.zeros(len(minor), np.int64)
    going = np.arange(len(minor))
    for _ in range(9):
        scale = scale * 10
        going = going[minor[going] % scale[going] == 0]
        if not len(going):
            break
        found[going] += 1
    return found


def _lanes(m: State, when: Any) -> Any:
    return np.arange(m.shape[1]) if when is None else np.flatnonzero(when)


def _of(value: Any, lanes: np.ndarray) -> Any:
    return value[lanes] if isinstance(value, np.ndarray) else value


def ring_add(m: State, ring: Ring, at_s: np.ndarray, values: tuple[Any, ...], when: Any = None) -> Any:
    """Add values to the fields of a time's bucket; return the bucket's place, of those that `when` is for."""
    lanes, n = _lanes(m, when), ring.slots
    number = at_s[lanes] // ring.bucket_s + 1
    tags = m[ring.at : ring.at + n]
    same = (tags if when is None else tags[:, lanes]) == number
    place = same.argmax(axis=0)
    keeps = same[place, np.arange(len(lanes))]
    hand = m[ring.hand, lanes]
    m[ring.hand, lanes] = np.where(keeps, hand, (hand + 1) % n)
    found = place = ring.at + np.where(keeps, place, hand)
    m[place, lanes] = number
    for value in values:
        place = place + n
        total = np.minimum(m[place, lanes] * keeps + _of(value, lanes), SUM_MAX)
        m[place, lanes] = np.where(keeps, total, _of(value, lanes))
    return found


def ring_most(m: State, ring: Ring, place: np.ndarray, field: int, value: Any, when: Any = None) -> None:
    """Raise a field of the bucket at a place to a value."""
    lanes = _lanes(m, when)
    place = place[lanes] + ring.slots * field
    m[place, lanes] = np.maximum(m[place, lanes], _of(value, lanes))


def ring_less(m: State, ring: Ring, at_s: np.ndarray, field: int) -> None:
    """Take one off a field of a time's bucket, if there is one; it never falls below 0."""
    place = slice(ring.at + ring.slots * field, ring.at + ring.slots * (field + 1))
    m[place] = np.maximum(m[place] - window(m, ring, at_s, 1), 0)


def window(m: State, ring: Ring, at_s: np.ndarray, buckets: int, ago: int = 0) -> Any:
    """Return which buckets are in the window that ends with the bucket of a time, or `ago` before it."""
    high = at_s // ring.bucket_s + 1 - ago
    tags = m[ring.at : ring.at + ring.slots]
    inside: np.ndarray = (tags > np.maximum(high - buckets, 0)) & (tags <= high)
    return inside


def ring_sum(m: State, ring: Ring, places: np.ndarray, field: int) -> Any:
    """Return the sum of a field over a window."""
    values = m[ring.at + ring.slots * field : ring.at + ring.slots * (field + 1)]
    return np.add.reduce(values * places, axis=0)


def ring_highest(m: State, ring: Ring, places: np.ndarray, field: int) -> Any:
    """Return the largest value of a field over a window, 0 for an empty one."""
    values = m[ring.at + ring.slots * field : ring.at + ring.slots * (field + 1)]
    return np.maximum.reduce(values * places, axis=0)


def see(m: State, ids: Ids, key: Any, at_s: Any, first: Any, when: Any = None) -> None:
    """Note that an id was used. Without room the one that was used longest ago is forgotten."""
    a, n = ids.at, ids.slots
    lanes = _lanes(m, when)
    key, at_s, first = key[lanes], at_s[lanes], first[lanes]
    block = m[a : a + 2 * n] if when is None else m[a : a + 2 * n, lanes]
    same = block[:n] == key
    place = same.argmax(axis=0)
    here = np.arange(len(lanes))
    found = same[place, here]
    oldest = block[n:].argmin(axis=0)
    place = a + np.where(found, place, oldest)
    fits = found | (block[n + oldest, here] < at_s)
    if not fits.all():
        lanes, place, key, at_s, first, found = (one[fits] for one in (lanes, place, key, at_s, first, found))
    m[place, lanes] = key
    last_place, first_place = place + LAST * n, place + FIRST * n
    m[last_place, lanes] = np.where(found, np.maximum(m[last_place, lanes], at_s), at_s)
    m[first_place, lanes] = np.where(found, np.minimum(m[first_place, lanes], first), first)
    for column in range(3, ids.fields):
        m[place + column * n, lanes] *= found


def _count(inside: np.ndarray) -> Any:
    """Return how many places of each payment are true: of 127 at most, so that a byte holds it."""
    return np.add.reduce(inside.view(np.int8), axis=0, dtype=np.int8).astype(np.int64)


def find(m: State, ids: Ids, key: np.ndarray, column: int) -> Any:
    """Return a column of an id, 0 where it is not known."""
    same = m[ids.at : ids.at + ids.slots] == key
    a = ids.at + column * ids.slots
    return np.maximum.reduce(m[a : a + ids.slots] * same, axis=0)


def change(m: State, ids: Ids, key: np.ndarray, column: int, by: int, when: Any = None) -> None:
    """Change a counter of an id that is known; it never falls below 0."""
    lanes = _lanes(m, when)
    same = m[ids.at : ids.at + ids.slots, lanes] == key[lanes]
    place = same.argmax(axis=0)
    known = same[place, np.arange(len(lanes))]
    place, lanes = ids.at + column * ids.slots + place[known], lanes[known]
    m[place, lanes] = np.maximum(m[place, lanes] + by, 0)


def highest(m: State, ids: Ids, column: int) -> Any:
    """Return the largest value of a column."""
    a = ids.at + column * ids.slots
    return np.maximum.reduce(m[a : a + ids.slots], axis=0)


def newest_other(m: State, ids: Ids, key: np.ndarray, until: np.ndarray) -> Any:
    """Return the last time of another id, not after `until`; 0 for none."""
    a, n = ids.at, ids.slots
    times = m[a + LAST * n : a + (LAST + 1) * n]
    return np.maximum.reduce(times * ((m[a : a + n] != key) & (times <= until)), axis=0)


def used(m: State, ids: Ids, after: np.ndarray, until: np.ndarray) -> Any:
    """Return how many ids were used after a time and first used until another one."""
    a, n = ids.at, ids.slots
    inside = (m[a + LAST * n : a + (LAST + 1) * n] > after) & (
        m[a + FIRST * n : a + (FIRST + 1) * n] <= until
    )
    return _count(inside)


def began(m: State, ids: Ids, after: np.ndarray, until: np.ndarray) -> Any:
    """Return how many ids were first used in a time."""
    first = m[ids.at + FIRST * ids.slots : ids.at + (FIRST + 1) * ids.slots]
    return _count((first > after) & (first <= until))


def note(m: State, sketch: Sketch, key: np.ndarray, at_s: np.ndarray, when: Any = None) -> None:
    """Note in a sketch that an id was used."""
    lanes = _lanes(m, when)
    further, place = np.divmod(key[lanes], sketch.slots)
    place += sketch.at
    m[place, lanes] = np.maximum(m[place, lanes], at_s[lanes])
    some = further % SAMPLED == 0
    lanes, place = lanes[some], sketch.at + sketch.slots + further[some] // SAMPLED % sketch.slots
    m[place, lanes] = np.maximum(m[place, lanes], at_s[lanes])


def distinct(m: State, ids: Ids, sketch: Sketch, after: np.ndarray, until: np.ndarray) -> Any:
    """Return how many ids were used in a time: exact as long as not all places are of that time."""
    exact = used(m, ids, after, until)
    full = np.flatnonzero(exact >= ids.slots)
    if len(full):
        there = m[sketch.at : sketch.end, full] > after[full]
        found = _count(there[: sketch.slots])
        sampled = COUNTED_COLUMN[_count(there[sketch.slots :])] * SAMPLED
        most_of = np.where(found < CROWDED, exact[full], sampled)
        exact[full] = np.maximum(COUNTED_COLUMN[found], most_of)
    return exact


def put_tag(
    m: State, tags: Ids, key: np.ndarray, at_s: np.ndarray, hops: Any, amount: np.ndarray, when: Any = None
) -> None:
    """Note where money came from; the tag of the same origin is replaced, or else the oldest one."""
    a, n = tags.at, tags.slots
    lanes = _lanes(m, when)
    same = m[a : a + n, lanes] == key[lanes]
    place = same.argmax(axis=0)
    here = np.arange(len(lanes))
    times = m[a + n : a + 2 * n, lanes]
    place = np.where(same[place, here], place, times.argmin(axis=0))
    fits = times[place, here] <= at_s[lanes]
    lanes, place = lanes[fits], a + place[fits]
    for column, value in enumerate((key, at_s, hops, amount)):
        m[place + column * n, lanes] = _of(value, lanes)


def tags_of(
    m: State, tags: Ids, after: Any, until: Any, low: Any, high: Any, hops: int, count: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the newest tags of a time and with an amount in bounds: (origin, hops) each, (0, 0) for none."""
    a, n = tags.at, tags.slots
    key, at, far, amount = (m[a + column * n : a + (column + 1) * n] for column in range(4))
    fit = (at > after) & (at <= until) & (amount >= low) & (amount <= high) & (far < hops)
    times = np.where(fit, at, 0)
    here, found = np.arange(m.shape[1]), []
    for _ in range(count):
        place = times.argmax(axis=0)
        there = times[place, here] > 0
        found.append((key[place, here] * there, far[place, here] * there))
        times[place, here] = 0
    return found


def hops_to(m: State, tags: Ids, key: Any, after: Any, until: Any, low: Any, high: Any) -> Any:
    """Return the hops since money left an account, 0 where none is known of it."""
    a, n = tags.at, tags.slots
    keys, at, far, amount = (m[a + column * n : a + (column + 1) * n] for column in range(4))
    fit = (keys == key) & (at > after) & (at <= until) & (amount >= low) & (amount <= high)
    return np.maximum.reduce(far * fit, axis=0)


def level(count: np.ndarray) -> Any:
    """Return how many of the levels of fan-in a count has reached."""
    return FAN_IN_LEVELS_COLUMN.searchsorted(count, side="right")
