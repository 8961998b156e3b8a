"""`packing` for one state, a list of integers: the same bytes, without what arrays cost for a few words."""

from __future__ import annotations

from typing import Any

from pipeline.domain.fraud.features.bounds import LEAST_FROM

_PLACES = [tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256)]
"""By byte: which of its bits are set."""
_CLASSES = [tuple(byte >> shift & 3 for shift in (0, 2, 4, 6)) for byte in range(256)]
_INT64 = 1 << 63


def pack_one(form: Any, state: list[int]) -> bytes:
    """Return the bytes of a state; `form`: a `packing.Form`."""
    base = 0
    for place in form.times:
        base = max(base, *state[place])
    for ring in form.rings:
        newest = max(state[ring.at : ring.at + ring.slots])
        base = max(base, (newest - 1) * ring.bucket_s)
    m = state.copy()
    for first, last in form.firsts:
        m[first] = [was and until + 1 - was for was, until in zip(state[first], state[last], strict=True)]
    _turn(form, m, base)
    words = [base, *m]
    there = [place for place, word in enumerate(words) if word]
    bits = 0
    for place in there:
        bits |= 1 << place
    found = [words[place] for place in there]
    classes = [0 if word < 1 << 8 else 1 if word < 1 << 16 else 2 if word < 1 << 24 else 3 for word in found]
    codes = bytearray((len(found) + 3) // 4)
    for number, kind in enumerate(classes):
        codes[number >> 2] |= kind << 2 * (number & 3)
    several = [(word, kind) for word, kind in zip(found, classes, strict=True) if kind]
    return b"".join(
        (
            bits.to_bytes((form.width + 8) // 8, "little"),
            codes,
            bytes([word & 255 for word in found]),
            bytes([word >> 8 & 255 for word, _ in several]),
            bytes([word >> 16 & 255 for word, kind in several if kind > 1]),
            *[(word >> 24).to_bytes(5, "little") for word, kind in several if kind > 2],
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
    words = _words(packed, head, len(places))
    m = [0] * width
    for place, word in zip(places, words, strict=True):
        m[place] = word if word < _INT64 else word - 2 * _INT64
    base = m.pop(0)
    _turn(form, m, base)
    for first, last in form.firsts:
        m[first] = [was and until + 1 - was for was, until in zip(m[first], m[last], strict=True)]
    if min(m) < 0:
        raise ValueError("a state has a word that is negative")
    return m


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


def _turn(form: Any, m: list[int], base: int) -> None:
    """Turn words into what they are before the base, or back: the same calculation."""
    for place in form.times:
        m[place] = [word and base + 1 - word for word in m[place]]
    for ring in form.rings:
        newest = base // ring.bucket_s + 2
        place = slice(ring.at, ring.at + ring.slots)
        m[place] = [word and newest - word for word in m[place]]
    for place in form.leasts:
        m[place] = [word and LEAST_FROM + 1 - word for word in m[place]]
