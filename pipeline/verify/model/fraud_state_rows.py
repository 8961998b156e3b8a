"""The rows of what is known for features: words of 64 bits, and how they are packed.

From the contract: the words of each state and the packing, in the README of the features. Times are written
as what they are before the newest one of the state, which comes first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pipeline.verify.model.fraud_habits import UNKNOWN_MEAN, UNKNOWN_PAYMENTS, UNKNOWN_SQUARES, Sums
from pipeline.verify.model.fraud_payers import NOTHING, Pair, Payer
from pipeline.verify.model.fraud_receiving import ORIGINS_KEPT, Card, Receiver, days_of_payee
from pipeline.verify.model.fraud_windows import Buckets, Remembered
from pipeline.verify.model.wire import LAYOUT

LEAST_FROM = 10**13
CARD_WORDS = 201
TIME, PLAIN, FIRST, LEAST = "time", "plain", "first", "least"


class Word(NamedTuple):
    """A word of a state, and what it is."""

    value: int
    kind: str = PLAIN
    """TIME; FIRST: a first time, `other` is the last one; LEAST: an amount below LEAST_FROM."""
    seconds: int = 0
    """Of the buckets whose number this is."""
    other: int = 0


def times(*values: int | None) -> list[Word]:
    return [Word(value or 0, TIME) for value in values]


def plain(*values: int | None) -> list[Word]:
    return [Word(value or 0) for value in values]


def filled(words: Iterable[Word], size: int) -> list[Word]:
    """Return words, and nothing up to a size."""
    found = list(words)
    return found + [Word(0)] * (size - len(found))


def ring(buckets: Buckets, columns: int, least: bool = False) -> list[Word]:
    """Return the words of a ring: number and 1 of each bucket, what each column counts, the next place."""
    size, first = buckets.kept, buckets.begun - len(buckets.counted)
    numbers = [Word(0)] * size
    counted = [[Word(0)] * size for _ in range(columns + least)]
    for place, (number, values) in enumerate(buckets.counted.items(), first):
        numbers[place % size] = Word(number + 1, PLAIN, buckets.seconds)
        for column in range(columns):
            counted[column][place % size] = Word(values[column])
        if least and values[2] != NOTHING:
            counted[columns][place % size] = Word(LEAST_FROM - values[2], LEAST)
    hand = Word(buckets.begun % size)
    return [*numbers, *(word for column in counted for word in column), hand]


def ids(known: Remembered, approved: bool = False, sketch: bool = False) -> list[Word]:
    """Return the words of ids: themselves, last and first times, approvals; registers and the sample."""
    size, keys = known.kept, known.places
    found = filled(plain(*keys), size)
    found += filled(times(*(known.last_s[one] for one in keys)), size)
    found += filled((Word(known.first_s[one], FIRST, 0, known.last_s[one]) for one in keys), size)
    if approved:
        found += filled(plain(*(known.approved.get(one, 0) for one in keys)), size)
    if sketch:
        found += times(*known.registers) + times(*known.sample)
    return found


def words_of_payer(payer: Payer) -> list[Word]:
    own, rings = payer.habits, payer.rings
    largest = [*own.largest, 0, 0][:2]
    return [
        *times(payer.began_s, payer.newest_s, payer.probe_s),
        *plain(own.approved),
        *times(own.last_s),
        *plain(own.amounts_known, own.total, own.squares, *largest, *own.hours, own.round, payer.frauds),
        *ring(rings[5], 2),
        *ring(rings[300], 2, least=True),
        *ring(rings[3_600], 2),
        *ring(payer.near, 2),
        *ring(rings[86_400], 2),
        *ids(payer.payees, sketch=True),
        *ids(payer.devices, approved=True),
        *ids(payer.countries, approved=True),
    ]


def words_of_receiver(known: Receiver) -> list[Word]:
    largest, largest_s = known.largest or (0, 0)
    origins = known.origins
    return [
        *times(known.first_s),
        *plain(known.received, known.frauds, largest),
        *times(largest_s, known.inflow_s, known.told_s),
        *plain(*known.told, known.fraud_day),
        *times(known.newest_s),
        *plain(0, 0, 0, 0),
        *ring(known.hours, 2),
        *filled(plain(*(one.account for one in origins)), ORIGINS_KEPT),
        *filled(times(*(one.at_s for one in origins)), ORIGINS_KEPT),
        *filled(plain(*(one.hops for one in origins)), ORIGINS_KEPT),
        *filled(plain(*(one.amount for one in origins)), ORIGINS_KEPT),
        *ids(known.payers, sketch=True),
        *ring(known.days, 3),
    ]


def words_of_card(card: Card) -> list[Word]:
    return [
        *times(card.first_s),
        *plain(card.received, card.frauds),
        *times(card.as_of_s),
        *plain(*card.payers, 0),
        *ring(card.days, 3),
    ]


def words_of_pair(pair: Pair) -> list[Word]:
    return [*times(pair.first_s, pair.last_s), *plain(pair.count, pair.total, pair.approved)]


def words_of_device(known: Remembered) -> list[Word]:
    return ids(known)


def words_of_population(sums: Sums) -> list[Word]:
    """Return the words of a currency; payments that nobody made are not among them."""
    closed = sums.number - UNKNOWN_PAYMENTS, sums.total - UNKNOWN_PAYMENTS * UNKNOWN_MEAN
    return plain(*closed, sums.squares - UNKNOWN_SQUARES, *sums.open, sums.day)


def row_of(words: list[Word]) -> bytes:
    """Return a row: the layout, then the state."""
    return bytes([LAYOUT]) + packed(relative(words))


def relative(words: list[Word]) -> list[int]:
    """Return the newest time, and the words as they are written beside it."""
    base = max((one.value for one in words if one.kind == TIME), default=0)
    base = max([base, *((one.value - 1) * one.seconds for one in words if one.seconds and one.value)])
    found = [base]
    for one in words:
        if not one.value:
            found.append(0)
        elif one.seconds:
            found.append(base // one.seconds + 2 - one.value)
        else:
            reference = {TIME: base, FIRST: one.other, LEAST: LEAST_FROM}.get(one.kind)
            found.append(one.value if reference is None else reference + 1 - one.value)
    return found


def packed(words: list[int]) -> bytes:
    """Return words as bytes: which are there, how long each is, and their bytes, the lowest of all first."""
    there = [one for one in words if one]
    bits = sum(1 << place for place, one in enumerate(words) if one)
    sizes = [sum(one >= 1 << 8 * byte for byte in (1, 2, 3)) for one in there]
    classes = sum(size << 2 * place for place, size in enumerate(sizes))
    octets = [one.to_bytes(8, "little") for one in there]
    planes = [bytes(one[0] for one in octets)]
    for byte, until in ((1, 2), (2, 3), (3, 8)):
        planes.append(
            b"".join(one[byte:until] for one, size in zip(octets, sizes, strict=True) if size >= byte)
        )
    head = bits.to_bytes((len(words) + 7) // 8, "little")
    return head + classes.to_bytes((len(there) + 3) // 4, "little") + b"".join(planes)


def card_in(row: bytes) -> Card:
    """Return the card of a row. Raises ValueError for what is no card."""
    if row[:1] != bytes([LAYOUT]):
        raise ValueError("a layout")
    values = unpacked(row[1:], CARD_WORDS + 1)
    base, words = values[0], values[1:]
    first_s, as_of_s = (base + 1 - words[place] if words[place] else 0 for place in (0, 3))
    days = days_of_payee()
    hand, size = words[200], days.kept
    numbers = [base // days.seconds + 2 - one if one else 0 for one in words[8 : 8 + size]]
    if min(first_s, as_of_s, *numbers) < 0:
        raise ValueError("a time")
    full = sum(one > 0 for one in numbers)
    for place in [*range(hand, size), *range(hand)] if full == size else range(size):
        if numbers[place]:
            columns = [words[8 + size * column + place] for column in (1, 2, 3)]
            days.counted[numbers[place] - 1] = columns
    days.begun = hand + size if full == size else full
    payers = words[4], words[5], words[6]
    card = Card(first_s or None, words[1], words[2], as_of_s or None, payers, days)
    if row_of(words_of_card(card)) != row:
        raise ValueError("another form")
    return card


def unpacked(data: bytes, width: int) -> list[int]:
    """Return the words of bytes. Raises ValueError."""
    head = (width + 7) // 8
    bits = int.from_bytes(data[:head], "little")
    count = bits.bit_count()
    at = head + (count + 3) // 4
    if len(data) < at or bits >> width:
        raise ValueError("a length")
    classes = int.from_bytes(data[head:at], "little")
    sizes = [classes >> 2 * place & 3 for place in range(count)]
    found = [bytearray() for _ in range(count)]
    for byte, long in ((0, 1), (1, 1), (2, 1), (3, 5)):
        for place in range(count):
            if sizes[place] >= byte:
                found[place] += data[at : at + long]
                at += long
    if at != len(data):
        raise ValueError("a length")
    words = iter(int.from_bytes(one, "little", signed=len(one) == 8) for one in found)
    return [next(words) if bits >> place & 1 else 0 for place in range(width)]
