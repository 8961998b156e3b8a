"""Blocking: which items of the other side are looked at at all. Bounded reads of an ordered index.

The index of an account has keys and no values. An item has one key a strong reference, one for its amount,
and one for each of its rarest words; READMEs and `index_keys` say which. Look-ups go outward from the item's
own place, so that the nearest come first, and end after a fixed number of entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from pipeline.domain.reconciliation.scoring.amounts import FEE_MINOR_MAX
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.known import Known

REFERENCES_MAX = 8
"""References of an item that are indexed and looked up."""
WORDS_INDEXED = 8
"""Words of an item that are indexed: its rarest."""
WORDS_LOOKED_UP = 4
"""Words of an item that are looked up: its rarest."""
READ_REFERENCE = 16
"""Entries that are read for one reference."""
READ_DAYS = 12
"""Entries of the very amount that are read to either side of the item's day."""
READ_AMOUNTS = 8
"""Entries of near amounts that are read to either side."""
READ_TURNED = 2
"""Entries of the very amount with the sign turned, that are read before the item's day."""
CURRENCIES_MAX = 4
"""Other currencies in which near amounts are looked up by the day's rate."""
READ_WORD = 12
"""Entries of a word that are read to either side of the item's amount."""
ITEMS_READ = 16
"""Items whose rows are read and scored; the most promising of those found."""
NEAR_PERCENT = 15
"""Amounts further away than this, and than a fee, are not looked at without a common reference."""

_HALF = 2**63
_E8 = 10**8
_PLACE = 3 + 8
_ON_EXACT, _ON_NEAR, _ON_TURNED, _ON_REFERENCE = 120, 10, 40, 1_000


class OrderedKeys(Protocol):
    """The index of an account, as bounded scans."""

    def up(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        """Return the first keys in [low, high), ascending, at most `limit`."""
        ...

    def down(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        """Return the last keys in [low, high), descending, at most `limit`."""
        ...


def index_keys(item: Item, known: Known) -> list[bytes]:
    """Return the keys that an open item has in the index, for the other side to find it by."""
    return first_keys(item) + word_keys(item, known)


def first_keys(item: Item) -> list[bytes]:
    """Return the keys of an item's references and amounts: those that it has from its arrival on."""
    side, end = side_of(item.is_line), day_place(item.booked_day) + item.key
    head, tail = b"r" + side, b"\0" + item.key
    keys = [head + one.encode() + tail for one in item.references[:REFERENCES_MAX]]
    return keys + [b"a" + side + place + end for place in _amounts_of(item)]


def word_keys(item: Item, known: Known) -> list[bytes]:
    """Return the keys of an item's words. Where clean references are the rule, they may be written later."""
    return keys_of_words(item, rarest(item.words, known, WORDS_INDEXED))


def keys_of_words(item: Item, words: Iterable[str]) -> list[bytes]:
    """Return the keys of some of an item's words: of those that were its rarest when it was indexed."""
    side, end = side_of(item.is_line), day_place(item.booked_day) + item.key
    place = amount_place(item.currency, item.amount_minor)
    return [b"w" + side + one.encode() + b"\0" + place + end for one in words]


def rarest(words: tuple[str, ...], known: Known, count: int) -> list[str]:
    """Return the rarest of some words, rarest first, equal ones in the order of the alphabet."""
    return sorted(words, key=lambda word: (-known.rarity(word), word))[:count]


def candidates(item: Item, index: OrderedKeys, known: Known) -> list[bytes]:
    """Return the keys of the other side's items to be scored: at most ITEMS_READ, most promising first.

    What is promising: a common reference, the very amount, rare common words; ties go by key.
    """
    found: dict[bytes, int] = {}
    for key, points in _found(item, index, known):
        found[key] = found.get(key, 0) + points
    return sorted(found, key=lambda key: (-found[key], key))[:ITEMS_READ]


def by_reference(item: Item, index: OrderedKeys) -> list[bytes]:
    """Return the keys of the other side's items with a reference of this item, in their order; bounded."""
    head = b"r" + side_of(not item.is_line)
    keys: dict[bytes, None] = {}
    for one in item.references[:REFERENCES_MAX]:
        prefix = head + one.encode() + b"\0"
        for key in index.up(prefix, after_all(prefix), READ_REFERENCE):
            keys[key[len(prefix) :]] = None
    return list(keys)


def _found(item: Item, index: OrderedKeys, known: Known) -> Iterator[tuple[bytes, int]]:
    for key in by_reference(item, index):
        yield key, _ON_REFERENCE
    head = b"a" + side_of(not item.is_line)
    for place in _amounts_of(item):
        exact = head + place
        for key in _outward(index, exact + day_place(item.booked_day), exact, after_all(exact), READ_DAYS):
            yield key[len(exact) + 4 :], _ON_EXACT
    turned = head + amount_place(item.currency, -item.amount_minor)
    for key in index.down(turned, turned + day_place(item.booked_day + 1), READ_TURNED):
        yield key[len(turned) + 4 :], _ON_TURNED
    yield from _near_amounts(head, item.currency, item.amount_minor, index)
    for currency in known.other_currencies(item.currency)[:CURRENCIES_MAX]:
        rate = known.rate_e8(item.currency, currency, item.booked_day)
        if rate is not None:
            yield from _near_amounts(head, currency, item.amount_minor * rate // _E8, index)
    for word in rarest(item.words, known, WORDS_LOOKED_UP):
        points = known.rarity(word)
        prefix = b"w" + side_of(not item.is_line) + word.encode() + b"\0"
        start = len(prefix) + _PLACE + 4
        low, high = _near(item.currency, item.amount_minor)
        middle = prefix + amount_place(item.currency, item.amount_minor)
        for key in _outward(index, middle, prefix + low, prefix + high, READ_WORD):
            yield key[start:], points


def _near_amounts(
    head: bytes, currency: str, amount_minor: int, index: OrderedKeys
) -> Iterator[tuple[bytes, int]]:
    low, high = _near(currency, amount_minor)
    start = len(head) + _PLACE + 4
    for key in _outward(
        index, head + amount_place(currency, amount_minor), head + low, head + high, READ_AMOUNTS
    ):
        yield key[start:], _ON_NEAR


def _outward(index: OrderedKeys, middle: bytes, low: bytes, high: bytes, limit: int) -> list[bytes]:
    return index.up(middle, high, limit) + index.down(low, middle, limit)


def _near(currency: str, amount_minor: int) -> tuple[bytes, bytes]:
    size = abs(amount_minor)
    off = max(size * NEAR_PERCENT // 100, min(FEE_MINOR_MAX, size // 2))
    return amount_place(currency, amount_minor - off), amount_place(currency, amount_minor + off + 1)


def _amounts_of(item: Item) -> list[bytes]:
    places = [amount_place(item.currency, item.amount_minor)]
    if item.original is not None:
        instructed, currency = item.original
        places.append(amount_place(currency, -instructed if item.amount_minor < 0 else instructed))
    return places


def amount_place(currency: str, amount_minor: int) -> bytes:
    """Return what a currency and an amount are in a key: in order by amount."""
    return currency.encode() + (amount_minor + _HALF).to_bytes(8, "big")


def side_of(is_line: bool) -> bytes:
    """Return the byte of a side in a key."""
    return b"l" if is_line else b"p"


def day_place(day: int) -> bytes:
    """Return what a day is in a key."""
    return (day + 2**31).to_bytes(4, "big")


def after_all(prefix: bytes) -> bytes:
    """Return what is after every key with a prefix: neither a day nor an item's key begins with 0xff."""
    return prefix + b"\xff"
