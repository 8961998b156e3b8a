"""Features as rules ask for them: columns and rows of the expressions, made of what `tables` computed.

A model takes the columns as they are: one int64 a feature, MISSING where it is not known.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.domain.fraud.expressions.by_column import Batch, Values
from pipeline.domain.fraud.expressions.by_row import Row
from pipeline.domain.fraud.expressions.units import BOOLEAN
from pipeline.domain.fraud.features.bounds import MISSING
from pipeline.domain.fraud.features.catalogue import COMPUTED


def batch_of(features: np.ndarray, texts: Mapping[str, Values], at_us: np.ndarray) -> Batch:
    """Return the features of payments for rules; `texts`: debtor, payee, segment and the like."""
    columns: dict[str, Values] = dict(texts)
    for one, values in zip(COMPUTED, features, strict=True):
        known = values != MISSING if one.nullable else None
        columns[one.name] = Values(values == 1 if one.unit == BOOLEAN else values, known)
    return Batch(columns, at_us)


def row_of(features: list[int], texts: Mapping[str, str | None]) -> Row:
    """Return the features of one payment for rules."""
    found: dict[str, int | bool | str | None] = dict(texts)
    for one, value in zip(COMPUTED, features, strict=True):
        found[one.name] = None if value == MISSING else value == 1 if one.unit == BOOLEAN else value
    return found
