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
from itertools import pairwise, repeat
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
CHUNK_WORDS = 200_000
"""Words of the states that are packed at once: some 1.5 MB."""
PLAIN, TIME, LEAST_AMOUNT, FIRST_BUCKET = range(4)
"""Kinds of words; from FIRST_BUCKET on one for each length of buckets."""


class Words(NamedTuple):
    """How each word of a kind of state is written, the base first: by its place, what stands here."""

    kind: np.ndarray
    """PLAIN, or what it is counted from: a row of `_references`."""
    of_base: np.ndarray
    """Of a time and a bucket: how many seconds one of it is; 0: it says nothing of the newest time."""
    is_bucket: np.ndarray
    """1 for a bucket's number, which is one more than what it counts."""
    sign: np.ndarray
    """-1 for what is counted from something else, 1 for what is PLAIN."""
    is_first: np.ndarray
    """bool: whether it is the time when an id was first used."""
    first_of: np.ndarray
    """Of such a time: the place of the id's last time; 0 for other words."""
    buckets_s: tuple[int, ...]
    lists: tuple[list[int], list[int], list[int], list[int], tuple[int, ...]]
    """The same, for one state."""


class Form(NamedTuple):
    """What the words of a kind of state are; those that are not named are written as they are."""

    width: int
    times: tuple[slice, ...] = ()
    rings: tuple[Ring, ...] = ()
    firsts: tuple[tuple[slice, slice], ...] = ()
    """Where first times stand, and the last ones."""
    leasts: tuple[slice, ...] = ()
    words: Words | None = None
    """The same by word, as `form` makes it."""

    def pack(self, states: np.ndarray, head: bytes = b"") -> list[bytes]:
        """Return the bytes of states, which are the rows of an array, each after a head."""
        packed: list[bytes] = []
        if len(states) <= FEW:
            return [head + pack_one(self, state) for state in states.tolist()]
        at_once = self._at_once
        for start in range(0, len(states), at_once):
            packed += _pack(self.by_word(), states[start : start + at_once], head)
        return packed

    def unpack(self, packed: Sequence[bytes], states: np.ndarray | None = None) -> np.ndarray:
        """Return the states in bytes, a row each; `states`: zeros to write them into, None: new ones.

        Raises ValueError for what `pack` does not write.
        """
        if states is None:
            states = np.zeros((len(packed), self.width), np.int64)
        if len(packed) <= FEW:
            for place, one in enumerate(packed):
                states[place] = unpack_one(self, one)
            return states
        at_once = self._at_once
        for start in range(0, len(packed), at_once):
            _unpack(self.by_word(), packed[start : start + at_once], states[start : start + at_once])
        return states

    @property
    def _at_once(self) -> int:
        """How many states are packed at once."""
        return max(CHUNK_WORDS // self.width, FEW)

    def by_word(self) -> Words:
        """Return how each word is written."""
        return _words_of(self) if self.words is None else self.words


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
    made = Form(width, tuple(found), rings, tuple(firsts), leasts)
    return made._replace(words=_words_of(made))


def _words_of(form: Form) -> Words:
    kind, of_base, is_bucket, first_of = np.zeros((4, form.width + 1), np.int64)
    places, buckets_s = np.arange(1, form.width + 1), sorted({ring.bucket_s for ring in form.rings})
    for place in form.times:
        kind[places[place]], of_base[places[place]] = TIME, 1
    for place in form.leasts:
        kind[places[place]] = LEAST_AMOUNT
    for ring in form.rings:
        numbers = places[ring.at : ring.at + ring.slots]
        kind[numbers] = FIRST_BUCKET + buckets_s.index(ring.bucket_s)
        of_base[numbers], is_bucket[numbers] = ring.bucket_s, 1
    for first, last in form.firsts:
        first_of[places[first]] = places[last]
    one = kind.tolist(), of_base.tolist(), is_bucket.tolist(), first_of.tolist(), tuple(buckets_s)
    sign = np.where(kind == PLAIN, 1, -1)
    return Words(kind, of_base, is_bucket, sign, first_of > 0, first_of, tuple(buckets_s), one)


def _references(words: Words, base: np.ndarray) -> np.ndarray:
    """Return what words of each kind are counted from, plus 1: a row for each state."""
    found = np.zeros((len(base), FIRST_BUCKET + len(words.buckets_s)), np.int64)
    found[:, TIME], found[:, LEAST_AMOUNT] = base + 1, LEAST_FROM + 1
    for place, bucket_s in enumerate(words.buckets_s, FIRST_BUCKET):
        found[:, place] = base // bucket_s + 2
    return found


def _turn(words: Words, found: np.ndarray, at: np.ndarray, row: np.ndarray, base: np.ndarray) -> None:
    """Turn words into what they are before the base, or back: the same calculation.

    `at`: their places in their states, the base first; `row`: which states these are.
    """
    references = _references(words, base)
    found *= words.sign[at]
    found += references.reshape(-1)[row * references.shape[1] + words.kind[at]]


def _pack(words: Words, states: np.ndarray, head: bytes) -> list[bytes]:
    count, width = states.shape
    there = np.empty((count, width + 1), bool)
    there[:, 0] = True  # the base, if it is not 0
    np.not_equal(states, 0, out=there[:, 1:])
    flat = np.flatnonzero(there)
    row = flat // (width + 1)
    at = flat - row * (width + 1)
    starts = np.flatnonzero(at == 0)
    # A state's word is one place before its place here, where each state before it has a base besides.
    found = states.reshape(-1)[flat - row - 1]
    found[starts] = 0
    base = np.maximum.reduceat((found - words.is_bucket[at]) * words.of_base[at], starts)
    firsts = np.flatnonzero(words.is_first[at])
    first = states[row[firsts], words.first_of[at[firsts]] - 1] + 1 - found[firsts]
    _turn(words, found, at, row, base)
    found[firsts], found[starts] = first, base
    if not base.all():
        there[:, 0] = base != 0
        nothing = starts[base == 0]
        found, row = np.delete(found, nothing), np.delete(row, nothing)
    return _written(np.packbits(there, axis=1, bitorder="little"), row, found, head)


def _written(bits: np.ndarray, row: np.ndarray, found: np.ndarray, head: bytes) -> list[bytes]:
    """Return the bytes of states: which words are there, of which state each one is, and these."""
    states = len(bits)
    classes = np.zeros(len(found), np.uint8)
    for limit in _SHORTER:
        classes += found >= limit
    counts = np.bincount(row, minlength=states)
    within = np.arange(len(found)) - (np.cumsum(counts) - counts)[row] & 3
    codes = np.bitwise_or.reduceat(classes << _SHIFTS[within], np.flatnonzero(within == 0))
    planes = [bits.tobytes(), codes.tobytes(), found.astype(np.uint8).tobytes()]
    ends = [np.full(states, bits.shape[1]), (counts + 3) // 4, counts]
    some = np.flatnonzero(classes)
    for byte in (1, 2):
        planes.append((found[some] >> 8 * byte).astype(np.uint8).tobytes())
        ends.append(np.bincount(row[some], minlength=states))
        some = some[classes[some] > byte]
    long = found[some].astype(_WORD, copy=False)
    planes.append(long.view(np.uint8).reshape(-1, 8)[:, 3:].tobytes())
    ends.append(5 * np.bincount(row[some], minlength=states))
    cuts = [[0, *np.cumsum(end).tolist()] for end in ends]
    parts = [
        [plane[start:end] for start, end in pairwise(cut)] for plane, cut in zip(planes, cuts, strict=True)
    ]
    return [b"".join(one) for one in zip(repeat(head), *parts, strict=False)]


def _unpack(form: Words, packed: Sequence[bytes], states: np.ndarray) -> None:
    """Write the states in bytes into rows of zeros. Raises ValueError."""
    row, at, words = _read(packed, states.shape[1] + 1)
    own = np.flatnonzero(at)
    base = np.zeros(len(packed), np.int64)
    if len(own) < len(at):
        bases = np.flatnonzero(at == 0)
        base[row[bases]] = words[bases]
        row, at, words = row[own], at[own], words[own]
    _turn(form, words, at, row, base)
    flat = states.reshape(-1)
    places = row * states.shape[1] + at - 1
    flat[places] = words
    firsts = np.flatnonzero(form.is_first[at])
    if len(firsts):
        lasts = places[firsts] - at[firsts] + form.first_of[at[firsts]]
        words[firsts] = flat[lasts] + 1 - words[firsts]
        flat[places[firsts]] = words[firsts]
    if len(words) and words.min() < 0:
        raise ValueError("a state has a word that is negative")


def _read(packed: Sequence[bytes], width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the words that are there: of which state each one is, its place in it, and the word.

    Raises ValueError.
    """
    head, sizes = (width + 7) // 8, np.array([len(one) for one in packed])
    if sizes.min() < head:
        raise ValueError(f"a state of {width} words has at least {head} bytes")
    whole, ends = np.frombuffer(b"".join(packed), np.uint8), np.cumsum(sizes)
    bits = np.frombuffer(b"".join([one[:head] for one in packed]), np.uint8)
    some = np.flatnonzero(bits)  # most bytes have no bit
    within = np.flatnonzero(np.unpackbits(bits[some], bitorder="little").view(bool))
    flat = 8 * some[within >> 3] + (within & 7)
    row = flat // (8 * head)
    at = flat - row * (8 * head)
    if len(at) and at.max() >= width:
        raise ValueError(f"a state has a word beyond its {width}")
    counts = np.bincount(row, minlength=len(packed))
    within = np.arange(len(at)) - (np.cumsum(counts) - counts)[row]
    codes = ends - sizes + head
    octets = codes + (counts + 3) // 4
    _require(octets + counts <= ends)
    classes = whole[codes[row] + (within >> 2)] >> _SHIFTS[within & 3] & 3
    filled = np.flatnonzero(counts & 3)
    _require(whole[octets[filled] - 1] >> _SHIFTS[counts[filled] & 3] == 0)
    words = whole[octets[row] + within].astype(np.int64)
    begin, some = octets + counts, np.flatnonzero(classes)
    for byte in (1, 2):
        places, begin = _plane(begin, ends, row[some], 1)
        words[some] |= whole[places].astype(np.int64) << 8 * byte
        some = some[classes[some] > byte]
    places, begin = _plane(begin, ends, row[some], 5)
    for byte in range(5):
        words[some] |= whole[places + byte].astype(np.int64) << 8 * (3 + byte)
    _require(begin == ends)
    if not words.all():
        raise ValueError("a state has a word that is 0")
    return row, at, words


def _plane(begin: np.ndarray, ends: np.ndarray, row: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the bytes of words are that have them, and where those of each state end.

    `begin`: where they begin in each state; `row`: of which state each word is; `size`: bytes of a word.
    Raises ValueError if they are not there.
    """
    counts = np.bincount(row, minlength=len(begin))
    after = begin + size * counts
    _require(after <= ends)
    places = (begin - size * (np.cumsum(counts) - counts))[row] + size * np.arange(len(row))
    return places, after


def _require(holds: np.ndarray) -> None:
    if not holds.all():
        raise ValueError("a state has another length than its bits say")
