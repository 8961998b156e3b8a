"""Our training beside a plain XGBoost on the handbook's simulated payments, week by week, 7 days' delay.

    python -m tests.fraud_model.handbook --seed 1 --weeks 4

Prints AP, AUC and CP@100 of each, means over the test weeks. Ours gets the features of the peer as integers:
means in 1 / 100 of a minor unit, shares per 1,000,000. Needs xgboost (`pip install '.[test,train]'`).
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from pipeline.domain.fraud.model.artefact import Integers
from pipeline.domain.fraud.model.evaluation import Evaluator
from pipeline.training.boosted import UNITS_PER_ONE, Training, train_boosted
from pipeline.training.data import DAY_US, Input, Payments
from pipeline.training.fitting import Boosting, boosted
from pipeline.training.xgboost_trees import read_trees
from tests.benchmarks.fraud_data import handbook
from tests.benchmarks.fraud_quality import peer
from tests.benchmarks.fraud_quality.features import NAMES, Columns, columns_of, features
from tests.benchmarks.fraud_quality.judge import Judge
from tests.benchmarks.fraud_quality.plan import Plan, Week
from tests.fraud_model.models import model_of

WINDOW_DAYS = 35
"""What `train_boosted` gets before a test week: 28 days and the delay."""
PEER, TRAINED = "plain XGBoost", "`train_boosted`, 28 days, basis points"
VARIANTS = {
    "the peer's trees, in integers": Boosting(step_max=0),
    "steps of at most one": Boosting(),
    "and `hist`": Boosting(tree_method="hist"),
}


def scaled(found: np.ndarray) -> Integers:
    """Return features as integers, a row for each."""
    scale = [1_000_000 if "risk" in name else 100 if "mean" in name else 1 for name in NAMES]
    return np.ascontiguousarray(np.round(found.astype(np.float64) * scale).astype(np.int64).T)


def margins(how: Boosting, columns: Integers, week: Week) -> Integers:
    """Return margins of a week's payments, by trees of what was known when it began."""
    trees, base = read_trees(boosted(columns[:, week.train], week.known, how), UNITS_PER_ONE)
    model = replace(model_of(trees, len(columns)), base=base)
    return Evaluator(model).margins(columns[:, week.test])


def trained(columns: Integers, of: Columns, week: Week) -> Integers:
    """Return scores of a week's payments by a model of the last weeks, trained as a bank would."""
    which = (of.at >= week.start_us - WINDOW_DAYS * DAY_US) & (of.at < week.start_us)
    amounts = of.amount[which].astype(np.int64)
    inputs = tuple(Input(name, "count", 0) for name in NAMES)
    payments = Payments(inputs, columns[:, which], of.at[which], amounts, of.labelled_at[which])
    evaluator = Evaluator(train_boosted(payments, week.start_us, Training()))
    return evaluator.scores(evaluator.margins(columns[:, week.test]))


def main() -> None:
    """Train, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--weeks", type=int, default=4)
    given = parser.parse_args()
    made = handbook.generate(given.seed)
    of = columns_of(made.payments, made.labels)
    floats = features(of)
    columns = scaled(floats)
    plan = Plan(weeks=given.weeks, train_days=7, days=handbook.DEFAULT.days)
    judge = Judge(made, of, plan)
    found = {name: np.zeros(len(floats)) for name in (PEER, *VARIANTS, TRAINED)}
    found[PEER] = peer.scores(floats, of, plan)
    for week in plan.over(of):
        for name, how in VARIANTS.items():
            found[name][week.test] = margins(how, columns, week)
        found[TRAINED][week.test] = trained(columns, of, week)
    for name, scores in found.items():
        print(f"| {name} | {' | '.join(f'{one:.3f}' for one in judge.ranking(scores).values())} |")


if __name__ == "__main__":
    main()
