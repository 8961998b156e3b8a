"""A fixed sample of every kind of row, and what writes the golden files.

`python -m tests.contract.row_samples` writes the files that are missing, of newest layouts. Whoever adds a
layout moves what the samples of the one before are read as now into EARLIER.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from pipeline.domain.fraud import alerts, decisions, earlier_rows, scheduled_rows, state_rows
from pipeline.domain.fraud.score import Verdict
from pipeline.domain.kernel.events import Actor, PaymentInitiated
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.retention import Bucket, QueueKind, State
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger import rows as ledger
from pipeline.domain.lifecycle import rows as lifecycle
from pipeline.domain.positions import rows as positions
from pipeline.domain.reconciliation.item_rows import BREAK_ROW, ENDED, Break
from pipeline.domain.requests import rows as requests
from pipeline.domain.tenants import quotas
from tests.contract import (
    break_row_samples,
    chain_row_samples,
    desk_row_samples,
    fraud_row_samples,
    ledger_row_samples,
    publishing_row_samples,
)
from tests.contract.ledger_row_samples import read_under
from tests.contract.row_kinds import AT, GOLDEN, HIGH, LOW, Sample, golden_file, golden_rows, only_there

STEP = lifecycle.Step("payment_reserved", "RESERVED", "ok", AT, AT + 1, "e-1", None, "c-1")
REQUESTS = (
    requests.Request("0" * 64, AT, "claim é€", False, ()),
    requests.Request(
        *("f" * 64, LOW, "c-1", True),
        (requests.Command("payments", "ledgerflow.PaymentInitiated", "e-1", "north/alice é€"),),
    ),
)
LIVES = (
    lifecycle.Life("SCREENED", "alice", "bob", 12_50, "EUR", False),
    lifecycle.Life("AUTHORISED", "alice", "bob", HIGH, "EUR", True, AT, AT, AT, "s-1", 2, [STEP]),
)
TRADES = (
    positions.Trade("alice", "gold", "BUY", 10**8, LOW, 5, "EUR"),
    positions.Trade("alice", "gold é€", "SELL", HIGH, 7, 0, "EUR", AT),
)
KNOWN_AGAIN = (
    msgspec.structs.replace(LIVES[0], screened=lifecycle.SCREENED),
    msgspec.structs.replace(LIVES[1], screened_again_at=AT),
)
EARLIER: dict[tuple[str, str, int], tuple[Any, ...]] = {
    **ledger_row_samples.EARLIER,
    ("lifecycle", "life", 1): tuple(
        msgspec.structs.replace(life, screened=lifecycle.NOT_ASKED) for life in LIVES
    ),
    ("lifecycle", "life", 2): (
        msgspec.structs.replace(LIVES[0], screened=lifecycle.SCREENED),
        LIVES[1],
    ),
    ("lifecycle", "life", 3): KNOWN_AGAIN,
    ("positions", "trade", 1): tuple((positions.UNKNOWN_TIME, trade) for trade in TRADES),
}
"""What the golden rows of a layout that is not the newest are read as; by table, kind and layout."""


def _written_clock(clock: lifecycle.Clock) -> bytes:
    rows = MemoryRows()
    lifecycle.write_clock(rows, clock)
    (row,) = rows.data.values()
    return row


def _clock_of_fraud(clock: scheduled_rows.Clock) -> bytes:
    rows = MemoryRows()
    scheduled_rows.write_clock(rows, clock)
    (row,) = rows.data.values()
    return row


WAITS = PaymentInitiated(
    *("e-1", "north", AT, "c-1", None, "pay-1", "alice", "bob", 12_50, "EUR", "transfer", "rent é€"),
    execute_at=HIGH,
)
WAITS_LONG = msgspec.structs.replace(
    WAITS, causation_id="e-0", hold=True, actor=Actor("idp", "anna"), metadata={"order": "é€"}
)
VERDICT = Verdict("REVIEW", 61, (("velocity_1h", "9 payments"), ("new_payee", "é€")), "rules-1")
DECISIONS = (
    decisions.Decision(AT, 2**64 - 1, 7, VERDICT),
    decisions.Decision(AT, 1, 2, VERDICT, [AT // 10**6, 12_50, 3, None, "FR"]),
)
PAID = decisions.Paid("bob é€", HIGH, "EUR", HIGH, 0, [1, 1, HIGH, 6], True, False)
ALERT = alerts.Alert(AT, VERDICT, "bob", 12_50, "EUR")
EARLIER |= {
    **desk_row_samples.EARLIER,
    ("fraud", "decision", 1): DECISIONS,
    ("fraud", "alert", 1): (ALERT,),
}


def _queued(kind: QueueKind) -> tuple[Sample, Sample]:
    """Return the samples of a queue of rows that have ended, and of its buckets."""
    keys = [b"p\0north\0p-1", "p\0north\0é€".encode()]
    return (
        Sample(kind.state, kind.state.pack, kind.read_state, (State(), State(AT, 3, HIGH, keys))),
        Sample(kind.bucket, kind.bucket.pack, kind.read_bucket, (Bucket(LOW, keys),)),
    )


SAMPLES = (
    *ledger_row_samples.SAMPLES,
    *fraud_row_samples.SAMPLES,
    *_queued(state_rows.IN_USE),
    *publishing_row_samples.SAMPLES,
    *chain_row_samples.SAMPLES,
    Sample(
        earlier_rows.PROFILE_ROW,  # written and read by earlier versions alone
        bytes,
        earlier_rows.PROFILE_ROW.current,
        tuple(golden_rows("fraud", "profile", 1)),
    ),
    Sample(
        decisions.DECISION_ROW,
        decisions.pack_decision,
        decisions.read_decision,
        (
            *DECISIONS,
            decisions.Decision(AT, 1, 2, VERDICT, None, PAID),
            decisions.Decision(AT, 1, 2, VERDICT, None, msgspec.structs.replace(PAID, fraud_us=HIGH)),
        ),
    ),
    Sample(
        alerts.ALERT_ROW,
        alerts.pack_alert,
        alerts.read_alert,
        (ALERT, msgspec.structs.replace(ALERT, alert_id="a-1")),
    ),
    Sample(
        scheduled_rows.WAITING_ROW,
        scheduled_rows.pack_waiting,
        scheduled_rows.read_waiting,
        (scheduled_rows.Waiting(WAITS), scheduled_rows.Waiting(WAITS_LONG, AT)),
    ),
    Sample(scheduled_rows.COUNT_ROW, scheduled_rows.pack_count, scheduled_rows.unpack_count, (1, HIGH)),
    Sample(
        scheduled_rows.CLOCK_ROW,
        _clock_of_fraud,
        scheduled_rows.unpack_clock,
        (scheduled_rows.Clock(), scheduled_rows.Clock(AT, HIGH)),
    ),
    only_there(scheduled_rows.DUE_ROW),
    only_there(scheduled_rows.DEBTOR_ROW),
    *_queued(decisions.DECIDED),
    *_queued(alerts.ALERTED),
    Sample(quotas.BUCKET_ROW, quotas.pack_bucket, quotas.read_bucket, (quotas.Bucket(HIGH, AT),)),
    Sample(
        lifecycle.LIFE_ROW,
        lifecycle.pack_life,
        lifecycle.unpack_life,
        (
            msgspec.structs.replace(LIVES[0], screened=lifecycle.SCREENED),
            msgspec.structs.replace(LIVES[1], screened_again_at=AT, execute_at=HIGH),
            msgspec.structs.replace(LIVES[0], link_id="l-1"),
        ),
    ),
    *_queued(lifecycle.ENDED),
    *_queued(ledger.ENDED),
    only_there(lifecycle.DUE_ROW),
    only_there(lifecycle.STUCK_ROW),
    Sample(
        lifecycle.CLOCK_ROW,
        _written_clock,
        read_under(b"w", lifecycle.read_clock),
        (lifecycle.Clock(), lifecycle.Clock(AT, AT + 1)),
    ),
    Sample(
        positions.POSITION_ROW,
        positions.pack_position,
        positions.unpack_position,
        (positions.Position("EUR"), positions.Position("USD", LOW, -(10**50), 10**50, 5, 9)),
    ),
    Sample(
        positions.TRADE_ROW,
        lambda trade: positions.pack_trade(trade[0], positions.trade_content(trade[1])),
        lambda row: (positions.trade_parts(row)[0], positions.unpack_trade(row)),
        ((AT, TRADES[0]), (LOW, TRADES[1])),
    ),
    *_queued(positions.EXECUTED),
    Sample(
        positions.QUOTE_ROW, positions.pack_quote, positions.unpack_quote, (positions.Quote(AT, "e", LOW),)
    ),
    only_there(positions.OPEN_ROW),
    Sample(requests.REQUEST_ROW, requests.REQUEST_ROW.pack, requests.unpack_request, REQUESTS),
    *_queued(requests.CLAIMED),
    *desk_row_samples.SAMPLES,
    Sample(
        BREAK_ROW,
        BREAK_ROW.pack,
        unpacker(BREAK_ROW, Break),
        (
            Break("AMOUNT", -5, "EUR", "s-1", 3, "p-1", "é€", AT, "line_arrived", AT),
            Break("SEQUENCE_GAP", 0, "EUR", None, None, None, "", AT),
        ),
    ),
    *_queued(ENDED),
    *break_row_samples.SAMPLES,
)  # fmt: skip


def write_missing() -> list[Path]:
    """Write the golden files of newest layouts that have none; return their paths."""
    GOLDEN.mkdir(exist_ok=True)
    written = []
    for kind, write, _, values in SAMPLES:
        path = golden_file(kind.table, kind.name, kind.layout)
        if not path.exists():
            path.write_text("".join(f"{write(value).hex()}\n" for value in values))
            written.append(path)
    return written


if __name__ == "__main__":
    for new in write_missing():
        print(new.name)
