"""A bank's ordinary payments of twelve weeks, with typologies planted among them.

    population -> ordinary + business + near misses + typologies -> payments, labels, truth, instances

Labels: an instance is investigated as a whole, 2 to 60 days after its last payment (a week and a half in the
middle); one instance in twelve is never found, nor are three in a hundred payments of the others.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tests.benchmarks.fraud_data import business, near_misses, ordinary, typologies
from tests.benchmarks.fraud_data.draws import Draws
from tests.benchmarks.fraud_data.population import DEFAULT, SMALL, Form, Population
from tests.benchmarks.fraud_data.tables import DAY_US, HOUR_US, DataSet, named, times
from tests.benchmarks.fraud_data.traffic import START_US, Accounts, Traffic, payments_table

__all__ = ["DEFAULT", "SMALL", "Form", "generate"]

NEVER_FOUND, MISSED = 1 / 12, 0.03
DELAY_DAYS_MEDIAN, DELAY_DAYS_LEAST, DELAY_DAYS_MOST = 10, 2, 60


def generate(seed: int, form: Form = DEFAULT) -> DataSet:
    """Return the data set of a seed."""
    accounts, traffic = Accounts(seed), Traffic()
    population = Population(seed, form, accounts)
    for part in (ordinary, business, near_misses):
        part.add(seed, population, traffic)
    kinds = typologies.add(seed, population, traffic)
    columns = traffic.columns(form.days * DAY_US)
    payments = payments_table(seed, columns, accounts)
    instance = columns["instance"]
    truth = pa.table(
        {
            "payment_id": payments["payment_id"],
            "fraud": pa.array(instance >= 0),
            "kind": named(traffic.kinds, columns["kind"]),
            "instance": pa.array(instance, mask=instance < 0),
        }
    )
    instances = _instances(kinds, columns)
    labels = _labels(seed, payments["payment_id"], columns, len(kinds))
    return DataSet("mixture", seed, payments, labels, truth, instances)


def _instances(kinds: list[str], columns: dict[str, np.ndarray]) -> pa.Table:
    """Return a row for each instance: its payments, its first and its last time."""
    planted = columns["instance"] >= 0
    of, at = columns["instance"][planted], START_US + columns["at"][planted]
    first, last = np.full(len(kinds), np.iinfo(np.int64).max), np.zeros(len(kinds), np.int64)
    np.minimum.at(first, of, at)
    np.maximum.at(last, of, at)
    return pa.table(
        {
            "instance": pa.array(np.arange(len(kinds))),
            "kind": pa.array(kinds),
            "payments": pa.array(np.bincount(of, minlength=len(kinds))),
            "first_at": times(first),
            "last_at": times(last),
        }
    )


def _labels(seed: int, ids: pa.ChunkedArray, columns: dict[str, np.ndarray], count: int) -> pa.Table:
    """Return what a bank comes to know, in the order in which it does."""
    draws, instance = Draws(seed, "labels"), columns["instance"]
    last = np.zeros(count, np.int64)
    planted = np.flatnonzero(instance >= 0)
    np.maximum.at(last, instance[planted], columns["at"][planted])
    days = draws.amounts(count, DELAY_DAYS_MEDIAN, 0.8).clip(DELAY_DAYS_LEAST, DELAY_DAYS_MOST)
    found = ~draws.chance(count, NEVER_FOUND)
    seen = found[instance[planted]] & ~draws.chance(len(planted), MISSED)
    known = planted[seen]
    at = last[instance[known]] + days[instance[known]] * DAY_US + draws.below(len(known), 8 * HOUR_US)
    order = np.argsort(at, kind="stable")
    return pa.table(
        {
            "payment_id": ids.take(pa.array(known[order])),
            "label": pa.array(["FRAUD"] * len(known), pa.string()),
            "labelled_at": times(START_US + at[order]),
        }
    )
