"""What `up` counts, across its runs on one data directory; without a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.cli import traffic
from pipeline.cli.traffic import TopicCounter
from pipeline.runtime.settings import load_settings


def counter(state: Path) -> TopicCounter:
    """Return a counter that has read what an earlier run has saved, and asks no cluster."""
    made = TopicCounter(load_settings(bootstrap_servers="127.0.0.1:1"), cast(Any, None), state)
    made._load()
    return made


def take(counting: TopicCounter, *accounts: str) -> None:
    for account in accounts:
        counting._take_balance(SimpleNamespace(key=account.encode))


def test_after_a_restart_the_balances_are_those_of_before_until_they_are_read_again(tmp_path: Path) -> None:
    state = tmp_path / "counts.json"
    first = counter(state)
    take(first, "t/a", "t/b", "t/a", "t/$clearing-like")
    assert first.tally().accounts == 2
    first._save()
    first.stop()
    second = counter(state)
    assert second.tally().accounts == 2
    take(second, "t/b")
    assert second.tally().accounts == 2
    take(second, "t/a", "t/c")
    assert second.tally().accounts == 3
    second._forget()  # the saved counts are of another cluster
    second._accounts.clear()
    assert second.tally().accounts == 0
    second.stop()


@pytest.mark.parametrize("accounts", [None, "many"])
def test_counts_of_an_earlier_version_and_damaged_ones_are_no_error(tmp_path: Path, accounts: Any) -> None:
    state = tmp_path / "counts.json"
    saved = {"offsets": {}, "records": {"postings": 5}, "breaks_opened": 1, "breaks_resolved": 0}
    state.write_text(json.dumps(saved if accounts is None else {**saved, "accounts": accounts}))
    found = counter(state)
    tally = found.tally()
    assert (tally.accounts, tally.records["postings"]) == (0, 5 if accounts is None else 0)
    found.stop()


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
