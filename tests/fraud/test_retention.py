"""Decisions and alerts are deleted when they are over, and the moment of it decides nothing."""

from __future__ import annotations

from random import Random
from unittest import mock

import pytest

from pipeline.domain.fraud.alerts import alert_key
from pipeline.domain.fraud.decisions import decision_key
from pipeline.domain.fraud.expressions.rule_sets import Rule
from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.log_batch import FraudLogBatch
from pipeline.domain.fraud.terms import Terms
from pipeline.domain.kernel import retention
from pipeline.domain.kernel.retention import BUCKET_KEYS, Windows
from tests.fraud.logs import busy_log, ids_of
from tests.fraud.test_stream import Desk, by_rules, fired
from tests.kernel.side_by_side import Replay, assert_alike

DAY_S = 86_400
NOON_S = 1_767_268_800
SHORT = FraudLog(Terms(decisions_kept_days=1, windows=Windows(2, 3)))
EVERY = Rule(rule_id="every", version=1, expression="payments_1min > 0", outcome="REVIEW", reason="all")


def many(desk: Desk, day: int, tenant: str = "acme") -> None:
    """Pay as often as a bucket holds, so that the oldest one is looked at."""
    for number in range(BUCKET_KEYS):
        desk.pay(NOON_S + day * DAY_S, 10_00, debtor_account_id=f"D{number}", tenant_id=tenant)


@pytest.mark.parametrize(("day", "gone"), [(120, False), (121, True)])
def test_a_decision_is_deleted_when_its_window_is_over(day: int, gone: bool) -> None:
    desk = Desk()
    many(desk, 0)
    many(desk, day)
    assert (decision_key("acme", "payment-1") not in desk.rows.data) is gone


def test_an_alert_is_kept_until_it_can_be_asked_about_no_more() -> None:
    desk = Desk()
    desk.stream = by_rules(EVERY)
    many(desk, 0)
    key = alert_key("acme", "D0", "payment-1")
    many(desk, 400)
    assert key in desk.rows.data
    many(desk, 401)
    assert key not in desk.rows.data


@pytest.mark.parametrize("swept", [0, 4])
def test_an_id_is_decided_anew_after_its_window_whether_its_row_is_deleted_yet_or_not(swept: int) -> None:
    with mock.patch.object(retention, "SWEPT_MAX", swept):
        desk = Desk()
        many(desk, 0)
        many(desk, 91)
        assert decision_key("acme", "payment-1") in desk.rows.data
        again = desk.pay(NOON_S + 91 * DAY_S, 99_99, payment_id="payment-1", debtor_account_id="D0")
        assert fired(again) == []
        assert desk.known(account="D0").attempts == 3


@pytest.mark.parametrize("known", [True, False])
def test_what_is_too_old_is_left_to_the_ledger_and_leaves_no_trace(known: bool) -> None:
    desk = Desk()
    old = desk.payment(NOON_S, 9_000_00)
    if known:
        desk.apply(old)
    desk.pay(NOON_S + 91 * DAY_S, 10_00, debtor_account_id="B")
    before = dict(desk.rows.data)
    ((topic, _, decided),) = desk.apply(old)
    assert (topic, decided.outcome, decided.reasons) == ("ledger-commands", "APPROVE", ())
    assert desk.rows.data == before


def test_a_tenants_time_is_its_own() -> None:
    desk = Desk()
    many(desk, 0)
    many(desk, 500, tenant="north")
    assert decision_key("acme", "payment-1") in desk.rows.data
    desk.pay(NOON_S, 10_00, payment_id="late")
    assert decision_key("acme", "late") in desk.rows.data


@pytest.mark.parametrize("seed", range(12))
def test_batches_and_rows_forget_the_same(seed: int) -> None:
    chance = Random(seed)
    log = busy_log(chance, 150, links=0.05)
    with mock.patch.object(retention, "BUCKET_KEYS", 1 + seed % 3):
        replay = assert_alike(
            SHORT, FraudLogBatch(SHORT), log, sorted(chance.randrange(150) for _ in range(4))
        )
    decisions = sum(key[:1] == b"d" for key in replay.rows.data)
    assert decisions < len({payment_id for event, _ in log for payment_id in ids_of(event)}) * 3 / 4


@pytest.mark.parametrize("seed", range(8))
def test_what_is_said_is_the_same_whenever_rows_are_deleted(seed: int) -> None:
    log = busy_log(Random(seed), 150, links=0.05)
    one, never = Replay(SHORT), Replay(SHORT)
    with mock.patch.object(retention, "BUCKET_KEYS", 1 + seed % 3):
        one.by_rows(log)
        with mock.patch.object(retention, "SWEPT_MAX", 0):
            never.by_rows(log)
    assert (one.said, one.rejected) == (never.said, never.rejected)
    assert len(one.rows.data) < len(never.rows.data)
