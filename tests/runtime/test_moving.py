"""A stream that reads another log than in an earlier version: what `ledgerflow migrate` writes, and when."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from pipeline.runtime.faults import WorkerFault
from pipeline.runtime.kafka.adoption import AdoptionError, Found, Place, group_offsets, plan
from pipeline.runtime.kafka.moving import Move, Written, offsets_after, plan_moves, records_of
from pipeline.runtime.source_offsets import Said, require_agreement
from pipeline.runtime.store.database import SOURCE_LOG_KEY, SOURCE_OFFSET_KEY
from pipeline.runtime.store.partition_store import PartitionStore
from pipeline.verify.applied import AppliedOffset
from pipeline.verify.model.record import Record
from tests.chaos.judge import Problems
from topologies.migration import logs

APP = "app"
LOGS = {one.stream: one for one in logs(APP)}
FRAUD, INTAKE = (Place(LOGS[name], 2) for name in ("fraud", "intake-payments"))
PLACES = [Place(one, 2) for one in LOGS.values()]
APPLIED = 70
"""Up to where the fraud stream of an earlier version has applied payments."""
OLD = Found({FRAUD: APPLIED}, {FRAUD: APPLIED}, frozenset())
Values = dict[tuple[str, bytes], bytes]
"""What stands in compacted topics, by topic and key."""


def written_by_the_earlier_version() -> Values:
    offset = b"%d" % APPLIED
    return {(FRAUD.log.changelog, SOURCE_OFFSET_KEY): offset, ("app-source-offsets", b"fraud"): offset}


def put(values: Values, records: Iterable[Written]) -> Values:
    return {**values, **{(topic, key): value for topic, _, key, value in records}}


def found_in(values: Values) -> Found:
    """Return what `migrate` reads."""
    own = {one: values.get((one.log.changelog, SOURCE_OFFSET_KEY)) for one in PLACES}
    beside = {one: values.get(("app-source-offsets", one.log.stream.encode())) for one in PLACES}
    named = {one: values.get((one.log.changelog, SOURCE_LOG_KEY)) for one in PLACES}
    return Found(
        {one: int(value) for one, value in own.items() if value is not None},
        {one: int(value) for one, value in beside.items() if value is not None},
        frozenset(),
        {one: value for one, value in named.items() if value is not None},
    )


def start_a_worker(values: Values, ends: int = 1_000) -> None:
    """Do what a worker does before it applies anything. Raises WorkerFault."""
    said = [
        Said(
            one.log.stream, one.log.topic, one.partition, one.log.changelog,
            values.get((one.log.changelog, SOURCE_OFFSET_KEY)),
            values.get(("app-source-offsets", one.log.stream.encode())),
            one == FRAUD, values.get((one.log.changelog, SOURCE_LOG_KEY)), one.log.earlier,
        )
        for one in (INTAKE, FRAUD)
    ]  # fmt: skip
    require_agreement(APP, said, {(one.log.topic, one.partition): ends for one in (INTAKE, FRAUD)})


def moves(found: Found) -> list[Move]:
    adoptions, moved = plan_moves(PLACES, found, plan(PLACES, found))
    assert adoptions == []
    return moved


def test_the_fraud_stream_reads_its_own_log_and_another_one_goes_on_with_payments() -> None:
    assert (FRAUD.log.topic, FRAUD.log.earlier, INTAKE.log.topic) == (
        "fraud-commands",
        "payments",
        "payments",
    )


@pytest.mark.parametrize("ends", [0, APPLIED, 10**6])
def test_a_worker_does_not_start_on_the_offset_of_the_earlier_log_and_names_the_command(ends: int) -> None:
    with pytest.raises(WorkerFault) as caught:
        start_a_worker(written_by_the_earlier_version(), ends)
    line = str(caught.value)
    assert "`ledgerflow migrate`" in line and "payments" in line and "\n" not in line
    assert caught.value.fault.code == "offset_missing"


def test_the_heir_goes_on_where_the_stream_has_stopped_and_the_stream_begins_at_its_new_log() -> None:
    (move,) = moves(OLD)
    assert move == (FRAUD, INTAKE, APPLIED)
    values = put(written_by_the_earlier_version(), records_of(move, APP))
    assert values == {
        ("app-intake-payments-changelog", SOURCE_OFFSET_KEY): b"70",
        ("app-source-offsets", b"intake-payments"): b"70",
        ("app-fraud-changelog", SOURCE_OFFSET_KEY): b"0",
        ("app-fraud-changelog", SOURCE_LOG_KEY): b"fraud-commands",
        ("app-source-offsets", b"fraud"): b"0",
    }
    assert {number for _, number, _, _ in records_of(move, APP)} == {2}
    start_a_worker(values)
    assert group_offsets(offsets_after(OLD, [move]), []) == {("payments", 2): APPLIED}


def test_it_is_done_once() -> None:
    (move,) = moves(OLD)
    values = put(written_by_the_earlier_version(), records_of(move, APP))
    assert moves(found_in(values)) == []
    later = values | {(FRAUD.log.changelog, SOURCE_OFFSET_KEY): b"9", ("app-source-offsets", b"fraud"): b"9"}
    assert moves(found_in(later)) == []
    assert moves(found_in({})) == [], "nothing has ever been applied"


def test_no_part_of_a_move_lets_a_worker_start() -> None:
    """It is one transaction; were it not, a worker would stop all the same."""
    (move,) = moves(OLD)
    records = list(records_of(move, APP))
    for written in range(len(records)):
        with pytest.raises(WorkerFault):
            start_a_worker(put(written_by_the_earlier_version(), records[:written]))


def test_offsets_of_a_version_that_had_none_in_changelogs_move_at_once() -> None:
    (move,) = moves(Found({}, {FRAUD: APPLIED}, frozenset()))
    assert move == (FRAUD, INTAKE, APPLIED)


def test_an_operator_says_which_of_two_offsets_moves() -> None:
    found = Found({FRAUD: 71}, {FRAUD: APPLIED}, frozenset())
    with pytest.raises(AdoptionError, match="--take"):
        plan(PLACES, found)
    assert plan_moves(PLACES, found, plan([FRAUD], found, "changelogs"))[1] == [(FRAUD, INTAKE, 71)]


@pytest.mark.parametrize("begun", [Found({INTAKE: 3}, {INTAKE: 3}, frozenset())])
def test_where_somebody_has_begun_with_the_earlier_log_nothing_moves(begun: Found) -> None:
    found = Found({**OLD.own, **begun.own}, {**OLD.beside, **begun.beside}, frozenset())
    with pytest.raises(AdoptionError, match=r"intake-payments\[2\] has applied payments up to 3"):
        plan_moves(PLACES, found, plan(PLACES, found))


def test_a_changelog_names_its_log_once_and_as_no_row(tmp_path: Path) -> None:
    store = PartitionStore(tmp_path / "fraud-0")
    assert store.source_log is None
    store.put(b"a", b"1")
    assert list(store.take(b"7", b"fraud-commands")) == [b"a", SOURCE_LOG_KEY, SOURCE_OFFSET_KEY]
    assert list(store.scan(b"")) == [(b"a", b"1")]
    store.commit(3)
    assert list(store.scan(b"")) == list(store.committed_scan(b"")) == [(b"a", b"1")]
    assert (store.source_log, store.source_offset) == (b"fraud-commands", b"7")
    assert list(store.take(b"8", b"fraud-commands")) == [SOURCE_OFFSET_KEY]
    store.commit(4)
    store.close()


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        (["7", "0", "log", "3"], 0),
        (["log", "7"], 0),
        (["7", "0", "3"], 1),
        (["7", "0"], 1),
        (["7", "log", "3"], 1),
    ],
)
def test_the_checker_lets_an_offset_go_back_where_a_stream_begins_at_another_log(
    values: list[str], wrong: int
) -> None:
    problems = Problems()
    applied = AppliedOffset(problems, ("app-fraud-changelog", 0))
    for offset, value in enumerate(values):
        key = SOURCE_LOG_KEY if value == "log" else SOURCE_OFFSET_KEY
        record = Record("app-fraud-changelog", 0, offset, 0, key, value.encode(), {}, None, {}, None)
        assert not applied.is_row(record)
    applied.finish(None)
    assert len(problems.new) == wrong
