"""Writes decisions: Parquet or CSV by the name's end, whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from pipeline.backtest.history import History
from pipeline.backtest.problems import FileRefused, refused
from pipeline.backtest.running import Outcome
from pipeline.domain.fraud.deciding.deciding import BP_OF_POINT
from pipeline.domain.fraud.deciding.decision import OUTCOMES
from pipeline.domain.fraud.deciding.reasons import Explained
from pipeline.runtime.escaping import csv_cell

ENDS = (".parquet", ".csv")
ROWS = 50_000
PARTIAL = ".partial"
_REASON = pa.struct([("rule", pa.string()), ("text", pa.string())])
SCHEMA = pa.schema(
    [
        ("payment_id", pa.string()),
        ("score", pa.int32()),
        ("score_bp", pa.int32()),
        ("outcome", pa.string()),
        ("reasons", pa.list_(_REASON)),
        ("shadow_rules", pa.list_(pa.string())),
        ("model", pa.string()),
    ]
)
_NOTHING = Explained((), ())


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that becomes `path` when the block ends; nothing is overwritten, and nothing left over.

    Raises FileRefused where `path` is there already, and OSError.
    """
    partial = path.with_name(path.name + PARTIAL)
    if os.path.lexists(path):
        raise refused(str(path), "exists, and nothing is overwritten: name a new file")
    try:
        opened = partial.open("xb")
    except FileExistsError:
        what = "exists: another run is writing it, or was killed while it did; delete it then"
        raise refused(str(partial), what) from None
    try:
        with opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(partial, path)
        except FileExistsError:
            raise refused(str(path), "exists, and nothing is overwritten: name a new file") from None
    finally:
        partial.unlink()


def check_end(path: Path) -> None:
    """Check the end of a name. Raises FileRefused."""
    if path.suffix not in ENDS:
        raise FileRefused(f"{path}: a name that ends in {' or '.join(ENDS)} says what is written")


def write(target: BinaryIO, path: Path, history: History, found: Outcome) -> None:
    """Write what was decided, in the order of the file."""
    order = np.argsort(history.place, kind="stable")
    if path.suffix == ".parquet":
        with pyarrow.parquet.ParquetWriter(target, SCHEMA, compression="zstd") as writer:
            for begin in range(0, len(order), ROWS):
                writer.write_batch(_batch(order[begin : begin + ROWS], history, found))
        return
    text = TextFile(target)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SCHEMA.names)
    for begin in range(0, len(order), ROWS):
        batch = _batch(order[begin : begin + ROWS], history, found)
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            writer.writerow([csv_cell(_flat(cell)) for cell in row])


class TextFile:
    """A file of bytes as one of text: UTF-8."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target

    def write(self, text: str) -> int:
        return self._target.write(text.encode())


def _flat(cell: Any) -> Any:
    """Return a value for a cell of CSV: several are divided by semicolons."""
    if not isinstance(cell, list):
        return cell
    return "; ".join(one if isinstance(one, str) else f"{one['rule']}: {one['text']}" for one in cell)


def _batch(places: Any, history: History, found: Outcome) -> Any:
    whys = [found.explained.get(place, _NOTHING) for place in places.tolist()]
    alerts = (found.ranks[places] > 0).tolist()
    reasons = [
        [{"rule": one.label, "text": one.text} for one in why.reasons] if is_alert else []
        for why, is_alert in zip(whys, alerts, strict=True)
    ]
    bp = found.scores_bp[places].astype(np.int32)
    names = [*found.names, None]
    columns = [
        history.payment_id.take(pa.array(places)).cast(pa.string()),
        pa.array(bp // BP_OF_POINT),
        pa.array(bp),
        pa.array([OUTCOMES[rank] for rank in found.ranks[places].tolist()]),
        pa.array(reasons, SCHEMA.field("reasons").type),
        pa.array([list(why.shadow) for why in whys], SCHEMA.field("shadow_rules").type),
        pa.array([names[number] for number in found.models[places].tolist()], pa.string()),
    ]
    return pa.record_batch(columns, schema=SCHEMA)
