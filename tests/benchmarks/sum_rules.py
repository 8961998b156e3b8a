"""The plain sum job on our runtime: amount_minor per debtor, one update per account and unit.

payments (payment_initiated) --> SumRules, or SumColumns --> balances (balance_updated)
                                     |
                                table: sum
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import Rows, row_key

TABLE = "sum"
FAMILY = b"s"
SUM_BYTES = 8


class SumRules:
    """Adds up what each account pays. A row is the sum in minor units, 8 bytes, signed, big-endian."""

    def apply(self, event: ev.PaymentInitiated, at: Arrival, rows: Rows, out: Outbox) -> None:
        """Add one payment; the balances topic is compacted, so that only the last of a unit is sent."""
        tenant, account = event.tenant_id, event.debtor_account_id
        key = row_key("s", tenant, account)
        total = read_sum(rows.get(key)) + event.amount_minor
        rows.put(key, total.to_bytes(SUM_BYTES, "big", signed=True))
        update = ev.BalanceUpdated(
            event.event_id,  # one input, one output: no id has to be derived
            tenant,
            event.occurred_at,
            event.correlation_id,
            event.event_id,
            account,
            "checking",
            event.currency,
            0,
            total,
            0,
            0,
            -total,
            -total,
            0,
            None,
            "OPEN",
        )
        out.emit("balances", f"{tenant}/{account}", update)

    def keys(self, event: ev.PaymentInitiated) -> Iterable[bytes]:
        """Return the one row that a payment changes."""
        return (row_key("s", event.tenant_id, event.debtor_account_id),)


def read_sum(row: bytes | None) -> int:
    """Return the sum in a row; zero where there is none."""
    return 0 if row is None else int.from_bytes(row, "big", signed=True)
