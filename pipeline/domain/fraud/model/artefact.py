"""What a model is: trees of integers, and what must be known to use and to judge them.

A model sums one integer from each tree (the margin), and a table turns the sum into a score in basis points.
Nothing in it is a float, so every machine computes the same score. `encoding.py` has its bytes, `checks.py`
what is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

SCHEMA_VERSION = 1
"""The newest form of a model's bytes. Readers read every form that was ever written."""
MODEL_BYTES_MAX = 4 * 1024 * 1024
FEATURES_MAX = 256
TREES_MAX = 512
NODES_MAX = 65_536
"""Of all trees together, leaves included."""
DEPTH_MAX = 8
"""Questions from a root to its deepest leaf."""
KNOTS_MAX = 512
EDGES_MAX = 32
FIGURES_MAX = 64
NAME_LENGTH_MAX = 64
DECIMALS_MAX = 18
VALUE_MAX = 2**31 - 1
"""Of a node, either sign. Together with TREES_MAX it keeps every margin below 2**41."""
MARGIN_MAX = 2**41
"""Of a knot and of the base, either sign."""

MISSING = -(2**63)
"""A feature that is not known. Every other value of int64 is a value."""
PRESENT_MAX = 2**63 - 1
SCORE_MAX_BP = 10_000
NEVER_BP = SCORE_MAX_BP + 1
"""A threshold that no score reaches."""
SHARES_SUM = 1_000_000
LEAF = 0xFFFF
"""In the place of a feature: the node is a leaf."""

BOOSTED = 1
"""Kind: the margin is the logarithm of the odds of fraud."""
ISOLATION = 2
"""Kind: the margin is minus the sum of path lengths; the shorter the paths, the stranger the payment."""
KINDS = {BOOSTED: "boosted", ISOLATION: "isolation"}


class Bins(NamedTuple):
    """How a value was spread over the training rows: what drift is measured against.

    Bin i holds `edges[i - 1] <= x < edges[i]`; the last share is that of rows without a value.
    """

    edges: tuple[int, ...]
    """Ascending."""
    shares_e6: tuple[int, ...]
    """One more than bins, two more than edges; together 1,000,000."""


class Feature(NamedTuple):
    """One input. Its int64 value is in units of 10**-decimals of `unit`."""

    name: str
    unit: str
    decimals: int
    bins: Bins


class Window(NamedTuple):
    """The data that the model was made of. Times are microseconds since 1970; each end is the first after."""

    trained_from_us: int
    trained_until_us: int
    held_from_us: int
    held_until_us: int
    rows: int
    frauds: int
    """Labelled as fraud among the rows; 0 for a model that needs no labels."""


class Calibration(NamedTuple):
    """From margin to score: straight lines between knots, level outside of them. It never falls."""

    margins: tuple[int, ...]
    """Ascending."""
    scores_bp: tuple[int, ...]
    """0 to 10,000, one a knot."""


class Trees(NamedTuple):
    """All trees, a column for each property of a node; tree after tree, each level by level from its root.

    The k-th question of a tree has the nodes 1 + 2k and 2 + 2k of that tree below it, left and right. So
    nothing points anywhere, and a tree has one form.
    """

    sizes: Integers
    """Nodes of each tree."""
    feature: Integers
    """Number of the feature that is asked about, or LEAF."""
    cut: Integers
    """x < cut goes left. 0 in a leaf."""
    missing_right: NDArray[np.bool_]
    """Whether a value that is missing goes right. False in a leaf."""
    value: Integers
    """What a leaf adds to the margin; in a question, the mean of the leaves below it, for explanations."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model as it is used. Two are the same if their bytes are."""

    kind: int
    features: tuple[Feature, ...]
    trees: Trees
    base: int
    """What the margin is before any tree."""
    units_per_one: int
    """Units of the margin in one: of the logarithm of odds (boosted), of a step of a path (isolation)."""
    calibration: Calibration
    review_from_bp: int
    """Scores from here on are reviewed; NEVER_BP for none."""
    decline_from_bp: int
    """Scores from here on are declined; NEVER_BP for none."""
    score_bins: Bins
    window: Window
    figures: tuple[tuple[str, int], ...]
    """How good it was on the held-out days: (name, value per 1,000,000), by name."""
