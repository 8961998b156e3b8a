"""Alerts of a run: which payments raise one, and which of them belong together.

    G tenant account -> the alert of the account that is open

Payments of an account within an hour of the first one are one alert: each says so with an event of its own,
and all events have its `alert_id`. The rows of alerts (`alerts`) are of payments.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.domain.fraud.alerts import ALERTED, Alert, alert_key, pack_alert, read_alert
from pipeline.domain.fraud.score import Verdict
from pipeline.domain.kernel.events import PaymentInitiated
from pipeline.domain.kernel.layouts import RowKind, unpacker
from pipeline.domain.kernel.outbox import derived_id
from pipeline.domain.kernel.retention import Queues
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import PrefetchingRows, row_key

OPEN_ROW = RowKind("fraud", "open alert", "G")
TOGETHER_US = 3_600_000_000


class OpenAlert(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The alert of an account that payments may still join."""

    alert_id: str
    from_us: int
    """Event time of its first payment."""
    payment_id: str
    """The newest payment that has joined: with its row, this one is deleted."""
    payments: int


_unpack = unpacker(OPEN_ROW, OpenAlert)


def open_key(tenant_id: str, account_id: str) -> bytes:
    """Return the row key of the open alert of an account."""
    return row_key(OPEN_ROW.family, tenant_id, account_id)


def read_open(row: bytes | None) -> OpenAlert | None:
    """Return the open alert of a row. Raises UnreadableRow."""
    return None if row is None else _unpack(row)


class Alerts:
    """The alerts of a run; rows are read when they are needed, since few payments raise one."""

    def __init__(self, rows: PrefetchingRows, kept_us: int) -> None:
        self._rows, self._kept_us = rows, kept_us
        self._queues = Queues(ALERTED, rows, kept_us)

    def add(
        self, event: PaymentInitiated, raised: tuple[Any, str], at_us: int, newest_at: int, verdict: Verdict
    ) -> str:
        """Keep an alert on a payment; return the id of the alert that it belongs to.

        `raised`: cause and name of the event that says so; `newest_at`: the tenant's time; microseconds.
        """
        alert_id = self._together(event, raised, at_us)
        key = alert_key(event.tenant_id, event.debtor_account_id, event.payment_id)
        alert = Alert(at_us, verdict, event.creditor_account_id, event.amount_minor, event.currency, alert_id)
        self._rows.put(key, pack_alert(alert))
        keys = self._queues.of(event.tenant_id).add(newest_at, key)
        self._forget(keys, newest_at - self._kept_us)
        return alert_id

    def knows(self, event: PaymentInitiated, newest_at: int) -> bool:
        """Whether the debtor's payment has an alert."""
        row = self._rows.get(alert_key(event.tenant_id, event.debtor_account_id, event.payment_id))
        return row is not None and newest_at - read_alert(row).at_us <= self._kept_us

    def write(self) -> None:
        """Write where the queues stand."""
        self._queues.write()

    def _together(self, event: PaymentInitiated, raised: tuple[Any, str], at_us: int) -> str:
        key = open_key(event.tenant_id, event.debtor_account_id)
        known = read_open(self._rows.get(key))
        if known is not None and abs(at_us - known.from_us) < TOGETHER_US:
            joined = OpenAlert(known.alert_id, known.from_us, event.payment_id, known.payments + 1)
            self._rows.put(key, OPEN_ROW.pack(joined))
            return known.alert_id
        cause, name = raised
        alert_id = derived_id(cause_name(cause), name)
        if known is None or at_us > known.from_us:
            self._rows.put(key, OPEN_ROW.pack(OpenAlert(alert_id, at_us, event.payment_id, 1)))
        return alert_id

    def _forget(self, keys: Iterable[bytes], before_us: int) -> None:
        for key in keys:
            row = self._rows.get(key)
            if row is None or read_alert(row).at_us >= before_us:
                continue
            self._rows.delete(key)
            _, tenant_id, account_id, payment_id = key.decode().split("\0")
            open_alert = open_key(tenant_id, account_id)
            known = read_open(self._rows.get(open_alert))
            if known is not None and known.payment_id == payment_id:
                self._rows.delete(open_alert)
