"""Weights: how much each bucket of evidence counts, and from which score on a pair is confirmed or suggested.

All are thousandths of a natural logarithm of odds: 0 is one to one, 2303 ten to one, 6908 a thousand to one.
Weights travel in the log as canonical JSON and are known by its sha256, so a replay applies the same ones.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from pipeline.domain.reconciliation.scoring.features import FEATURES, Evidence

WEIGHT_MAX = 60_000
"""The largest weight, either way."""
_VERSION = 1


class Weights(msgspec.Struct, frozen=True):
    """Integer weights and thresholds, in thousandths of a natural logarithm of odds."""

    tables: tuple[tuple[int, ...], ...]
    """A weight for each bucket of each of FEATURES."""
    confirm_from: int
    """The least score of a confirmed pair."""
    margin: int
    """By so much all assignments without a pair must be worse for it to be confirmed when it is due."""
    early_margin: int
    """The same for a pair that is confirmed on arrival, when its rivals may not have come yet."""
    suggest_from: int
    """The least score of a suggested pair, and of an edge of a component."""

    def score(self, evidence: Evidence) -> int:
        """Return the score of a pair."""
        return sum([table[bucket] for table, bucket in zip(self.tables, evidence, strict=True)])

    def parts(self, evidence: Evidence) -> tuple[tuple[str, str, int], ...]:
        """Return what a score is made of: feature, bucket in words and weight of each part that counts."""
        return tuple(
            (feature.name, feature.buckets[bucket], table[bucket])
            for feature, table, bucket in zip(FEATURES, self.tables, evidence, strict=True)
            if table[bucket]
        )

    def canonical(self) -> bytes:
        """Return the weights as canonical JSON: keys sorted, no blanks; the bytes that the hash is of."""
        tables = {feature.name: table for feature, table in zip(FEATURES, self.tables, strict=True)}
        thresholds = {name: getattr(self, name) for name in _THRESHOLDS}
        return msgspec.json.encode({"tables": tables, "version": _VERSION, **thresholds}, order="sorted")

    def hash(self) -> str:
        """Return the sha256 of the canonical form, in hexadecimal digits: the name of these weights."""
        return sha256(self.canonical()).hexdigest()


_THRESHOLDS = ("confirm_from", "margin", "early_margin", "suggest_from")


def from_json(text: bytes) -> Weights:
    """Return the weights that a JSON text holds. Features and buckets that it lacks count for nothing.

    Raises ValueError if it is no such JSON, names an unknown feature, or holds a number out of bounds.
    """
    try:
        content: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"the weights are not JSON: {error}") from error
    if not isinstance(content, dict) or repr(content.get("version")) != repr(_VERSION):
        raise ValueError(f"the weights are not of version {_VERSION}")
    tables = content.get("tables")
    if not isinstance(tables, dict) or set(content) != {"version", "tables", *_THRESHOLDS}:
        raise ValueError(f"the weights need tables, version, {', '.join(_THRESHOLDS)}, and nothing else")
    if unknown := sorted(set(tables) - {feature.name for feature in FEATURES}):
        raise ValueError(f"no feature is called {unknown[0]!r}")
    full = []
    for feature in FEATURES:
        table = tables.get(feature.name, [])
        if not isinstance(table, list) or len(table) > len(feature.buckets):
            raise ValueError(f"{feature.name} has at most {len(feature.buckets)} buckets")
        full.append(tuple([_bounded(one) for one in table] + [0] * (len(feature.buckets) - len(table))))
    return Weights(tuple(full), *(_bounded(content[name]) for name in _THRESHOLDS))


def _bounded(number: Any) -> int:
    if type(number) is not int or abs(number) > WEIGHT_MAX:
        raise ValueError(f"a weight is a whole number of at most {WEIGHT_MAX} either way, not {number!r}")
    return number
