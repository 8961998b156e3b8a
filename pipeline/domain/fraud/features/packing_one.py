"""`packing` for one state, a list of integers: the same bytes, without what arrays cost for a few words."""

from __future__ import annotations

from itertools import compress
from typing import Any

from pipeline.domain.fraud.features.bounds import LEAST_FROM

_PLACES = [tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256)]
"""By byte: which of its bits are set."""
_CLASSES = [tuple(byte >> shift & 3 for shift in (0, 2, 4, 6)) for byte in range(256)]
_INT64 = 1 << 63


def pack_one(form: Any, state: list[int]) -> bytes:
    """Return the bytes of a state; `form`: a `packing.Form`."""
    kind, of_base, is_bucket, first_of, buckets_s = form.by_word().lists
    there = [*compress(range(1, form.width + 1), state)]
    found = [word for word in state if word]
    lines = zip(there, found, strict=True)
    base = max([(word - is_bucket[place]) * of_base[place] for place, word in lines], default=0)
    references = _references(base, buckets_s)
    for number, place in enumerate(there):
        if kind[place]:
            found[number] = references[kind[place]] - found[number]
        elif first_of[place]:
            found[number] = state[first_of[place] - 1] + 1 - found[number]
    if base:
        there, found = [0, *there], [base, *found]
    bits = 0
    for place in there:
        bits |= 1 << place
    classes = [0 if word < 1 << 8 else 1 if word < 1 << 16 else 2 if word < 1 << 24 else 3 for word in found]
    codes = bytearray((len(found) + 3) // 4)
    for number, of in enumerate(classes):
        codes[number >> 2] |= of << 2 * (number & 3)
    several = [(word, of) for word, of in zip(found, classes, strict=True) if of]
    return b"".join(
        (
            bits.to_bytes((form.width + 8) // 8, "little"),
            codes,
            bytes([word & 255 for word in found]),
            bytes([word >> 8 & 255 for word, _ in several]),
            bytes([word >> 16 & 255 for word, of in several if of > 1]),
            *[(word >> 24).to_bytes(5, "little") for word, of in several if of > 2],
        )
    )


def unpack_one(form: Any, packed: bytes) -> list[int]:
    """Return the state in bytes. Raises ValueError for what `pack_one` does not write."""
    width = form.width + 1
    head = (width + 7) // 8
    if len(packed) < head:
        raise ValueError(f"a state of {width} words has at least {head} bytes")
    places = [8 * byte + bit for byte, of in enumerate(packed[:head]) if of for bit in _PLACES[of]]
    if places and places[-1] >= width:
        raise ValueError(f"a state has a word beyond its {width}")
    words = [word if word < _INT64 else word - 2 * _INT64 for word in _words(packed, head, len(places))]
    kind, _, _, first_of, buckets_s = form.by_word().lists
    base = words[0] if places and not places[0] else 0
    references = _references(base, buckets_s)
    m, firsts = [0] * width, []
    for place, word in zip(places, words, strict=True):
        m[place] = references[kind[place]] - word if kind[place] else word
        if first_of[place]:
            firsts.append(place)
    for place in firsts:
        m[place] = m[first_of[place]] + 1 - m[place]
    del m[0]
    if min(m) < 0:
        raise ValueError("a state has a word that is negative")
    return m


def _references(base: int, buckets_s: tuple[int, ...]) -> list[int]:
    """Return what words of each kind are counted from, plus 1 (`packing`)."""
    return [0, base + 1, LEAST_FROM + 1, *[base // bucket_s + 2 for bucket_s in buckets_s]]


def _words(packed: bytes, at: int, count: int) -> list[int]:
    """Return the words that are not 0; their classes begin at a place. Raises ValueError."""
    codes = (count + 3) // 4
    classes = [kind for code in packed[at : at + codes] for kind in _CLASSES[code]]
    if any(classes[count:]) or len(classes) < count:
        raise ValueError("a state has another length than its bits say")
    at += codes
    words = list(packed[at : at + count])
    at += count
    for least in (1, 2):
        some = [number for number in range(count) if classes[number] >= least]
        if len(words) == count:
            for number, octet in zip(some, packed[at : at + len(some)], strict=False):
                words[number] |= octet << 8 * least
        at += len(some)
    long = [number for number in range(count) if classes[number] > 2]
    if len(words) < count or at + 5 * len(long) != len(packed):
        raise ValueError("a state has another length than its bits say")
    for number in long:
        words[number] |= int.from_bytes(packed[at : at + 5], "little") << 24
        at += 5
    if not all(words):
        raise ValueError("a state has a word that is 0")
    return words
