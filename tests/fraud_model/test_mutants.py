"""Models that are read, evaluated and made wrongly on purpose: the judges here find each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.domain.fraud.model import drift, encoding, evaluation
from pipeline.domain.fraud.model.artefact import MISSING, PRESENT_MAX, Bins, Trees
from pipeline.domain.fraud.model.contributions import Explainer
from pipeline.domain.fraud.model.evaluation import Evaluator, Level
from pipeline.domain.fraud.model.refusals import ModelRefused
from pipeline.training import cuts
from pipeline.training.data import DAY_US, Payments, split_by_time
from tests.fraud_model.models import plain_margin, random_columns, random_model
from tests.fraud_model.payments import NOW_US, some_payments

Set = Callable[[Any, str, Any], None]
FEATURES = 3


def problems() -> list[str]:
    """Return what is wrong: each judge asks a plain way to do the same."""
    found = []
    for seed in range(5):
        model = random_model(seed, features=FEATURES)
        columns = random_columns(seed, 60)
        expected = [plain_margin(model, values) for values in columns.T.tolist()]
        evaluator = Evaluator(model)
        explainer = Explainer(evaluator)
        rows = [evaluator.margin(values) for values in columns.T.tolist()]
        found += ["rows"] * (rows != expected)
        found += ["columns"] * (evaluator.margins(columns).tolist() != expected)
        told = explainer.columns(columns).sum(axis=0) + explainer.base
        found += ["contributions"] * (told.tolist() != expected)
        data = encoding.encode(model)
        # A bit of a leaf's value: a model all the same, but another one.
        flipped = data[:-33] + bytes([data[-33] ^ 1]) + data[-32:]
        found += ["flipped"] * is_read(flipped, None)
        found += ["renamed"] * is_read(data, "0" * 64)
    found += ["cuts"] * ([cuts.integer_cut(cut) for cut in (3.5, 4.0, -3.5)] != [4, 4, -3])
    bins = Bins((0,), (0, 0, 1_000_000))
    found += ["drift"] * (drift.counts(bins, np.array([0, 1, MISSING, -1])).tolist() != [1, 2, 1])
    return found + looks_ahead()


def is_read(data: bytes, name: str | None) -> bool:
    """Return whether bytes are taken for the model that they are said to be."""
    try:
        encoding.parse(data, name)
    except ModelRefused:
        return False
    return True


def looks_ahead() -> list[str]:
    """Return whether a split says of early payments what came later."""
    split = split_by_time(some_payments(), NOW_US, 2 * DAY_US, 5 * DAY_US)
    held_from = NOW_US - 7 * DAY_US
    early = split.early
    return ["label"] * bool((early.frauds & (early.payments.fraud_known_us > held_from)).any())


def drawn(change: Callable[[Level], Level]) -> Callable[[Trees, int], list[Level]]:
    """Return the drawing of trees with each level changed."""
    draw = evaluation.drawn_full
    return lambda trees, features: [change(level) for level in draw(trees, features)]


def goes_left_at_the_cut_itself(patch: Set) -> None:
    patch(evaluation, "drawn_full", drawn(lambda one: one._replace(cut=one.cut + (one.cut < PRESENT_MAX))))


def goes_left_at_the_cut_itself_in_columns(patch: Set) -> None:
    patch(np, "greater_equal", np.greater)


def sends_missing_values_the_other_way(patch: Set) -> None:
    def other(level: Level) -> Level:
        return level._replace(column=(level.column + FEATURES) % (2 * FEATURES))

    patch(evaluation, "drawn_full", drawn(other))


def sends_missing_values_left_in_rows(patch: Set) -> None:
    patch(Evaluator, "both_ways", lambda evaluator, values: [*values, *values])


def takes_the_leaf_of_another_tree(patch: Set) -> None:
    patch(evaluation, "drawn_full", drawn(lambda one: one._replace(value=np.roll(one.value, 1))))


def forgets_the_base(patch: Set) -> None:
    made = Explainer.__init__

    def forget(explainer: Explainer, evaluator: Evaluator) -> None:
        made(explainer, evaluator)
        explainer.base -= evaluator.model.base

    patch(Explainer, "__init__", forget)


def checks_no_hash(patch: Set) -> None:
    patch(encoding, "_is_whole", lambda data: True)


def takes_any_name(patch: Set) -> None:
    read = encoding.parse
    patch(encoding, "parse", lambda data, name=None: read(data))


def rounds_cuts_down(patch: Set) -> None:
    patch(cuts, "integer_cut", lambda cut: int(cut // 1))


def counts_missing_values_as_low_ones(patch: Set) -> None:
    patch(drift, "MISSING", None)


def learns_from_labels_that_come_later(patch: Set) -> None:
    patch(Payments, "frauds_known", lambda payments, at_us: payments.fraud_known_us < PRESENT_MAX)


MUTANTS: dict[Callable[[Set], None], set[str]] = {
    goes_left_at_the_cut_itself: {"rows", "columns", "contributions"},
    goes_left_at_the_cut_itself_in_columns: {"columns", "contributions"},
    sends_missing_values_the_other_way: {"rows", "columns", "contributions"},
    sends_missing_values_left_in_rows: {"rows"},
    takes_the_leaf_of_another_tree: {"rows", "columns", "contributions"},
    forgets_the_base: {"contributions"},
    checks_no_hash: {"flipped"},
    takes_any_name: {"renamed"},
    rounds_cuts_down: {"cuts"},
    counts_missing_values_as_low_ones: {"drift"},
    learns_from_labels_that_come_later: {"label"},
}


def test_nothing_is_wrong_where_nothing_is_broken() -> None:
    assert problems() == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.__name__ for mutant in MUTANTS])
def test_a_mutant_is_found_where_it_shows(
    mutant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch.setattr)
    assert set(problems()) == MUTANTS[mutant]
