"""The Fraud Detection Handbook's features (chapter 3, "Baseline feature transformation"), by columns.

    amount; weekend; night (hour 0 to 6, UTC)
    of the debtor, over 1, 7, 30 days up to and with the payment: number, mean amount
    of the creditor, over 1, 7, 30 days that end 7 days before the payment: number, share of frauds

A fraud counts from when it is labelled, never before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

DAY_US = 86_400_000_000
DELAY_US = 7 * DAY_US
WINDOWS = (1, 7, 30)
NIGHT_HOURS = 7
"""The book takes hours up to and with 6."""
NEVER = np.iinfo(np.int64).max
NAMES = (
    *("amount", "weekend", "night"),
    *(f"debtor_{name}_{days}d" for days in WINDOWS for name in ("payments", "mean")),
    *(f"creditor_{name}_{days}d" for days in WINDOWS for name in ("payments", "risk")),
)


@dataclass(frozen=True)
class Columns:
    """What a scorer may know of payments, in the order of their time, as arrays of equal length."""

    debtor: np.ndarray
    creditor: np.ndarray
    """Accounts as numbers of their own; int64."""
    amount: np.ndarray
    """Minor units; float64."""
    at: np.ndarray
    """Microseconds UTC; int64."""
    labelled_at: np.ndarray
    """When a payment is labelled a fraud, microseconds UTC; NEVER where it is not. int64."""


def columns_of(payments: pa.Table, labels: pa.Table) -> Columns:
    """Return payments and labels as arrays."""
    accounts = pa.concat_arrays(
        [payments[name].combine_chunks() for name in ("debtor_account_id", "creditor_account_id")]
    )
    numbers = accounts.dictionary_encode().indices.to_numpy().astype(np.int64)
    count = payments.num_rows
    labelled_at = np.full(count, NEVER)
    frauds = labels.filter(pc.equal(labels["label"], "FRAUD"))
    places = pc.index_in(frauds["payment_id"], payments["payment_id"].combine_chunks())
    labelled_at[places.to_numpy()] = _microseconds(frauds["labelled_at"])
    amount = payments["amount_minor"].to_numpy().astype(np.float64)
    return Columns(
        numbers[:count], numbers[count:], amount, _microseconds(payments["occurred_at"]), labelled_at
    )


def _microseconds(column: pa.ChunkedArray) -> np.ndarray:
    found: np.ndarray = column.cast(pa.int64()).to_numpy()
    return found


def features(columns: Columns) -> np.ndarray:
    """Return a row for each payment with the features in the order of NAMES; float32."""
    days = columns.at // DAY_US
    found = [columns.amount, (days + 3) % 7 >= 5, columns.at % DAY_US < NIGHT_HOURS * DAY_US // 24]
    found += _of_debtor(columns)
    found += _of_creditor(columns)
    return np.stack(found, axis=1).astype(np.float32)


class _Timeline:
    """Payments ordered by account, then time: where a time falls among an account's own."""

    def __init__(self, account: np.ndarray, at: np.ndarray) -> None:
        self._start = at.min() - 60 * DAY_US
        self._span = at.max() - self._start + 400 * DAY_US
        self.order = np.lexsort((at, account))
        self.account, self.at = account[self.order], at[self.order]
        self._keys = self._key(self.account, self.at)

    def _key(self, account: np.ndarray, at: np.ndarray) -> np.ndarray:
        return account * self._span + np.clip(at - self._start, 0, self._span - 1)

    def place(self, account: np.ndarray, at: np.ndarray, side: str) -> np.ndarray:
        """Return where times fall: before payments of the same time (left) or after them (right)."""
        return np.searchsorted(self._keys, self._key(account, at), side=side)

    def unordered(self, found: np.ndarray) -> np.ndarray:
        """Return values in the order of the payments."""
        back = np.empty_like(found)
        back[self.order] = found
        return back


def _of_debtor(columns: Columns) -> list[np.ndarray]:
    line = _Timeline(columns.debtor, columns.at)
    sums = np.concatenate([[0.0], np.cumsum(columns.amount[line.order])])
    stop = np.arange(1, len(sums))
    found = []
    for days in WINDOWS:
        start = line.place(line.account, line.at - days * DAY_US, "right")
        number = stop - start
        found += [line.unordered(number), line.unordered((sums[stop] - sums[start]) / number)]
    return found


def _of_creditor(columns: Columns) -> list[np.ndarray]:
    line = _Timeline(columns.creditor, columns.at)
    stop = line.place(line.account, line.at - DELAY_US, "right")
    frauds = np.flatnonzero(columns.labelled_at != NEVER)
    account, since = columns.creditor[frauds], columns.at[frauds] + DELAY_US
    known = np.maximum(since, columns.labelled_at[frauds])
    found = []
    for days in WINDOWS:
        number = stop - line.place(line.account, line.at - DELAY_US - days * DAY_US, "right")
        # A fraud is in the windows of the payments from when it is known until it is too old.
        until = since + days * DAY_US
        within = known < until
        change = np.zeros(len(line.at) + 1, np.int64)
        np.add.at(change, line.place(account[within], known[within], "left"), 1)
        np.add.at(change, line.place(account[within], until[within], "left"), -1)
        risk = np.cumsum(change)[:-1] / np.maximum(number, 1)
        found += [line.unordered(number), line.unordered(risk)]
    return found
