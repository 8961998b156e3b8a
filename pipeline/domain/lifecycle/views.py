"""Views of the lifecycle: every payment by its id, and the stuck payments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pipeline.domain.kernel.rows import Rows
from pipeline.domain.kernel.views import (
    ACCOUNT_PAGE,
    TENANT_PAGE,
    Owner,
    Row,
    Tables,
    TableView,
    ViewPage,
    end_text,
    time_text,
)
from pipeline.domain.lifecycle.rows import LIFE, WAITS_FOR, Life, read_life, unpack_life
from pipeline.domain.lifecycle.rows import STUCK as STUCK_ROWS

ExchangeOf = Callable[[Rows, str, str, str], Row | None]
"""Returns what (tenant, payment, debtor) was converted to, from the rows of the ledger; None: to nothing."""
STATES = (
    *("scheduled", "processing", "held", "authorised"),
    *("settled", "rejected", "failed", "cancelled", "expired"),
)
_STATE_NAMES = {"SCREENED": "processing", "RESERVED": "processing"}
"""Names of states in the view, where they are not just the lower-case state."""


def _state_name(state: str) -> str:
    return _STATE_NAMES.get(state, state.lower())


def _life(tenant_id: str, payment_id: str, life: Life) -> Row:
    return {
        "tenant_id": tenant_id,
        "payment_id": payment_id,
        "debtor_account_id": life.debtor_account_id,
        "creditor_account_id": life.creditor_account_id,
        "amount_minor": life.amount_minor,
        "currency": life.currency,
        "state": _state_name(life.state),
        "code": life.steps[-1].code,
        "waiting_for": WAITS_FOR.get(life.state),
        "progressed_at": time_text(life.progressed_at),
        "execute_at": time_text(life.execute_at),
        "hold_expires_at": end_text(life.hold_expires_at),
        "due_at": time_text(life.due_at),
        "stuck_id": life.stuck_id,
        "refused_commands": life.refused,
        "link_id": life.link_id,
    }


def _payment(exchange_of: ExchangeOf, tables: Tables, key: tuple[str, ...], value: bytes) -> Row:
    """Return a payment with all steps: what happened, when, and what caused it."""
    life, ledger = unpack_life(value), tables.rows_or_none("ledger")
    steps = [
        {
            "event": step.name,
            "state": _state_name(step.state),
            "code": step.code,
            "occurred_at": time_text(step.occurred_at),
            "recorded_at": time_text(step.recorded_at),
            "event_id": step.event_id,
            "causation_id": step.causation_id,
            "correlation_id": step.correlation_id,
        }
        for step in life.steps
    ]
    tenant_id, payment_id = key
    exchange = None
    if ledger is not None:
        exchange = exchange_of(ledger, tenant_id, payment_id, life.debtor_account_id)
    return {**_life(tenant_id, payment_id, life), "exchange": exchange, "steps": steps}


def _stuck(tables: Tables, key: tuple[str, ...], value: bytes) -> Row | None:
    """Return a stuck payment, None if it is stuck no more."""
    tenant_id, _, payment_id = key
    life = read_life(tables.rows("lifecycle"), tenant_id, payment_id)
    return None if life is None or life.stuck_id is None else _life(tenant_id, payment_id, life)


def payment_state(rows: Rows, tenant_id: str, payment_id: str, debtor_account_id: str) -> str | None:
    """Return the state of a payment, as its own view has it, from the rows of the lifecycle.

    None until the payment is known, and where the id is known from another account.
    """
    life = read_life(rows, tenant_id, payment_id)
    if life is None or life.debtor_account_id != debtor_account_id:
        return None
    return _state_name(life.state)


_COLUMNS = (
    *("tenant_id", "payment_id", "debtor_account_id", "creditor_account_id", "amount_minor", "currency"),
    *("state", "code", "waiting_for", "progressed_at", "execute_at", "hold_expires_at", "due_at", "stuck_id"),
    *("refused_commands", "link_id"),
)


def payments(exchange_of: ExchangeOf) -> TableView:
    """Return the view of payments, with what the ledger of the same partition has converted them to."""
    return TableView(
        name="payments",
        table="lifecycle",
        family=LIFE,
        key=("tenant_id", "payment_id"),
        columns=(*_COLUMNS, "exchange", "steps"),
        show=partial(_payment, exchange_of),
        pages=(
            ViewPage(TENANT_PAGE, "Payments of a tenant; those in one state with &state="),
            ViewPage("/{tenant}/{payment}", "One payment: its state, every step with time and cause"),
        ),
        marker=LIFE,
        owner=Owner("debtor_account_id", "debtor", "payment"),
        states=STATES,
    )


STUCK = TableView(
    name="stuck",
    table="lifecycle",
    family=STUCK_ROWS,
    key=("tenant_id", "debtor_account_id", "payment_id"),
    columns=_COLUMNS,
    show=_stuck,
    pages=(
        ViewPage(TENANT_PAGE, "Payments of a tenant that do not get on"),
        ViewPage(ACCOUNT_PAGE, "Those of one account"),
    ),
    marker=STUCK_ROWS,
)
