"""Ours: what a bank gets from `ledgerflow backtest --payments FILE --labels FILE --train`, in memory.

Features, the default rules, and models that are made as time goes on, each of what was known before its day;
scores are basis points. Without xgboost there is no model, and the rules decide alone.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.backtest.blocks import Block
from pipeline.backtest.history import History, Labels, labels_of
from pipeline.backtest.reading import FRAUD, PaymentRows
from pipeline.backtest.running import Setup, run
from pipeline.domain.fraud.deciding.decision import OUTCOMES
from pipeline.domain.fraud.features.amounts import Rates, rate
from pipeline.training.walk_forward import WalkForward
from tests.benchmarks.fraud_quality.scorers import Scores

RATES = Rates([rate("USD", 0, 920_000_000), rate("JPY", 0, 6_100_000), rate("VND", 0, 37_000)])
"""Of the currencies of the mixture, about."""


def backtest(payments: pa.Table, labels: pa.Table) -> Scores:
    """Return what the product decides at its defaults, with models that learn from the labels."""
    history, known = history_of(payments, labels)
    train = WalkForward() if find_spec("xgboost") is not None else None
    found = run(history, known, Setup(RATES, train=train))
    reasons: list[tuple[str, ...]] = [()] * len(history)
    for place in np.flatnonzero(found.ranks).tolist():
        reasons[place] = tuple(one.label for one in found.explained[place].reasons)
    return Scores(found.scores_bp, [OUTCOMES[rank] for rank in found.ranks.tolist()], reasons)


def history_of(payments: pa.Table, labels: pa.Table) -> tuple[History, Labels]:
    """Return tables as the files of a backtest are read. The payments are in the order of their time.

    The handbook has a few amounts of 0, which no payment has: they are of 0.01.
    """
    rows = PaymentRows("payments")
    columns = {name: payments[name].combine_chunks() for name in payments.column_names}
    columns["amount_minor"] = pc.max_element_wise(columns["amount_minor"], 1)
    rows.take(Block(columns, 1, len(payments)))
    history = rows.history()
    place = pc.index_in(labels["payment_id"].combine_chunks(), history.payment_id).fill_null(-1)
    fraud = pc.equal(labels["label"], FRAUD).to_numpy()
    at_us = labels["labelled_at"].cast(pa.int64()).to_numpy()
    return history, labels_of(place.to_numpy().astype(np.int64), fraud, at_us, history)
