"""What can happen to an Avro value on its way: `mutation(chance, value, another value) -> bytes`."""

from __future__ import annotations

import random

from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN


def _flip_bit(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    at = chance.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << chance.randrange(8)]) + raw[at + 1 :]


def _flip_many(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    for _ in range(chance.randrange(2, 6)):
        raw = _flip_bit(chance, raw, other)
    return raw


def _truncate(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    return raw[: chance.randrange(len(raw))]


def _cut_front(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    return raw[chance.randrange(1, len(raw)) :]


def _drop_middle(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    start = chance.randrange(len(raw))
    return raw[:start] + raw[start + chance.randrange(1, 9) :]


def _join(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    return raw + other


def _cross(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    return raw[: chance.randrange(len(raw))] + other[chance.randrange(len(other)) :]


def _trail(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    return raw + chance.randbytes(chance.randrange(1, 9))


GIANTS = [2**31, 2**31 - 1, 2**32, 2**40, 2**61, INT64_MAX, -1, -2, -(2**31), -(2**62), INT64_MIN]


def varint(number: int) -> bytes:
    """Return a zigzag varint."""
    value, found = (number << 1) ^ (number >> 63), bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _giant(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    """Put a number that is no length, count, branch or symbol anywhere."""
    at = chance.randrange(len(raw))
    return raw[:at] + varint(chance.choice(GIANTS)) + raw[at + chance.randrange(2) :]


def _overlong(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    """Write a byte as a longer number: the same where it was one, nonsense where it was text."""
    at = chance.randrange(len(raw))
    zeros = b"\x80" * chance.randrange(10) + chance.choice([b"\0", b"\0", b"\1", b"\2"])
    return raw[:at] + bytes([raw[at] | 0x80]) + zeros + raw[at + 1 :]


def _small_number(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    """Set a byte to a small number: where it is a branch or a symbol, another or one that does not exist."""
    at = chance.randrange(len(raw))
    return raw[:at] + bytes([chance.randrange(16)]) + raw[at + 1 :]


def _break_text(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    at = chance.randrange(len(raw))
    bad = chance.choice([b"\xff", b"\xc0", b"\xed\xa0\x80", b"\xf5", b"\x80", b"\0"])
    return raw[:at] + bad + raw[at + len(bad) :]


def _noise(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    return chance.randbytes(chance.randrange(1, 2 * len(raw)))


MUTATIONS = [
    _flip_bit,
    _flip_bit,
    _flip_many,
    _truncate,
    _cut_front,
    _drop_middle,
    _join,
    _cross,
    _trail,
    _giant,
    _giant,
    _overlong,
    _small_number,
    _small_number,
    _break_text,
    _noise,
]
