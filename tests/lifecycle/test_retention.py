"""Lives of payments that have ended are deleted after the windows, and the moment of it decides nothing."""

from __future__ import annotations

import random
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel import retention
from pipeline.domain.kernel.retention import BUCKET_KEYS, Windows
from pipeline.domain.lifecycle.batch import LifecycleBatch
from pipeline.domain.lifecycle.rows import life_key
from pipeline.domain.lifecycle.stream import Lifecycle
from pipeline.verify.model import retention as model_retention
from pipeline.verify.model.lifecycle import LifecycleBranch
from tests.chaos.by_hand import in_order
from tests.chaos.side_by_side import first_difference
from tests.chaos.test_lifecycle_model import START_US, random_log
from tests.kernel.side_by_side import Log, Replay, assert_alike
from tests.lifecycle.test_batch import SECOND, STREAM, logs
from tests.lifecycle.test_stream import Branch, refused, said, screened, tick

DAY = 86_400_000_000
LATE = 9_999 * DAY


def lives_of(branch: Branch) -> list[bytes]:
    return [key for key, _ in branch.rows.scan(b"p\0")]


def ended(branch: Branch, at: int, names: str) -> None:
    """Let as many payments end as a bucket holds, so that the oldest one is looked at."""
    for number in range(BUCKET_KEYS):
        branch.apply(said(ev.PaymentRejected, at, f"{names}{number}", "declined"), LATE)


@pytest.mark.parametrize(("days", "gone"), [(400, False), (401, True)])
def test_a_life_is_deleted_when_both_windows_are_over(days: int, gone: bool) -> None:
    branch = Branch()
    ended(branch, 0, "old")
    ended(branch, days * DAY, "new")
    assert (life_key("t", "old0") not in branch.rows.data) is gone
    assert len(lives_of(branch)) == BUCKET_KEYS * (1 if gone else 2)


def test_a_payment_that_waits_is_kept_however_old_it_is_and_so_is_one_that_is_stuck() -> None:
    branch = Branch()
    branch.apply(screened(0, "waits"))
    ended(branch, 0, "old")
    for year in range(1, 5):
        ended(branch, year * 500 * DAY, f"new{year}")
    assert branch.life("waits").stuck_id is not None
    assert len(lives_of(branch)) == 1 + BUCKET_KEYS


@pytest.mark.parametrize("swept", [0, 4])
def test_what_is_over_counts_as_absent_whether_it_is_deleted_yet_or_not(swept: int) -> None:
    with mock.patch.object(retention, "SWEPT_MAX", swept):
        branch = Branch()
        branch.apply(screened(0))
        for kind in (ev.PaymentReserved, ev.PaymentSettled):
            branch.apply(said(kind, 0))
        ended(branch, 0, "old")
        ended(branch, 401 * DAY, "new")
        assert (life_key("t", "p") in branch.rows.data) is (not swept)
        branch.apply(refused("p", 401 * DAY), LATE)
        branch.apply(screened(401 * DAY, amount=9), LATE)
        assert (branch.life().amount_minor, branch.life().refused) == (9, 0)
        assert [step.state for step in branch.life().steps] == ["SCREENED"]


def test_an_id_that_is_screened_again_is_kept_until_the_ledger_has_answered() -> None:
    branch = Branch()
    branch.apply(screened(0))
    for kind in (ev.PaymentReserved, ev.PaymentSettled):
        branch.apply(said(kind, 0))
    ended(branch, 0, "old")
    branch.apply(screened(401 * DAY), LATE)  # the clock of the ledger has not moved yet
    ended(branch, 401 * DAY, "new")
    branch.apply(said(ev.PaymentReserved, 401 * DAY, code="ok"), LATE)
    assert branch.broken == [], "it was screened before it moved money"
    branch.apply(said(ev.PaymentSettled, 401 * DAY), LATE)
    for year in range(2, 5):
        ended(branch, year * 401 * DAY, f"new{year}")
    assert life_key("t", "p") not in branch.rows.data


def test_what_the_fraud_stream_has_ended_is_deleted_though_the_ledger_was_behind() -> None:
    branch, cancelled = Branch(), ev.PaymentCancelledOutcome
    for day in (0, 401):
        for number in range(BUCKET_KEYS):
            event = said(cancelled, day * DAY, f"{day}-{number}", "cancelled")
            branch.apply(structs.replace(event, execute_at=day * DAY + 1), LATE)  # it has waited there
    assert len(lives_of(branch)) == 2 * BUCKET_KEYS, "the ledger's time has not begun"
    for day in (401, 802, 803):
        ended(branch, day * DAY, f"{day} ")
    assert not [key for key in lives_of(branch) if b"-" in key]


def test_an_event_looks_at_a_bounded_number_of_lives() -> None:
    branch = Branch()
    for number in range(20):
        ended(branch, 0, f"old{number}-")
    ended(branch, 500 * DAY, "new")
    assert len(lives_of(branch)) == 21 * BUCKET_KEYS - 4 * BUCKET_KEYS
    branch.apply(tick(501 * DAY), LATE)
    assert len(lives_of(branch)) == 21 * BUCKET_KEYS - 4 * BUCKET_KEYS


def short(bucket: int) -> tuple[Lifecycle, mock._patch[int]]:
    """Return rules that forget within a minute, and small buckets."""
    stream = Lifecycle()
    stream._bounds_us = STREAM._bounds_us
    stream.keep_us = 60 * SECOND
    return stream, mock.patch.object(retention, "BUCKET_KEYS", bucket)


@settings(max_examples=60, deadline=None)
@given(logs(), st.lists(st.integers(0, 40), max_size=6), st.integers(1, 3))
def test_batches_and_rows_forget_the_same(log: Log, cuts: list[int], bucket: int) -> None:
    stream, buckets = short(bucket)
    with buckets:
        assert_alike(stream, LifecycleBatch(stream), log, cuts)


@settings(max_examples=60, deadline=None)
@given(logs(), st.integers(1, 3))
def test_what_is_said_is_the_same_whenever_rows_are_deleted(log: Log, bucket: int) -> None:
    stream, buckets = short(bucket)
    with buckets:
        one, never = Replay(stream), Replay(stream)
        one.by_rows(log)
        with mock.patch.object(retention, "SWEPT_MAX", 0):
            never.by_rows(log)
    assert (one.said, one.rejected) == (never.said, never.rejected)


@pytest.mark.parametrize("seed", range(3))
def test_model_and_product_forget_the_same(seed: int) -> None:
    """1,500 events of 500 hours, a life known for two days, and buckets of three."""
    count, hour = 1_500, DAY // 24
    log = random_log(random.Random(seed), count)
    times = [START_US + number * hour // 3 + hour // 2 for number in range(count)]
    records = in_order(log, 0, times)
    sizes = mock.patch.object(retention, "BUCKET_KEYS", 3), mock.patch.object(model_retention, "BUCKET", 3)
    with sizes[0], sizes[1]:
        model = LifecycleBranch(0, 1, keep_days=2)
        assert first_difference(model, Lifecycle(windows=Windows(1, 1)), records) is None
    assert model.past.gone > 50
    assert sum(life.ended for life in model.lives.values()) < 100
