"""Views of what is known of an account: as one that pays, and as one that is paid.

Windows end with the newest payment (receipt) of the account, so a page says the same until the next one.
Amounts are minor units of EUR by the rates of their time; `currency` says so, for who shows them to people.
"""

from __future__ import annotations

from typing import Any

from pipeline.domain.fraud.features import by_row
from pipeline.domain.fraud.features import layout as at
from pipeline.domain.fraud.features.amounts import COMPARED_IN
from pipeline.domain.fraud.features.layout import DAY_S, HOUR_S
from pipeline.domain.fraud.state_rows import PAYER, PAYER_ROW, RECEIVER, RECEIVER_ROW, Kept, states_of
from pipeline.domain.kernel.times import MICROSECONDS_PER_SECOND
from pipeline.domain.kernel.views import (
    ACCOUNT,
    ACCOUNT_PAGE,
    TENANT_PAGE,
    Row,
    Tables,
    TableView,
    ViewPage,
    time_text,
)

_PAID = (
    ("1min", at.MINUTE, 12),
    ("1h", at.HOUR, 12),
    ("24h", at.DAY, 24),
    ("7d", at.MONTH, 7),
    ("30d", at.MONTH, 30),
)
_PAYERS = (("1h", HOUR_S), ("24h", DAY_S), ("7d", 7 * DAY_S))


def _state(kind: Kept, value: bytes) -> list[int]:
    found: list[int] = states_of(kind, [value])[0].tolist()
    return found


def _time(at_s: int) -> str | None:
    return time_text(at_s * MICROSECONDS_PER_SECOND) if at_s else None


def _debtor(tables: Tables, key: tuple[str, ...], value: bytes) -> Row:
    m = _state(PAYER, value)
    last = m[at.P_LAST_S]
    known = max(m[at.P_AMOUNTS], 1)
    found: dict[str, Any] = {
        "tenant_id": key[0],
        "account_id": key[1],
        "first_paid_at": _time(m[at.P_FIRST_S]),
        "last_paid_at": _time(last),
        "last_approved_at": _time(m[at.P_APPROVED_S]),
        "approved_payments": m[at.P_APPROVED],
        "confirmed_frauds": m[at.P_FRAUDS],
        "currency": COMPARED_IN,
        "usual_amount_eur_minor": m[at.P_SUM] // known if m[at.P_AMOUNTS] else None,
        "largest_amount_eur_minor": m[at.P_LARGEST] or None,
    }
    for name, ring, buckets in _PAID:
        inside = by_row.window(m, ring, last, buckets)
        found[f"payments_{name}"] = by_row.ring_sum(m, ring, inside, at.COUNT)
        found[f"amount_{name}_eur_minor"] = by_row.ring_sum(m, ring, inside, at.SUM)
    found["payees_30d"] = by_row.distinct(m, at.PAYEES, at.PAYEES_MORE, max(last - 30 * DAY_S, 0), last)
    found["devices_30d"] = by_row.used(m, at.DEVICES, max(last - 30 * DAY_S, 0), last)
    return found


def _payee(tables: Tables, key: tuple[str, ...], value: bytes) -> Row:
    m = _state(RECEIVER, value)
    last = m[at.R_LAST_S]
    found: dict[str, Any] = {
        "tenant_id": key[0],
        "account_id": key[1],
        "first_received_at": _time(m[at.R_FIRST_S]),
        "last_received_at": _time(last),
        "receipts": m[at.R_COUNT],
        "confirmed_frauds": m[at.R_FRAUDS],
        "currency": COMPARED_IN,
        "told_at": _time(m[at.R_SENT_S]),
    }
    inside = by_row.window(m, at.INFLOW, last, 24)
    found["receipts_24h"] = by_row.ring_sum(m, at.INFLOW, inside, at.COUNT)
    found["amount_24h_eur_minor"] = by_row.ring_sum(m, at.INFLOW, inside, at.SUM)
    for name, seconds in _PAYERS:
        after = max(last - seconds, 0)
        found[f"payers_{name}"] = by_row.distinct(m, at.PAYERS, at.PAYERS_MORE, after, last)
    return found


DEBTORS = TableView(
    name="fraud-debtors",
    table="fraud",
    family=PAYER_ROW.family,
    key=ACCOUNT,
    columns=(
        *(*ACCOUNT, "first_paid_at", "last_paid_at", "last_approved_at", "approved_payments"),
        *("confirmed_frauds", "currency", "usual_amount_eur_minor", "largest_amount_eur_minor"),
        *(f"{what}" for name, _, _ in _PAID for what in (f"payments_{name}", f"amount_{name}_eur_minor")),
        *("payees_30d", "devices_30d"),
    ),
    show=_debtor,
    pages=(
        ViewPage(TENANT_PAGE, "What is known of a tenant's accounts as debtors, to decide about payments"),
        ViewPage(ACCOUNT_PAGE, "One of them: habits, windows up to its newest payment"),
    ),
    marker=PAYER_ROW.family,
)
PAYEES = TableView(
    name="fraud-payees",
    table="fraud",
    family=RECEIVER_ROW.family,
    key=ACCOUNT,
    columns=(
        *(*ACCOUNT, "first_received_at", "last_received_at", "receipts", "confirmed_frauds", "currency"),
        *("told_at", "receipts_24h", "amount_24h_eur_minor", *(f"payers_{name}" for name, _ in _PAYERS)),
    ),
    show=_payee,
    pages=(
        ViewPage(TENANT_PAGE, "What is known of a tenant's accounts as payees"),
        ViewPage(ACCOUNT_PAGE, "One of them: receipts, payers, confirmed frauds, when others were told"),
    ),
    marker=RECEIVER_ROW.family,
)
