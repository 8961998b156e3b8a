"""The lag that `up` shows: what the streams have still to read, also after a crash of the broker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.cli import traffic
from pipeline.cli.traffic import TopicCounter


def test_a_group_that_says_older_offsets_makes_no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"offset": 90}

    def committed(places: list[Any], timeout: float) -> list[Any]:
        return [SimpleNamespace(topic=one.topic, partition=one.partition, **said) for one in places]

    monkeypatch.setattr(traffic, "BoundedConsumer", lambda _: None)
    monkeypatch.setattr(traffic, "asking", lambda *_, **__: SimpleNamespace(committed=committed))
    monkeypatch.setattr(traffic, "ends", lambda *_: {("payments", 0): 100})
    settings: Any = SimpleNamespace(librdkafka=dict, app_id="app", partitions=1)
    decoder: Any = None
    counter = TopicCounter(settings, decoder, None)
    lags = []
    for offset in (-1001, 90, 40, 100, 40):
        said["offset"] = offset
        lags.append(counter._lag())
    assert lags == [100, 10, 10, 0, 0]
