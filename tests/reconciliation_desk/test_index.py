"""The index of an account says what a sorted list says, whatever of it is stored and whatever is new."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.desk.index import Index
from pipeline.domain.reconciliation.desk.rows import MARK

KEYS = [b"a" + bytes([side, place]) + b"o\0x" for side in b"lp" for place in range(12)] + [
    b"rl" + reference + b"\0l\0" + item for reference in (b"A", b"AB") for item in (b"1", b"2", b"3")
]
STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from(KEYS)), max_size=40)


def _flush(index: Index, rows: MemoryRows) -> None:
    for key, is_there in index.changes():
        if is_there:
            rows.put(key, MARK)
        else:
            rows.delete(key)


@given(st.lists(STEPS, max_size=4), st.sampled_from([0, 1, 100]), st.integers(1, 5))
def test_look_ups_are_those_of_a_sorted_list(
    runs: list[list[tuple[bool, bytes]]], events: int, limit: int
) -> None:
    rows, model = MemoryRows(), set[bytes]()
    for steps in runs:
        index = Index(rows, "t", "a", events)
        for is_added, key in steps:
            if is_added and key not in model:
                index.add([key])
                model.add(key)
            elif not is_added and key in model:
                index.remove([key])
                model.discard(key)
            _compare(index, model, limit)
        _flush(index, rows)
        assert {key[len(b"j\0t\0a\0") :] for key in rows.data} == model


def _compare(index: Index, model: set[bytes], limit: int) -> None:
    for low, high in ((b"al", b"al\xff"), (b"al\x03", b"al\x08"), (b"ap\x02", b"ap\xff")):
        within = sorted(key for key in model if low <= key < high)
        assert index.up(low, high, limit) == within[:limit]
        assert index.down(low, high, limit) == within[::-1][:limit]
    for prefix in (b"rlA\0", b"rlAB\0"):
        named = sorted(key for key in model if key.startswith(prefix))
        assert index.up(prefix, prefix + b"\xff", limit) == named[:limit]
