"""The checker after a broker that crashed: older offsets of the group are no damage, all else still is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.verify.model.wire import COMMANDS, POSTINGS, SOURCE_OFFSET
from pipeline.verify.streams import SOURCES
from tests.chaos import checker as module
from tests.chaos.checker import Checker
from tests.chaos.log_reader import Slice
from tests.chaos.offsets_check import ALL_STREAMS, second_of
from tests.chaos.small_bank import CHANGELOGS, GROUP, Bank

Committed = dict[tuple[str, int], int]
PLACE = COMMANDS, 0


class Cluster:
    """A bank at rest, with all that its workers write of offsets; it stands for the reader, too."""

    skipped: tuple[Any, ...] = ()

    def __init__(self) -> None:
        self.topics = topics = Bank().topics
        self.said: Committed = {
            (log, number): len(records) for log in SOURCES for number, records in topics[log].items()
        }
        template = next(one for one in topics[CHANGELOGS["ledger"]][0] if one.key == SOURCE_OFFSET)
        second = topics[second_of(GROUP)] = {0: [], 1: []}
        for one in ALL_STREAMS:
            changelog = topics.setdefault(f"{GROUP}-{one.stream}-changelog", {0: [], 1: []})
            for number, log in topics[one.log].items():
                if not log:
                    continue
                applied = template._replace(partition=number, value=b"%d" % len(log))
                if one.stream.startswith("intake-"):
                    changelog[number].append(applied)
                key, place = one.stream.encode(), len(second[number])
                second[number].append(applied._replace(key=key, offset=place))

    def committed(self, _topics: object) -> Committed:
        return dict(self.said)

    def read(self, topic: str, starts: dict[int, int] | None = None) -> dict[int, Slice]:
        return {
            number: Slice(log[(starts or {}).get(number, 0) :], len(log), True)
            for number, log in self.topics[topic].items()
        }

    def losses(self, _topics: object) -> list[Any]:
        return []

    def close(self) -> None:
        """It has no connections."""


Make = Callable[..., Checker]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(module, "LogReader", lambda *_: made)
    return made


@pytest.fixture
def checker(cluster: Cluster) -> Make:
    connection: Any = None

    def make(broker_crashed: bool = False) -> Checker:
        return Checker({}, connection, GROUP, broker_crashed=broker_crashed)

    return make


def wrong(checker: Checker, quiet: bool = True) -> set[str]:
    """Return the checks that fail; a check of what is quiet is the last one of a checker."""
    return {problem.check for problem in checker.check(quiet)}


def test_a_bank_at_rest_has_no_problem(checker: Make) -> None:
    assert wrong(checker()) == wrong(checker(True)) == wrong(checker(), quiet=False) == set()


def test_older_offsets_of_the_group_are_damage_without_a_crash(cluster: Cluster, checker: Make) -> None:
    seen = checker()
    assert wrong(seen, quiet=False) == set()
    cluster.said[PLACE] -= 2
    assert "offsets" in wrong(seen) and "offsets" in wrong(checker())


def test_after_a_crash_they_are_none_also_where_nobody_has_looked_before(
    cluster: Cluster, checker: Make
) -> None:
    seen = checker()
    assert wrong(seen, quiet=False) == set()
    seen.offsets.broker_crashed()
    cluster.said[PLACE] -= 2
    assert wrong(seen, quiet=False) == wrong(seen) == set()
    assert wrong(checker(True), quiet=False) == wrong(checker(True)) == set()


def test_a_group_that_goes_back_again_is_damage_although_the_broker_crashed_once(
    cluster: Cluster, checker: Make
) -> None:
    seen = checker(True)
    cluster.said[PLACE] -= 2
    assert wrong(seen, quiet=False) == set()
    cluster.said[PLACE] -= 1
    assert wrong(seen, quiet=False) == {"offsets"}


def test_other_damage_is_seen_after_a_crash(cluster: Cluster, checker: Make) -> None:
    cluster.said[PLACE] += 1
    assert "offsets" in wrong(checker(True))
    cluster.said[PLACE] -= 3
    cluster.topics[POSTINGS][0].pop()
    assert wrong(checker(True)) - {"offsets"}
