"""Trades are known for both windows, older ones are too old, and the moment of deletion decides nothing."""

from __future__ import annotations

from itertools import pairwise
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.kernel import retention
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.kernel.retention import BUCKET_KEYS, Windows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY as DAY
from pipeline.domain.positions.batch import PositionBatch
from pipeline.domain.positions.rows import TRADE_ROW, pack_trade, read_trade, trade_key, trade_parts
from pipeline.domain.positions.stream import Positions
from pipeline.verify.model import retention as model_retention
from pipeline.verify.model.positions import PositionBranch
from tests.chaos.by_hand import chance, in_order, traded
from tests.chaos.side_by_side import first_difference
from tests.chaos.test_position_model import random_log
from tests.examples import examples
from tests.kernel.side_by_side import Log, Replay, assert_alike
from tests.positions.test_batch import _logs
from tests.positions.test_stream import Book

RECORDED = 10**17


def bought(book: Book, trade_id: str, day: int) -> None:
    book.apply(book.trade("BUY", 1, 1, trade_id=trade_id, occurred_at=day * DAY), RECORDED)


def many(book: Book, names: str, day: int) -> None:
    """Execute as many trades as a bucket holds, so that the oldest one is looked at."""
    for number in range(BUCKET_KEYS):
        bought(book, f"{names}{number}", day)


def trades_of(book: Book) -> list[bytes]:
    return [key for key, _ in book.rows.scan(b"t\0")]


@pytest.mark.parametrize(("day", "gone"), [(400, False), (401, True)])
def test_a_trade_is_deleted_when_both_windows_are_over(day: int, gone: bool) -> None:
    book = Book()
    many(book, "old", 0)
    many(book, "new", day)
    assert (trade_key("acme", "old0") not in book.rows.data) is gone
    assert len(trades_of(book)) == BUCKET_KEYS * (1 if gone else 2)


@pytest.mark.parametrize("swept", [0, 4])
def test_an_id_is_free_again_after_both_windows_whether_its_row_is_deleted_yet_or_not(swept: int) -> None:
    with mock.patch.object(retention, "SWEPT_MAX", swept):
        book = Book()
        many(book, "old", 0)
        many(book, "new", 401)
        assert (trade_key("acme", "old0") in book.rows.data) is (not swept)
        with pytest.raises(Reject, match="trade_not_found"):
            book.apply(book.settlement("old0", 5, occurred_at=401 * DAY), RECORDED)
        (update,) = book.apply(book.trade("SELL", 7, 3, trade_id="old0", occurred_at=401 * DAY), RECORDED)
        assert update.trades == 2 * BUCKET_KEYS + 1
        book.apply(book.settlement("old0", 5, occurred_at=401 * DAY), RECORDED)


@pytest.mark.parametrize("known", [True, False])
def test_what_is_too_old_is_said_from_event_time_alone(known: bool) -> None:
    book = Book()
    if known:
        bought(book, "late", 0)
    bought(book, "newest", 91)
    with pytest.raises(Reject, match="too_old"):
        bought(book, "late", 0)
    bought(book, "late", 1)
    assert book.rows.get(trade_key("acme", "late")) is not None


def test_a_trade_of_an_earlier_version_is_known_for_ever() -> None:
    book = Book()
    bought(book, "old", 0)
    key = trade_key("acme", "old")
    _, content = trade_parts(book.rows.data[key])
    book.rows.data[key] = b"\1" + content
    many(book, "new", 999)
    assert read_trade(book.rows, "acme", "old") is not None
    book.apply(book.settlement("old", 5, occurred_at=999 * DAY), RECORDED)
    assert book.rows.data[key][0] == TRADE_ROW.layout
    many(book, "newer", 1999)
    assert key in book.rows.data


def test_a_trade_that_is_executed_again_lives_as_long_as_its_second_time() -> None:
    book = Book()
    many(book, "old", 0)
    bought(book, "old0", 401)
    many(book, "new", 401)
    assert trades_of(book).count(trade_key("acme", "old0")) == 1
    assert pack_trade(*trade_parts(book.rows.data[trade_key("acme", "old0")])) in book.rows.data.values()


def in_days(log: Log) -> Log:
    """Return a log whose times, small numbers, are days."""
    times = {number: number * DAY for number in range(-100, 100)}
    return [
        (
            msgspec.structs.replace(event, occurred_at=times.get(event.occurred_at, event.occurred_at)),
            times[recorded_at],
        )
        for event, recorded_at in log
    ]


WINDOWS = Windows(10, 15)


@examples(50)
@given(st.one_of(_logs(), _logs(extreme=True)), st.integers(1, 3))
def test_batches_and_rows_forget_the_same(drawn: tuple[Log, list[int]], bucket: int) -> None:
    log, cuts = drawn
    with mock.patch.object(retention, "BUCKET_KEYS", bucket):
        assert_alike(Positions(WINDOWS), PositionBatch(WINDOWS), in_days(log), cuts)


@examples(50)
@given(_logs(), st.integers(1, 3))
def test_what_is_said_is_the_same_whenever_rows_are_deleted(
    drawn: tuple[Log, list[int]], bucket: int
) -> None:
    one, never = Replay(Positions(WINDOWS)), Replay(Positions(WINDOWS))
    with mock.patch.object(retention, "BUCKET_KEYS", bucket):
        one.by_rows(in_days(drawn[0]))
        with mock.patch.object(retention, "SWEPT_MAX", 0):
            never.by_rows(in_days(drawn[0]))
    assert (one.latest, one.rejected) == (never.latest, never.rejected)


@pytest.mark.parametrize("seed", range(5))
def test_model_and_product_forget_the_same(seed: int) -> None:
    """Ids that come again and again over 300 days, with windows of 10 and 20 days and buckets of three."""
    rng = chance(seed)
    start = random_log(rng, 1)[0].fields["occurred_at"]
    log, times = [], []
    for number in range(600):
        at = start + number * DAY // 2 - rng.randrange(30) * DAY // 2
        again = rng.randrange(number + 1) if rng.random() < 0.2 else number
        log.append(traded(f"t{again}", rng.choice((1, 2)), 5, event_id=f"e{number}", occurred_at=at))
        times.append(start + number * DAY // 2)
    records = in_order(log, times_us=times)
    sizes = mock.patch.object(retention, "BUCKET_KEYS", 3), mock.patch.object(model_retention, "BUCKET", 3)
    with sizes[0], sizes[1]:
        model = PositionBranch(0, 1, window_days=10, keep_days=20)
        assert first_difference(model, Positions(Windows(10, 20)), records) is None
        again_model = PositionBranch(0, 1, window_days=10, keep_days=20)
        codes = [again_model.apply(record)[0] for record in records]
    assert codes.count("too_old") > 20 and codes.count("trade_exists_with_different_content") > 3
    assert len(model.trades) < 80
    assert all(before <= after for before, after in pairwise(times))
