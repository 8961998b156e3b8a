"""Payments, labels, accounts and rates of a tenant from the topics of a running stack, as far as they go now.

    accounts      account_opened      -> since when an account is, and its segment
    payments      payment_initiated, payments_linked; payment_reviewed is a label
    fraud-labels  payment_labelled
    rates         rate_quoted         -> rates to EUR, each from its time on

What the streams refuse is left out: a repeat of a payment, an amount or a currency that is none, an account
that pays itself, the bank's own accounts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.backtest.blocks import BLOCK_ROWS, ROWS_MAX, Block
from pipeline.backtest.history import History, Labels, labels_of
from pipeline.backtest.problems import FileRefused
from pipeline.backtest.reading import FRAUD, NEEDED, OPTIONAL, PaymentRows
from pipeline.backtest.values import TIME_END_US, check_id, check_text
from pipeline.domain.fraud.account_rows import eur_rate, named_segment
from pipeline.domain.fraud.features.amounts import NUMBER, Rate, Rates
from pipeline.domain.kernel.routing import INTERNAL_PREFIX
from pipeline.verify.decode import Decoder
from pipeline.verify.log import TopicLog

TOPICS = ("accounts", "payments", "fraud-labels", "rates")
TENANTS_SHOWN = 10
_ACCOUNTS = ("debtor_account_id", "creditor_account_id")
_TEXTS = {
    "payment_id": "payment_id",
    "creditor_account_id": "creditor_account_id",
    "currency": "currency",
    "channel": "channel",
    "device_id": "device_id",
    "counterparty_country": "counterparty_country",
    "merchant_category": "merchant_category",
}


class Read(NamedTuple):
    """What the topics say of a tenant."""

    history: History
    labels: Labels
    rates: Rates
    left_out: int
    """Payments that the streams would refuse, repeats among them, and events of other schemas."""


class TenantLog:
    """Collects what topics say of a tenant."""

    def __init__(self, tenant: str | None) -> None:
        """`tenant`: None: the only one that there is."""
        self._tenant = tenant
        self.tenants: Counter[str] = Counter()
        self._payments: dict[str, tuple[Any, ...]] = {}
        self._accounts: dict[str, tuple[int, str | None]] = {}
        self._labels: list[tuple[str, bool, int]] = []
        self._rates: list[Rate] = []
        self._left_out = 0
        self.foreign = 0
        """Events that have the name of one of ours, and other fields."""

    def take(self, name: str, fields: Mapping[str, Any]) -> None:
        """Take an event. Raises FileRefused for more payments than can be taken."""
        tenant = fields.get("tenant_id")
        if not isinstance(tenant, str) or self._tenant not in (None, tenant):
            return
        if name == "PaymentInitiated":
            self.tenants[tenant] += 1
            self._pay(fields, fields)
        elif name == "PaymentsLinked":
            self.tenants[tenant] += 1
            for payment in fields["payments"]:
                self._pay(fields, payment)
        elif name == "PaymentReviewed":
            self._labels.append((fields["payment_id"], not fields["approved"], fields["occurred_at"]))
        elif name == "PaymentLabelled":
            self._labels.append((fields["payment_id"], fields["label"] == FRAUD, fields["labelled_at"]))
        elif name == "AccountOpened":
            known = named_segment(fields.get("metadata"))
            self._accounts.setdefault(fields["account_id"], (fields["occurred_at"], known))
        elif name == "RateQuoted":
            found = eur_rate(
                fields["base_currency"], fields["quote_currency"], fields["rate_e8"], fields["effective_from"]
            )
            if found is not None:
                self._rates.append(found)

    def _pay(self, event: Mapping[str, Any], payment: Mapping[str, Any]) -> None:
        texts = {name: payment.get(field) for name, field in _TEXTS.items()}
        texts["debtor_account_id"] = event["debtor_account_id"]
        amount, at_us = payment["amount_minor"], event["occurred_at"]
        refused = (
            not (isinstance(amount, int) and isinstance(at_us, int))
            or not all(isinstance(text, str) or text is None for text in texts.values())
            or any(check_id(texts[name] or "/") for name in NEEDED if name in texts and name != "currency")
            or any(str(texts[name])[:1] == INTERNAL_PREFIX for name in _ACCOUNTS)
            or texts["debtor_account_id"] == texts["creditor_account_id"]
            or any(check_text(texts[name] or "") for name in OPTIONAL if name in texts)
            or texts["currency"] not in NUMBER
            or amount < 1
            or not 0 <= at_us < TIME_END_US
            or texts["payment_id"] in self._payments
        )
        if refused:
            self._left_out += 1
            return
        if len(self._payments) >= ROWS_MAX:
            raise FileRefused(f"more than {ROWS_MAX:,} payments")
        row = (*(texts.get(name) for name in (*NEEDED, *OPTIONAL)),)
        self._payments[str(texts["payment_id"])] = (*row, amount, at_us)

    def read(self) -> Read:
        """Return all of it. Raises FileRefused where there are no payments, or those of several tenants."""
        if len(self.tenants) > 1:
            names = ", ".join(name for name, _ in self.tenants.most_common(TENANTS_SHOWN))
            raise FileRefused(f"payments of {len(self.tenants)} tenants ({names}): name one by --tenant")
        if not self._payments:
            whose = "" if self._tenant is None else f" of tenant {self._tenant!r}"
            raise FileRefused(f"the topic payments has no payments{whose}")
        rows = PaymentRows("topic payments")
        for block in self._blocks():
            rows.take(block)
        history = rows.history()
        opened = [self._accounts.get(word, (0, None))[0] for word in history.debtor.words]
        history = replace(
            history,
            tenant=next(iter(self.tenants)),
            opened_us=np.array(opened, np.int64)[history.debtor.numbers],
        )
        return Read(history, self._labels_of(history), Rates(self._rates), self._left_out + self.foreign)

    def _blocks(self) -> Iterator[Block]:
        rows = list(self._payments.values())
        names = (*NEEDED, *OPTIONAL)
        debtor = names.index("debtor_account_id")
        for begin in range(0, len(rows), BLOCK_ROWS):
            part = rows[begin : begin + BLOCK_ROWS]
            columns = {
                name: pa.array([row[at] for row in part], pa.string()) for at, name in enumerate(names)
            }
            columns["amount_minor"] = pa.array([row[-2] for row in part], pa.int64())
            columns["occurred_at"] = pa.array([row[-1] for row in part], pa.int64())
            segments = [self._accounts.get(row[debtor], (0, None))[1] for row in part]
            columns["segment"] = pa.array(segments, pa.string())
            yield Block(columns, begin + 1, len(part))

    def _labels_of(self, history: History) -> Labels:
        ids = pa.array([payment for payment, _, _ in self._labels], pa.large_string())
        place = pc.index_in(ids, history.payment_id).fill_null(-1).to_numpy(zero_copy_only=False)
        fraud = np.array([is_fraud for _, is_fraud, _ in self._labels], bool)
        at_us = np.array([at for _, _, at in self._labels], np.int64)
        return labels_of(place.astype(np.int64), fraud, at_us, history)


def read_topics(log: TopicLog, decoder: Decoder, tenant: str | None) -> Read:
    """Return what the topics say, up to a fixed end. Raises FileRefused, and what log and decoder raise."""
    found = TenantLog(tenant)
    for topic in TOPICS:
        for partition in range(log.partitions(topic)):
            for record in log.read(topic, partition):
                event = decoder.decode(record.value)
                if event is not None:
                    try:
                        found.take(event.name, event.fields)
                    except (AttributeError, KeyError, TypeError):
                        found.foreign += 1
    return found.read()
