"""The catalogue of features: the names that expressions may use, with unit, window and meaning.

The language knows no feature by itself. A catalogue is data; an expression is checked against one, and
compiled by its names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cached_property

import msgspec

from pipeline.domain.fraud.expressions.units import Unit
from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN

FEATURES_MAX = 1_000
NAME_CHARS_MAX = 64
WORDS = frozenset(
    {"and", "or", "not", "in", "list", "known", "min", "max", "abs", "true", "false", "unknown"}
)
"""Words of the language, which are no names."""
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One value that is known of a payment when it is judged."""

    name: str
    unit: Unit
    meaning: str
    """In words, one line."""
    window_s: int | None = None
    """Seconds of event time that it looks back; None where it has no window."""
    names: str | None = None
    """Of a text: what it names, such as an account; features that name the same can be on the same list."""
    nullable: bool = False
    """Whether it can be unknown: no device was named, there is no history yet."""
    least: int = INT64_MIN
    most: int = INT64_MAX
    """Bounds of a number, as the unit stores it: what is outside of them can be said to be never true."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or self.name in WORDS:
            raise ValueError(f"{self.name!r} cannot be the name of a feature")
        if self.least > self.most:
            raise ValueError(f"{self.name}: least must not be above most")
        if self.window_s is not None and self.window_s < 1:
            raise ValueError(f"{self.name}: window_s must be 1 or more")


class Catalogue(msgspec.Struct, frozen=True, dict=True):
    """All features, in a stated order."""

    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        if len(self.features) > FEATURES_MAX:
            raise ValueError(f"{len(self.features)} features, at most {FEATURES_MAX}")
        if len(self._by_name) != len(self.features):
            raise ValueError("a name of a feature stands there twice")

    @cached_property
    def _by_name(self) -> dict[str, Feature]:
        return {feature.name: feature for feature in self.features}

    def get(self, name: str) -> Feature | None:
        """Return the feature of a name, None if there is none."""
        return self._by_name.get(name)

    def names(self) -> Iterable[str]:
        """Return all names, in the catalogue's order."""
        return self._by_name.keys()

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.features)

    @property
    def version(self) -> str:
        """A short name of what expressions rest on: names, units, windows and bounds; not the meanings."""
        content = [
            [
                one.name,
                one.unit.kind,
                one.unit.currency,
                one.window_s,
                one.names,
                one.nullable,
                one.least,
                one.most,
            ]
            for one in self.features
        ]
        return hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:12]
