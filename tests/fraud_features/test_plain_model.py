"""The plain model of the features (`verify`) and the product say the same of any history."""

from __future__ import annotations

import pytest

from tests.fraud_features.histories import COLUMNS, DAY_S, HOUR_S, ROWS
from tests.fraud_features.plain import Beside, Style

STYLES = (
    Style(),
    Style(lanes_min=ROWS),
    Style(lanes_min=COLUMNS, size=30),
    Style(accounts=4, span_s=4 * HOUR_S),
    Style(accounts=30, span_s=20 * DAY_S, labels=0.3),
    Style(accounts=3, span_s=HOUR_S, size=300, calls=4),
    Style(accounts=3, span_s=90 * DAY_S, size=250, calls=4, labels=0.05),
    Style(accounts=8, span_s=DAY_S, labels=0.5, calls=8, size=60),
    Style(accounts=6, span_s=250 * DAY_S, labels=0.1, calls=9, size=25),
)
"""Among them: rows and columns; hot accounts, more payees than a state has; months; many labels; years."""


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("style", STYLES, ids=range(len(STYLES)))
def test_the_plain_model_says_what_the_product_says(seed: int, style: Style) -> None:
    Beside(seed, style).run()
