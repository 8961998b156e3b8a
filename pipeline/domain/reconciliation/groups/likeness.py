"""How much two items have in common besides the amount: references, the other party, words.

What a word says is how rare it is in the account (`scoring.known.Known.rarity`, tenths of a bit).
"""

from __future__ import annotations

from collections.abc import Collection

from pipeline.domain.reconciliation.groups.bounds import CLOSE_FROM, LIKE_FROM, WORDS_FROM
from pipeline.domain.reconciliation.scoring.item import Item
from pipeline.domain.reconciliation.scoring.known import Known

_NAME = 10
"""What a word of a name says at least, tenths of a bit: even the most usual party is one."""


def share_reference(left: Item, right: Item) -> bool:
    """Whether two items have a reference in common, or one has the other's in its text."""
    for one in left.references:
        if one in right.references or one in right.words:
            return True
    return any(one in left.words for one in right.references) if left.words else False


def contradict(left: Item, right: Item) -> bool:
    """Whether both have references, and none in common."""
    return bool(left.references and right.references) and not share_reference(left, right)


class Likeness:
    """The likeness of the items of one account, each pair worked out once."""

    def __init__(self, known: Known) -> None:
        self._rarities = _Rarities(known)
        self._pairs: dict[tuple[bytes, bytes], int] = {}
        self._like: dict[tuple[bytes, bytes], bool] = {}

    def of(self, left: Item, right: Item) -> int:
        """Return how like two items are by party or by words, whichever says more; per mille.

        Of all words the share of the shorter text counts, since a bank cuts texts.
        """
        pair = (left.key, right.key)
        if pair not in self._pairs:
            self._pairs[pair] = max(self._of_parties(left, right), self._of_words(left, right))
        return self._pairs[pair]

    def are_like(self, left: Item, right: Item) -> bool:
        """Whether two items are of the same business by reference, party or words."""
        pair = (left.key, right.key)
        if pair not in self._like:
            self._like[pair] = share_reference(left, right) or self.of(left, right) >= LIKE_FROM
        return self._like[pair]

    def are_close(self, left: Item, right: Item) -> bool:
        """Whether two items are like each other by words that few others have."""
        shared = {*left.words, *left.counterparty} & {*right.words, *right.counterparty}
        return self.of(left, right) >= LIKE_FROM and self._worth(shared, 0) >= CLOSE_FROM

    def of_others(self, left: Item, right: Item) -> bool:
        """Whether both name another party, and not the same one."""
        return bool(left.counterparty and right.counterparty) and not self.are_like(left, right)

    def _of_parties(self, left: Item, right: Item) -> int:
        one, two = set(left.counterparty), set(right.counterparty)
        shared = self._worth(one & two, _NAME)
        if not shared:
            return 0
        return shared * 1000 // max(min(self._worth(one, _NAME), self._worth(two, _NAME)), 1)

    def _of_words(self, left: Item, right: Item) -> int:
        one, two = {*left.words, *left.counterparty}, {*right.words, *right.counterparty}
        shared = self._worth(one & two, 0)
        if shared < WORDS_FROM:
            return 0
        return shared * 1000 // min(self._worth(one, 0), self._worth(two, 0))

    def _worth(self, words: Collection[str], least: int) -> int:
        return sum(map(self._rarities.__getitem__, words)) + least * len(words)


class _Rarities(dict[str, int]):
    """How rare words are, each asked for once."""

    def __init__(self, known: Known) -> None:
        super().__init__()
        self._known = known

    def __missing__(self, word: str) -> int:
        self[word] = rarity = self._known.rarity(word)
        return rarity
