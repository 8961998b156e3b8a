"""Forged source offsets and rows, in memory: what a worker concludes from what it finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.lifecycle.rows import life_key
from pipeline.runtime.faults import WorkerFault
from pipeline.runtime.kafka.adoption import (
    CHANGELOGS,
    SECOND,
    AdoptionError,
    Found,
    Place,
    StreamLog,
    group_offsets,
    plan,
)
from pipeline.runtime.settings import load_settings
from pipeline.runtime.source_offsets import Said, number_of, require_agreement, require_group_behind
from pipeline.runtime.store.database import SOURCE_OFFSET_KEY
from schemas.fault_codes import FAULTS
from tests.ledger.branches import TENANT, envelope
from tests.streams.stream_bench import StreamBench
from topologies.app import specs
from topologies.configuration import Configuration
from topologies.fitting import require_fit
from topologies.topology import Topology, TopologyError

END = 500


def agree(own: bytes | None, beside: bytes | None, *, has_rows: bool = True) -> None:
    said = Said("fraud", "payments", 3, "app-fraud-changelog", own, beside, has_rows)
    require_agreement("app", [said], {("payments", 3): END})


def refusal(own: bytes | None, beside: bytes | None, *, has_rows: bool = True) -> tuple[str, str]:
    """Return the code and the line with which a worker ends."""
    with pytest.raises(WorkerFault) as caught:
        agree(own, beside, has_rows=has_rows)
    assert "\n" not in str(caught.value)
    return caught.value.fault.code, str(caught.value)


@pytest.mark.parametrize("offset", [b"0", b"1", b"%d" % END])
def test_offsets_that_agree_and_lie_in_the_log_let_a_worker_start(offset: bytes) -> None:
    agree(offset, offset)


def test_a_stream_that_is_new_to_a_log_has_no_offset_and_no_row() -> None:
    agree(None, None, has_rows=False)


@pytest.mark.parametrize(
    ("own", "beside"),
    [(b"100", b"110"), (b"110", b"100"), (b"100", None), (b"1000000000000", b"100"), (b"501", b"501")],
)
def test_offsets_that_differ_or_lie_behind_the_log_stop_a_worker(own: bytes, beside: bytes | None) -> None:
    code, line = refusal(own, beside)
    assert code == "offset_mismatch"
    for word in ("stream fraud", "payments[3]", "app-fraud-changelog[3]", "app-source-offsets[3]"):
        assert word in line
    assert own.decode() in line and (beside or b"nothing").decode() in line


@pytest.mark.parametrize(("beside", "has_rows"), [(b"7", True), (b"7", False), (None, True)])
def test_rows_without_an_offset_stop_a_worker_and_name_the_way_out(
    beside: bytes | None, has_rows: bool
) -> None:
    code, line = refusal(None, beside, has_rows=has_rows)
    assert code == "offset_missing" and "`ledgerflow migrate`" in line


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1e3", b" 7", b"7\n", b"9" * 20, b"\xff\x1b[2J" * 90])
def test_what_is_no_offset_is_named_and_cannot_write_to_a_terminal(value: bytes) -> None:
    for own, beside in ((value, b"7"), (b"7", value)):
        code, line = refusal(own, beside)
        assert code == "offset_mismatch" and line.isprintable() and len(line) < 500
    with pytest.raises(WorkerFault):
        number_of(value, "somewhere[0]")


def test_a_group_may_lag_and_must_not_be_ahead() -> None:
    for committed in (0, 6, 7):
        require_group_behind("app", "payments", 3, committed, 7)
    with pytest.raises(WorkerFault, match=r"payments\[3\]: the group app has committed 8, .* up to 7"):
        require_group_behind("app", "payments", 3, 8, 7)


def test_every_code_with_which_a_worker_ends_is_documented() -> None:
    assert {"offset_mismatch", "offset_missing", "row_unreadable"} <= {one.code for one in FAULTS}


def test_a_stream_without_a_table_may_not_share_a_changelog_with_a_table() -> None:
    one = Topology("one", "payments", lambda _: (None, None), (), table="two")  # type: ignore[arg-type, return-value]
    two = Topology("two", "payments", lambda _: (None, None), ())  # type: ignore[arg-type, return-value]
    with pytest.raises(TopologyError, match="they would share a changelog"):
        require_fit([one, two])


# --- what an earlier version wrote

LOG = StreamLog("fraud", "payments", "app-fraud-changelog")
BESIDE = StreamLog("second", "payments", "app-second-changelog")
HERE, THERE, SECOND_HERE = Place(LOG, 0), Place(LOG, 1), Place(BESIDE, 0)


def test_what_changelogs_lack_is_taken_from_the_source_offsets_and_all_else_stays() -> None:
    found = Found({THERE: 9}, {HERE: 7, THERE: 9}, frozenset())
    adoptions = plan([HERE, THERE, SECOND_HERE], found)
    assert adoptions == [(HERE, 7, False)]
    assert group_offsets(found.beside, adoptions) == {("payments", 0): 7, ("payments", 1): 9}


def test_the_groups_offset_is_that_of_the_stream_furthest_behind() -> None:
    found = Found({}, {HERE: 7, SECOND_HERE: 4}, frozenset())
    assert group_offsets(found.beside, plan([HERE, SECOND_HERE], found)) == {("payments", 0): 4}


@pytest.mark.parametrize(
    ("own", "beside", "adopted"),
    [({HERE: 8}, {HERE: 7}, ()), ({HERE: 8}, {}, ()), ({}, {HERE: 7}, {("fraud", 0)})],
)
def test_what_no_earlier_version_wrote_is_not_taken_over(own: Any, beside: Any, adopted: Any) -> None:
    found = Found(own, beside, frozenset(adopted))
    with pytest.raises(AdoptionError, match="--take"):
        plan([HERE], found)


def test_an_operator_may_say_which_offset_is_right() -> None:
    found = Found({HERE: 8}, {HERE: 7}, frozenset())
    assert plan([HERE], found, CHANGELOGS) == [(HERE, 8, True)]
    assert plan([HERE], found, SECOND) == [(HERE, 7, False)]
    with pytest.raises(AdoptionError, match="does not say"):
        plan([HERE], Found({}, {HERE: 7}, frozenset()), CHANGELOGS)


# --- rows


@pytest.mark.parametrize(
    "row", [b"", b"\x63", b"\x00", b"\x02", b"\x02\xc1", b"\x01\x90", b"\x02\x93\x01\x02\x03"]
)
async def test_a_row_that_cannot_be_decoded_ends_the_worker_with_its_table_partition_and_key(
    row: bytes, tmp_path: Path
) -> None:
    (spec,) = (one for one in specs(Configuration(load_settings())) if one.name == "lifecycle")
    bench = StreamBench(spec, tmp_path)
    assert bench.store is not None
    key = life_key(TENANT, "p\x1b[2J")
    bench.store.write({key: row}, 1)
    parties = {"debtor_account_id": "a0", "creditor_account_id": "b", "amount_minor": 1, "currency": "EUR"}
    event = ev.PaymentSettled(**envelope("e", 0), payment_id="p\x1b[2J", **parties, code="ok")
    try:
        with pytest.raises(WorkerFault) as caught:
            bench.task.apply([bench.record(bench.value(event), f"{TENANT}/a0".encode())])
    finally:
        bench.close()
    line = str(caught.value)
    assert caught.value.fault.code == "row_unreadable" and line.isprintable()
    assert line.startswith("table lifecycle: app-changelog[0], key p\\x00")
    assert r"p\x1b[2J" in line and "lifecycle table, life" in line


async def test_a_source_offset_is_no_row_of_any_view_or_scan(tmp_path: Path) -> None:
    (spec,) = (one for one in specs(Configuration(load_settings())) if one.name == "lifecycle")
    bench = StreamBench(spec, tmp_path)
    assert bench.store is not None
    bench.store.put(b"a", b"1")
    assert dict(bench.store.take(b"7")) == {b"a": b"1", SOURCE_OFFSET_KEY: b"7"}
    try:
        assert list(bench.store.scan(b"")) == [(b"a", b"1")]
        bench.store.commit(2)
        assert list(bench.store.scan(b"")) == list(bench.store.committed_scan(b"")) == [(b"a", b"1")]
        assert (bench.store.source_offset, bench.store.changelog_offset) == (b"7", 2)
    finally:
        bench.close()
