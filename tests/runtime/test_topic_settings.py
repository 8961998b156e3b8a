"""What the streams rely on in the settings of topics: what is seen, what is fatal, what can be set back."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from pipeline.runtime.kafka import answered as module
from pipeline.runtime.kafka import topic_watch
from pipeline.runtime.kafka.answered import answered
from pipeline.runtime.kafka.log_ends import offsets_of
from pipeline.runtime.kafka.topic_settings import (
    MISSING,
    PARTITIONS,
    UNREADABLE,
    Found,
    changelogs_of,
    findings,
    repair,
    requirements,
)
from pipeline.runtime.kafka.topic_start import SAID_MAX, said
from pipeline.runtime.kafka.topic_watch import REPLACED, TOPIC_MISSING, TOPIC_SETTINGS, TopicWatch
from pipeline.runtime.problems import Problems
from pipeline.runtime.settings import Settings

SETTINGS = Settings(app_id="app", partitions=4)
REQUIRED = requirements(SETTINGS, ["ledger"])
LEDGER = "app-ledger-changelog"
OFFSETS = "app-source-offsets"


def cluster(**changed: dict[str, str]) -> dict[str, Found]:
    """Return every topic as it has to be, but for settings of some; underscores of names are dashes."""
    edits = {name.replace("_", "-"): settings for name, settings in changed.items()}
    return {
        one.topic: Found(4, {rule.setting: rule.wanted for rule in one.settings} | edits.get(one.topic, {}))
        for one in REQUIRED
    }


def test_topics_as_the_workers_create_them_are_right() -> None:
    assert findings(REQUIRED, cluster()) == []


@pytest.mark.parametrize(
    ("topic", "setting", "value", "fatal"),
    [
        ("payments", "message.timestamp.type", "CreateTime", True),
        ("payments", "cleanup.policy", "compact", True),
        ("payments", "retention.ms", "604800000", True),
        ("postings", "retention.bytes", "1", True),
        ("ledger-commands", "cleanup.policy", "compact,delete", True),
        ("fraud-alerts", "retention.ms", "1", False),
        ("dead-letters", "cleanup.policy", "compact", False),
        ("balances", "cleanup.policy", "delete", False),
        ("payments", "max.message.bytes", "1000", False),
        ("payments", "unclean.leader.election.enable", "true", False),
        (LEDGER, "cleanup.policy", "delete", True),
        (LEDGER, "delete.retention.ms", "1000", True),
        (LEDGER, "max.message.bytes", "1000", False),
        (OFFSETS, "cleanup.policy", "delete", True),
    ],
)
def test_a_setting_that_is_not_as_it_must_be_is_found_and_can_be_set_back(
    topic: str, setting: str, value: str, fatal: bool
) -> None:
    (found,) = findings(REQUIRED, cluster(**{topic: {setting: value}}))
    assert (found.topic, found.setting, found.found, found.fatal) == (topic, setting, value, fatal)
    assert found.wanted is not None and found.wanted != value
    assert f"{setting} is {value}, must be " in found.detail


@pytest.mark.parametrize(
    ("topic", "setting", "value"),
    [
        ("payments", "max.message.bytes", "99999999"),
        (LEDGER, "delete.retention.ms", "9999999999"),
        (OFFSETS, "segment.bytes", "7"),
        ("payments", "compression.type", "zstd"),
    ],
)
def test_what_the_streams_do_not_rely_on_is_the_operators_choice(
    topic: str, setting: str, value: str
) -> None:
    assert findings(REQUIRED, cluster(**{topic: {setting: value}})) == []


def test_missing_topics_partitions_and_what_may_not_be_read_are_findings_that_nothing_sets_back() -> None:
    found = cluster()
    del found["postings"]
    found["payments"] = found["payments"]._replace(partitions=5)
    found["trades"] = Found(4, None)
    wrong = {one.topic: one for one in findings(REQUIRED, found)}
    assert {topic: (one.setting, one.fatal) for topic, one in wrong.items()} == {
        "postings": (MISSING, True),
        "payments": (PARTITIONS, True),
        "trades": (UNREADABLE, False),
    }
    admin: Any = None
    for one in wrong.values():
        with pytest.raises(ValueError, match="cannot be set"):
            repair(admin, one)


def test_one_line_names_a_few_findings_and_counts_the_rest() -> None:
    wrong = findings(REQUIRED, {})
    assert len(wrong) == len(REQUIRED)
    line = said(wrong)
    assert "\n" not in line and line.endswith(f"and {len(wrong) - SAID_MAX} more")


def test_tables_are_known_by_their_changelogs() -> None:
    names = [LEDGER, "app-fraud-changelog", "other-x-changelog", "app-source-offsets", "payments"]
    assert changelogs_of("app", names) == ["fraud", "ledger"]


class Watched:
    """A watch over a cluster in memory, and what it reports."""

    def __init__(self) -> None:
        self.found = cluster()
        self.ids = {topic: f"id of {topic}" for topic in self.found}
        self.problems = Problems()
        self.reported: list[Any] = []
        faults: Any = self
        self.watch = TopicWatch(
            SETTINGS, ["ledger"], [], self.problems, faults, lambda: (self.found, self.ids)
        )

    def report(self, fault: Any) -> None:
        """Take a fault."""
        self.reported.append(fault)

    @property
    def held(self) -> dict[tuple[str, str], str]:
        """What keeps the worker from its work."""
        return {(one.name, one.subject): one.detail for one in self.problems.now()}


def test_drift_is_a_problem_while_it_lasts_and_one_alert_each_time() -> None:
    watched = Watched()
    watched.watch.check()
    assert (watched.held, watched.reported) == ({}, [])
    changed = cluster(payments={"message.timestamp.type": "CreateTime", "retention.ms": "1"})
    for _ in range(2):
        watched.found = changed
        watched.watch.check()
        watched.watch.check()
        assert watched.held.keys() == {(TOPIC_SETTINGS, "payments")}
        assert "CreateTime" in watched.held[TOPIC_SETTINGS, "payments"]
        assert "retention.ms" in watched.held[TOPIC_SETTINGS, "payments"]
        watched.found = cluster()
        watched.watch.check()
        assert watched.held == {}
    assert [(fault.code, fault.subject) for fault in watched.reported] == [(TOPIC_SETTINGS, "payments")] * 4


def test_a_topic_that_is_deleted_or_made_anew_is_named() -> None:
    watched = Watched()
    watched.watch.check()
    del watched.found[LEDGER], watched.ids[LEDGER]
    watched.watch.check()
    assert watched.held == {(TOPIC_MISSING, LEDGER): "it is not there"}
    watched.found, watched.ids[LEDGER] = cluster(), "another id"
    watched.watch.check()
    assert watched.held == {(TOPIC_MISSING, LEDGER): REPLACED}
    assert [fault.code for fault in watched.reported] == [TOPIC_MISSING] * 2


def test_a_watch_that_gets_no_answer_says_nothing_about_topics() -> None:
    def silent() -> Any:
        raise KafkaException("no answer")

    problems, faults = Problems(), Watched()
    watch = TopicWatch(SETTINGS, ["ledger"], [], problems, faults, silent)  # type: ignore[arg-type]
    with pytest.raises(KafkaException):
        watch.check()
    assert not problems.any and faults.reported == []


def test_a_client_whose_request_failed_is_given_up_and_another_one_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []
    failing: list[Any] = []

    def client(_: dict[str, str]) -> Any:
        made.append(object())
        return made[-1]

    def ask(admin: Any, *_: Any) -> dict[str, Found]:
        if admin in failing:
            raise KafkaException("no answer")
        return {}

    monkeypatch.setattr(topic_watch, "AdminClient", client)
    monkeypatch.setattr(topic_watch, "ask", ask)
    look = topic_watch.look_at(SETTINGS, [])
    look()
    failing.append(made[0])
    with pytest.raises(KafkaException):
        look()
    look()
    look()
    assert len(made) == 2


def test_a_partition_without_a_leader_is_asked_about_again_and_other_refusals_are_said() -> None:
    refusals = [KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE]

    class Asked:
        def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
            if refusals:
                raise KafkaException(KafkaError(refusals.pop()))
            return 3, 7

    place = TopicPartition("payments", 0)
    assert offsets_of(Asked(), place, 30.0) == (3, 7)  # type: ignore[arg-type]
    refusals = [KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART]
    with pytest.raises(KafkaException):
        offsets_of(Asked(), place, 30.0)  # type: ignore[arg-type]
    assert len(refusals) == 1
    refusals = [KafkaError.NOT_LEADER_FOR_PARTITION] * 2
    with pytest.raises(KafkaException):
        offsets_of(Asked(), place, 0.0)  # type: ignore[arg-type]


def test_an_answer_that_never_comes_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request whose connection broke at the wrong moment was never ended: who waited stood for good."""
    monkeypatch.setattr(module, "GRACE_S", 0.01)
    with pytest.raises(KafkaException) as caught:
        answered(Future[str](), 0.01)
    assert caught.value.args[0].name() == "_TIMED_OUT"
    done = Future[str]()
    done.set_result("answer")
    assert answered(done, 0.01) == "answer"
