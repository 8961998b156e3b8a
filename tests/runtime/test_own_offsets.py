"""What the streams say themselves of how far they are: it counts where the group says older offsets."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaException

from pipeline.runtime.kafka import own_offsets, rest
from pipeline.runtime.kafka.own_offsets import applied
from pipeline.runtime.kafka.rest import OWN_EVERY_S, RestWatch
from pipeline.runtime.kafka.short_topics import Rows
from pipeline.verify.streams import READERS
from topologies.app import STREAMS

LOG = "payments", 0
ENDS = {LOG: 1_000}


def test_the_streams_of_each_log_are_those_that_run() -> None:
    assert {(log, name) for log, names in READERS.items() for name in names} == {
        (stream.source, stream.name) for stream in STREAMS
    }


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ({"fraud": b"7", "other": b"5"}, {LOG: 5}),
        ({"fraud": b"7"}, {}),
        ({"fraud": b"7", "other": b"x"}, {}),
        ({"fraud": b"7", "other": b"9" * 5_000}, {}),
        ({"fraud": b"7", "other": None}, {}),
        ({"fraud": b"7", "other": b"5", "unknown": b"1"}, {}),
        ({}, {}),
    ],
)
def test_a_log_is_applied_as_far_as_all_its_streams_say(
    rows: dict[str, bytes | None], found: dict[Any, int]
) -> None:
    latest = {(0, name.encode()): value for name, value in rows.items()}
    assert applied(Rows(latest, []), {"payments": ["fraud", "other"]}) == found


def test_nothing_is_known_where_something_cannot_be_read() -> None:
    skipped: Any = object()
    assert applied(Rows({(0, b"fraud"): b"7"}, [skipped]), {"payments": ["fraud"]}) == {}


class Cluster:
    """A log that stands still, and a group that says older offsets of it than its stream has applied."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, applied: int) -> None:
        self.now, self.applied, self.asked = 0.0, applied, 0
        self.fails = False
        monkeypatch.setattr(rest, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(rest, "AdminClient", lambda _: None)
        monkeypatch.setattr(rest, "BoundedConsumer", lambda _: self)
        monkeypatch.setattr(rest, "asking", lambda *_, committed: committed)
        monkeypatch.setattr(rest, "ends_of", lambda *_: dict(ENDS))
        monkeypatch.setattr(rest, "own_offsets", self.own)
        self.watch = RestWatch({}, "app", [LOG], read=["payments"], readers={"payments": ["fraud"]})

    def committed(self, places: list[Any], timeout: float) -> list[Any]:
        for place in places:
            place.offset = 400
        return places

    def own(self, *_: object) -> Mapping[tuple[str, int], int]:
        self.asked += 1
        if self.fails:
            raise KafkaException("it may not be read")
        return {LOG: self.applied}

    def look(self, after_s: float = OWN_EVERY_S) -> str | None:
        self.now += after_s
        return self.watch.look()


BEHIND = "the streams are 600 records behind on payments[0]"


def test_streams_that_have_applied_all_are_at_rest_whatever_the_group_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(monkeypatch, applied=1_000)
    assert [cluster.look(0.1), cluster.look(), cluster.look(0.1)] == [BEHIND, None, None]
    assert cluster.asked == 1


def test_streams_that_hang_are_behind_by_their_own_word(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, applied=900)
    assert [cluster.look(0.1), cluster.look()] == [BEHIND, BEHIND.replace("600", "100")]


def test_what_grows_is_not_judged_by_what_was_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, applied=1_000)
    assert [cluster.look(0.1), cluster.look()] == [BEHIND, None]
    monkeypatch.setitem(ENDS, LOG, 1_001)
    assert cluster.look(0.1) == BEHIND.replace("600", "601")


def test_without_an_answer_the_group_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, applied=1_000)
    cluster.fails = True
    assert [cluster.look(0.1), cluster.look(), cluster.look(0.1)] == [BEHIND] * 3
    assert cluster.asked == 1


@pytest.mark.parametrize(("own", "applied"), [({LOG: 900}, 900), ({LOG: 300}, 400), ({}, 400), (None, 400)])
def test_a_command_goes_by_whoever_says_more(
    own: Mapping[tuple[str, int], int] | None, applied: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*_: object) -> Mapping[tuple[str, int], int]:
        if own is None:
            raise KafkaException("there is no such topic")
        return own

    asking = SimpleNamespace(committed=lambda *_, timeout: [SimpleNamespace(offset=400)], close=lambda: None)
    monkeypatch.setattr(own_offsets, "asking", lambda *_, committed: asking)
    monkeypatch.setattr(own_offsets, "begins", lambda *_: {LOG: 5})
    monkeypatch.setattr(own_offsets, "ends", lambda *_: {LOG: 1_000})
    monkeypatch.setattr(own_offsets, "own_offsets", said)
    assert own_offsets.reached({}, "app", LOG, READERS, 1.0) == (5, 1_000, applied)


def test_the_topic_of_the_streams_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def rows(_connection: object, group: str, starts: object, _within_s: float, *, committed: bool) -> Rows:
        told.append((group, starts, committed))
        return Rows({(1, b"fraud"): b"7"}, [])

    monkeypatch.setattr(own_offsets, "asking", lambda *_, committed: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(own_offsets, "begins", lambda _, places, within_s: dict.fromkeys(places, 3))
    monkeypatch.setattr(own_offsets, "rows_of", rows)
    found = own_offsets.own_offsets({}, "app", {"payments": ["fraud"]}, {0, 1}, 1.0)
    assert found == {("payments", 1): 7}
    assert told == [("app", {("app-source-offsets", 0): 3, ("app-source-offsets", 1): 3}, True)]
