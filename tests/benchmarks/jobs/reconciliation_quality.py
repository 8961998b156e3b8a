"""The reconciliation-quality job: data sets of several seeds -> matching -> figures beside the truth.

It needs no broker. A round is all seeds; more rounds would give the same figures.
"""

from __future__ import annotations

from typing import Any

from tests.benchmarks.bench import Sizes
from tests.benchmarks.jobs.shape import Run
from tests.benchmarks.reconciliation_data.frozen import VERSION
from tests.benchmarks.reconciliation_quality.comparison import compare, compare_public
from tests.benchmarks.reconciliation_quality.figures import NAME


def contenders(sizes: Sizes) -> dict[str, Run]:
    """Return who matches: `comparison.OURS`, on the frozen sets and, where it is there, the public one."""
    return {NAME: lambda number: _compared(sizes)}


def _compared(sizes: Sizes) -> dict[str, Any]:
    form = "small" if sizes.small else "default"
    return {
        "form": form,
        "version": VERSION,
        "encrypted": sizes.encrypted,
        "sets": compare(form, sizes.seeds, sizes.encrypted),
        "public": None if sizes.public is None else compare_public(*sizes.public),
    }
