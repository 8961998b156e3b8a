"""What is around a due item: for groups, reversals and kinds (`groups.around.Around`).

From the index: first what has a reference of the item, then its very amount and the opposite one, its rarest
words, and amounts of any size, the nearest first. At most ROWS_MAX items of a side are read. Where a look-up
met its limit, or the rows did, `Around.unknown` says how telling the rule is by which there may be more; so
no group is confirmed that another one might dispute.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.reconciliation.assigning.blocking import CURRENCIES_MAX
from pipeline.domain.reconciliation.assigning.surroundings import (
    Look,
    by_amount,
    by_amounts,
    by_references,
    by_words,
    settled_by_references,
)
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.items import as_item
from pipeline.domain.reconciliation.desk.rows import CLAIMED, Entry
from pipeline.domain.reconciliation.groups.around import Around
from pipeline.domain.reconciliation.groups.likeness import Likeness
from pipeline.domain.reconciliation.groups.worth import (
    COUNTERPARTY,
    DAY,
    NOTHING_UNKNOWN,
    REFERENCE,
    RULES_WORTH,
)
from pipeline.domain.reconciliation.scoring.item import Item

ROWS_MAX = 128
"""Items of a side that are read for one due item."""
SETTLED_ROWS_MAX = 32
"""Matched items that are read: with a reference of the due one, and what they were matched with."""
DETAIL_LOOKS = 4
"""Postings of one reference, and of the amount to either side of the day, for a detail of a batch."""
_E8 = 10**8

IsFree = Callable[[Entry], bool]
"""Says whether an open item may be matched now: none whose correction the ledger was asked for."""


class Neighbours:
    """Looks around the items of one account."""

    def __init__(self, account: AccountDesk, is_free: IsFree, is_over: Callable[[int], bool]) -> None:
        """`is_over`: whether what has ended at a time, event time, counts as absent."""
        self._account, self._is_free, self._is_over = account, is_free, is_over

    def around(self, due: Item) -> Around:
        """Return what is around a due item, itself aside."""
        same, one = self._side(due, due.is_line)
        other, two = self._side(due, not due.is_line)
        known, settled = self._account.knowledge, self._settled(due)
        return Around(known, same, other, settled, max(one, two), Likeness(known))

    def for_details(self, details: list[Item]) -> list[Item]:
        """Return the postings that the payments of a batch booking may be, by key."""
        index, keys = self._account.index, dict[bytes, None]()
        for one in details:
            keys.update(dict.fromkeys(by_references(one, False, index, DETAIL_LOOKS).keys))
            keys.update(dict.fromkeys(by_amount(one, False, index, one.amount_minor, DETAIL_LOOKS).keys))
        return self._read(sorted(keys), b"")

    def _side(self, due: Item, is_line: bool) -> tuple[tuple[Item, ...], int]:
        """Return the items of a side, and how telling a rule is by which there may be more."""
        keys: dict[bytes, None] = {}
        unknown = NOTHING_UNKNOWN
        for look, rule in self._looks(due, is_line):
            room = ROWS_MAX - len(keys)
            fresh = [key for key in dict.fromkeys(look.keys) if key not in keys and key != due.key]
            if not look.complete or len(fresh) > room:
                unknown = max(unknown, RULES_WORTH[rule])
            keys.update(dict.fromkeys(fresh[:room]))
        return tuple(self._read(sorted(keys), due.key)), unknown

    def _looks(self, due: Item, is_line: bool) -> list[tuple[Look, str]]:
        """Return the look-ups of a side, the most telling first, each with the rule that needs it."""
        index, known = self._account.index, self._account.knowledge
        looks = [
            (by_references(due, is_line, index), REFERENCE),
            (by_amount(due, is_line, index, due.amount_minor), DAY),
            (by_amount(due, is_line, index, -due.amount_minor), REFERENCE if is_line == due.is_line else DAY),
            (by_words(due, is_line, index, known), COUNTERPARTY),
            (by_amounts(due, is_line, index, due.currency, due.amount_minor), DAY),
        ]
        for currency in (
            known.other_currencies(due.currency)[:CURRENCIES_MAX] if is_line != due.is_line else ()
        ):
            rate = known.rate_e8(due.currency, currency, due.booked_day)
            if rate is not None:  # for kinds alone: no group has two currencies
                near = by_amounts(due, is_line, index, currency, due.amount_minor * rate // _E8)
                looks.append((Look(near.keys[:CURRENCIES_MAX], True), DAY))
        return looks

    def _read(self, keys: list[bytes], but: bytes) -> list[Item]:
        entries = [self._account.worded(key) for key in keys if key != but]
        return [as_item(entry) for entry in entries if self._is_free(entry)]

    def _settled(self, due: Item) -> tuple[Item, ...]:
        """Return matched items with a reference of an item, and what they were matched with, by key."""
        found: dict[bytes, Entry] = {}
        for key in settled_by_references(due, self._account.index):
            for one in (key, *self._match_of(key)):
                entry = self._account.item(one) if one != due.key else None
                if entry is not None and entry.status == CLAIMED and len(found) < SETTLED_ROWS_MAX:
                    found[one] = entry
        kept = ((key, found[key].ended_at) for key in sorted(found))
        still = [key for key, ended_at in kept if ended_at is None or not self._is_over(ended_at)]
        return tuple(as_item(self._account.worded(key)) for key in still)

    def _match_of(self, key: bytes) -> tuple[bytes, ...]:
        """Return the first items of the match of an item."""
        entry = self._account.item(key)
        leader = self._account.item(entry.leader) if entry is not None and entry.leader else None
        return () if leader is None else (leader.key, *leader.partners)[:DETAIL_LOOKS]
