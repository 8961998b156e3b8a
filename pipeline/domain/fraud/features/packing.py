"""A state as bytes: which words are not 0, and these words. Most words of most states are 0.

    bits      one a word, the first word in the lowest bit of the first byte; (width + 7) // 8 bytes
    words     those that are not 0, in their order: int64, little endian

One state has one form: a bit beyond the width, a word that is 0, and bytes left over are refused. The byte of
the layout before it is the row's own (`kernel.layouts`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_WORD = np.dtype("<i8")


def pack(states: np.ndarray) -> list[bytes]:
    """Return the bytes of states, which are the rows of an array."""
    there = states != 0
    bits = np.packbits(there, axis=1, bitorder="little")
    words = states[there].astype(_WORD).tobytes()
    ends = (np.cumsum(np.count_nonzero(there, axis=1)) * _WORD.itemsize).tolist()
    return [
        bits[row].tobytes() + words[start:end]
        for row, (start, end) in enumerate(zip([0, *ends], ends, strict=False))
    ]


def unpack(packed: Sequence[bytes], width: int) -> np.ndarray:
    """Return the states in bytes, a row each. Raises ValueError for what `pack` does not write."""
    head = (width + 7) // 8
    if any(len(one) < head for one in packed):
        raise ValueError(f"a state of {width} words has at least {head} bytes")
    heads = np.frombuffer(b"".join([one[:head] for one in packed]), np.uint8).reshape(len(packed), head)
    bits = np.unpackbits(heads, axis=1, bitorder="little").astype(bool)
    if bits[:, width:].any():
        raise ValueError(f"a state has a word beyond its {width}")
    there = bits[:, :width]
    counts = np.count_nonzero(there, axis=1).tolist()
    if any(len(one) != head + _WORD.itemsize * count for one, count in zip(packed, counts, strict=True)):
        raise ValueError("a state has another length than its bits say")
    words = np.frombuffer(b"".join([one[head:] for one in packed]), _WORD)
    if not words.all():
        raise ValueError("a state has a word that is 0")
    states = np.zeros(there.shape, np.int64)
    states[there] = words
    return states
