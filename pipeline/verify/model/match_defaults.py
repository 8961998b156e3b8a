"""The weights of matching that come with the product, as their canonical JSON says: the model's own copy.

A test holds it against the product's: whoever changes these on purpose, copies them here."""

from __future__ import annotations

import json

TABLES: dict[str, list[int]] = {
    "amount": [
        8000,
        8000,
        4000,
        4500,
        3200,
        2600,
        2200,
        1800,
        1200,
        0,
        -1500,
        -6000,
        7000,
        1500,
        1500,
        -9000,
        6800,
    ],
    "base": [-4000],
    "before": [0, -2500, -4000, -20000],
    "common words": [0, -800, 300, 1000, 1700, 2400, 3100, 3900, 5000, 6300, 7500, 8500, 9000],
    "contained words": [0, -500, -300, 0, 400, 700, 1000],
    "counterparty": [0, 2000, 800, 2000, -3000],
    "days": [-1500, -800, -300, 1000, 1000, 800, 600, 300, 0, -400, -800, -1200, -3000, -6000],
    "kind": [0, -4000, -3000, -2000, -20000],
    "reference": [0, 12000, 9000, 8000, -3000],
    "similar words": [0, -500, -300, 0, 300, 600, 900, 1300],
    "value": [0, 300, 0, -300, -800],
}
THRESHOLDS = {"confirm_from": 2500, "early_margin": 6000, "margin": 3000, "suggest_from": -2000, "version": 1}
DEFAULT_WEIGHTS = json.dumps({"tables": TABLES, **THRESHOLDS}, sort_keys=True, separators=(",", ":"))
"""Their canonical JSON."""
