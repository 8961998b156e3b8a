"""A state as bytes: most words of most states are 0, and times are near each other.

    bits      which words are not 0: the first word in the lowest bit of the first byte
    classes   of each of these, two bits: it has 1, 2, 3 or 8 bytes; the first word in the lowest bits
    bytes     the lowest byte of each, then the second one of those that have it, the third, the other five

Before the state's own words comes one more, the base: the newest time in it. `Form` says of a kind of state
which words are times, and they are written as what they are before the base, plus 1 (so 0 stays 0):

    times     base - time
    numbers   of buckets: the base's bucket less the bucket
    firsts    when an id was first used: its last time less its first one
    leasts    LEAST_FROM less the word

So an account with 60 payments to 60 payees takes 1.1 kB, not 4.0. One state has one form, and what is read
is checked: a word that is negative, a length that is not what the bits say, a bit beyond the width. The byte
of the layout before it is the row's own (`kernel.layouts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pipeline.domain.fraud.features.bounds import LEAST_FROM
from pipeline.domain.fraud.features.layout import FIRST, LAST, LEAST, Ids, Ring, Sketch
from pipeline.domain.fraud.features.packing_one import pack_one, unpack_one

_WORD = np.dtype("<i8")
_SHORTER = (1 << 8, 1 << 16, 1 << 24)
"""A word below the first has 1 byte, and so on."""
_SHIFTS = np.array([0, 2, 4, 6], np.uint8)
FEW = 2
"""So many are packed one by one (`packing_one`): it is quicker."""
CHUNK = 256
"""States that are packed at once: some 1.5 MB."""


class Form(NamedTuple):
    """What the words of a kind of state are; those that are not named are written as they are."""

    width: int
    times: tuple[slice, ...] = ()
    rings: tuple[Ring, ...] = ()
    firsts: tuple[tuple[slice, slice], ...] = ()
    """Where first times stand, and the last ones."""
    leasts: tuple[slice, ...] = ()

    def pack(self, states: np.ndarray) -> list[bytes]:
        """Return the bytes of states, which are the rows of an array."""
        packed: list[bytes] = []
        if len(states) <= FEW:
            return [pack_one(self, state) for state in states.tolist()]
        for start in range(0, len(states), CHUNK):
            packed += _pack(self._relative(states[start : start + CHUNK]))
        return packed

    def unpack(self, packed: Sequence[bytes]) -> np.ndarray:
        """Return the states in bytes, a row each. Raises ValueError for what `pack` does not write."""
        if 0 < len(packed) <= FEW:
            return np.array([unpack_one(self, one) for one in packed], np.int64)
        states = np.empty((len(packed), self.width), np.int64)
        for start in range(0, len(packed), CHUNK):
            words = _unpack(packed[start : start + CHUNK], self.width + 1)
            states[start : start + CHUNK] = self._absolute(words)
        return states

    def _relative(self, states: np.ndarray) -> np.ndarray:
        words = np.empty((len(states), self.width + 1), np.int64)
        base, m = words[:, 0], words[:, 1:]
        base[:] = 0
        m[:] = states
        for place in self.times:
            np.maximum(base, states[:, place].max(axis=1), out=base)
        for ring in self.rings:
            newest = states[:, ring.at : ring.at + ring.slots].max(axis=1)
            np.maximum(base, (newest - 1) * ring.bucket_s, out=base)
        for first, last in self.firsts:
            m[:, first] = _away(states[:, last], states[:, first])
        self._turn(m, base[:, None])
        return words

    def _absolute(self, words: np.ndarray) -> np.ndarray:
        base, m = words[:, :1], words[:, 1:]
        self._turn(m, base)
        for first, last in self.firsts:
            m[:, first] = _away(m[:, last], m[:, first])
        if (m < 0).any():
            raise ValueError("a state has a word that is negative")
        return m

    def _turn(self, m: np.ndarray, base: np.ndarray) -> None:
        """Turn words into what they are before the base, or back: the same calculation."""
        for place in self.times:
            m[:, place] = _away(base, m[:, place])
        for ring in self.rings:
            place = slice(ring.at, ring.at + ring.slots)
            m[:, place] = _away(base // ring.bucket_s + 1, m[:, place])
        for place in self.leasts:
            m[:, place] = _away(LEAST_FROM, m[:, place])


def form(
    width: int,
    times: Sequence[int | slice] = (),
    parts: Sequence[Ring | Ids | Sketch] = (),
    least: Ring | None = None,
) -> Form:
    """Return the form of a kind of state. `parts`: rings, ids and sketches; `times`: what stands alone;
    `least`: the ring that has smallest amounts. Tags are no ids: their first time is something else."""
    found = [slice(place, place + 1) if isinstance(place, int) else place for place in times]
    firsts = []
    for one in parts:
        if isinstance(one, Sketch):
            found.append(slice(one.at, one.end))
        elif isinstance(one, Ids):
            last = slice(one.at + LAST * one.slots, one.at + (LAST + 1) * one.slots)
            found.append(last)
            firsts.append((slice(one.at + FIRST * one.slots, one.at + (FIRST + 1) * one.slots), last))
    rings = tuple(one for one in parts if isinstance(one, Ring))
    leasts = () if least is None else (slice(least.at + LEAST * least.slots, least.hand),)
    return Form(width, tuple(found), rings, tuple(firsts), leasts)


def _away(reference: np.ndarray | int, words: np.ndarray) -> np.ndarray:
    """Return how far words are below a reference, plus 1; 0 where there is none."""
    found: np.ndarray = reference + 1 - words
    found *= words != 0
    return found


def _pack(states: np.ndarray) -> list[bytes]:
    there = states != 0
    bits = np.packbits(there, axis=1, bitorder="little")
    counts = np.count_nonzero(there, axis=1)
    found = states[there].astype(_WORD, copy=False)
    classes = np.zeros(len(found), np.uint8)
    for limit in _SHORTER:
        classes += found >= limit
    starts, padded = _padded(counts)
    spread = np.zeros(padded.sum(), np.uint8)
    spread[starts] = classes
    codes = spread[0::4] | spread[1::4] << 2 | spread[2::4] << 4 | spread[3::4] << 6
    octets = found.view(np.uint8).reshape(-1, 8)
    planes = [bits.tobytes(), codes.tobytes(), octets[:, 0].tobytes()]
    ends = [np.full(len(counts), bits.shape[1]), padded // 4, counts]
    before = np.concatenate([[0], np.cumsum(counts)])
    for byte in (1, 2, 3):
        some = classes >= byte
        kept = octets[:, byte] if byte < 3 else octets[:, byte:]
        planes.append(kept[some].tobytes())
        ends.append(np.diff(np.concatenate([[0], np.cumsum(some)])[before]) * (1 if byte < 3 else 5))
    cuts = [np.concatenate([[0], np.cumsum(end)]).tolist() for end in ends]
    parts = [
        [plane[start:end] for start, end in pairwise(cut)] for plane, cut in zip(planes, cuts, strict=True)
    ]
    return [b"".join(row) for row in zip(*parts, strict=True)]


def _padded(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the classes of words go, and how many places each state has: a multiple of four."""
    padded = (counts + 3) // 4 * 4
    before = np.concatenate([[0], np.cumsum(counts)[:-1]])
    from_here = np.concatenate([[0], np.cumsum(padded)[:-1]])
    return np.arange(counts.sum()) + np.repeat(from_here - before, counts), padded


def _unpack(packed: Sequence[bytes], width: int) -> np.ndarray:
    head = (width + 7) // 8
    if any(len(one) < head for one in packed):
        raise ValueError(f"a state of {width} words has at least {head} bytes")
    whole = np.frombuffer(b"".join(packed), np.uint8)
    sizes = np.array([len(one) for one in packed])
    starts = np.cumsum(sizes) - sizes
    bits = np.unpackbits(whole[starts[:, None] + np.arange(head)], axis=1, bitorder="little").astype(bool)
    if bits[:, width:].any():
        raise ValueError(f"a state has a word beyond its {width}")
    there = bits[:, :width]
    counts = np.count_nonzero(there, axis=1)
    places, padded = _padded(counts)
    at = starts + head
    codes = _plane(whole, at, padded // 4)
    spread = (codes[:, None] >> _SHIFTS & 3).ravel()
    classes = spread[places]
    before = np.concatenate([[0], np.cumsum(counts)])
    at = at + padded // 4
    words = _plane(whole, at, counts).astype(np.int64)
    at = at + counts
    for byte in (1, 2, 3):
        some = classes >= byte
        lengths = np.diff(np.concatenate([[0], np.cumsum(some)])[before]) * (1 if byte < 3 else 5)
        plane = _plane(whole, at, lengths)
        at = at + lengths
        if byte < 3:
            words[some] |= plane.astype(np.int64) << 8 * byte
        else:
            octets = np.zeros((len(plane) // 5, 8), np.uint8)
            octets[:, 3:] = plane.reshape(-1, 5)
            words[some] |= octets.view(_WORD).ravel()
    if (at != starts + sizes).any() or spread.sum(dtype=np.int64) != classes.sum(dtype=np.int64):
        raise ValueError("a state has another length than its bits say")
    if not words.all():
        raise ValueError("a state has a word that is 0")
    states = np.zeros(there.shape, np.int64)
    states[there] = words
    return states


def _plane(whole: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the bytes of one plane of all states. Raises ValueError if they are not there."""
    before = np.cumsum(lengths) - lengths
    places = np.arange(lengths.sum()) + np.repeat(starts - before, lengths)
    if len(places) and places[-1] >= len(whole):
        raise ValueError("a state has another length than its bits say")
    found: np.ndarray = whole[places]
    return found
