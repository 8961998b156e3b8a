"""A history is decided by what was known before each payment, and as the stream decides."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
import pytest

from pipeline.backtest.features import facts_of, features_of
from pipeline.backtest.history import History, Labels
from pipeline.backtest.reading import read_labels, read_payments
from pipeline.backtest.rules_file import in_force_at_all_times
from pipeline.backtest.running import Outcome, Setup, run
from pipeline.backtest.summary import frauds_of, summary
from pipeline.domain.fraud.deciding.deciding import Decider
from pipeline.domain.fraud.deciding.facts import words_at
from pipeline.domain.fraud.features.amounts import Rates
from pipeline.domain.fraud.features.catalogue import INPUTS
from pipeline.training.boosted import Training
from pipeline.training.data import DAY_US, Input
from pipeline.training.fitting import Boosting
from pipeline.training.walk_forward import WalkForward
from tests.backtest.files import csv_file, labels_file
from tests.benchmarks.fraud_data.frozen import generated
from tests.fraud_deciding.payments import fitted
from tests.fraud_rules.sets import rule, rule_set

NO_RATES = Rates()
QUICK = WalkForward(
    training=Training(boosting=Boosting(trees=8, depth=2), delay_us=4 * DAY_US, held_us=5 * DAY_US),
    window_us=30 * DAY_US,
    frauds_min=5,
    held_frauds_min=1,
)
needs_xgboost = pytest.mark.skipif(
    find_spec("xgboost") is None, reason="xgboost is not installed: pip install '.[test,train]'"
)


@cache
def mixture() -> tuple[pa.Table, pa.Table]:
    """Return a few weeks of payments and their labels."""
    made = generated("mixture", "small", 21)
    return made.payments, made.labels


def read(folder: Path, payments: pa.Table, labels: pa.Table) -> tuple[History, Labels]:
    """Return them as the command reads them."""
    pyarrow.parquet.write_table(payments, folder / "p.parquet")
    pyarrow.parquet.write_table(labels, folder / "l.parquet")
    history = read_payments(folder / "p.parquet")
    return history, read_labels(folder / "l.parquet", history)


def told(found: Outcome, count: int) -> list[tuple[object, ...]]:
    """Return all that is said of the first payments."""
    names = [*found.names, None]
    columns = [found.ranks, found.scores_bp, found.live_bp, found.before, found.models]
    return [
        (*map(int, values[:4]), names[values[4]], found.explained.get(place))
        for place, values in enumerate(zip(*(one[:count].tolist() for one in columns), strict=True))
    ]


@needs_xgboost
def test_nothing_that_comes_later_changes_a_decision(tmp_path: Path) -> None:
    payments, labels = mixture()
    whole = run(*read(tmp_path, payments, labels), Setup(NO_RATES, train=QUICK))
    assert len(whole.made) > 2 and whole.by_model.any()
    count = payments.num_rows * 4 // 5
    until = payments["occurred_at"][count - 1]
    known = labels.filter(pc.less_equal(labels["labelled_at"], until))
    without = run(*read(tmp_path, payments.slice(0, count), known), Setup(NO_RATES, train=QUICK))
    assert told(without, count) == told(whole, count)
    assert len(known) < len(labels) and without.names


def test_decisions_are_those_of_the_decider_one_by_one(tmp_path: Path) -> None:
    payments, labels = mixture()
    history, known = read(tmp_path, payments.slice(0, 3_000), labels)
    mine = rule_set(rule("own", 'amount > 900 EUR and channel == "web"', outcome="REVIEW"), set_id="own")
    setup = Setup(NO_RATES, mine, fitted(3))
    found = run(history, known, setup)
    decider = Decider()
    decider.deciders.publish(mine)
    decider.deciders.give("LIVE", None, 0, fitted(3))
    for places, features in features_of(history, known, NO_RATES):
        facts = facts_of(history, places)
        for place in range(0, features.shape[1], 17):
            given = features[:, place].tolist(), words_at(facts, place), "bank", int(facts.at_us[place])
            one = decider.one(*given)
            at = places.start + place
            assert (one.rank, one.score_bp) == (found.ranks[at], found.scores_bp[at])
            if one.rank:
                assert found.explained[at] == decider.explain(*given)
    assert found.names == [fitted(3).name] and found.sets == {"default@1, own@1"}


def test_parts_are_of_one_day_and_all_payments_are_in_them(tmp_path: Path) -> None:
    history, known = read(tmp_path, *mixture())
    end = 0
    for places, features in features_of(history, known, NO_RATES):
        days = history.at_us[places] // DAY_US
        assert places.start == end and days[0] == days[-1] and features.shape[1] == len(days)
        end = places.stop
    assert end == len(history)


def test_a_label_counts_from_its_time_on(tmp_path: Path) -> None:
    rows = [
        {
            "payment_id": f"p{day}",
            "debtor_account_id": f"d{day}",
            "occurred_at": f"2026-03-{day:02}T12:00:00Z",
        }
        for day in range(1, 29)
    ]
    history = read_payments(csv_file(tmp_path / "a.csv", *rows))
    risk = [one.name for one in INPUTS].index("payee_frauds")

    def risks(*labels: tuple[str, str, str]) -> list[int]:
        known = read_labels(labels_file(tmp_path / "l.csv", *labels), history)
        return [
            int(value) for _, features in features_of(history, known, NO_RATES) for value in features[risk]
        ]

    fraud = ("p3", "FRAUD", "2026-03-10T12:00:00Z")
    assert risks(fraud) == [0] * 9 + [1] * 19
    assert risks(("p3", "FRAUD", "2026-03-10T12:00:00.000001Z")) == [0] * 10 + [1] * 18
    assert risks(fraud, fraud, ("p3", "GENUINE", "2026-03-20T00:00:00Z")) == [0] * 9 + [1] * 10 + [0] * 9
    assert risks(("p3", "GENUINE", "2026-03-04T00:00:00Z")) == [0] * 28


def test_rules_of_a_file_hold_at_all_times_and_take_the_place_of_their_id(tmp_path: Path) -> None:
    rows = [{"amount_minor": 700_000_00}, {"amount_minor": 99_00, "debtor_account_id": "carol"}]
    history = read_payments(csv_file(tmp_path / "a.csv", *rows))
    labels = read_labels(labels_file(tmp_path / "l.csv", ("p2", "FRAUD", "2026-03-05T00:00:00Z")), history)
    mine = rule_set(
        rule("small", "amount < 100 EUR", outcome="REVIEW", effective_from_us=9 * 10**15),
        from_us=9 * 10**15,
        version=2,
        tenant_id="north",
    )
    found = run(history, labels, Setup(NO_RATES, in_force_at_all_times(mine)))
    assert (found.ranks.tolist(), found.before.tolist()) == ([0, 1], [1, 0])
    said = summary(history, labels, found)
    assert said["against_default_rules"] == {
        "alerts": 1,
        "gained": {"alerts": 1, "frauds": 1},
        "lost": {"alerts": 1, "frauds": 0},
    }
    assert said["rules"] == ["default@2"]
    assert said["by_rule"] == [
        {
            "rule": "small@1",
            "alerts": 1,
            "frauds": 1,
            "precision": 1.0,
            "fraud_found_eur_minor": 99_00,
            "alone": 1,
        }
    ]
    assert said["all"] == {
        "payments": 2,
        "alerts": 1,
        "alert_rate": 0.5,
        "frauds": 1,
        "frauds_found": 1,
        "precision": 1.0,
        "recall": 1.0,
        "average_precision": 1.0,
        "fraud_eur_minor": 99_00,
        "fraud_found_eur_minor": 99_00,
    }


def test_without_labels_there_are_alerts_and_no_figures_of_frauds(tmp_path: Path) -> None:
    history = read_payments(
        csv_file(
            tmp_path / "a.csv",
            {"amount_minor": 700_000_00},
            {"currency": "USD", "debtor_account_id": "carol"},
        )
    )
    labels = read_labels(labels_file(tmp_path / "l.csv"), history)
    said = summary(history, labels, run(history, labels, Setup(NO_RATES)))
    assert said["without_rate"] == {"USD": 1}
    assert (said["all"]["alerts"], said["all"]["precision"], said["all"]["average_precision"]) == (
        1,
        None,
        None,
    )
    assert not frauds_of(labels, 2).any()


def test_inputs_of_models_are_those_of_the_catalogue() -> None:
    assert all(isinstance(Input(*one), Input) for one in INPUTS)
    assert np.dtype(np.int16).type(10_000) == 10_000  # what holds a score
