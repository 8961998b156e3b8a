"""The vector path of reconciliation: a run of items at once, with the results of `apply` one by one.

    Run -> events -> the rules, event by event, over one sheet an account -> rows, blocks

The rules are those of the row path. What is done once a run and not once an event: reading the rows, decoding
and encoding them, and the rows of the indexes, which only what is still open in the end needs. Accounts have
nothing in common, so each has its own sheet. An event that is refused ends the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import OTHER, Block, Run
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.reconciliation.matching import open_sheet
from pipeline.domain.reconciliation.results import Input
from pipeline.domain.reconciliation.sheet import Sheet
from pipeline.domain.reconciliation.stream import DEFAULT_RULES, ReconciliationRules, apply_to, keys

CLASSES = (ev.PostingRecorded, ev.StatementLine, ev.StatementClosed)


@cache
def _types_of(event: type) -> dict[str, pa.DataType]:
    """Return the fields of an event, all of them text, integers or lists of text, as columns have them."""
    kinds = {"int": pa.int64(), "tuple[str, ...]": pa.list_(pa.string())}
    types = {name: str(kind).partition(" |")[0] for name, kind in event.__annotations__.items()}
    return {name: kinds.get(kind, pa.string()) for name, kind in types.items()}


FIELDS = {name: kind for event in CLASSES for name, kind in _types_of(event).items()} | {
    "value_date": pa.int32()  # days: a date that Arrow makes no other integer of
}


class ReconciliationBatch:
    """The rules of the stream with their settings; holds no other state."""

    classes = CLASSES
    fields = FIELDS

    def __init__(self, rules: ReconciliationRules = DEFAULT_RULES) -> None:
        self._rules = rules

    def apply(self, run: Run, rows: PrefetchingRows) -> tuple[int, list[Block]]:
        """Apply the events up to the first that must be left; return how many, and what they say."""
        length = int(np.argmax(np.append(run.kinds == OTHER, True)))
        events = _events_of(run.slice(0, length))
        rows.prefetch([key for event in events for key in keys(event)])
        accounts = [(event.tenant_id, event.account_id) for event in events]
        counts = Counter(accounts)
        sheets: dict[tuple[str, str], Sheet] = {}
        out, applied, at = Outbox(), 0, Arrival(0, run.partition, run.partitions)
        times = run.recorded_at[:length].tolist()
        for event, account, recorded_at in zip(events, accounts, times, strict=True):
            sheet = sheets.get(account)
            if sheet is None:
                sheet = sheets[account] = open_sheet(rows, *account, self._rules, counts[account])
            if recorded_at != at.recorded_at:
                at = at._replace(recorded_at=recorded_at)
            try:
                apply_to(sheet, event, at, out, self._rules)
            except Reject:
                break
            applied += 1
        for sheet in sheets.values():
            sheet.close()
        return applied, _blocks(out.items)


def _events_of(run: Run) -> list[Input]:
    """Return the events of a run, in order."""
    events: list[Any] = [None] * len(run)
    for kind, event in enumerate(CLASSES):
        positions = np.flatnonzero(run.kinds == kind)
        if not len(positions):
            continue
        take = pa.array(positions)
        cells = [run.columns[name].take(take) for name in event.__struct_fields__]
        made = map(event, *(column.to_numpy(zero_copy_only=False).tolist() for column in cells))
        for position, one in zip(positions.tolist(), made, strict=True):
            events[position] = one
    return events


def _blocks(items: Sequence[tuple[str, str, Any]]) -> list[Block]:
    """Return what was said, (topic, key, event) in order, as a block for each class of one topic."""
    groups: dict[tuple[str, type], list[int]] = {}
    for place, (topic, _, event) in enumerate(items):
        groups.setdefault((topic, type(event)), []).append(place)
    blocks = []
    for (topic, kind), places in groups.items():
        cells = zip(*[msgspec.structs.astuple(items[place][2]) for place in places], strict=True)
        columns = {
            name: pa.array(column, wanted)
            for (name, wanted), column in zip(_types_of(kind).items(), cells, strict=True)
        }
        keys_of = pa.array([items[place][1] for place in places], pa.string())
        blocks.append(Block(topic, kind, np.array(places), keys_of, columns))
    return blocks
