"""What a model's answer costs, in processor time, best of nine: `python -m tests.fraud_model.speed`."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from pipeline.domain.fraud.model.artefact import Integers
from pipeline.domain.fraud.model.contributions import Explainer
from pipeline.domain.fraud.model.encoding import encode, parse
from pipeline.domain.fraud.model.evaluation import Evaluator
from tests.fraud_model.models import random_columns, random_model

MODELS = ((50, 3), (50, 6), (100, 8))
BATCHES = (1, 100, 1_000)
FEATURES = 40
PAYMENTS_A_TRY = 3_000


def nanoseconds(work: Callable[[], object], payments: int) -> int:
    """Return what a payment costs of work on some payments."""
    times = max(1, PAYMENTS_A_TRY // payments)
    best = float("inf")
    for _ in range(9):
        start = time.thread_time()
        for _ in range(times):
            work()
        best = min(best, time.thread_time() - start)
    return round(best * 1e9 / times / payments)


def line(trees: int, depth: int) -> str:
    """Return a model's line of the README's table."""
    model = random_model(1, trees=trees, depth=depth, features=FEATURES, reach=1_000, full=True)
    data, evaluator = encode(model), Evaluator(model)
    columns = random_columns(2, max(BATCHES), FEATURES, 1_000)
    cells = [f"{trees} of depth {depth}", f"{len(data):,}"]
    for batch in BATCHES:
        part = np.ascontiguousarray(columns[:, :batch])
        cost = nanoseconds(partial(scores, evaluator, part), batch)
        cells.append(f"{cost:,}")
    explainer = Explainer(evaluator)
    cells.append(f"{nanoseconds(partial(explainer.row, columns[:, 0].tolist()), 1):,}")
    read = nanoseconds(lambda: Evaluator(parse(data)), PAYMENTS_A_TRY) * PAYMENTS_A_TRY
    cells.append(f"{read / 1e6:.1f}")
    return "| " + " | ".join(cells) + " |"


def scores(evaluator: Evaluator, columns: Integers) -> Integers:
    """Return the scores of payments."""
    return evaluator.scores(evaluator.margins(columns))


if __name__ == "__main__":
    print("| trees | bytes | 1 | 100 | 1,000 | explained | read, ms |")
    for trees, depth in MODELS:
        print(line(trees, depth), flush=True)
