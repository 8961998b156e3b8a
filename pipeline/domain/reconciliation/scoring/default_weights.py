"""The weights that hold where none were published: sound for a bank account, fitted to no data set.

Worked out as logarithms of how much likelier a bucket is for a pair than for two items that only met: an
equal amount by chance is one in thousands, a booking a month later one in a hundred. Words count for about
half of their information, since a name and its bank details come together.
"""

from __future__ import annotations

from pipeline.domain.reconciliation.scoring.weights import Weights

_BANDS = (4_500, 3_200, 2_600, 2_200, 1_800, 1_200, 0, -1_500)
"""For amounts within 0.1 % to within 15 %."""

DEFAULT_WEIGHTS = Weights(
    tables=(
        (-4_000,),
        # amount
        (8_000, 8_000, 4_000, *_BANDS, -6_000, 7_000, 1_500, 1_500, -9_000, 6_800),
        # days
        (-1_500, -800, -300, 1_000, 1_000, 800, 600, 300, 0, -400, -800, -1_200, -3_000, -6_000),
        # before
        (0, -2_500, -4_000, -20_000),
        # value
        (0, 300, 0, -300, -800),
        # common words
        (0, -800, 300, 1_000, 1_700, 2_400, 3_100, 3_900, 5_000, 6_300, 7_500, 8_500, 9_000),
        # similar words
        (0, -500, -300, 0, 300, 600, 900, 1_300),
        # contained words
        (0, -500, -300, 0, 400, 700, 1_000),
        # reference
        (0, 12_000, 9_000, 8_000, -3_000),
        # counterparty
        (0, 2_000, 800, 2_000, -3_000),
        # kind
        (0, -4_000, -3_000, -2_000, -20_000),
    ),
    confirm_from=2_500,
    margin=3_000,
    early_margin=6_000,
    suggest_from=-2_000,
)
