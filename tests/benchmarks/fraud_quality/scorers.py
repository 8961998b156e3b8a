"""Who decides: a scorer takes payments and labels of a data set and says what it makes of each payment.

A scorer goes through the payments in the order of their time, and may use a label from `labelled_at` on,
never before. It does not get what is for evaluation only. `present_stream` is the fraud stream at its
defaults, by the very code of a worker, in memory; it takes no labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.fraud.batch import FraudBatch
from pipeline.domain.fraud.stream import FraudStream
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import Block, Run
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows

TENANT = "bank"
SLICE = 20_000
"""Payments that a worker applies at once, about."""
GIVEN = {
    "payment_id": "payment_id",
    "debtor_account_id": "debtor_account_id",
    "creditor_account_id": "creditor_account_id",
    "amount_minor": "amount_minor",
    "currency": "currency",
    "channel": "channel",
    "device_id": "device_id",
    "counterparty_country": "counterparty_country",
    "merchant_category": "merchant_category",
    "event_id": "payment_id",
    "correlation_id": "payment_id",
}
"""Fields of a payment's event and the columns that they come from."""


@dataclass(frozen=True)
class Scores:
    """What a scorer says of each payment, in the order of the payments."""

    score: np.ndarray
    """A higher one is more suspicious; float64, or int64."""
    outcome: list[str]
    """APPROVE, REVIEW or DECLINE; the latter two are alerts."""
    reasons: list[tuple[str, ...]]
    """Names of the rules, or of whatever led to the score."""

    @property
    def alert(self) -> np.ndarray:
        """Which payments are alerts; bool."""
        return np.array([outcome != "APPROVE" for outcome in self.outcome], bool)


Scorer = Callable[[pa.Table, pa.Table], Scores]
"""Takes payments and labels as `fraud_data.tables.DataSet` has them."""


def looked_ahead(scorer: Scorer, payments: pa.Table, labels: pa.Table) -> int:
    """Return how many payments of the first half are decided otherwise when nothing later is there."""
    half = payments.num_rows // 2
    known = labels.filter(pc.less_equal(labels["labelled_at"], payments["occurred_at"][half - 1]))
    with_later, without = scorer(payments, labels), scorer(payments.slice(0, half), known)
    pairs = (
        zip(said.score[:half].tolist(), said.outcome[:half], said.reasons[:half], strict=True)
        for said in (with_later, without)
    )
    return sum(one != other for one, other in zip(*pairs, strict=True))


Decision = tuple[int, str, tuple[str, ...]]
"""Score, outcome, reasons."""


def present_stream(payments: pa.Table, labels: pa.Table) -> Scores:
    """Return what the fraud stream decides at its defaults, all payments on one partition."""
    stream = FraudStream()
    batch, rows = FraudBatch(stream), MemoryRows()
    run, place = _run(batch, payments), 0
    decided: dict[str, Decision] = {}
    while place < len(run):
        applied, said = batch.apply(run.slice(place, min(place + SLICE, len(run))), rows)
        for block in said:
            if isinstance(block, Block) and block.event is ev.PaymentDecided:
                _keep(block, decided)
        if not applied:
            out = Outbox()
            event = _event(payments, place)
            stream.apply(event, Arrival(event.occurred_at, 0, 1, place), rows, out)
            for _, _, one in out.items:
                if isinstance(one, ev.PaymentDecided):
                    names = tuple(reason.rule for reason in one.reasons)
                    decided[one.payment_id] = one.score, one.outcome, names
        place += max(applied, 1)
    found = [decided[payment] for payment in payments["payment_id"].to_pylist()]
    scores = np.array([score for score, _, _ in found], np.int64)
    return Scores(scores, [outcome for _, outcome, _ in found], [reasons for _, _, reasons in found])


def _keep(block: Block, decided: dict[str, Decision]) -> None:
    """Add the decisions of a block; most have no reason."""
    columns = block.columns
    ids, scores, outcomes = (columns[name].to_pylist() for name in ("payment_id", "score", "outcome"))
    for payment, score, outcome in zip(ids, scores, outcomes, strict=True):
        decided[payment] = score, outcome, ()
    some = pc.indices_nonzero(pc.list_value_length(columns["reasons"])).to_pylist()
    for place in some:
        names = tuple(reason["rule"] for reason in columns["reasons"][place].as_py())
        decided[ids[place]] = scores[place], outcomes[place], names


def _columns(payments: pa.Table) -> dict[str, pa.Array]:
    """Return the fields of the payments' events that have a value."""
    count, at = payments.num_rows, payments["occurred_at"].combine_chunks().cast(pa.int64())
    same = {"tenant_id": TENANT, "payment_type": "transfer", "reference": ""}
    found = {name: pa.repeat(pa.scalar(value), count) for name, value in same.items()}
    there = {name: column for name, column in GIVEN.items() if column in payments.column_names}
    found |= {name: payments[column].combine_chunks() for name, column in there.items()}
    return {**found, "occurred_at": at}


def _run(batch: FraudBatch, payments: pa.Table) -> Run:
    """Return the payments as the runtime hands them to the batch path."""
    given, count = _columns(payments), payments.num_rows
    columns = {
        name: given[name].cast(kind) if name in given else pa.nulls(count, kind)
        for name, kind in batch.fields.items()
    }
    kinds = np.full(count, [*batch.classes].index(ev.PaymentInitiated), np.int8)
    return Run(columns, kinds, given["occurred_at"].to_numpy(), 0, 1)


def _event(payments: pa.Table, place: int) -> ev.PaymentInitiated:
    """Return one payment as an event."""
    columns = _columns(payments.slice(place, 1))
    given = {name: column[0].as_py() for name, column in columns.items()}
    return ev.PaymentInitiated(causation_id=None, **given)
