"""What each part gives: `python -m tests.benchmarks.fraud_quality.ablation`.

Features are computed once for a data set; each variant decides by some of them, with rules, models, or both.
Models are made from the first test day on, which changes nothing of what one knows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import mean
from typing import Any

import msgspec
import numpy as np

from pipeline.backtest.features import Part, facts_of, features_of
from pipeline.backtest.history import History, Labels
from pipeline.domain.fraud.deciding.deciding import Decider
from pipeline.domain.fraud.deciding.in_force import Deciders
from pipeline.domain.fraud.deciding.models import LIVE, Fitted
from pipeline.domain.fraud.expressions.default_set import default_set
from pipeline.domain.fraud.features.bounds import MISSING
from pipeline.domain.fraud.features.catalogue import CATALOGUE, COMPUTED, INPUTS
from pipeline.domain.fraud.model.encoding import encode
from pipeline.training.data import DAY_US, Input, Payments
from pipeline.training.walk_forward import Walk, WalkForward
from tests.benchmarks.fraud_data.frozen import GENERATORS, SEEDS, generated
from tests.benchmarks.fraud_quality.comparison import PLANS
from tests.benchmarks.fraud_quality.features import columns_of
from tests.benchmarks.fraud_quality.judge import Judge
from tests.benchmarks.fraud_quality.ours import RATES, history_of

PAYEE_RISK = ("payee_fraud", "payee_labels")
ORIGINS = ("cycle_hops",)


@dataclass(frozen=True)
class Variant:
    """What decides."""

    rules: bool = True
    model: bool = True
    without: tuple[str, ...] = ()
    """Features whose names begin so are taken away."""


VARIANTS = {
    "features and rules": Variant(model=False),
    "features and model": Variant(rules=False),
    "features, rules and model": Variant(),
    "all, without payees' risk": Variant(without=PAYEE_RISK),
    "all, without origins": Variant(without=ORIGINS),
}


def decided(
    history: History, known: Labels, parts: list[Part], of: Variant, first_us: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores in basis points, and which payments are alerts. Models are made from `first_us` on."""
    rules = default_set(CATALOGUE)
    deciders = Deciders(rules if of.rules else msgspec.structs.replace(rules, rules=()))
    inputs = tuple(Input(*one) for one in INPUTS)
    decider, walk, last = Decider(deciders), Walk(inputs, WalkForward()), None
    scores, alert = np.zeros(len(history), np.int64), np.zeros(len(history), bool)
    known_us, cleared_us = known.known_us(len(history))
    for places, features in _without(parts, of.without):
        at_us = int(history.at_us[places.start])
        if of.model and at_us >= first_us:
            model = walk.model_at(at_us)
            if model is not None and model is not last:
                deciders.give(LIVE, None, at_us - at_us % DAY_US, Fitted(encode(model)))
                last = model
        found = decider.many(facts_of(history, places), features)
        scores[places], alert[places] = found.scores_bp, found.ranks > 0
        amount = np.maximum(features[0], 0)
        walk.learn(
            Payments(inputs, features, history.at_us[places], amount, known_us[places], cleared_us[places])
        )
    return scores, alert


def _without(parts: list[Part], names: tuple[str, ...]) -> Iterator[Part]:
    """Yield the parts with some features unknown; one that always is known is 0."""
    gone = [row for row, one in enumerate(COMPUTED) if names and one.name.startswith(names)]
    for part in parts:
        features = part.features
        if gone:
            features = features.copy()
            for row in gone:
                features[row] = MISSING if COMPUTED[row].nullable else 0
        yield Part(part.places, features)


def measured(name: str, form: str, seed: int) -> dict[str, dict[str, Any]]:
    """Return the figures of each variant on a data set."""
    made, plan = generated(name, form, seed), PLANS[name, form]
    columns = columns_of(made.payments, made.labels)
    judge = Judge(made, columns, plan)
    history, known = history_of(made.payments, made.labels)
    parts = list(features_of(history, known, RATES))
    found = {}
    for variant, of in VARIANTS.items():
        score, alert = decided(history, known, parts, of, int(columns.at[judge.tested[0]]) // DAY_US * DAY_US)
        found[variant] = judge.ranking(score) | judge.alerts(alert)
        print(f"{name} {form} {seed}, {variant}: {found[variant]}", file=sys.stderr, flush=True)
    return found


def lines(name: str, seeds: list[dict[str, dict[str, Any]]]) -> list[str]:
    """Return rows of a Markdown table: means over the seeds."""
    found = []
    for variant in VARIANTS:
        of = [seed[variant] for seed in seeds]
        figures = [
            f"{mean(one[key] for one in of):.3f}"
            for key in ("average_precision", "auc", "card_precision_100")
        ]
        rates = [f"{mean(one[key] for one in of):.2%}" for key in ("alert_rate", "alert_precision")]
        missed = {
            kind: sum(one["recall"][kind]["of"] - one["recall"][kind]["found"] for one in of)
            for kind in of[0]["recall"]
        }
        said = ", ".join(f"{count} {kind}" for kind, count in missed.items() if count) or "none"
        found.append(f"| {name} | {variant} | {' | '.join([*figures, *rates])} | {said} |")
    return found


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fraud_quality.ablation")
    parser.add_argument("--name", action="append", choices=list(GENERATORS), help="by default all")
    parser.add_argument("--seed", action="append", type=int, metavar="N", help="by default 1, 2, 3, 4")
    parser.add_argument("--small", action="store_true", help="the form of the tests")
    options = parser.parse_args(arguments)
    form = "small" if options.small else "default"
    print("| data | what decides | AP | AUC | CP@100 | alerts | precision | missed instances |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.name or GENERATORS:
        print(
            "\n".join(lines(name, [measured(name, form, seed) for seed in options.seed or SEEDS])), flush=True
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
