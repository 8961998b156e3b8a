"""What an account knows: how rare words are, usual lags, constants, rates; the weights in force.

Counts change only as items come, in the order of the log. Nothing is worked out from a count before it is
needed, so that a run of events and the same events one by one know the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar
from zlib import crc32

import msgspec

from pipeline.domain.kernel.rows import row_key
from pipeline.domain.reconciliation.desk.rows import (
    RATES_ROW,
    WEIGHTS_ROW,
    WORDS_ROW,
    Desk,
    PublishedWeights,
    Rates,
    Words,
)
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from pipeline.domain.reconciliation.scoring.information import rarity
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.lags import usual_lag
from pipeline.domain.reconciliation.scoring.weights import Weights, from_json
from pipeline.domain.reconciliation.texts.placeholders import is_constant

PAGES = 64
PAGE_WORDS_MAX = 128
"""Words of a page; of a full page the rarest half goes."""
CONSTANTS_MAX = 32
"""Counters of references, an account and side (Misra and Gries, "Finding repeated elements", 1982): what has
come n times more often than all others together could wear off is never counted too high."""
PAIRS_MAX, DAYS_KEPT = 64, 32
"""Rates of a tenant: pairs, and days of each."""
SETS_MAX = 8
"""Weights of a tenant that are kept: the newest."""

_Row = TypeVar("_Row", bound=msgspec.Struct)


class Stored(Protocol):
    """The other rows of an account while events are applied."""

    def get(self, key: bytes, content: type[_Row]) -> _Row | None:
        """Return the row under a key, or None."""
        ...

    def put(self, key: bytes, row: msgspec.Struct | None) -> None:
        """Insert or replace a row; None: delete it."""
        ...


class Knowledge:
    """What one account knows (`scoring.known.Known`)."""

    def __init__(
        self, rows: Stored, tenant_id: str, account_id: str, desk: Desk, met: Callable[[bytes], int]
    ) -> None:
        """`met` returns what an item's words said when it met the others, by its key; 0: it has not."""
        self._rows, self._account, self._desk, self._met = rows, (tenant_id, account_id), desk, met
        self._page_keys: dict[int, bytes] = {}

    def meet(self, words: Iterable[str]) -> None:
        """Count the words of an item, once: when it meets what it may belong to."""
        self._desk.met += 1
        changed: dict[int, dict[int, int]] = {}
        for word in words:
            page, number = _place_of(word)
            if page not in changed:
                changed[page] = dict(self._page(page))
            changed[page][number] = changed[page].get(number, 0) + 1
        for page in sorted(changed):
            self._rows.put(self._page_key(page), Words(_bounded(changed[page])))

    def rarity(self, word: str) -> int:
        """Return the information of a word in this account, in tenths of a bit."""
        page, number = _place_of(word)
        return rarity(self._page(page).get(number, 0), self._desk.met)

    def information(self, item: Item) -> int:
        """Return the sum of the rarities of an item's words, when it met the others, else now."""
        return self._met(item.key) or sum(map(self.rarity, item.words))

    def usual_lag(self, counterparty: tuple[str, ...]) -> int:
        """Return the usual days from a posting's date to its line's booking; of all parties alike."""
        return usual_lag(self._desk.lags)

    def rate_e8(self, source: str, target: str, day: int) -> int | None:
        """Return the rate of a day from minor units to minor units, times 1e8, if known."""
        for one, other, days in self._rates():
            if (one, other) == (source, target):
                place = bisect_right(days, day, key=lambda known: known[0])
                return days[place - 1][1] if place else None
        return None

    def other_currencies(self, currency: str) -> tuple[str, ...]:
        """Return the currencies to which there are rates, in the order of the alphabet."""
        return tuple(target for source, target, _ in self._rates() if source == currency)

    def _rates(self) -> tuple[tuple[str, str, tuple[tuple[int, int], ...]], ...]:
        found = self._rows.get(rates_key(self._account[0]), Rates)
        return () if found is None else found.pairs

    def _page(self, page: int) -> dict[int, int]:
        found = self._rows.get(self._page_key(page), Words)
        return {} if found is None else found.counts

    def _page_key(self, page: int) -> bytes:
        key = self._page_keys.get(page)
        if key is None:
            key = self._page_keys[page] = row_key(WORDS_ROW.family, *self._account, f"{page:02d}")
        return key


def _place_of(word: str) -> tuple[int, int]:
    checksum = crc32(word.encode())
    return checksum % PAGES, checksum // PAGES


def _bounded(counts: dict[int, int]) -> dict[int, int]:
    """Return a page of at most PAGE_WORDS_MAX words: of a full one the half that came most often."""
    if len(counts) <= PAGE_WORDS_MAX:
        return counts
    kept = sorted(counts, key=lambda word: (-counts[word], word))[: PAGE_WORDS_MAX // 2]
    return {word: counts[word] for word in sorted(kept)}


def note_references(counters: dict[int, int], references: Iterable[str]) -> None:
    """Count the references of an item that has come, other than own ids, in place."""
    _note(counters, [crc32(one.encode()) for one in references])


def note_unless_constant(counters: dict[int, int], references: Sequence[str]) -> bool:
    """Count references as `note_references`, if none of them may be a constant then; return whether."""
    numbers = [crc32(one.encode()) for one in references]
    for number in numbers:
        if number in counters and is_constant(counters[number] + len(numbers)):
            return False
    _note(counters, numbers)
    return True


def _note(counters: dict[int, int], numbers: list[int]) -> None:
    for number in numbers:
        if number in counters:
            counters[number] += 1
        elif len(counters) < CONSTANTS_MAX:
            counters[number] = 1
        else:
            left = {other: count - 1 for other, count in counters.items() if count > 1}
            counters.clear()
            counters.update(left)


def items_with(counters: dict[int, int], reference: str) -> int:
    """Return how many items of a side have surely had a reference."""
    return counters.get(crc32(reference.encode()), 0)


def with_rate(rates: Rates, source: str, target: str, day: int, rate_e8: int) -> Rates:
    """Return the rates with one more; a new pair is left out once there are PAIRS_MAX."""
    pairs = {(one, other): dict(days) for one, other, days in rates.pairs}
    if (source, target) not in pairs and len(pairs) >= PAIRS_MAX:
        return rates
    pairs.setdefault((source, target), {})[day] = rate_e8
    return Rates(
        tuple(
            (one, other, tuple(sorted(days.items())[-DAYS_KEPT:]))
            for (one, other), days in sorted(pairs.items())
        )
    )


def with_weights(published: PublishedWeights, effective_from: int, canonical: str) -> PublishedWeights:
    """Return the weights of a tenant with a set more; what is published for the same time takes its place."""
    sets = {**dict(published.sets), effective_from: canonical}
    return PublishedWeights(tuple(sorted(sets.items())[-SETS_MAX:]))


def weights_in_force(candidates: Iterator[PublishedWeights | None], at: int) -> Weights:
    """Return the weights that hold at a time: the tenant's own, else those of all tenants, else the defaults.

    `candidates`: the rows of the tenant and of `*`, in this order.
    """
    for published in candidates:
        if published is None:
            continue
        place = bisect_right(published.sets, at, key=lambda one: one[0])
        if place:
            return _read(published.sets[place - 1][1])
    return DEFAULT_WEIGHTS


@lru_cache(64)
def _read(canonical: str) -> Weights:
    return from_json(canonical.encode()) if canonical else DEFAULT_WEIGHTS


def rates_key(tenant_id: str) -> bytes:
    """Return the row key of a tenant's rates."""
    return row_key(RATES_ROW.family, tenant_id)


def weights_key(tenant_id: str) -> bytes:
    """Return the row key of a tenant's weights; `*`: those of all tenants."""
    return row_key(WEIGHTS_ROW.family, tenant_id)
