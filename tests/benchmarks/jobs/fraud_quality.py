"""The fraud-quality job: data sets of several seeds -> the peer and our scorer -> figures, side by side.

It needs no broker. A round is all seeds; more rounds would give the same figures.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

from tests.benchmarks.bench import Sizes
from tests.benchmarks.exactness import expect
from tests.benchmarks.fraud_data.frozen import VERSION, generated
from tests.benchmarks.fraud_quality import comparison
from tests.benchmarks.fraud_quality.comparison import WITHOUT_PEER, compare, paired
from tests.benchmarks.fraud_quality.scorers import looked_ahead
from tests.benchmarks.jobs.shape import Run


def contenders(sizes: Sizes) -> dict[str, Run]:
    """Return who decides: ours and the peer, on the same files. Raises Inexact if ours looks ahead."""
    form = "small" if sizes.small else "default"
    mixed = generated("mixture", "small", 1)
    expect("decisions by what came later", looked_ahead(comparison.OURS, mixed.payments, mixed.labels), 0)

    def compared(number: int) -> dict[str, Any]:
        if find_spec("xgboost") is None:
            print(WITHOUT_PEER, file=sys.stderr)
        sets = {}
        for name in ("handbook", "mixture"):
            seeds = {str(seed): compare(name, form, seed) for seed in range(1, sizes.seeds + 1)}
            sets[name] = {"seeds": seeds, "paired": paired(seeds)}
        return {"form": form, "version": VERSION, "data_sets": sets}

    return {"fraud_quality": compared}
