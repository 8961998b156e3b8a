"""The view of fraud alerts: payments that were held for review or declined."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.domain.fraud.alerts import FAMILY, read_alert
from pipeline.domain.fraud.state_rows import PAYER_ROW
from pipeline.domain.kernel.rows import Rows
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

PaymentState = Callable[[Rows, str, str, str], str | None]
"""Returns the state of (tenant, payment, debtor) from the rows of the lifecycle."""


def alerts(payment_state: PaymentState) -> TableView:
    """Return the view of alerts, with each payment's state as the lifecycle of the same partition has it.

    That knows every payment, those too that the ledger rejects and forgets. The state is null until the
    payment is known, and where the id is known from another account.
    """

    def show(tables: Tables, key: tuple[str, ...], value: bytes) -> Row:
        tenant_id, account_id, payment_id = key
        alert = read_alert(value)
        lives = tables.rows_or_none("lifecycle")
        return {
            "tenant_id": tenant_id,
            "account_id": account_id,
            "payment_id": payment_id,
            "alert_id": alert.alert_id,
            "outcome": alert.verdict.outcome,
            "score": alert.verdict.score,
            "reasons": [{"rule": rule, "detail": detail} for rule, detail in alert.verdict.reasons],
            "rules_version": alert.verdict.version,
            "decided_at": time_text(alert.at_us),
            "creditor_account_id": alert.creditor_account_id,
            "amount_minor": alert.amount_minor,
            "currency": alert.currency,
            "payment_state": None
            if lives is None
            else payment_state(lives, tenant_id, payment_id, account_id),
        }

    return TableView(
        name="alerts",
        table="fraud",
        family=FAMILY,
        key=(*ACCOUNT, "payment_id"),
        columns=(
            *(*ACCOUNT, "payment_id", "alert_id", "outcome", "score", "reasons", "rules_version"),
            *("decided_at", "creditor_account_id", "amount_minor", "currency", "payment_state"),
        ),
        show=show,
        pages=(
            ViewPage(TENANT_PAGE, "Payments of a tenant that were held for review or declined"),
            ViewPage(ACCOUNT_PAGE, "Those of one account"),
            ViewPage(f"{ACCOUNT_PAGE}/{{payment}}", "One of them"),
        ),
        marker=PAYER_ROW.family,
    )
