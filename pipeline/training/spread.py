"""How the training rows were spread: the bins that drift is measured against."""

from __future__ import annotations

import numpy as np

from pipeline.domain.fraud.model.artefact import MISSING, SHARES_SUM, Bins, Integers
from pipeline.domain.fraud.model.drift import counts

PARTS = 10


def bins_of(values: Integers) -> Bins:
    """Return bins of about equally many rows. A value that many rows have begins a bin of its own."""
    known = np.sort(values[values != MISSING])
    edges: list[int] = []
    if len(known):
        at = known[[len(known) * part // PARTS for part in range(1, PARTS)]]
        edges = sorted({int(edge) for edge in at if edge > known[0]})
    counted = counts(Bins(tuple(edges), ()), values).tolist()
    return Bins(tuple(edges), shares_e6(counted))


def shares_e6(counted: list[int]) -> tuple[int, ...]:
    """Return shares of a whole, 1,000,000 together; what rounding leaves goes to those that lost most."""
    whole = sum(counted)
    shares = [SHARES_SUM * count // whole for count in counted]
    order = sorted(range(len(counted)), key=lambda i: (-(SHARES_SUM * counted[i] % whole), i))
    for number in order[: SHARES_SUM - sum(shares)]:
        shares[number] += 1
    return tuple(shares)
