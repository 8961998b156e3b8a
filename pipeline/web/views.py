"""The table views: which rows of which table they show, and as what.

balances   ledger          a tenant account                  every account, the branches' own included
positions  positions       p tenant account instrument       with the last price of the same partition
breaks     reconciliation  b tenant account break            while they are open
alerts     fraud           a tenant account payment          with what the ledger made of the payment
journals   ledger          j tenant journal                  by id: on any partition
payments   lifecycle       p tenant payment                  every step of each, by id: on any partition
stuck      lifecycle       s tenant debtor payment           payments that do not get on
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec

from pipeline.domain.fraud import alerts as fraud_alerts
from pipeline.domain.kernel.accounts import ACCOUNT_TYPES
from pipeline.domain.kernel.rows import row_key
from pipeline.domain.ledger.journals import unpack_journal
from pipeline.domain.ledger.rows import FROZEN_NAMES, STATUS_NAMES, read_payment, unpack_account
from pipeline.domain.lifecycle.rows import LIFE, WAITS_FOR, Life, read_life, unpack_life
from pipeline.domain.lifecycle.rows import STUCK as STUCK_ROWS
from pipeline.domain.positions import rows as positions_rows
from pipeline.domain.positions.figures import figures
from pipeline.domain.reconciliation import rows as reconciliation_rows
from pipeline.web.committed import Partition
from pipeline.web.render import Row, time_text


class View(Protocol):
    """What a request may be about: a table, and what its keys consist of."""

    @property
    def name(self) -> str:
        """The first part of its paths."""

    @property
    def table(self) -> str: ...

    @property
    def family(self) -> str: ...

    @property
    def key(self) -> tuple[str, ...]: ...

    @property
    def by_id(self) -> bool:
        """Whether keys name no account, so that a row may be on any partition."""


class TableView(NamedTuple):
    """A view of one row family of one table."""

    name: str
    table: str
    family: str
    key: tuple[str, ...]
    """The fields that a row's key consists of; `key` in paths and in `after` is them, joined by slashes."""
    columns: tuple[str, ...]
    show: Callable[[Partition, tuple[str, ...], bytes], Row | None]
    """Returns what is shown of a row (its partition, the parts of its key, its value), None for nothing."""
    marker: str
    """Row family of the table that knows every account which this view can have rows of."""
    by_id: bool = False


def _balance(partition: Partition, key: tuple[str, ...], value: bytes) -> Row:
    account = unpack_account(value)
    return {
        "tenant_id": key[0],
        "account_id": key[1],
        "account_type": ACCOUNT_TYPES[account.account_type],
        "currency": account.currency,
        "status": STATUS_NAMES[account.status],
        "balance_minor": account.balance_minor,
        "available_minor": account.available_minor,
        "overdraft_limit_minor": account.overdraft_limit_minor,
        "minimum_balance_minor": account.minimum_balance_minor,
        "maximum_balance_minor": account.maximum_balance_minor,
        "frozen": FROZEN_NAMES[account.frozen],
        "debits_pending": account.debits_pending,
        "debits_posted": account.debits_posted,
        "credits_pending": account.credits_pending,
        "credits_posted": account.credits_posted,
        "account_sequence": account.sequence,
    }


def _journal(partition: Partition, key: tuple[str, ...], value: bytes) -> Row:
    """Return a journal of many legs, and what of it was taken back."""
    journal = unpack_journal(value)
    return {
        "tenant_id": key[0],
        "journal_id": key[1],
        "account_id": journal.account_id,
        "state": journal.state,
        "code": journal.code,
        "leg_no": journal.leg_no,
        "reference": journal.reference,
        "reason": journal.reason,
        "reverses": journal.reverses,
        "occurred_at": time_text(journal.occurred_at),
        "effective_at": time_text(journal.effective_at),
        "hold_expires_at": time_text(journal.expires_at),
        "waiting_for": journal.waiting,
        "legs": [msgspec.structs.asdict(leg) for leg in journal.legs],
        "reversed": [msgspec.structs.asdict(taken) for taken in journal.reversed],
    }


def _position(partition: Partition, key: tuple[str, ...], value: bytes) -> Row:
    tenant_id, account_id, instrument_id = key
    position = positions_rows.unpack_position(value)
    rows = partition.rows("positions")
    quote = positions_rows.read_quote(rows, tenant_id, instrument_id, position.currency)
    shown = figures(position, quote)
    return {
        "tenant_id": tenant_id,
        "account_id": account_id,
        "instrument_id": instrument_id,
        "currency": position.currency,
        "quantity_e8": position.quantity_e8,
        "average_cost_e8": shown.average_cost_e8,
        "cost_basis_e8": shown.cost_basis_e8,
        "realised_pnl_e8": shown.realised_pnl_e8,
        "unrealised_pnl_e8": shown.unrealised_pnl_e8,
        "last_price_e8": None if quote is None else quote.price_e8,
        "last_price_at": None if quote is None else time_text(quote.quoted_at),
        "fees_minor": position.fees_minor,
        "trades": position.trades,
    }


def _open_break(partition: Partition, key: tuple[str, ...], value: bytes) -> Row | None:
    row = reconciliation_rows.decode(value, reconciliation_rows.Break)
    if row.resolution is not None:
        return None
    return {
        "tenant_id": key[0],
        "account_id": key[1],
        "break_id": key[2],
        "type": row.type,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "statement_id": row.statement_id,
        "line_no": row.line_no,
        "posting_id": row.posting_id,
        "detail": row.detail,
        "opened_at": time_text(row.opened_at),
    }


def _alert(partition: Partition, key: tuple[str, ...], value: bytes) -> Row:
    """Return an alert with what the ledger of the same partition made of the payment.

    The state is null until the ledger has the payment, and where it knows the id from another account.
    """
    tenant_id, account_id, payment_id = key
    alert = fraud_alerts.read_alert(value)
    ledger = partition.rows_or_none("ledger")
    payment = None if ledger is None else read_payment(ledger, tenant_id, payment_id)
    if payment is not None and payment.debtor_account_id != account_id:
        payment = None
    return {
        "tenant_id": tenant_id,
        "account_id": account_id,
        "payment_id": payment_id,
        "outcome": alert.verdict.outcome,
        "score": alert.verdict.score,
        "reasons": [{"rule": rule, "detail": detail} for rule, detail in alert.verdict.reasons],
        "rules_version": alert.verdict.version,
        "decided_at": time_text(alert.at_us),
        "creditor_account_id": alert.creditor_account_id,
        "amount_minor": alert.amount_minor,
        "currency": alert.currency,
        "payment_state": None if payment is None else payment.state,
    }


_STATE_NAMES = {"SCREENED": "processing", "RESERVED": "processing"}
"""What a payment's states are called where that is not their own name."""


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
        "hold_expires_at": time_text(life.hold_expires_at),
        "due_at": time_text(life.due_at),
        "stuck_id": life.stuck_id,
        "refused_commands": life.refused,
    }


def _payment(partition: Partition, key: tuple[str, ...], value: bytes) -> Row:
    """Return a payment with every step of its life: what happened, when, and what caused it."""
    life = unpack_life(value)
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
    return {**_life(tenant_id, payment_id, life), "steps": steps}


def _stuck(partition: Partition, key: tuple[str, ...], value: bytes) -> Row | None:
    """Return a payment that is stuck, None where it has just got on."""
    tenant_id, _, payment_id = key
    life = read_life(partition.rows("lifecycle"), tenant_id, payment_id)
    return None if life is None or life.stuck_id is None else _life(tenant_id, payment_id, life)


_ACCOUNT = ("tenant_id", "account_id")
_LIFE = (
    *("tenant_id", "payment_id", "debtor_account_id", "creditor_account_id", "amount_minor", "currency"),
    *("state", "code", "waiting_for", "progressed_at", "hold_expires_at", "due_at", "stuck_id"),
    "refused_commands",
)
BALANCES = TableView(
    "balances",
    "ledger",
    "a",
    _ACCOUNT,
    (
        *_ACCOUNT,
        *("account_type", "currency", "status", "balance_minor", "available_minor", "overdraft_limit_minor"),
        *("minimum_balance_minor", "maximum_balance_minor", "frozen"),
        *("debits_pending", "debits_posted", "credits_pending", "credits_posted", "account_sequence"),
    ),
    _balance,
    "a",
)
POSITIONS = TableView(
    "positions",
    "positions",
    "p",
    (*_ACCOUNT, "instrument_id"),
    (
        *(*_ACCOUNT, "instrument_id", "currency", "quantity_e8", "average_cost_e8", "cost_basis_e8"),
        *("realised_pnl_e8", "unrealised_pnl_e8", "last_price_e8", "last_price_at", "fees_minor", "trades"),
    ),
    _position,
    "p",
)
BREAKS = TableView(
    "breaks",
    "reconciliation",
    "b",
    (*_ACCOUNT, "break_id"),
    (
        *(*_ACCOUNT, "break_id", "type", "amount_minor", "currency", "statement_id", "line_no"),
        *("posting_id", "detail", "opened_at"),
    ),
    _open_break,
    "w",
)
ALERTS = TableView(
    "alerts",
    "fraud",
    fraud_alerts.FAMILY,
    (*_ACCOUNT, "payment_id"),
    (
        *(*_ACCOUNT, "payment_id", "outcome", "score", "reasons", "rules_version"),
        *("decided_at", "creditor_account_id", "amount_minor", "currency", "payment_state"),
    ),
    _alert,
    "f",
)
PAYMENTS = TableView(
    "payments", "lifecycle", LIFE, ("tenant_id", "payment_id"), (*_LIFE, "steps"), _payment, LIFE, by_id=True
)
JOURNALS = TableView(
    "journals",
    "ledger",
    "j",
    ("tenant_id", "journal_id"),
    (
        *("tenant_id", "journal_id", "account_id", "state", "code", "leg_no", "reference", "reason"),
        *("reverses", "occurred_at", "effective_at", "hold_expires_at", "waiting_for", "legs", "reversed"),
    ),
    _journal,
    "j",
    by_id=True,
)
STUCK = TableView(
    "stuck",
    "lifecycle",
    STUCK_ROWS,
    ("tenant_id", "debtor_account_id", "payment_id"),
    _LIFE,
    _stuck,
    STUCK_ROWS,
)
VIEWS = (BALANCES, POSITIONS, BREAKS, ALERTS, JOURNALS, PAYMENTS, STUCK)


def is_known(view: TableView, partition: Partition, tenant_id: str, account_id: str) -> bool:
    """Whether an account is known to the view's stream or to the ledger: then an empty list is an answer."""
    marker = row_key(view.marker, tenant_id, account_id)
    if next(partition.rows(view.table).scan(marker), (b"",))[0].split(b"\0")[:3] == marker.split(b"\0"):
        return True
    ledger = partition.rows_or_none("ledger")
    return ledger is not None and ledger.get(row_key("a", tenant_id, account_id)) is not None
