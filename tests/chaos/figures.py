"""What runs have shown, as figures."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.chaos.run import Outcome

KINDS = {
    "lost": ("lost", "gap:", "missing", "never read", "neither applied", "no dead letter", "nothing of"),
    "duplicated": ("duplicate", "once more", "second dead letter", "twice"),
    "reordered": ("out of order", "after a later"),
}
"""The words by which a problem's text says what it is; any other is a wrong record."""


def kind_of(problem: str) -> str:
    """Return whether a problem says that something is lost, duplicated, reordered or wrong."""
    return next((kind for kind, words in KINDS.items() if any(word in problem for word in words)), "wrong")


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a share of the values does not exceed (nearest rank), 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else 0.0


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the figures of runs as one JSON object; times in seconds."""
    recovered = [seconds for outcome in outcomes for seconds in outcome.recovered_s]
    problems = [problem for outcome in outcomes for problem in outcome.problems]
    kinds = Counter(map(kind_of, problems))
    return {
        "seeds": [outcome.seed for outcome in outcomes],
        "minutes": round(sum(outcome.seconds for outcome in outcomes) / 60, 2),
        "records": sum(outcome.records for outcome in outcomes),
        "faults": Counter(strike.fault for outcome in outcomes for strike in outcome.strikes),
        **{kind: kinds[kind] for kind in (*KINDS, "wrong")},
        "dead_letters": sum(outcome.dead_letters for outcome in outcomes),
        "recovered_s": {
            "count": len(recovered),
            "median": round(statistics.median(recovered), 1) if recovered else 0.0,
            "p95": round(percentile(recovered, 0.95), 1),
            "max": round(max(recovered, default=0.0), 1),
        },
        "converged_s_max": round(max(outcome.converged_s for outcome in outcomes), 1),
        "lag_max": max(outcome.lag_max for outcome in outcomes),
        "exits": {str(code): count for code, count in sorted(_exits(outcomes).items())},
        "problems": problems,
    }


def _exits(outcomes: Sequence[Outcome]) -> Counter[int]:
    total = Counter[int]()
    for outcome in outcomes:
        total += outcome.exits
    return total
