"""Bounds of what is added up, so that every sum of a window fits into 64 bits; integers of a sketch."""

from __future__ import annotations

import numpy as np

MISSING = -(2**63)
"""A feature that is not known, as the models have it."""
AMOUNT_MAX = 10**12
"""Larger comparable amounts count as this one (10,000,000,000.00 EUR)."""
SUM_MAX = 10**17
"""Of one bucket: 48 of them fit into 64 bits."""
STATISTIC_MAX = 10**9
"""Mean and spread count larger amounts as this one: its square fits into 64 bits."""
POPULATION_STATISTIC_MAX = 10**6
"""The population counts larger amounts as this one: a thousand million payments of a day fit."""
SQUARE_SHIFT = 8
"""Squares are kept in units of 2**8, so that 256 of the largest fit."""
HABITS_MAX = 256
"""At this number of amounts, number and sums are halved: older ones weigh less."""
LEAST_FROM = 10**13
"""Above AMOUNT_MAX and below SUM_MAX."""
RATIO_MAX = 10**6

# Linear counting (Whang and others, 1990): -64 ln(1 - used / 64), rounded; the last one for a full sketch.
COUNTED = (
    0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 15, 16, 17, 18, 20, 21, 23, 24, 25, 27, 28, 30, 32,
    33, 35, 37, 39, 40, 42, 44, 46, 48, 51, 53, 55, 58, 60, 63, 65, 68, 71, 74, 78, 81, 85, 89, 93,
    97, 102, 107, 113, 119, 126, 133, 142, 151, 163, 177, 196, 222, 266, 310,
)  # fmt: skip
CROWDED = 56
"""From so many places in use on a sketch is too full, and its sample says more."""
COUNTED_COLUMN = np.array(COUNTED, np.int64)

FAN_IN_LEVELS = (5, 8, 12, 20, 30, 50, 80, 120, 200, 300)
"""A payee's fan-in is sent to the other partitions when it reaches one of these."""
FAN_IN_LEVELS_COLUMN = np.array(FAN_IN_LEVELS, np.int64)
