"""What the batch path of the ledger says beside the tales: ids, and copies for reconciliation.

`tests/ledgers/batches.txt` has commands that change what others of the same batch may do.
"""

from __future__ import annotations

import pyarrow as pa

from pipeline.domain.kernel.columns import derived_ids
from pipeline.domain.kernel.outbox import derived_id
from pipeline.domain.ledger.batch.stream import LedgerBatch
from pipeline.domain.ledger.stream import Ledger
from tests.kernel.side_by_side import Replay
from tests.ledger.branches import decided, opened


def test_a_nostro_account_tells_reconciliation() -> None:
    replay = Replay(Ledger(), 0, 1)
    replay.by_rows([(opened("open A", "A", 100), 0), (opened("open N", "N", account_type="nostro"), 0)])
    replay.said.clear()
    replay.by_columns(LedgerBatch(), [(decided("e", "P1", "A", "N", 7), 0)])
    (item,) = replay.said["reconciliation-items"]
    assert replay.in_columns == 1 and item == replay.said["postings"][1]


def test_derived_ids_are_those_of_the_row_path() -> None:
    pairs = [("cause", "name"), ("", ""), ("é", "leg_answer"), *((f"event-{n}", "settle") for n in range(64))]
    causes, names = (pa.array(column) for column in zip(*pairs, strict=True))
    assert derived_ids(causes, names).to_pylist() == [derived_id(cause, name) for cause, name in pairs]
    assert derived_ids(causes, "one").to_pylist() == [derived_id(cause, "one") for cause, _ in pairs]
    assert derived_ids(pa.array([], pa.string()), "one").to_pylist() == []
