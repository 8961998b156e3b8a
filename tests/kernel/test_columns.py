"""Columns of a run: some of them at some positions, and a type that they have already."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.domain.kernel.columns import METADATA_COLUMN, Run, cast, taken

COLUMNS = {
    "id": pa.array(["a", "b", None, "d"]),
    "amount": pa.array([1, None, 3, 4], pa.int64()),
    "metadata": pa.array([[("k", "v")], None, [], [("k", "w"), ("l", "x")]], METADATA_COLUMN),
}


def test_columns_are_taken_at_positions_as_each_alone() -> None:
    for at in ([], [1], [0, 3], [0, 1, 2, 3]):
        found = taken(COLUMNS, ("metadata", "id"), np.array(at, np.int64))
        assert list(found) == ["metadata", "id"]
        for name, column in found.items():
            assert column.to_pylist() == [COLUMNS[name].to_pylist()[place] for place in at]
            assert column.type == COLUMNS[name].type


def test_columns_of_a_slice_are_taken_at_its_own_positions() -> None:
    sliced = {name: column.slice(1, 3) for name, column in COLUMNS.items()}
    assert taken(sliced, ["id"], np.array([0, 2]))["id"].to_pylist() == ["b", "d"]
    assert taken(sliced, ["id"], np.array([0, 1, 2]))["id"].to_pylist() == ["b", None, "d"]


def test_a_whole_run_is_its_own_slice() -> None:
    run = Run(COLUMNS, np.zeros(4, np.int8), np.arange(4), 0, 1)
    assert run.slice(0, 9) is run and len(run.slice(0, 4)) == 4
    assert run.slice(1, 9).columns["id"].to_pylist() == ["b", None, "d"]
    assert len(run.slice(0, 3)) == 3


def test_a_column_gets_a_type_unless_it_has_it() -> None:
    amounts = COLUMNS["amount"]
    assert cast(amounts, pa.int64()) is amounts
    assert cast(amounts, pa.int32()).to_pylist() == [1, None, 3, 4]
