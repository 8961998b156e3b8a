"""Upcasters: convert events of older versions to the newest one, by columns.

    values of version N --> columns of N --> upcaster --> columns of N + 1 --> ... --> columns of the newest

An upcaster `<event>_v<N>_v<N+1>(batch) -> batch` converts one version to the next. A batch has the events
that the codec decoded from one version. Added columns hold the defaults of the newer schema, so the result
equals Avro's schema resolution (a contract test compares them). Only fields registered in `COMPUTED` hold
other values, computed from the other fields of the same event. An upcaster is pure: each event of the result
depends only on that event.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import pyarrow as pa

import schemas
from schemas import SchemaVersion
from schemas.remittance import split_column
from schemas.undecided import asked_at

Upcaster = Callable[[pa.RecordBatch], pa.RecordBatch]


def account_opened_v1_v2(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add the regulatory tier (retail), compliance flags (none) and overdraft limit (0 minor units)."""
    batch = _append(batch, "regulatory_tier", _constant(batch, pa.scalar("retail")), nullable=False)
    batch = _append(batch, "compliance_flags", _no_strings(batch), nullable=False)
    return _append(batch, "overdraft_limit_minor", _constant(batch, pa.scalar(0, pa.int64())), nullable=True)


def account_closed_v1_v2(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add regulatory_notification_sent (false)."""
    return _append(batch, "regulatory_notification_sent", _constant(batch, pa.scalar(False)), nullable=False)


def payment_initiated_v1_v2(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add channel, device, the counterparty's country and merchant category, all unknown (null)."""
    unknown = pa.nulls(batch.num_rows, pa.string())
    for name in ("channel", "device_id", "counterparty_country", "merchant_category"):
        batch = _append(batch, name, unknown, nullable=True)
    return batch


def payment_initiated_v2_v3(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Split the reference into a creditor reference and the text beside it (`remittance.split`)."""
    creditor_references, texts = split_column(batch.column("reference"))
    batch = _append(batch, "creditor_reference", creditor_references, nullable=True)
    return _append(batch, "remittance_text", texts, nullable=True)


def payment_initiated_v3_v4(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add hold_expires_at (null): the payment is settled at once, not held for captures."""
    return _append(batch, "hold_expires_at", _no_times(batch), nullable=True)


def posting_recorded_v1_v2(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add the booking time (null: that of the record) and the amount held (null: unknown)."""
    batch = _append(batch, "booked_at", pa.nulls(batch.num_rows, pa.timestamp("us")), nullable=True)
    return _append(batch, "held_minor_after", pa.nulls(batch.num_rows, pa.int64()), nullable=True)


def posting_recorded_v2_v3(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add the effective and requested times (null: when it occurred), and the fields of journals (null)."""
    batch = _append(batch, "effective_at", _no_times(batch), nullable=True)
    for name in ("journal_id", "reverses", "reason", "purpose"):
        batch = _append(batch, name, _no_texts(batch), nullable=True)
    batch = _append(batch, "rate_e8", _no_numbers(batch), nullable=True)
    return _append(batch, "asked_at", _no_times(batch), nullable=True)


def payment_decided_v1_v2(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add hold_expires_at (null): the payment is settled at once, not held for captures."""
    return _append(batch, "hold_expires_at", _no_times(batch), nullable=True)


def balance_updated_v1_v2(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add minimum and maximum balance (null: none) and the frozen side (NONE)."""
    for name in ("minimum_balance_minor", "maximum_balance_minor"):
        batch = _append(batch, name, _no_numbers(batch), nullable=True)
    return _append(batch, "frozen", _constant(batch, pa.scalar("NONE")), nullable=False)


def account_limit_set_v1_v2(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add minimum and maximum balance (null: none) and the effective time (null: at once)."""
    for name in ("minimum_balance_minor", "maximum_balance_minor"):
        batch = _append(batch, name, _no_numbers(batch), nullable=True)
    return _append(batch, "effective_at", _no_times(batch), nullable=True)


def command_refused_v1_v2(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add the ids of capture, journal and reversal (null); the result codes are the same."""
    for name in ("capture_id", "journal_id", "reversal_id"):
        batch = _append(batch, name, _no_texts(batch), nullable=True)
    return batch


def journal_legs_requested_v2_v3(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add who has approved it (null: nobody had to), and the payments of a link's legs (none: a journal)."""
    batch = with_nulls("approved_by")(batch)
    payment = pa.struct([("leg_no", pa.int32()), ("payment_id", pa.string()), ("reference", pa.string())])
    return _append(batch, "payments", _empty_lists(batch, payment), nullable=False)


def with_nulls(*names: str) -> Upcaster:
    """Return an upcaster that appends fields that are null in older events: nothing was said.

    All but `asked_at`: where no home has decided, that says so (`undecided`).
    """

    def upcaster(batch: pa.RecordBatch) -> pa.RecordBatch:
        for name in names:
            column = asked_at(batch) if name == "asked_at" else pa.nulls(batch.num_rows, NULLABLE[name])
            batch = _append(batch, name, column, nullable=True)
        return batch

    return upcaster


def unchanged(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the same columns: the newer version only has more symbols in an enum."""
    return batch


_LINES = pa.list_(
    pa.struct([("statement_id", pa.string()), ("line_no", pa.int64()), ("line_id", pa.string())])
)
NULLABLE: dict[str, pa.DataType] = {
    "actor": pa.struct(
        [(name, pa.string()) for name in ("issuer", "subject", "session_id", "key_id", "roles_version")]
    ),
    "metadata": pa.map_(pa.string(), pa.field("value", pa.string(), nullable=False)),
    **dict.fromkeys(("fees_charged_minor", "exchange_rate_e8"), pa.int64()),
    **dict.fromkeys(("expected_sequence", "account_sequence", "lowest_balance_minor"), pa.int64()),
    **dict.fromkeys(("settlement_date", "notice_date"), pa.date32()),
    **dict.fromkeys(("effective_at", "until", "execute_at"), pa.timestamp("us")),
    **dict.fromkeys(("compliance_score", "capture_tolerance_bp"), pa.int32()),
    **dict.fromkeys(("regulatory_reporting_required", "hold", "balancing"), pa.bool_()),
    **dict.fromkeys(("needs_approval", "final"), pa.bool_()),
    **dict.fromkeys(
        ("closure_reason", "approved_by", "confirmation_id", "creditor_currency", "link_id"), pa.string()
    ),
    **dict.fromkeys(
        (
            *("counterparty_name", "counterparty_account", "end_to_end_id", "bank_reference"),
            *("transaction_code", "entry_kind", "original_currency"),
        ),
        pa.string(),
    ),
    **dict.fromkeys(("original_amount_minor", "fee_minor", "sequence_no", "page"), pa.int64()),
    "is_reversal": pa.bool_(),
    "from_at": pa.timestamp("us"),
    "details": pa.list_(
        pa.struct(
            [
                ("amount_minor", pa.int64()),
                *((name, pa.string()) for name in ("currency", "reference", "description", "counterparty")),
            ]
        )
    ),
    "shares": pa.list_(pa.struct([("leg_no", pa.int32()), ("share_ppm", pa.int32())])),
    "legs": pa.list_(pa.struct([("leg_no", pa.int32()), ("amount_minor", pa.int64())])),
    "room_for": pa.list_(pa.int32()),
    "rate_e8": pa.int64(),
    **dict.fromkeys(("kind", "materiality", "line_id", "weights_sha256", "journal_id"), pa.string()),
    **dict.fromkeys(("difference_minor", "line_no"), pa.int64()),
    "since": pa.date32(),
    "score": pa.int32(),
    "parts": pa.list_(pa.struct([("name", pa.string()), ("score", pa.int32())])),
    **dict.fromkeys(("counterpart_lines", "other_lines"), _LINES),
    "counterpart_postings": pa.list_(pa.string()),
    "exchange": pa.struct(
        [
            *(("debtor_amount_minor", pa.int64()), ("debtor_currency", pa.string())),
            *(("creditor_amount_minor", pa.int64()), ("creditor_currency", pa.string())),
            *(("rate_e8", pa.int64()), ("rate_currency", pa.string()), ("rate_event_id", pa.string())),
        ]
    ),
}
"""The column types of fields that `with_nulls` appends."""

UPCASTERS: dict[tuple[str, int], Upcaster] = {
    ("ledgerflow.AccountOpened", 1): account_opened_v1_v2,
    ("ledgerflow.AccountClosed", 1): account_closed_v1_v2,
    ("ledgerflow.PaymentInitiated", 1): payment_initiated_v1_v2,
    ("ledgerflow.PaymentInitiated", 2): payment_initiated_v2_v3,
    ("ledgerflow.PaymentInitiated", 3): payment_initiated_v3_v4,
    ("ledgerflow.PostingRecorded", 1): posting_recorded_v1_v2,
    ("ledgerflow.PostingRecorded", 2): posting_recorded_v2_v3,
    ("ledgerflow.PaymentDecided", 1): payment_decided_v1_v2,
    ("ledgerflow.BalanceUpdated", 1): balance_updated_v1_v2,
    ("ledgerflow.AccountLimitSet", 1): account_limit_set_v1_v2,
    ("ledgerflow.CommandRefused", 1): command_refused_v1_v2,
    ("ledgerflow.InvariantBroken", 1): unchanged,
    ("ledgerflow.LegRefused", 1): unchanged,
    ("ledgerflow.outcomes.PaymentCancelled", 1): unchanged,
    ("ledgerflow.PaymentExpired", 1): unchanged,
    ("ledgerflow.PaymentFailed", 1): unchanged,
    ("ledgerflow.PaymentRejected", 1): unchanged,
    ("ledgerflow.PaymentReserved", 1): unchanged,
    ("ledgerflow.PaymentSettled", 1): unchanged,
    ("ledgerflow.PaymentStuck", 1): unchanged,
    **dict.fromkeys(
        (
            ("ledgerflow.TradeExecuted", 1),
            ("ledgerflow.TradeSettled", 1),
            ("ledgerflow.outcomes.PaymentCancelled", 2),
            ("ledgerflow.outcomes.PaymentCaptured", 1),
            ("ledgerflow.PaymentExpired", 2),
            ("ledgerflow.outcomes.PaymentExtended", 1),
            ("ledgerflow.PaymentFailed", 2),
            ("ledgerflow.PaymentReserved", 2),
            ("ledgerflow.PaymentSettled", 2),
            ("ledgerflow.JournalConfirmed", 1),
            ("ledgerflow.JournalReversed", 1),
            ("ledgerflow.JournalVoided", 1),
            ("ledgerflow.JournalLegsAnswered", 1),
            ("ledgerflow.JournalLegsRequested", 1),
            ("ledgerflow.LegRefused", 2),
            ("ledgerflow.HoldRecorded", 1),
            ("ledgerflow.PriceQuoted", 1),
            ("ledgerflow.PaymentCancelled", 1),
            ("ledgerflow.PaymentCaptured", 1),
            ("ledgerflow.PaymentExtended", 1),
            ("ledgerflow.PaymentReversed", 1),
            ("ledgerflow.PaymentReviewed", 1),
            ("ledgerflow.AccountReopened", 1),
            ("ledgerflow.PeriodClosed", 1),
            ("ledgerflow.StatementClosed", 1),
            ("ledgerflow.StatementLine", 1),
        ),
        with_nulls("actor"),
    ),
    **dict.fromkeys(
        (
            ("ledgerflow.PostingRecorded", 3),
            ("ledgerflow.AccountOpened", 2),
        ),
        with_nulls("actor", "metadata"),
    ),
    ("ledgerflow.PaymentInitiated", 4): with_nulls(
        "actor",
        "metadata",
        "compliance_score",
        "fees_charged_minor",
        "exchange_rate_e8",
        "settlement_date",
        "regulatory_reporting_required",
        "expected_sequence",
        "hold",
        "balancing",
    ),
    ("ledgerflow.AccountClosed", 2): with_nulls(
        "actor",
        "closure_reason",
        "notice_date",
        "expected_sequence",
    ),
    ("ledgerflow.AccountFrozen", 1): with_nulls("actor", "until", "expected_sequence"),
    ("ledgerflow.AccountLimitSet", 2): with_nulls("actor", "expected_sequence"),
    ("ledgerflow.AccountUnfrozen", 1): with_nulls("actor", "expected_sequence"),
    ("ledgerflow.JournalSubmitted", 1): with_nulls("actor", "metadata", "expected_sequence", "hold"),
    ("ledgerflow.PaymentDecided", 2): with_nulls(
        "actor", "metadata", "expected_sequence", "hold", "balancing"
    ),
    ("ledgerflow.PaymentRejected", 2): with_nulls("actor", "account_sequence"),
    ("ledgerflow.CommandRefused", 2): with_nulls("actor", "account_sequence"),
    ("ledgerflow.JournalUpdated", 1): with_nulls("actor", "account_sequence"),
    ("ledgerflow.outcomes.PaymentCancelled", 3): with_nulls("execute_at"),
    ("ledgerflow.PaymentScreened", 1): with_nulls("actor", "hold"),
    ("ledgerflow.JournalConfirmed", 2): with_nulls("confirmation_id", "legs", "final", "expected_sequence"),
    **dict.fromkeys(
        (
            *((f"ledgerflow.Payment{what}", 2) for what in ("Captured", "Extended")),
            ("ledgerflow.PaymentReversed", 2),
            ("ledgerflow.JournalVoided", 2),
            ("ledgerflow.JournalReversed", 2),
        ),
        with_nulls("expected_sequence"),
    ),
    ("ledgerflow.JournalLegsEnded", 2): with_nulls("approved_by", "legs", "final"),
    ("ledgerflow.JournalUpdated", 2): with_nulls("approved_by", "confirmation_id", "execute_at"),
    ("ledgerflow.CommandRefused", 3): with_nulls("approved_by", "confirmation_id", "execute_at", "link_id"),
    **dict.fromkeys(
        (("ledgerflow.PaymentInitiated", 5), ("ledgerflow.PaymentDecided", 3)),
        with_nulls("creditor_currency", "rate_e8", "capture_tolerance_bp", "execute_at"),
    ),
    **dict.fromkeys(
        (
            ("ledgerflow.PaymentReserved", 3),
            ("ledgerflow.outcomes.PaymentCaptured", 2),
        ),
        with_nulls("exchange"),
    ),
    ("ledgerflow.JournalLegsRequested", 2): journal_legs_requested_v2_v3,
    ("ledgerflow.JournalLegsRequested", 3): with_nulls("room_for"),
    **dict.fromkeys(
        (("ledgerflow.PaymentCancelled", 2), ("ledgerflow.PaymentReviewed", 2)),
        with_nulls("expected_sequence", "link_id"),
    ),
    ("ledgerflow.PaymentScreened", 2): with_nulls("link_id"),
    ("ledgerflow.LegPosted", 1): with_nulls("effective_at", "asked_at", "actor"),
    ("ledgerflow.LegRequested", 1): with_nulls("effective_at", "asked_at", "actor", "metadata"),
    ("ledgerflow.JournalLegsEnded", 1): with_nulls("asked_at", "actor", "metadata"),
    **dict.fromkeys(
        (
            ("ledgerflow.PaymentFailed", 3),
            ("ledgerflow.LegPosted", 2),
            ("ledgerflow.LegRefused", 3),
            ("ledgerflow.JournalLegsAnswered", 2),
        ),
        with_nulls("approved_by"),
    ),
    **dict.fromkeys(
        (
            ("ledgerflow.PaymentExpired", 3),
            ("ledgerflow.outcomes.PaymentExtended", 2),
            ("ledgerflow.PaymentRejected", 3),
        ),
        unchanged,
    ),
    **dict.fromkeys(
        (
            ("ledgerflow.PaymentSettled", 3),
            ("ledgerflow.LegRequested", 2),
        ),
        with_nulls("approved_by", "exchange"),
    ),
    ("ledgerflow.StatementLine", 2): with_nulls(
        *("counterparty_name", "counterparty_account", "end_to_end_id", "bank_reference", "transaction_code"),
        *("is_reversal", "entry_kind", "original_amount_minor", "original_currency", "fee_minor", "details"),
    ),
    ("ledgerflow.StatementClosed", 2): with_nulls("sequence_no", "from_at", "page"),
    ("ledgerflow.JournalSubmitted", 2): with_nulls("needs_approval", "execute_at", "shares"),
    ("ledgerflow.PostingRecorded", 4): with_nulls("approved_by", "lowest_balance_minor", "exchange"),
    ("ledgerflow.BreakOpened", 1): with_nulls(
        *("kind", "difference_minor", "materiality", "since", "line_id"),
        *("counterpart_lines", "counterpart_postings"),
    ),
    ("ledgerflow.BreakResolved", 1): with_nulls("kind", "line_no", "journal_id", "actor"),
    ("ledgerflow.ItemMatched", 1): with_nulls(
        *("line_id", "other_lines", "score", "parts", "weights_sha256"),
        *("difference_minor", "kind", "actor"),
    ),
}
"""The step from a version of an event to the next one; `unchanged` where the columns stay the same."""

COMPUTED: dict[tuple[str, int], tuple[str, ...]] = {
    ("ledgerflow.PaymentInitiated", 2): ("creditor_reference", "remittance_text"),
    ("ledgerflow.LegPosted", 1): ("asked_at",),
    ("ledgerflow.LegRequested", 1): ("asked_at",),
    ("ledgerflow.JournalLegsEnded", 1): ("asked_at",),
}
"""Added fields that an upcaster computes from older ones. All others are as Avro resolves them."""


def upcast(record_name: str, version: int, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return `batch`, decoded with `version` of the event, as a batch of the newest version.

    Raises `KeyError` for an event or a version that the catalogue does not have.
    """
    newest = schemas.newest(record_name).version
    if not 1 <= version <= newest:
        raise KeyError(f"{record_name} has no version {version}")
    for step in range(version, newest):
        batch = UPCASTERS[record_name, step](batch)
    return batch


def to_compute(record_name: str, fields: Collection[str]) -> tuple[SchemaVersion, tuple[str, ...]]:
    """Return the version to upcast from and the fields to compute, where Avro's resolution is not enough.

    `fields` are those of the writer's schema, which need not be in the catalogue. An upcaster computes its
    fields if the writer has none of them; upcasting from the version before the first such upcaster gives
    their values.
    """
    steps = {
        version: COMPUTED[record_name, version.version]
        for version in schemas.versions(record_name)
        if (record_name, version.version) in COMPUTED
    }
    missing = {
        version: names for version, names in steps.items() if not any(name in fields for name in names)
    }
    first = next(iter(missing), schemas.newest(record_name))
    return first, tuple(name for names in missing.values() for name in names)


def _append(batch: pa.RecordBatch, name: str, column: pa.Array, *, nullable: bool) -> pa.RecordBatch:
    return batch.append_column(pa.field(name, column.type, nullable), column)


def _constant(batch: pa.RecordBatch, value: pa.Scalar) -> pa.Array:
    """Return a column of the same value in every row."""
    return pa.repeat(value, batch.num_rows)


def _no_texts(batch: pa.RecordBatch) -> pa.Array:
    return pa.nulls(batch.num_rows, pa.string())


def _no_numbers(batch: pa.RecordBatch) -> pa.Array:
    return pa.nulls(batch.num_rows, pa.int64())


def _no_times(batch: pa.RecordBatch) -> pa.Array:
    return pa.nulls(batch.num_rows, pa.timestamp("us"))


def _no_strings(batch: pa.RecordBatch) -> pa.Array:
    return _empty_lists(batch, pa.string())


def _empty_lists(batch: pa.RecordBatch, kind: pa.DataType) -> pa.Array:
    """Return a column of empty lists (`pa.repeat` cannot make one of no rows)."""
    ends = pa.repeat(pa.scalar(0, pa.int32()), batch.num_rows + 1)
    return pa.ListArray.from_arrays(ends, pa.array([], kind))
