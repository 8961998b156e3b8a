"""The queue of rows that have ended: in order, by buckets, bounded, and nothing is scanned."""

from __future__ import annotations

from pipeline.domain.kernel.retention import BUCKET_KEYS, SWEPT_MAX, Queue, QueueKind, Windows
from pipeline.domain.kernel.rows import MemoryRows

KIND = QueueKind("test", "ended", "ef")
KEEP = 1_000


def added(rows: MemoryRows, first: int, count: int, step: int = 1) -> list[bytes]:
    """Add rows one by one, each by a queue that is read again; return what may go."""
    over = []
    for number in range(first, first + count):
        queue = Queue(KIND, rows, KEEP, "t")
        over += queue.add(number * step, b"%d" % number)
        queue.write()
    return over


def test_rows_are_returned_once_in_their_order_when_their_window_is_over() -> None:
    rows = MemoryRows()
    keys = added(rows, 0, 5_000)
    assert keys == [b"%d" % number for number in range(len(keys))]
    newest_gone, newest = len(keys) - 1, 5_000 // BUCKET_KEYS * BUCKET_KEYS - 1
    assert newest - newest_gone > KEEP >= newest - newest_gone - BUCKET_KEYS


def test_the_number_of_rows_stays_the_same_at_a_constant_rate() -> None:
    rows = MemoryRows()
    added(rows, 0, 3_000)
    before = len(rows.data)
    added(rows, 3_000, 10 * BUCKET_KEYS)
    assert len(rows.data) == before == 1 + -(-(KEEP + 1) // BUCKET_KEYS)


def test_a_backlog_goes_in_bounded_portions() -> None:
    rows = MemoryRows()
    added(rows, 0, 10 * BUCKET_KEYS)
    gone = added(rows, 10 * BUCKET_KEYS, BUCKET_KEYS, step=KEEP)
    assert len(gone) == SWEPT_MAX * BUCKET_KEYS
    assert len(added(rows, 11 * BUCKET_KEYS, BUCKET_KEYS, step=KEEP)) == SWEPT_MAX * BUCKET_KEYS


def test_time_that_goes_back_lets_nothing_go_earlier() -> None:
    rows = MemoryRows()
    queue = Queue(KIND, rows, KEEP)
    queue.add(5_000, b"first")
    over = [key for number in range(3 * BUCKET_KEYS) for key in queue.add(number, b"%d" % number)]
    assert over == [] and queue.newest_at == 5_000


def test_queues_of_two_owners_share_nothing() -> None:
    rows = MemoryRows()
    one, other = Queue(KIND, rows, KEEP, "a"), Queue(KIND, rows, KEEP, "b")
    for number in range(BUCKET_KEYS):
        one.add(0, b"one")
        assert other.add(number * KEEP, b"other") == []
    one.write()
    other.write()
    assert sorted(rows.data) == [b"e\0a", b"e\0b", b"f\0a\0" + b"0" * 16, b"f\0b\0" + b"0" * 16]


def test_the_windows_are_over_with_the_longer_one_a_day_after_that_for_duplicates() -> None:
    assert (Windows().both_days, Windows(500, 400).both_days) == (400, 501)
    assert (Windows(399, 400).both_days, Windows(400, 400).both_days) == (400, 401)
