"""Ids of a run in columns are refused where those of its events are."""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import Run
from pipeline.domain.kernel.ids import ID_CHARS_MAX, check_ids
from pipeline.domain.kernel.ids_batch import bad_ids
from pipeline.domain.kernel.outbox import Reject

NAMES = ("tenant_id", "event_id", "payment_id", "debtor_account_id", "link_id")
GIVEN = st.sampled_from(["ok", "", "a/b", "a\0b", "x" * ID_CHARS_MAX, "x" * (ID_CHARS_MAX + 1)])
REVIEW = ev.PaymentReviewed("e", "t", 0, "c", None, "p", "a", True, "reviewer", "note")


@given(st.lists(st.tuples(GIVEN, GIVEN, GIVEN, GIVEN, st.none() | GIVEN), max_size=6))
def test_columns_find_what_rows_refuse(rows: list[tuple[str | None, ...]]) -> None:
    cells = zip(*rows, strict=True) if rows else [()] * len(NAMES)
    columns = {name: pa.array(column, pa.string()) for name, column in zip(NAMES, cells, strict=True)}
    run = Run(columns, np.zeros(len(rows), np.int8), np.zeros(len(rows), np.int64), 0, 1)
    assert bad_ids(run, NAMES).tolist() == [is_refused(row) for row in rows]
    assert bad_ids(run.slice(min(1, len(rows)), len(rows)), NAMES).tolist() == [
        is_refused(row) for row in rows[1:]
    ]


def is_refused(row: tuple[str | None, ...]) -> bool:
    """Whether a row path refuses these ids."""
    try:
        check_ids(msgspec.structs.replace(REVIEW, **dict(zip(NAMES, row, strict=True))))
    except Reject:
        return True
    return False
