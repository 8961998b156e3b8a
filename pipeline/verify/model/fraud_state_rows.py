"""The rows of what is known for features: words of 64 bits, and how they are packed.

From the contract: the words of each state and the packing, in the README of the features. Times are written
as what they are before the newest one of the state, which comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline.verify.model.fraud_habits import UNKNOWN_MEAN, UNKNOWN_PAYMENTS, UNKNOWN_SQUARES, Sums
from pipeline.verify.model.fraud_payers import NOTHING, Pair, Payer
from pipeline.verify.model.fraud_receiving import ORIGINS_KEPT, Card, Receiver, days_of_payee
from pipeline.verify.model.fraud_windows import REGISTERS, Buckets, Remembered
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


class State:
    """The words of a state: those that are not 0, by their places, in order. Most are 0."""

    def __init__(self) -> None:
        self.words: dict[int, Word] = {}
        self.width = 0

    @property
    def values(self) -> list[int]:
        """Return all words."""
        return [self.words[place].value if place in self.words else 0 for place in range(self.width)]

    def put(self, words: Iterable[Word], size: int) -> State:
        """Add words, and nothing up to a size."""
        for place, word in enumerate(words, self.width):
            if word.value:
                self.words[place] = word
        self.width += size
        return self

    def times(self, *values: int | None, size: int | None = None) -> State:
        return self.put((Word(one or 0, TIME) for one in values), size or len(values))

    def plain(self, *values: int | None, size: int | None = None) -> State:
        return self.put((Word(one or 0) for one in values), size or len(values))

    def ring(self, buckets: Buckets, columns: int, least: bool = False) -> State:
        """Add a ring: number and 1 of each bucket, what each column counts, the next place."""
        size, first = buckets.kept, buckets.begun - len(buckets.counted)
        places = [(first + number) % size for number in range(len(buckets.counted))]
        order = sorted(range(len(places)), key=places.__getitem__)
        numbers, counted = list(buckets.counted), list(buckets.counted.values())
        self._put_at((places[one], Word(numbers[one] + 1, PLAIN, buckets.seconds)) for one in order)
        self.width += size
        for column in range(columns):
            self._put_at((places[one], Word(counted[one][column])) for one in order)
            self.width += size
        if least:
            there = [one for one in order if counted[one][2] != NOTHING]
            self._put_at((places[one], Word(LEAST_FROM - counted[one][2], LEAST)) for one in there)
            self.width += size
        return self.plain(buckets.begun % size)

    def _put_at(self, words: Iterable[tuple[int, Word]]) -> None:
        for place, word in words:
            if word.value:
                self.words[self.width + place] = word

    def ids(self, known: Remembered, approved: bool = False, sketch: bool = False) -> State:
        """Add ids: themselves, last and first times, approvals; registers and the sample."""
        size, keys = known.kept, known.places
        self.plain(*keys, size=size)
        self.times(*(known.last_s[one] for one in keys), size=size)
        self.put((Word(known.first_s[one], FIRST, 0, known.last_s[one]) for one in keys), size)
        if approved:
            self.plain(*(known.approved.get(one, 0) for one in keys), size=size)
        if sketch:
            for one in (known.registers, known.sample):
                self.times(*(one.get(place, 0) for place in range(REGISTERS)))
        return self


def words_of_payer(payer: Payer) -> State:
    own, rings = payer.habits, payer.rings
    largest = [*own.largest, 0, 0][:2]
    state = State().times(payer.began_s, payer.newest_s, payer.probe_s).plain(own.approved).times(own.last_s)
    state.plain(own.amounts_known, own.total, own.squares, *largest, *own.hours, own.round, payer.frauds)
    state.ring(rings[5], 2).ring(rings[300], 2, least=True).ring(rings[3_600], 2)
    state.ring(payer.near, 2).ring(rings[86_400], 2)
    state.ids(payer.payees, sketch=True)
    return state.ids(payer.devices, approved=True).ids(payer.countries, approved=True)


def words_of_receiver(known: Receiver) -> State:
    largest, largest_s = known.largest or (0, 0)
    origins, size = known.origins, ORIGINS_KEPT
    state = State().times(known.first_s).plain(known.received, known.frauds, largest)
    state.times(largest_s, known.inflow_s, known.told_s).plain(*known.told, known.fraud_day)
    state.times(known.newest_s).plain(0, 0, 0, 0).ring(known.hours, 2)
    state.plain(*(one.account for one in origins), size=size)
    state.times(*(one.at_s for one in origins), size=size)
    state.plain(*(one.hops for one in origins), size=size)
    state.plain(*(one.amount for one in origins), size=size)
    return state.ids(known.payers, sketch=True).ring(known.days, 3)


def words_of_card(card: Card) -> State:
    state = State().times(card.first_s).plain(card.received, card.frauds).times(card.as_of_s)
    return state.plain(*card.payers, 0).ring(card.days, 3)


def words_of_pair(pair: Pair) -> State:
    return State().times(pair.first_s, pair.last_s).plain(pair.count, pair.total, pair.approved)


def words_of_device(known: Remembered) -> State:
    return State().ids(known)


def words_of_population(sums: Sums) -> State:
    """Return the words of a currency; payments that nobody made are not among them."""
    closed = sums.number - UNKNOWN_PAYMENTS, sums.total - UNKNOWN_PAYMENTS * UNKNOWN_MEAN
    return State().plain(*closed, sums.squares - UNKNOWN_SQUARES, *sums.open, sums.day)


def row_of(state: State) -> bytes:
    """Return a row: the layout, then the state."""
    return bytes([LAYOUT]) + packed(relative(state), state.width + 1)


def relative(state: State) -> dict[int, int]:
    """Return the newest time, and the words as they are written beside it; by their places."""
    words = state.words
    base = max((value for value, kind, _, _ in words.values() if kind == TIME), default=0)
    base = max([base, *((value - 1) * seconds for value, _, seconds, _ in words.values() if seconds)])
    found = {0: base} if base else {}
    for place, (value, kind, seconds, other) in words.items():
        if seconds:
            value = base // seconds + 2 - value
        elif kind != PLAIN:
            value = (base if kind == TIME else other if kind == FIRST else LEAST_FROM) + 1 - value
        found[place + 1] = value
    return found


def packed(words: dict[int, int], width: int) -> bytes:
    """Return words as bytes: which are there, how long each is, and their bytes, the lowest of all first.

    A word has 1, 2, 3 or 8 bytes: its lowest one, the second, the third, and the other five.
    """
    bits = classes = shift = 0
    lowest, second, third, others = (bytearray() for _ in range(4))
    for place, value in words.items():
        octets, size = value.to_bytes(8, "little"), min((value.bit_length() - 1) // 8, 3)
        bits |= 1 << place
        classes |= size << shift
        shift += 2
        lowest.append(octets[0])
        if size > 0:
            second.append(octets[1])
        if size > 1:
            third.append(octets[2])
        if size > 2:
            others += octets[3:]
    head = bits.to_bytes((width + 7) // 8, "little") + classes.to_bytes((len(words) + 3) // 4, "little")
    return bytes(head + lowest + second + third + others)


def card_in(row: bytes) -> Card:
    """Return the card of a row. Raises ValueError for what is no card."""
    if row[:1] != bytes([LAYOUT]):
        raise ValueError("a layout")
    words = unpacked(row[1:], CARD_WORDS + 1)
    base, word = words.get(0, 0), {place - 1: one for place, one in words.items()}
    first_s, as_of_s = (base + 1 - word[place] if place in word else 0 for place in (0, 3))
    days = days_of_payee()
    hand, size = word.get(200, 0), days.kept
    numbers = {
        place: base // days.seconds + 2 - word[8 + place] for place in range(size) if 8 + place in word
    }
    if min(first_s, as_of_s, *numbers.values()) < 0:
        raise ValueError("a time")
    full = len(numbers)
    for place in [*range(hand, size), *range(hand)] if full == size else numbers:
        days.counted[numbers[place] - 1] = [word.get(8 + size * column + place, 0) for column in (1, 2, 3)]
    days.begun = hand + size if full == size else full
    payers = word.get(4, 0), word.get(5, 0), word.get(6, 0)
    card = Card(first_s or None, word.get(1, 0), word.get(2, 0), as_of_s or None, payers, days)
    if row_of(words_of_card(card)) != row:
        raise ValueError("another form")
    return card


def unpacked(data: bytes, width: int) -> dict[int, int]:
    """Return the words of bytes that are there, by their places. Raises ValueError."""
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
    values = (int.from_bytes(one, "little", signed=len(one) == 8) for one in found)
    return dict(zip(places_in(bits), values, strict=True))


def places_in(bits: int) -> Iterator[int]:
    """Yield the places of the bits that are set."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
