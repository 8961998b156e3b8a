"""The desk by batches is the desk by rows: what is said, what is left; what a run reads and writes."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel import retention
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.desk import batch, index, stream, time
from pipeline.domain.reconciliation.desk.batch import DeskBatch
from pipeline.domain.reconciliation.desk.clean_path import take
from tests.examples import examples
from tests.kernel.side_by_side import Log, Replay, assert_alike
from tests.reconciliation_desk.branch import with_
from tests.reconciliation_desk.clean_traffic import clean_logs
from tests.reconciliation_desk.rows_before import Table, random_tables, rows_of
from tests.reconciliation_desk.test_stream import CASES, LATER, event_of
from tests.reconciliation_desk.traffic import DAY, SOMEBODY, echoed, logs

BATCH = DeskBatch()
WINDOWS = (stream.WINDOWS, stream.WINDOWS, Windows(1, 3))


def rules(windows: Windows = stream.WINDOWS) -> Any:
    """Return the rules of the row path."""
    return SimpleNamespace(apply=partial(stream.apply, windows=windows))


def log_of(*texts: str) -> Log:
    """Return events of `test_stream.event_of` as a log."""
    return [(event_of(text, number), LATER) for number, text in enumerate(texts)]


@examples(75)
@given(
    logs(),
    st.lists(st.integers(0, 60), max_size=4),
    st.sampled_from(WINDOWS),
    st.sampled_from([0, 1, 4, 4]),
    st.sampled_from([1, 3, retention.BUCKET_KEYS]),
    st.sampled_from([1, time.WAKES_MAX]),
)
def test_batches_and_rows_agree(
    log: Log, cuts: list[int], windows: Windows, load: int, bucket: int, wakes: int
) -> None:
    with (
        patch.object(index, "LOAD_PER_EVENT", load),
        patch.object(retention, "BUCKET_KEYS", bucket),
        patch.object(time, "WAKES_MAX", wakes),
    ):
        assert_alike(rules(windows), DeskBatch(windows=windows), echoed(log, windows), cuts)


@examples(150)
@given(
    clean_logs(),
    st.lists(st.integers(0, 60), max_size=4),
    st.sampled_from(WINDOWS),
    st.sampled_from([0, 1, 4]),
    st.sampled_from([1, 3, retention.BUCKET_KEYS]),
)
def test_batches_and_rows_agree_on_clean_references_and_what_is_almost_clean(
    log: Log, cuts: list[int], windows: Windows, load: int, bucket: int
) -> None:
    with patch.object(index, "LOAD_PER_EVENT", load), patch.object(retention, "BUCKET_KEYS", bucket):
        assert_alike(rules(windows), DeskBatch(windows=windows), echoed(log, windows), cuts)


@examples(30)
@given(
    st.sampled_from(random_tables()),
    logs(most=12, first_day=6),
    st.lists(st.integers(0, 40), max_size=3),
)
def test_batches_and_rows_agree_on_rows_of_the_stream_before(table: Table, log: Log, cuts: list[int]) -> None:
    assert_alike(rules(), BATCH, echoed(log, rows=rows_of(table)), cuts, before=dict(table))


@pytest.mark.parametrize("texts", [case[0] for case in CASES.values()], ids=CASES.keys())
def test_public_cases_go_by_columns_wherever_a_run_is_cut(texts: list[str]) -> None:
    log = log_of(*texts)
    for cut in range(len(log)):
        assert assert_alike(rules(), BATCH, log, [cut]).in_columns == len(log)


class CountedRows(MemoryRows):
    """Rows that tell which were written, and how many scans there were."""

    def __init__(self) -> None:
        super().__init__()
        self.written: set[bytes] = set()
        self.scans = 0

    def put(self, key: bytes, value: bytes) -> None:
        super().put(key, value)
        self.written.add(key)

    def delete(self, key: bytes) -> None:
        super().delete(key)
        self.written.add(key)

    def scan(self, prefix: bytes, after: bytes = b"") -> Any:
        self.scans += 1
        return super().scan(prefix, after)


def replay() -> tuple[Replay, CountedRows]:
    """Return a replay over counted rows."""
    made = Replay(rules())
    made.rows = rows = CountedRows()
    return made, rows


def families(keys: Any) -> str:
    return "".join(sorted({chr(key[0]) for key in keys}))


def test_a_pair_that_meets_within_a_run_is_never_in_the_index() -> None:
    made, rows = replay()
    made.by_columns(BATCH, log_of("1 posting P1 -10 A10001", "1 line S1/1 -10 A10001"))
    index_rows = [key for key in rows.written if key[:1] == b"j"]
    # The line is found by its reference, by what repeats it.
    assert [key.split(b"\0", 3)[3][:1] for key in index_rows] == [b"s"]
    assert "d" not in families(rows.written)


def test_clean_references_go_by_their_own_path_whichever_comes_first_and_wherever_a_run_is_cut() -> None:
    texts = ["1 posting P0 -10 A10000"]
    for number in range(8):
        texts += [
            f"1 line S1/{number} -10 A{10_000 + number}",
            f"1 posting P{number + 1} -10 A{10_001 + number}",
        ]
        texts += [f"1 posting X{number} -7 B{20_000 + number}"]
    texts += [f"1 line S1/{10 + number} -7 B{20_000 + number}" for number in range(8)]
    log, taken = log_of(*texts), list[bool]()

    def counted(*given: Any) -> bool:
        taken.append(take(*given))
        return taken[-1]

    with patch.object(batch, "take", counted):
        for cut in range(1, len(log)):
            taken.clear()
            assert_alike(rules(), BATCH, log, [cut])
            assert taken == [False, *[True] * (len(log) - 1)], cut  # the first one opens the account


def test_a_reference_that_many_postings_have_is_a_constant_for_clean_ones_too() -> None:
    texts = [f"1 posting P{number} -{number + 1}0 A10000" for number in range(12)]
    assert_alike(rules(), BATCH, log_of(*texts, "1 line S1/1 -120 A10000"), [])


def test_statements_that_have_stopped_are_said_by_a_clean_posting_too() -> None:
    log = log_of(*(f"{day} close S{day} 0 0 0" for day in range(1, 20)))
    for number in range(40):
        at = 19 * DAY + DAY // 2 + (number + 1) * DAY // 8
        day, name = at // DAY, 10_000 + number
        pair = log_of(f"{day} posting P{number} -10 A{name}", f"{day} line T{number}/1 -10 A{name}")
        # Several times a day: for most of them the account does not wake up, and nothing is due.
        log += [
            (with_(event, occurred_at=at, event_id=f"{event.event_id}-{number}"), LATER) for event, _ in pair
        ]
    made = assert_alike(rules(), BATCH, log, [])
    assert "STALE" in [getattr(event, "kind", None) for _, event in made.said["reconciliation-results"]]


def test_a_pair_across_runs_leaves_no_open_item() -> None:
    made, rows = replay()
    made.by_columns(BATCH, log_of("1 posting P1 -10 A10001"))
    assert "d" in families(rows.data) and "j" in families(rows.data)
    made.by_columns(BATCH, log_of("1 line S1/1 -10 A10001"))
    assert "d" not in families(rows.data)
    assert [key.split(b"\0", 3)[3][:1] for key in rows.data if key[:1] == b"j"] == [b"s"]


def test_a_run_reads_a_short_index_once() -> None:
    made, rows = replay()
    made.by_columns(BATCH, log_of("1 posting P0 -5 A10000"))
    rows.scans = 0
    pairs = [
        (f"1 posting P{n} -{n}0 A{10_000 + n}", f"1 line S1/{n} -{n}0 A{10_000 + n}") for n in range(1, 40)
    ]
    made.by_columns(BATCH, log_of(*[text for pair in pairs for text in pair]))
    # The references of either side, and what falls due.
    assert rows.scans <= 3


def test_what_a_person_says_is_left_to_rows_and_the_next_run_knows_it() -> None:
    log = log_of("1 posting P1 -10 A10001", "1 line S1/1 -10 A10001", "1 posting P2 -10 A10001")
    person = ev.MatchRejected(
        *("said", "acme", DAY, "c", None, "nostro", (), ("P1",)), reason="no", actor=SOMEBODY
    )
    log.insert(2, (person, LATER))
    made = assert_alike(rules(), BATCH, log, [])
    assert made.in_columns == len(log) - 1


@pytest.mark.parametrize("field", ["details", "metadata", "actor"])
def test_a_run_sees_records_lists_and_maps_as_rows_do(field: str) -> None:
    detail = ev.StatementDetail(-7, None, "INV 10017", None, None), ev.StatementDetail(-3, "EUR", "A1")
    values = {"details": detail, "metadata": {"description": "INV 10017"}, "actor": SOMEBODY}
    (first, _), (second, _) = log_of("1 posting P1 -10 A10001", "1 line S1/1 -10 B2")
    log: Log = []
    for event in (first, second):
        fields = type(event).__struct_fields__
        told = {name: getattr(event, name) for name in fields}
        log.append((type(event)(**(told | ({field: values[field]} if field in fields else {}))), LATER))
    assert assert_alike(rules(), BATCH, [*log, *log_of("90 tick")], []).in_columns == 3
