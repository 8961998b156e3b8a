"""Files of payments and of labels become a history. Every row is checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.backtest import values
from pipeline.backtest.blocks import Block, Source
from pipeline.backtest.history import History, Labels, Texts, labels_of, no_labels
from pipeline.backtest.problems import refused
from pipeline.backtest.values import (
    Place,
    Words,
    check_account,
    check_currency,
    check_once,
    check_text,
    one_of,
)
from pipeline.domain.fraud.expressions.rule_sets import RETAIL, SEGMENTS
from pipeline.domain.fraud.features.amounts import NUMBER

Integers = np.ndarray
NEEDED = (
    *("payment_id", "debtor_account_id", "creditor_account_id"),
    *("amount_minor", "currency", "occurred_at"),
)
OPTIONAL = ("channel", "device_id", "counterparty_country", "merchant_category", "segment")
LABEL_COLUMNS = ("payment_id", "label", "labelled_at")
FRAUD, GENUINE = "FRAUD", "GENUINE"
TENANT = "bank"
"""Of all payments of a file: rules of a file that are a tenant's are that one's."""


class PaymentRows:
    """Collects payments, block by block."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._accounts, self._currencies = Words(check_account), Words(check_currency)
        self._devices, self._countries, self._channels = (
            Words(check_text),
            Words(check_text),
            Words(check_text),
        )
        self._categories, self._segments = Words(check_text), Words(one_of(SEGMENTS))
        self._ids: list[Any] = []
        self._columns: dict[str, list[Integers]] = {}

    def take(self, block: Block) -> None:
        """Take a block. Raises FileRefused."""

        def texts(name: str, words: Words, nullable: bool = False) -> Integers:
            if name not in block.columns:
                return np.full(block.rows, -1, np.int32)
            place = Place(self._file, name, block.first_row)
            return words.numbers(block.columns[name], place, nullable=nullable).astype(np.int32)

        def at(name: str) -> tuple[Any, Place]:
            return block.columns[name], Place(self._file, name, block.first_row)

        self._ids.append(values.ids(*at("payment_id")))
        texts("merchant_category", self._categories, True)  # checked, and asked for by no feature
        for name, column in {
            "debtor": texts("debtor_account_id", self._accounts),
            "creditor": texts("creditor_account_id", self._accounts),
            "minor": values.amounts(*at("amount_minor")),
            "currency": texts("currency", self._currencies),
            "at_us": values.times(*at("occurred_at")),
            "device": texts("device_id", self._devices, True),
            "country": texts("counterparty_country", self._countries, True),
            "channel": texts("channel", self._channels, True),
            "segment": texts("segment", self._segments, True),
        }.items():
            self._columns.setdefault(name, []).append(column)
        same = self._columns["debtor"][-1] == self._columns["creditor"][-1]
        if same.any():
            at("creditor_account_id")[1].fail(
                int(np.argmax(same)), "is the debtor itself, as the ledger refuses it"
            )

    def history(self) -> History:
        """Return all payments, by time. Raises FileRefused: there is none, or an id is there twice."""
        if not self._ids:
            raise refused(self._file, "no payments")
        ids = pa.chunked_array(self._ids).combine_chunks()
        check_once(ids, self._file, "payment_id")
        columns = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        at_us = columns["at_us"]
        order = np.arange(len(at_us)) if (np.diff(at_us) >= 0).all() else np.argsort(at_us, kind="stable")
        columns = {name: column[order] for name, column in columns.items()}
        numbers = np.array([NUMBER[word] for word in self._currencies.words()], np.int64)
        accounts = self._accounts.words()
        segments = list(dict.fromkeys((*self._segments.words(), RETAIL)))
        segment = np.where(columns["segment"] < 0, segments.index(RETAIL), columns["segment"])
        return History(
            payment_id=ids.take(pa.array(order)),
            place=order,
            at_us=columns["at_us"],
            tenant=TENANT,
            debtor=Texts(columns["debtor"], accounts),
            creditor=Texts(columns["creditor"], accounts),
            minor=columns["minor"],
            currency=numbers[columns["currency"]],
            device=Texts(columns["device"], self._devices.words()),
            country=Texts(columns["country"], self._countries.words()),
            channel=Texts(columns["channel"], self._channels.words()),
            segment=Texts(segment, segments),
            opened_us=np.zeros(len(order), np.int64),
        )


def read_payments(path: Path) -> History:
    """Return the payments of a file. Raises FileRefused with row and column, and OSError."""
    source = Source(path, NEEDED, OPTIONAL)
    rows = PaymentRows(source.name)
    for block in source.blocks():
        rows.take(block)
    return rows.history()


def read_labels(path: Path, history: History) -> Labels:
    """Return the labels of a file. Raises FileRefused with row and column, and OSError.

    A label of a payment that is not in the history is counted, and left out.
    """
    source = Source(path, LABEL_COLUMNS)
    ids, names, times = [], Words(one_of((FRAUD, GENUINE))), []
    numbers: list[Integers] = []
    for block in source.blocks():
        at = {name: Place(source.name, name, block.first_row) for name in LABEL_COLUMNS}
        ids.append(values.ids(block.columns["payment_id"], at["payment_id"]))
        numbers.append(names.numbers(block.columns["label"], at["label"]))
        times.append(values.times(block.columns["labelled_at"], at["labelled_at"]))
    if not ids:
        return no_labels()
    is_fraud = np.array([word == FRAUD for word in names.words()])
    fraud, at_us = is_fraud[np.concatenate(numbers)], np.concatenate(times)
    found = pc.index_in(pa.chunked_array(ids).combine_chunks(), history.payment_id)
    place = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return labels_of(place, fraud, at_us, history)
