"""Card payments after the Fraud Detection Handbook's description (chapter 3, "Transaction data simulator").

Customers and terminals have a place on a grid of 100 x 100; a customer pays at terminals nearer than the
radius. A customer has a mean amount (5 to 100), half of it as deviation, and a mean number of payments a day
(0 to 4).
Three scenarios make frauds, in this order:

    1  every amount above 220
    2  two terminals a day: all their payments of 28 days
    3  three customers a day: a third of their payments of 14 days, whose amounts are five times as high

Debtor = customer, creditor = terminal. A fraud is labelled seven days later; of the genuine nothing is said.
Written from the description; it draws other numbers than the book's code, of the same distributions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tests.benchmarks.fraud_data.draws import Draws
from tests.benchmarks.fraud_data.tables import DAY_US, SECOND_US, DataSet, named, numbered, times

START_US = 1_522_540_800 * SECOND_US
"""2018-04-01, a Sunday, as in the book."""
DELAY_US = 7 * DAY_US
DAY_SECONDS = 86_400
NOON_SECONDS, SPREAD_SECONDS = 43_200, 20_000
HIGH_MINOR = 220_00
TERMINALS_A_DAY, TERMINAL_DAYS = 2, 28
CUSTOMERS_A_DAY, CUSTOMER_DAYS, TIMES = 3, 14, 5
KINDS = ["amount", "terminal", "customer"]


@dataclass(frozen=True)
class Form:
    """How much is made."""

    customers: int = 5_000
    terminals: int = 10_000
    days: int = 183
    radius: float = 5.0


DEFAULT = Form()
SMALL = Form(customers=150, terminals=300, days=70, radius=12.0)


def generate(seed: int, form: Form = DEFAULT) -> DataSet:
    """Return the data set of a seed."""
    customer, terminal, amount, at = _payments(seed, form)
    fraud = np.zeros(len(at), np.int64)
    _scenarios(seed, form, (customer, terminal, amount, at), fraud)
    ids = numbered("p", np.arange(len(at)), 8)
    when = START_US + at * SECOND_US
    payments = pa.table(
        {
            "payment_id": ids,
            "debtor_account_id": numbered("customer-", customer, 5),
            "creditor_account_id": numbered("terminal-", terminal, 5),
            "amount_minor": pa.array(amount),
            "currency": pa.array(["EUR"] * len(at)),
            "occurred_at": times(when),
        }
    )
    frauds = np.flatnonzero(fraud)
    labels = pa.table(
        {
            "payment_id": ids.take(pa.array(frauds)),
            "label": pa.array(["FRAUD"] * len(frauds), pa.string()),
            "labelled_at": times(when[frauds] + DELAY_US),
        }
    )
    truth = pa.table(
        {
            "payment_id": ids,
            "fraud": pa.array(fraud > 0),
            "kind": named(KINDS, fraud - 1),
            "instance": pa.nulls(len(at), pa.int64()),
        }
    )
    nothing = np.zeros(0, np.int64)
    instances = pa.table(
        {
            "instance": pa.array(nothing),
            "kind": pa.array([], pa.string()),
            "payments": pa.array(nothing),
            "first_at": times(nothing),
            "last_at": times(nothing),
        }
    )
    return DataSet("handbook", seed, payments, labels, truth, instances)


def _payments(seed: int, form: Form) -> tuple[np.ndarray, ...]:
    """Return customer, terminal, amount in cents and second since the start, ordered by second."""
    draws = Draws(seed, "handbook people")
    places = 100 * draws.unit(2 * form.customers).reshape(-1, 2)
    mean = 5 + 95 * draws.unit(form.customers)
    a_day = 4 * draws.unit(form.customers)
    near = _near(places, 100 * draws.unit(2 * form.terminals).reshape(-1, 2), form.radius)

    draws = Draws(seed, "handbook payments")
    counts = draws.poisson(np.repeat(a_day, form.days))
    customer = np.repeat(np.repeat(np.arange(form.customers), form.days), counts)
    day = np.repeat(np.tile(np.arange(form.days), form.customers), counts)
    # Towards zero, as the book's int() does.
    second = np.trunc(NOON_SECONDS + SPREAD_SECONDS * draws.normal(len(day))).astype(np.int64)
    amount = mean[customer] * (1 + draws.normal(len(day)) / 2)
    other = 2 * mean[customer] * draws.unit(len(day))
    amount = np.rint(100 * np.where(amount < 0, other, amount)).astype(np.int64)
    choices = np.array([len(one) for one in near])
    chosen = draws.below(len(day), np.maximum(choices, 1)[customer])
    starts = np.cumsum(choices) - choices
    kept = np.flatnonzero((second > 0) & (second < DAY_SECONDS) & (choices[customer] > 0))
    terminal = np.concatenate(near)[starts[customer[kept]] + chosen[kept]]
    at = day[kept] * DAY_SECONDS + second[kept]
    order = np.argsort(at, kind="stable")
    return customer[kept][order], terminal[order], amount[kept][order], at[order]


def _near(customers: np.ndarray, terminals: np.ndarray, radius: float) -> list[np.ndarray]:
    """Return for each customer the terminals nearer than the radius."""
    found = []
    for x, y in customers:
        across, along = terminals[:, 0] - x, terminals[:, 1] - y
        found.append(np.flatnonzero(across * across + along * along < radius * radius))
    return found


def _scenarios(seed: int, form: Form, payments: tuple[np.ndarray, ...], fraud: np.ndarray) -> None:
    """Write the scenario of each fraud into `fraud`, and higher amounts into the payments."""
    customer, terminal, amount, at = payments
    draws = Draws(seed, "handbook frauds")
    fraud[amount > HIGH_MINOR] = 1
    starts = np.searchsorted(at, np.arange(form.days + 1) * DAY_SECONDS)
    for day in range(form.days - 1):
        stop = starts[min(day + TERMINAL_DAYS, form.days)]
        chosen = draws.some(np.arange(form.terminals), TERMINALS_A_DAY)
        fraud[starts[day] : stop][np.isin(terminal[starts[day] : stop], chosen)] = 2
    for day in range(form.days - 1):
        stop = starts[min(day + CUSTOMER_DAYS, form.days)]
        chosen = draws.some(np.arange(form.customers), CUSTOMERS_A_DAY)
        theirs = starts[day] + np.flatnonzero(np.isin(customer[starts[day] : stop], chosen))
        taken = draws.some(theirs, len(theirs) // 3)
        amount[taken] *= TIMES
        fraud[taken] = 3
