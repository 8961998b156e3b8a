"""The sum job by columns: what `SumRules` says and leaves, for a run of payments at once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import OTHER, Block, Run, joined
from pipeline.domain.kernel.rows import PrefetchingRows
from tests.benchmarks.sum_rules import SUM_BYTES, read_sum

FIELDS: dict[str, pa.DataType] = {
    **dict.fromkeys(("event_id", "tenant_id", "correlation_id", "debtor_account_id"), pa.string()),
    "currency": pa.string(),
    **dict.fromkeys(("occurred_at", "amount_minor"), pa.int64()),
}


class SumColumns:
    """Adds up what each account pays; amounts are trusted to stay far from 64 bits, as in the row path."""

    classes = (ev.PaymentInitiated,)
    fields = FIELDS

    def apply(self, run: Run, rows: PrefetchingRows) -> tuple[int, list[Block]]:
        """Add the payments before the first row of another kind."""
        length = int(np.argmax(np.append(run.kinds == OTHER, True)))
        if not length:
            return 0, []
        batch = pa.RecordBatch.from_pydict(run.slice(0, length).columns)
        tenant, debtor = batch.column("tenant_id"), batch.column("debtor_account_id")
        encoded = joined("\0", "s", tenant, debtor).dictionary_encode()
        keys = encoded.dictionary.cast(pa.binary()).to_pylist()
        account = encoded.indices.to_numpy()
        sums = np.array([read_sum(row) for row in rows.get_many(keys)], np.int64)
        np.add.at(sums, account, batch.column("amount_minor").to_numpy())
        last = np.zeros(len(keys), np.int64)
        last[account] = np.arange(length)
        packed = sums.astype(">i8").tobytes()
        ends = range(SUM_BYTES, len(packed) + 1, SUM_BYTES)
        rows.put_many(zip(keys, [packed[end - SUM_BYTES : end] for end in ends], strict=True))
        return length, [_updates(batch.take(pa.array(last)), sums, last)]


def _updates(latest: pa.RecordBatch, sums: np.ndarray, last: np.ndarray) -> Block:
    """Return the updates: `latest` has the last payment of each account."""
    count = len(sums)
    zero = pa.array(np.zeros(count, np.int64))
    posted = pa.array(sums)
    negative = pa.array(-sums)
    columns = {
        **{name: latest.column(name) for name in ("event_id", "tenant_id", "occurred_at", "correlation_id")},
        "causation_id": latest.column("event_id"),
        "account_id": latest.column("debtor_account_id"),
        "account_type": pa.array(["checking"] * count),
        "currency": latest.column("currency"),
        **dict.fromkeys(("debits_pending", "credits_pending", "credits_posted", "account_sequence"), zero),
        "debits_posted": posted,
        "available_minor": negative,
        "balance_minor": negative,
        "overdraft_limit_minor": pa.nulls(count, pa.int64()),
        "status": pa.array(["OPEN"] * count),
    }
    keys = joined("/", latest.column("tenant_id"), latest.column("debtor_account_id"))
    return Block("balances", ev.BalanceUpdated, last, keys, columns)
