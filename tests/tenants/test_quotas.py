"""Quotas: tokens by event time, the gate in front of the fraud rules, and the ledger's currencies."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.scheduled_rows import CLOCK_KEY
from pipeline.domain.fraud.terms import Terms
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.layouts import UnknownLayout
from pipeline.domain.kernel.outbox import Arrival, Outbox, derived_id
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.domain.ledger.walk import WALK_KEY
from pipeline.domain.tenants.quotas import (
    LATENESS_MAX_US,
    Bucket,
    Gate,
    bucket_key,
    event_time,
    pack_bucket,
    read_bucket,
    take_token,
)
from pipeline.domain.tenants.settings import Tenant, parse_tenants

NOON = 1_767_268_800_000_000
SECOND = 1_000_000
FILE = """
[tenants.noisy]
payments_per_second = 4
burst = 8
[tenants.closed]
closed = true
[tenants.swiss]
currencies = ["CHF"]
"""
TENANTS = parse_tenants(FILE)


class Desk:
    """One partition of the fraud stream, in front of it the gate."""

    def __init__(self, partitions: int = 1) -> None:
        self.stream, self.rows, self.partitions = (
            FraudLog(Terms(gate=Gate(TENANTS))),
            MemoryRows(),
            partitions,
        )

    def said(self, event: Any, recorded_at: int | None = None) -> list[tuple[str, str, Any]]:
        """Return what is said of an event."""
        out = Outbox()
        at = event.occurred_at if recorded_at is None else recorded_at
        self.stream.apply(event, Arrival(at, 0, self.partitions), self.rows, out)
        return out.items

    def passed(self, payments: int, at: int, recorded_at: int | None = None, tenant: str = "noisy") -> int:
        """Return how many of some payments at one time are decided; the others must be refused."""
        decided = 0
        for number in range(payments):
            said = self.said(payment(f"{at}-{recorded_at}-{number}", at, tenant), recorded_at)
            kinds = [(topic, type(event)) for topic, _, event in said]
            passed = [("ledger-commands", ev.PaymentDecided), ("payment-events", ev.PaymentScreened)]
            assert kinds in (passed, [("payment-events", ev.CommandRefused)])
            decided += kinds == passed
        return decided


def payment(payment_id: str, at: int = NOON, tenant: str = "noisy", **more: Any) -> ev.PaymentInitiated:
    """Return a payment; each of an own debtor, whom the fraud rules have nothing to say of."""
    head = (f"event of {payment_id}", tenant, at, "c", None)
    accounts = (payment_id, f"debtor-{payment_id}", "shop")
    fields = (10_00, "EUR", "transfer", "invoice", None, None, None, None, None, "invoice")
    return ev.PaymentInitiated(*head, *accounts, *fields, **more)


def test_a_burst_passes_and_then_the_rate() -> None:
    desk = Desk()
    assert desk.passed(20, NOON) == 8
    assert desk.passed(5, NOON + SECOND // 4 - 1) == 0
    assert desk.passed(5, NOON + SECOND // 4) == 1
    assert desk.passed(20, NOON + 2 * SECOND) == 7
    assert desk.passed(20, NOON + 1_000 * SECOND) == 8


def test_each_partition_has_its_part_of_the_quota() -> None:
    desk = Desk(partitions=4)
    assert desk.passed(20, NOON) == 2
    assert desk.passed(20, NOON + SECOND) == 1
    # A burst that is smaller than the number of partitions is one payment on each.
    assert Desk(partitions=100).passed(20, NOON) == 1


def test_nothing_is_lost_to_rounding() -> None:
    tenant, partitions = Tenant(payments_per_second=7, burst=7), 3
    bucket, passed = None, 0
    for at in range(0, 300 * SECOND + 1, 12_347):
        bucket, allowed = take_token(bucket, tenant, at, partitions)
        passed += allowed
    assert passed == (7 + 7 * 300) // 3


def test_time_never_goes_back_and_a_clock_that_is_ahead_is_the_brokers() -> None:
    desk = Desk()
    assert desk.passed(8, NOON) == 8
    assert desk.passed(1, NOON - 10 * SECOND) == 0
    assert desk.passed(1, NOON + 3_600 * SECOND, recorded_at=NOON) == 0
    assert desk.passed(1, NOON) == 0  # neither of them has moved the bucket


def test_a_file_of_old_payments_earns_no_tokens_for_the_past() -> None:
    desk = Desk()
    days = [desk.passed(20, NOON - day * 86_400 * SECOND, recorded_at=NOON) for day in range(30, 0, -1)]
    assert sum(days) == 8
    assert event_time(0, NOON) == NOON - LATENESS_MAX_US
    assert event_time(NOON + 1, NOON) == NOON
    assert event_time(NOON - 5, NOON) == NOON - 5


def test_one_tenants_burst_takes_nothing_from_another() -> None:
    desk = Desk()
    assert desk.passed(100, NOON) == 8
    assert desk.passed(100, NOON, tenant="quiet") == 100


def test_a_refused_payment_is_answered_and_leaves_nothing_and_may_be_sent_again() -> None:
    desk = Desk()
    desk.passed(8, NOON)
    rows = dict(desk.rows.data)
    late = payment("late", NOON + 1)
    ((topic, key, refused),) = desk.said(late)
    assert (topic, key) == ("payment-events", "noisy/debtor-late")
    assert refused == ev.CommandRefused(
        derived_id(cause_name(late), "refused:payment_initiated"),
        *("noisy", NOON + 1, "c", late.event_id, "payment_initiated", "debtor-late", "late"),
        "quota_exceeded",
    )
    assert {key for key in desk.rows.data if desk.rows.data[key] != rows.get(key)} == {bucket_key("noisy")}
    ((topic, _, decided),) = desk.said(late, recorded_at=NOON + SECOND)
    assert topic == "payment-events"  # it occurred when it occurred
    (topic, _, decided), _ = desk.said(late, recorded_at=NOON + LATENESS_MAX_US + SECOND // 4 + 1)
    assert (topic, decided.outcome, decided.reasons) == ("ledger-commands", "APPROVE", ())


def test_a_closed_tenant_initiates_nothing_and_ends_what_is_under_way() -> None:
    desk = Desk()
    ((topic, _, refused),) = desk.said(payment("p", tenant="closed"))
    assert (topic, refused.code) == ("payment-events", "tenant_closed")
    head = ("e", "closed", NOON, "c", None, "p", "debtor")
    for event in (
        ev.PaymentCancelled(*head, ""),
        ev.PaymentReviewed(*head, True, "me", ""),
        ev.PaymentCaptured(*head, "capture", 5, True),
    ):
        assert ("ledger-commands", "", None) in desk.said(event)
    assert desk.rows.data.keys() == {CLOCK_KEY}


def test_a_bucket_of_another_layout_is_refused() -> None:
    bucket = Bucket(3, NOON)
    assert read_bucket(pack_bucket(bucket)) == bucket
    assert read_bucket(None) is None
    with pytest.raises(UnknownLayout, match="layout 9"):
        read_bucket(b"\x09" + pack_bucket(bucket)[1:])


def test_more_than_is_full_counts_as_full_where_a_quota_was_made_smaller() -> None:
    small = Tenant(payments_per_second=1, burst=1)
    bucket, allowed = take_token(Bucket(10**15, NOON), small, NOON, 1)
    assert (bucket, allowed) == (Bucket(0, NOON), True)


@pytest.mark.parametrize(
    ("tenant", "currency", "code"),
    [
        ("swiss", "CHF", None),
        ("swiss", "EUR", "currency_not_allowed"),
        ("closed", "EUR", "tenant_closed"),
        ("other", "EUR", None),
    ],
)
def test_an_account_that_a_tenant_may_not_have_is_refused(
    tenant: str, currency: str, code: str | None
) -> None:
    rows, at = MemoryRows(), Arrival(NOON, 0, 1)
    event = ev.AccountOpened(
        *("e", tenant, NOON, "c", None, "A1", "customer", "checking", currency, 5_00, "retail", (), 0)
    )
    out = Outbox()
    Ledger(LedgerRules(tenants=TENANTS)).apply(event, at, rows, out)
    refused = [said for _, _, said in out.items if type(said) is ev.CommandRefused]
    assert [said.code for said in refused] == ([] if code is None else [code])
    assert (rows.data.keys() == {WALK_KEY}) is (code is not None), "only that the table has begun"
    assert len(out.items) == 1 if code else len(out.items) > 1


def test_an_account_that_is_there_exists_whatever_its_tenant_may_open_now() -> None:
    rows, at = MemoryRows(), Arrival(NOON, 0, 1)
    event = ev.AccountOpened(
        *("e", "swiss", NOON, "c", None, "A1", "customer", "checking", "EUR", 0, "retail", (), 0)
    )
    Ledger().apply(event, at, rows, Outbox())
    out = Outbox()
    Ledger(LedgerRules(tenants=TENANTS)).apply(event, at, rows, out)
    assert [said.code for _, _, said in out.items] == ["exists"]
