"""How far a partition lags, seen by a thread that looks while another one takes records."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from faust.types import TP

from pipeline.runtime.kafka.consumer_thread import ConsumerThread
from pipeline.runtime.kafka.fetched import Delivered
from pipeline.web.progress import progress, unread

PLACE = TP("accounts", 0)


def seen(
    committed: int | None, position: int, end: int, delivered: Delivered | None, high_watermark: int
) -> tuple[int | None, int]:
    """Return the lag, and what of it could be read, by the offsets of the task, of aiokafka and of the log,
    and by what was noted. `end`: of what is committed; `high_watermark`: of all that is there."""
    state = SimpleNamespace(has_valid_position=True, position=position, lso=end, highwater=high_watermark)
    assignment = SimpleNamespace(tps={TopicPartition(*PLACE)}, state_value=lambda _: state)
    subscription = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))
    thread: Any = ConsumerThread.__new__(ConsumerThread)
    thread._consumer = SimpleNamespace(_subscription=subscription)
    thread.delivered = {} if delivered is None else {PLACE: delivered}
    thread._answers = {}
    spec = SimpleNamespace(name="accounts", source="accounts")
    task: Any = SimpleNamespace(spec=spec, partition=0, committed=committed, position=committed)
    app: Any = SimpleNamespace(fetch_state=thread.state_of, address="http://worker")
    return progress(app, task).lag, unread(app, PLACE, task)


@pytest.mark.parametrize(
    ("committed", "position", "end", "delivered", "expected"),
    [
        (5, 5, 8, Delivered(5, 5), 3),
        (5, 8, 8, Delivered(5, 8), 0),  # what is left are control records
        (5, 8, 8, Delivered(5, 5), 3),  # records are being taken that nobody was handed yet
        (5, 8, 8, Delivered(8, 8), 3),  # they were handed over, and are not applied
        (5, 8, 8, None, 3),  # nothing was fetched since the last seek
        (None, 0, 0, Delivered(None, 0), 0),
        (None, 2, 2, Delivered(None, 0), 2),
    ],
)
def test_only_what_was_delivered_and_committed_no_longer_lags(
    committed: int | None, position: int, end: int, delivered: Delivered | None, expected: int
) -> None:
    assert seen(committed, position, end, delivered, end) == (expected, expected)


def test_what_waits_for_an_open_transaction_lags_and_cannot_be_read_yet() -> None:
    """So that /live does not call a worker stuck that somebody else holds back."""
    assert seen(5, 5, 5, Delivered(5, 5), high_watermark=9) == (4, 0)
    assert seen(5, 5, 8, Delivered(5, 5), high_watermark=9) == (4, 3)
