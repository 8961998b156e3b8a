"""What a decision is made of: features as the tables compute them, and the words beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from pipeline.domain.fraud.expressions.by_column import Batch, Values, texts
from pipeline.domain.fraud.expressions.units import BOOLEAN
from pipeline.domain.fraud.features.bounds import MISSING
from pipeline.domain.fraud.features.catalogue import COMPUTED, NAMES

Integers = np.ndarray
ROW = {name: row for row, name in enumerate(NAMES)}
"""Where a feature stands among the rows that the tables compute."""
DEBTOR, SEGMENT = "debtor", "segment"
MODEL_SCORE, ANOMALY_SCORE = "model_score", "anomaly_score"
_YES = frozenset(one.name for one in COMPUTED if one.unit == BOOLEAN)
_NULLABLE = frozenset(one.name for one in COMPUTED if one.nullable)


class Facts(NamedTuple):
    """What is known of payments beside their features, as columns."""

    at_us: Integers
    """Event time, microseconds UTC."""
    tenant: Values
    texts: Mapping[str, Values]
    """`debtor`, `payee`, `segment`; `device_id`, `country`, `channel` where they are known."""

    @classmethod
    def of(cls, at_us: Integers, tenant: str, **words: list[str | None]) -> Facts:
        """Return the facts of payments of one tenant."""
        nobody = Values(np.zeros(len(at_us), np.int64), None, (tenant,))
        return cls(at_us, nobody, {name: texts(column) for name, column in words.items()})


class Columns(Mapping[str, Values]):
    """The features of some payments as rules ask for them: a column is made when it is asked for."""

    def __init__(self, features: Integers, words: Mapping[str, Values], scores: Mapping[str, Integers]):
        """`scores`: what models say, basis points, or MISSING."""
        self._features, self._words, self._scores = features, words, scores
        self._made: dict[str, Values] = {}

    def __getitem__(self, name: str) -> Values:
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = self._column(name)
        return found

    def _column(self, name: str) -> Values:
        if name in self._words:
            return self._words[name]
        if name in self._scores:
            return Values(self._scores[name], self._scores[name] != MISSING)
        values = self._features[ROW[name]]
        known = values != MISSING if name in _NULLABLE else None
        return Values(values == 1 if name in _YES else values, known)

    def __iter__(self) -> Iterator[str]:
        yield from (*NAMES, *self._words, *self._scores)

    def __len__(self) -> int:
        return len(NAMES) + len(self._words) + len(self._scores)


class Asked(Mapping[str, Values]):
    """Texts of payments by name; a column is made when it is asked for, since rules ask for few."""

    def __init__(self, makers: Mapping[str, Callable[[], Values]]) -> None:
        self._makers = makers
        self._made: dict[str, Values] = {}

    def __getitem__(self, name: str) -> Values:
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = self._makers[name]()
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def some(facts: Facts, places: Integers) -> Facts:
    """Return the facts of some payments."""
    return Facts(facts.at_us[places], _some(facts.tenant, places), _some_of(facts.texts, places))


def batch_of(
    features: Integers, words: Mapping[str, Values], scores: Mapping[str, Integers], at_us: Integers
) -> Batch:
    """Return the features of payments for rules."""
    return Batch(Columns(features, words, scores), at_us)


def word_at(values: Values, place: int) -> str | None:
    """Return a text of one payment, None where it is unknown."""
    if values.known is not None and not values.known[place]:
        return None
    return values.words[int(values.values[place])]


def words_at(facts: Facts, place: int) -> dict[str, str | None]:
    """Return all texts of one payment."""
    return {name: word_at(values, place) for name, values in facts.texts.items()}


def _some(values: Values, places: Integers) -> Values:
    known = None if values.known is None else values.known[places]
    return Values(values.values[places], known, values.words)


def _some_of(words: Mapping[str, Values], places: Integers) -> Mapping[str, Values]:
    def maker(name: str) -> Callable[[], Values]:
        return lambda: _some(words[name], places)

    return Asked({name: maker(name) for name in words})
