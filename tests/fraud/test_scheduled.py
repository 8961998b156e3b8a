"""Payments with a time of their own: they wait in front of the decision, and are screened when due."""

from __future__ import annotations

from typing import Any
from unittest import mock

import msgspec
import pytest

from pipeline.domain.fraud import scheduled
from pipeline.domain.fraud.decisions import decision_key
from pipeline.domain.fraud.expressions.rule_sets import Rule
from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.log_batch import FraudLogBatch
from pipeline.domain.fraud.terms import Terms
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import derived_id
from pipeline.domain.kernel.routing import cause_name
from pipeline.domain.tenants.quotas import Gate
from pipeline.domain.tenants.settings import Tenant, Tenants
from tests.fraud.test_stream import NOON_S, Desk, by_rules, fired
from tests.kernel.side_by_side import assert_alike

S = 1_000_000
DAY_S = 86_400
FIELDS = ("tenant_id", "occurred_at", "correlation_id", "causation_id", "payment_id", "debtor_account_id")


class Bank(Desk):
    """A desk that takes orders for later."""

    def later(self, at_s: int, execute_s: int, payment_id: str = "P", **changes: Any) -> list[Any]:
        """Ask for a payment that is to be executed at a time; return what is not for the lives."""
        more = {"payment_id": payment_id, "execute_at": execute_s * S, **changes}
        return self.apply(self.payment(at_s, more.pop("amount", 10_00), **more))

    def about(
        self, kind: type, at_s: int, payment_id: str = "P", debtor: str = "A1", **more: Any
    ) -> list[Any]:
        """Send a command about a payment."""
        self.number += 1
        envelope = f"about-{self.number}", "acme", at_s * S, "order-1", None
        return self.apply(kind(*envelope, payment_id, debtor, **more))

    def cancel(self, at_s: int, payment_id: str = "P", debtor: str = "A1") -> list[Any]:
        return self.about(ev.PaymentCancelled, at_s, payment_id, debtor, reason="x")

    def tick(self, at_s: int) -> list[Any]:
        """Let time pass on a branch without traffic; return the decisions of what was due."""
        tick = ev.BranchTicked(f"tick-{at_s}", "", at_s * S, "tick", None, "$clock:0", 0)
        return [said for _, _, said in self.apply(tick) if type(said) is ev.PaymentDecided]

    def answer(self) -> tuple[str, Any]:
        """Return the class and the code of the only thing that was said about a life."""
        (said,) = self.lives
        return type(said).__name__, getattr(said, "code", None)

    @property
    def waiting(self) -> int:
        return sum(key[:1] == b"y" for key in self.rows.data)


def test_a_payment_waits_is_screened_at_its_time_and_books_at_it() -> None:
    bank = Bank()
    order = bank.payment(NOON_S, 10_00, payment_id="P", execute_at=(NOON_S + 200 * DAY_S) * S, hold=True)
    assert bank.apply(order) == []
    said = bank.lives[0]
    assert (type(said), said.payment_id, said.execute_at) == (ev.PaymentScheduled, "P", order.execute_at)
    assert (said.event_id, said.causation_id) == (
        derived_id(cause_name(order), "payment_scheduled"),
        order.event_id,
    )
    assert bank.known().attempts == 0, "it has not been tried yet"
    assert bank.tick(NOON_S + 200 * DAY_S - 1) == []
    (decided,) = bank.tick(NOON_S + 200 * DAY_S + 5)
    assert (decided.occurred_at, decided.execute_at, decided.hold) == (
        order.execute_at,
        order.execute_at,
        True,
    )
    assert (decided.event_id, decided.causation_id) == (
        derived_id(cause_name(order), "payment_decided"),
        order.event_id,
    )
    assert [type(one).__name__ for one in bank.lives] == ["PaymentScreened"]
    assert (bank.known().attempts, bank.known().newest_s) == (1, NOON_S + 200 * DAY_S)
    assert bank.waiting == 0 and bank.rows.get(b"s\0acme\0P") is None
    assert bank.tick(NOON_S + 201 * DAY_S) == [], "once"


def test_habits_and_windows_are_those_of_the_time_of_execution() -> None:
    busy = Rule(
        rule_id="payments_per_minute", version=1, expression="payments_1min > 2", score=60, reason="busy"
    )
    bank = Bank(by_rules(busy))
    for number in range(5):  # at entry this would be a burst
        bank.later(NOON_S, NOON_S + 3600 * (number + 1), f"P{number}")
    assert [fired(one) for number in range(5) for one in bank.tick(NOON_S + 3600 * (number + 1))] == [[]] * 5
    for number in range(3):  # at execution this is one
        bank.later(NOON_S + 6 * 3600 + 99 * number, NOON_S + 90_000, f"Q{number}")
    assert [fired(one) for one in bank.tick(NOON_S + 90_000)] == [[], [], ["payments_per_minute"]]


@pytest.mark.parametrize("ahead_s", [0, -1, -9 * DAY_S])
def test_a_time_that_has_come_is_no_reason_to_wait(ahead_s: int) -> None:
    bank = Bank()
    bank.tick(NOON_S)
    ((_, _, decided),) = bank.later(NOON_S, NOON_S + ahead_s)
    assert (decided.occurred_at, decided.execute_at) == (NOON_S * S, (NOON_S + ahead_s) * S)
    assert bank.waiting == 0


def test_what_comes_late_is_executed_at_once_with_its_time() -> None:
    bank = Bank()
    bank.tick(NOON_S + 100)
    ((_, _, decided),) = bank.later(NOON_S, NOON_S + 60)
    assert decided.occurred_at == (NOON_S + 60) * S, "as if it had come in time"


def test_an_order_that_is_repeated_exists_or_says_what_differs() -> None:
    bank = Bank()
    bank.later(NOON_S, NOON_S + 60, event_id="e")
    before = dict(bank.rows.data)
    for code, changes in {
        "exists": {"event_id": "another", "device_id": "other"},
        "exists_with_different_hold": {"hold": True},
        "exists_with_different_debtor": {"debtor_account_id": "A2"},
        "exists_with_different_creditor": {"creditor_account_id": "B"},
        "exists_with_different_amount": {"amount": 10_01},
        "exists_with_different_reference": {"reference": "r"},
        "exists_with_different_currency": {"currency": "CHF"},
        "exists_with_different_type": {"payment_type": "transfer"},
        "exists_with_different_metadata": {"metadata": {"a": "b"}},
    }.items():
        bank.later(NOON_S, NOON_S + 60, **changes)
        assert bank.answer() == ("CommandRefused", code)
        assert bank.lives[0].execute_at == (NOON_S + 60) * S
    for execute_at in (None, (NOON_S + 61) * S, (NOON_S - 5) * S):
        bank.apply(bank.payment(NOON_S, 10_00, payment_id="P", execute_at=execute_at))
        assert bank.answer() == ("CommandRefused", "exists_with_different_execution_time")
    assert bank.rows.data == before


def test_a_repeat_that_meets_it_due_but_not_executed_goes_to_the_ledger_behind_it() -> None:
    bank = Bank()
    order = bank.payment(NOON_S, 10_00, execute_at=(NOON_S + 60) * S)
    bank.apply(order)
    with mock.patch.object(scheduled.take_due, "__defaults__", (0,)):
        assert bank.tick(NOON_S + 61) == []
    first, second = bank.apply(order, (NOON_S + 61) * S)
    assert [one[2].occurred_at for one in (first, second)] == [(NOON_S + 60) * S] * 2
    assert first[2].event_id == second[2].event_id, "one event, one id: the ledger answers `exists`"
    assert bank.known().attempts == 1


def test_an_id_that_was_decided_does_not_wait_anew() -> None:
    bank = Bank()
    bank.pay(NOON_S, 10_00, payment_id="P")
    ((_, _, decided),) = bank.later(NOON_S + 1, NOON_S + 60)
    assert (decided.occurred_at, decided.execute_at) == ((NOON_S + 1) * S, (NOON_S + 60) * S)
    assert bank.waiting == 0


def test_cancelled_in_time_it_never_happens_and_its_id_stays_known() -> None:
    bank = Bank()
    bank.later(NOON_S, NOON_S + 60)
    assert bank.cancel(NOON_S + 59) == [], "the ledger does not hear of it"
    assert bank.answer() == ("PaymentCancelledOutcome", "cancelled")
    assert bank.lives[0].execute_at == (NOON_S + 60) * S
    bank.cancel(NOON_S + 59)
    assert bank.answer() == ("CommandRefused", "already_failed")
    assert bank.tick(NOON_S + DAY_S) == []
    bank.later(NOON_S, NOON_S + 60)
    assert bank.answer() == ("CommandRefused", "exists")


@pytest.mark.parametrize(("days", "known"), [(90, True), (91, False)])
@pytest.mark.parametrize("swept", [0, 100])
def test_a_cancelled_id_is_known_as_long_as_any_whenever_it_is_swept(
    days: int, known: bool, swept: int
) -> None:
    bank = Bank()
    bank.later(NOON_S, NOON_S + 60)
    bank.cancel(NOON_S + 59)
    at_s = NOON_S + 59 + days * DAY_S
    with mock.patch.object(scheduled.take_due, "__defaults__", (swept,)):
        bank.later(at_s, at_s + 60)
    assert bank.answer() == (("CommandRefused", "exists_with_different_execution_time") if known else
                             ("PaymentScheduled", None))  # fmt: skip
    assert len(bank.tick(at_s + 60)) == (not known)


def test_a_cancellation_at_its_time_or_after_comes_too_late_however_far_the_sweep_is() -> None:
    bank = Bank()
    bank.later(NOON_S, NOON_S + 60)
    with mock.patch.object(scheduled.take_due, "__defaults__", (0,)):
        decided, cancelled = bank.cancel(NOON_S + 60)
    assert decided[2].payment_id == "P"
    assert cancelled == ("ledger-commands", "", None), "the ledger says what it finds"


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (ev.PaymentCaptured, {"capture_id": "C", "amount_minor": None, "final": True}),
        (ev.PaymentReviewed, {"approved": True, "reviewer": "r", "reason": "x"}),
        (ev.PaymentExtended, {"hold_expires_at": (NOON_S + 90) * S}),
        (ev.PaymentReversed, {"reversal_id": "R", "amount_minor": None, "reason": "x"}),
    ],
)
def test_other_commands_about_an_order_are_refused_and_those_of_others_pass(
    kind: type, more: dict[str, Any]
) -> None:
    bank = Bank()
    bank.later(NOON_S, NOON_S + 60)
    assert bank.about(kind, NOON_S + 1, **more) == []
    assert bank.answer() == ("CommandRefused", "payment_scheduled")
    refused = bank.lives[0]
    assert [getattr(refused, name) for name in ("capture_id", "reversal_id")] == [
        more.get("capture_id"),
        more.get("reversal_id"),
    ]
    assert bank.about(kind, NOON_S + 1, debtor="A2", **more) == [("ledger-commands", "", None)]
    bank.cancel(NOON_S + 2)
    bank.about(kind, NOON_S + 3, **more)
    assert bank.answer()[1] == ("not_settled" if kind is ev.PaymentReversed else "already_failed")


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("not_yet", {"occurred_at": (NOON_S + 301) * S, "execute_at": (NOON_S + 999) * S}),
        ("too_old", {"occurred_at": (NOON_S - 91 * DAY_S) * S}),
        ("too_far_ahead", {"execute_at": (NOON_S + 400 * DAY_S) * S + 1}),
        ("too_far_ahead", {"execute_at": 2**63 - 1}),
        ("expired", {"hold_expires_at": (NOON_S + 60) * S}),
    ],
)
def test_what_may_not_wait_is_refused_and_not_remembered(code: str, changes: dict[str, Any]) -> None:
    bank = Bank()
    bank.tick(NOON_S)
    before = dict(bank.rows.data)
    order = bank.payment(NOON_S, 10_00, payment_id="P", **{"execute_at": (NOON_S + 60) * S, **changes})
    assert bank.apply(order, NOON_S * S) == []
    assert bank.answer() == ("CommandRefused", code)
    assert bank.rows.data == before
    bank.later(NOON_S, NOON_S + 400 * DAY_S)
    assert bank.answer() == ("PaymentScheduled", None)


def test_a_debtor_has_no_more_than_a_bound_of_orders() -> None:
    bank = Bank()
    with mock.patch.object(scheduled, "WAITING_MAX", 2):
        for number in range(3):
            bank.later(NOON_S, NOON_S + 60, f"P{number}")
        assert bank.answer() == ("CommandRefused", "too_many_scheduled")
        bank.later(NOON_S, NOON_S + 60, "Q", debtor_account_id="A2")
        assert bank.answer() == ("PaymentScheduled", None)
        bank.cancel(NOON_S, "P0")
        bank.later(NOON_S, NOON_S + 60, "P2")
        assert bank.answer() == ("PaymentScheduled", None)


def test_an_event_meets_all_that_is_due_of_its_debtor_and_a_bounded_rest() -> None:
    bank = Bank()
    for number in range(5):
        bank.later(NOON_S, NOON_S + 60 + number, f"P{number}")
        bank.later(NOON_S, NOON_S + 60, f"Q{number}", debtor_account_id=f"B{number}")
    with mock.patch.object(scheduled.take_due, "__defaults__", (2,)):
        said = bank.apply(bank.payment(NOON_S + 99, 10_00, payment_id="own"))
    assert [one.payment_id for _, _, one in said if type(one) is ev.PaymentDecided] == [
        *("P0", "P1", "P2", "P3", "P4"),
        *("Q0", "Q1", "own"),
    ]
    assert [one.payment_id for one in bank.tick(NOON_S + 99)] == ["Q2", "Q3", "Q4"]


def test_a_quota_counts_orders_as_they_come_in_and_not_when_they_are_due() -> None:
    quota = Gate(Tenants(tenants={"acme": Tenant(payments_per_second=1, burst=4)}))
    bank = Bank(FraudLog(Terms(gate=quota)))
    bank.later(NOON_S, NOON_S + 1, "P0")
    bank.later(NOON_S, NOON_S + 1, "P1")
    assert bank.answer() == ("CommandRefused", "quota_exceeded")
    bank.stream = FraudLog(Terms(gate=Gate(Tenants(tenants={"acme": Tenant(closed=True)}))))
    assert [one.payment_id for one in bank.tick(NOON_S + 1)] == ["P0"], "what was taken is carried out"


def test_batches_hand_orders_to_rows_and_take_what_is_due() -> None:
    desk, log = Desk(), []
    for number in range(60):
        changes = {"execute_at": (NOON_S + number + 7) * S} if number % 5 == 0 else {}
        log.append(desk.payment(NOON_S + number, 10_00, **changes))
        if number % 10 == 2:
            names = dict(zip(FIELDS[:4], ("acme", (NOON_S + number) * S, "c", None), strict=True))
            about = {"payment_id": f"payment-{number - 1}", "debtor_account_id": "A1", "reason": "x"}
            log.append(ev.PaymentCancelled(f"cancel-{number}", **names, **about))
    stream = FraudLog()
    replay = assert_alike(stream, FraudLogBatch(stream), [(one, one.occurred_at) for one in log], [20, 45])
    assert 20 < replay.in_columns < len(log)
    names = [type(one).__name__ for _, one in replay.said["payment-events"]]
    assert names.count("PaymentScheduled") == 12 and names.count("PaymentCancelledOutcome") == 6
    assert names.count("PaymentScreened") == 48 + 5


def test_the_whole_command_comes_back_whatever_it_says() -> None:
    bank = Bank()
    full = {"metadata": {"order": "1"}, "actor": ev.Actor("idp", "anna", key_id="k"), "balancing": True}
    order = bank.payment(NOON_S, 10_00, execute_at=(NOON_S + 1) * S, expected_sequence=3, **full)
    bank.apply(order)
    (decided,) = bank.tick(NOON_S + 1)
    for name in msgspec.structs.fields(ev.PaymentDecided):
        if hasattr(order, name.name) and name.name not in ("event_id", "occurred_at", "causation_id"):
            assert getattr(decided, name.name) == getattr(order, name.name), name.name
    assert bank.rows.get(decision_key("acme", order.payment_id)) is not None


def test_linked_payments_meet_what_is_due_of_their_debtor_executed() -> None:
    bank = Bank()
    bank.later(NOON_S, NOON_S + 60)
    bank.later(NOON_S, NOON_S + 60, "Q", debtor_account_id="A2")
    parts = tuple(ev.LinkedPayment(one, "shop", 5, "EUR", "transfer", "r") for one in ("L1", "Q"))
    link = ev.PaymentsLinked("link", "acme", (NOON_S + 61) * S, "c", None, "L", "A1", parts)
    with mock.patch.object(scheduled.take_due, "__defaults__", (0,)):
        said = bank.apply(link)
    assert [one.payment_id for _, _, one in said if type(one) is ev.PaymentDecided] == ["P", "Q"]


def test_a_link_may_not_take_the_id_of_a_payment_that_waits() -> None:
    bank = Bank()
    bank.later(NOON_S, NOON_S + 60)
    parts = tuple(ev.LinkedPayment(one, "shop", 5, "EUR", "transfer", "r") for one in ("L1", "P"))
    link = ev.PaymentsLinked("link", "acme", (NOON_S + 1) * S, "c", None, "L", "A1", parts)
    assert bank.apply(link) == []
    assert bank.answer() == ("CommandRefused", "exists_with_different_link")
    assert (bank.lives[0].payment_id, bank.lives[0].execute_at) == ("P", (NOON_S + 60) * S)
    assert [one.payment_id for one in bank.tick(NOON_S + 60)] == ["P"]
