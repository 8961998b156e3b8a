"""The model of the fraud stream: each rule at its boundary, and long logs against the product's rules."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.fraud.stream import FraudStream
from pipeline.domain.kernel.events import EVENTS, PaymentInitiated
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.loadgen import generate, history
from pipeline.verify.model.fraud import FRAUD_TABLE, FraudBranch
from pipeline.verify.model.fraud_settings import VERSION
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import (
    ALERTS,
    COMMANDS,
    LONG_MAX,
    LONG_MIN,
    PAYMENT_EVENTS,
    Expected,
    cause_of,
    derived,
    misplaced,
)
from tests.simulated_cluster import ENCODE, decoder

NOON_S = 1_767_268_800
"""2026-01-01 12:00 UTC."""
HOUR_S, DAY_S = 3_600, 86_400
SECOND_US = 1_000_000


# --- records by hand


class Input(NamedTuple):
    """An event of the payments topic and when Kafka got it, seconds from noon; None = when it occurred."""

    event: str
    fields: dict[str, Any]
    recorded_s: int | None = None


def pay(
    at_s: float = 0,
    amount: int = 10_00,
    payee: str = "shop",
    payment_id: str | None = None,
    debtor: str = "alice",
    recorded_s: int | None = None,
    **more: Any,
) -> Input:
    """Return a payment `at_s` seconds from noon; ids that are not told follow from its place in the log."""
    fields = {
        "tenant_id": "north",
        "occurred_at": int((NOON_S + at_s) * SECOND_US),
        "correlation_id": "c",
        "causation_id": None,
        "payment_id": payment_id,
        "debtor_account_id": debtor,
        "creditor_account_id": payee,
        "amount_minor": amount,
        "currency": "EUR",
        "payment_type": "payment",
        "reference": "r",
    }
    return Input("PaymentInitiated", fields | more, recorded_s)


def about(
    event: str, payment_id: str, debtor: str = "alice", at_us: int = NOON_S * SECOND_US, **more: Any
) -> Input:
    """Return a review (with `approved`) or a cancellation of a payment."""
    fields = {"tenant_id": "north", "occurred_at": at_us, "correlation_id": "c", "causation_id": None}
    fields |= {"payment_id": payment_id, "debtor_account_id": debtor, "reason": "x"}
    return Input(event, fields | more)


def review(payment_id: str, approved: bool = True, debtor: str = "alice") -> Input:
    return about("PaymentReviewed", payment_id, debtor, approved=approved, reviewer="me")


def records(log: Iterable[Input]) -> list[Record]:
    """Return a log as records of partition 0; the place in the log names what has no id yet."""
    found = []
    for offset, (event, given_fields, recorded_s) in enumerate(log):
        fields = {"event_id": f"e{offset}", **given_fields}
        if fields["payment_id"] is None:
            fields["payment_id"] = f"p{offset}"
        at_us = fields["occurred_at"] if recorded_s is None else (NOON_S + recorded_s) * SECOND_US
        key = f"{fields['tenant_id']}/{fields['debtor_account_id']}".encode()
        value = b"bytes of %d" % offset
        made = Record("payments", 0, offset, -(-at_us // 1000), key, value, {}, event, fields, None)
        found.append(made)
    return found


def play(log: Iterable[Input]) -> list[Expected]:
    """Return what the model expects of a log without dead letters."""
    branch = FraudBranch(0, 1)
    answers = [branch.apply(made) for made in records(log)]
    assert [code for code, _ in answers if code is not None] == []
    return [wanted for _, out in answers for wanted in out]


def on(topic: str, out: Iterable[Expected]) -> list[dict[str, Any]]:
    return [wanted.fields for wanted in out if wanted.topic == topic]


def reasons(log: Iterable[Input]) -> dict[str, str]:
    """Return rules and details of the last payment's decision."""
    return {reason["rule"]: reason["detail"] for reason in on(COMMANDS, play(log))[-1]["reasons"]}


def outcomes(log: Iterable[Input]) -> list[tuple[str, int]]:
    return [(said["outcome"], said["score"]) for said in on(COMMANDS, play(log)) if "outcome" in said]


# --- each rule


def payees(number: int, at_s: float) -> list[Input]:
    return [pay(at_s, payee=f"payee {payee}") for payee in range(number)]


def devices(names: str) -> list[Input]:
    return [pay(-60, device_id=name) for name in names]


USUAL = [pay(-DAY_S - HOUR_S, device_id="phone", counterparty_country="FR")] * 5
MIXED = [pay(-2 * DAY_S, amount) for amount in (300_00, 100_00)] * 5
"""Mean 200.00, deviation 100.00: six deviations end at 800.00."""
ABROAD = pay(device_id="other", counterparty_country="BR", payee="new")

CASES: dict[str, list[tuple[str, list[Input], Input, str | None]]] = {
    "payments_per_minute": [
        ("ten in a minute", [pay()] * 9, pay(), None),
        ("eleven in a minute", [pay()] * 10, pay(), "11 payments in 60 s"),
        ("the first second", [pay(-55)] * 10, pay(), "11 payments in 60 s"),
        ("a second too long ago", [pay(-56)] * 10, pay(), None),
    ],
    "payments_per_hour": [
        ("thirty in an hour", [pay(-600)] * 29, pay(), None),
        ("one more in an hour", [pay(-600)] * 30, pay(), "31 payments in 1 h"),
        ("an hour ago", [pay(-HOUR_S)] * 30, pay(), None),
        ("the shortest window speaks", [pay()] * 30, pay(), None),
    ],
    "payments_per_day": [
        ("a hundred in a day", [pay(-5 * HOUR_S)] * 99, pay(), None),
        ("one more in a day", [pay(-5 * HOUR_S)] * 100, pay(), "101 payments in 24 h"),
    ],
    "payments_per_week": [
        ("a week's many", [pay(-3 * DAY_S)] * 399, pay(), None),
        ("one more in a week", [pay(-3 * DAY_S)] * 400, pay(), "401 payments in 7 d"),
        ("last week's", [pay(-8 * DAY_S)] * 401, pay(), None),
    ],
    "amount_per_minute": [
        ("20,000 in a minute", [pay(0, 15_000_00)], pay(0, 5_000_00), None),
        ("a cent more in a minute", [pay(0, 15_000_00)], pay(0, 5_000_01), "sum 2000001 in 60 s"),
        ("one large payment", [], pay(0, 10**15), None),
    ],
    "amount_per_hour": [
        ("30,000 in an hour", [pay(-600, 25_000_00)], pay(0, 5_000_00), None),
        ("a cent more in an hour", [pay(-600, 25_000_00)], pay(0, 5_000_01), "sum 3000001 in 1 h"),
    ],
    "amount_per_day": [
        ("50,000 in a day", [pay(-5 * HOUR_S, 45_000_00)], pay(0, 5_000_00), None),
        ("a cent more in a day", [pay(-5 * HOUR_S, 45_000_00)], pay(0, 5_000_01), "sum 5000001 in 24 h"),
    ],
    "amount_per_week": [
        ("150,000 in a week", [pay(-3 * DAY_S, 145_000_00)], pay(0, 5_000_00), None),
        ("a cent more in a week", [pay(-3 * DAY_S, 145_000_00)], pay(0, 5_000_01), "sum 15000001 in 7 d"),
    ],
    "payees_per_day": [
        ("fifteen payees", payees(14, -2 * HOUR_S), pay(), None),
        ("sixteen payees", payees(15, -2 * HOUR_S), pay(), "16 payees in 24 h"),
        ("one of the fifteen", payees(15, -2 * HOUR_S), pay(payee="payee 3"), None),
        ("yesterday's payees", payees(20, -DAY_S), pay(), None),
    ],
    "devices_per_day": [
        ("three devices", devices("ab"), pay(device_id="c"), None),
        ("four devices", devices("abc"), pay(device_id="d"), "4 devices in 24 h"),
        ("no device", devices("abcd"), pay(device_id=""), None),
    ],
    "fan_out": [
        ("six new payees", payees(5, -HOUR_S + 1), pay(), None),
        ("seven new payees", payees(6, -HOUR_S + 1), pay(), "7 new payees in 1 h"),
        ("an hour ago's payees", payees(6, -HOUR_S), pay(), None),
        ("a payee of this hour again", payees(7, -60), pay(payee="payee 3"), None),
    ],
    "new_payee": [
        ("a payee without history", USUAL[:4], ABROAD, None),
        ("a new payee", USUAL, ABROAD, "unknown payee after 5 approved payments"),
        ("a known payee", USUAL, pay(), None),
    ],
    "new_device": [
        ("a device without history", USUAL[:4], ABROAD, None),
        ("a new device", USUAL, ABROAD, "unknown device after 5 approved payments"),
        ("no known device", [pay(-DAY_S)] * 5, ABROAD, None),
    ],
    "new_country": [
        ("a country without history", USUAL[:4], ABROAD, None),
        ("a new country", USUAL, ABROAD, "BR is new after 5 approved payments"),
        ("the same in small letters", USUAL, pay(counterparty_country="fr"), None),
    ],
    "geo_velocity": [
        ("half an hour to Brazil", [pay(-1800, counterparty_country="FR")], ABROAD, "FR to BR in 1800 s"),
        ("a second more to Brazil", [pay(-1801, counterparty_country="FR")], ABROAD, None),
        ("no country between", [pay(-60, counterparty_country="BR"), pay(-30)], ABROAD, None),
    ],
    "amount_outlier": [
        ("six deviations", MIXED, pay(0, 800_00), None),
        ("a euro more", MIXED, pay(0, 801_00), "80100 is 6.01 deviations"),
        ("nine amounts", MIXED[:9], pay(0, 5_000_00), None),
        ("not considerable", [pay(-DAY_S)] * 10, pay(0, 499_99), None),
        ("six floors", [pay(-DAY_S, 400_00)] * 10, pay(0, 1000_00), None),
        ("a cent above six floors", [pay(-DAY_S, 400_00)] * 10, pay(0, 1000_01), "100001 is 6.00 deviations"),
    ],
    "probe_then_drain": [
        (
            "a drain after a minute",
            [pay(-60, 99)],
            pay(0, 500_01),
            "50001 within 60 s of an amount under 100",
        ),
        ("a drain a second later", [pay(-61, 99)], pay(0, 500_01), None),
        ("a euro is no probe", [pay(-60, 1_00)], pay(0, 500_01), None),
        ("500 is no drain", [pay(-60, 99)], pay(0, 500_00), None),
    ],
    "structuring": [
        ("two near the threshold", [pay(-60, 9_000_00)], pay(0, 9_999_99), None),
        (
            "three near the threshold",
            [pay(-23 * HOUR_S, 9_000_00)] * 2,
            pay(0, 9_999_99),
            "3 amounts within 10% under 1000000 in 24 h",
        ),
        ("a day ago", [pay(-24 * HOUR_S, 9_000_00)] * 2, pay(0, 9_999_99), None),
        ("one of three is below", [pay(-60, 9_000_00), pay(-60, 8_999_99)], pay(0, 9_000_00), None),
        ("the threshold itself", [pay(-60, 9_000_00)] * 2, pay(0, 10_000_00), None),
    ],
    "round_amount": [
        ("a round thousand", [], pay(0, 1_000_00), "100000 is a multiple of 100000"),
        ("not round", [], pay(0, 1_000_01), None),
    ],
    "dormant_then_active": [
        ("a second less than 60 days", [pay(1 - 60 * DAY_S)], pay(0, 500_00), None),
        ("60 days", [pay(-60 * DAY_S)], pay(0, 500_00), "50000 after 60 days of silence"),
        ("a small amount", [pay(-60 * DAY_S)], pay(0, 499_99), None),
    ],
    "night": [
        ("midnight", [], pay(12 * HOUR_S), "hour 0 UTC"),
        ("a second to midnight", [], pay(12 * HOUR_S - 1), None),
        ("the last of the night", [], pay(17 * HOUR_S - 1), "hour 4 UTC"),
        ("five in the morning", [], pay(17 * HOUR_S), None),
    ],
    "too_late": [
        ("the oldest that is judged", [pay()], pay(-6 * DAY_S - 18 * HOUR_S), None),
        ("a second older", [pay()], pay(-6 * DAY_S - 18 * HOUR_S - 1), "162 h"),
    ],
}
"""By rule: earlier payments, the one to judge, how the detail of the finding begins."""


@pytest.mark.parametrize(
    "rule, log, last, detail",
    [
        pytest.param(rule, *case[1:], id=f"{rule}: {case[0]}")
        for rule, cases in CASES.items()
        for case in cases
    ],
)
def test_each_rule_fires_at_its_boundary_and_not_below(
    rule: str, log: list[Input], last: Input, detail: str | None
) -> None:
    found = reasons([*log, last]).get(rule)
    assert (found is None) if detail is None else (found or "").startswith(detail)


def test_a_late_payment_is_not_judged_by_windows_that_it_does_not_lie_in() -> None:
    busy = [pay(0, 9_500_00, f"payee {number}", device_id=f"d{number}") for number in range(11)]
    for late_s, rule in (
        (60, "payments_per_minute"),
        (60, "amount_per_minute"),
        (HOUR_S, "fan_out"),
        (DAY_S, "devices_per_day"),
        (DAY_S, "structuring"),
    ):
        assert rule in reasons([*busy, pay(0, 9_500_00, device_id="x")])
        assert rule not in reasons([*busy, pay(-late_s, 9_500_00, device_id="x")])


@pytest.mark.parametrize(
    "log, outcome, score",
    [
        ([pay()], "APPROVE", 0),
        ([pay(12 * HOUR_S, 1_000_00)], "APPROVE", 10),
        ([pay(), pay(-8 * DAY_S)], "REVIEW", 50),
        ([*USUAL, pay(-60, 99), pay(0, 900_00)], "REVIEW", 70),
        ([*USUAL, pay(-60, 99), pay(0, 900_00, payee="new")], "DECLINE", 80),
        ([*[pay(0, 99)] * 11, pay(0, 20_000_00)], "DECLINE", 100),
    ],
    ids=["harmless", "below review", "review", "below decline", "decline", "capped"],
)
def test_weights_add_up_to_a_score_and_the_score_to_an_outcome(
    log: list[Input], outcome: str, score: int
) -> None:
    assert outcomes(log)[-1] == (outcome, score)


# --- repeats, reviews, time

BURST = [pay(payment_id=f"b{number}") for number in range(10)]
HELD = pay(payment_id="held")
GOOD = pay(payment_id="good")

REPEATS: list[tuple[str, list[Input], list[tuple[str, int]], list[int]]] = [
    ("an approval again", [GOOD, GOOD], [("APPROVE", 0)] * 2, []),
    ("a hold again", [*BURST, HELD, HELD], [("APPROVE", 0)] * 10 + [("REVIEW", 60)] * 2, [10]),
    (
        "a repeat does not count",
        [*BURST[:9], *BURST[:5], HELD],
        [("APPROVE", 0)] * 15,
        [],
    ),
    (
        "other content under an approved id",
        [GOOD, pay(0, 10_01, payment_id="good"), pay(0, 10_01, payment_id="good"), GOOD],
        [("APPROVE", 0), ("REVIEW", 50), ("REVIEW", 50), ("APPROVE", 0)],
        [1],
    ),
    (
        "another debtor under a held id",
        [*BURST, HELD, pay(payment_id="held", debtor="eve"), pay(payment_id="held", debtor="eve")],
        [("APPROVE", 0)] * 10 + [("REVIEW", 60)] * 3,
        [10, 11],
    ),
    (
        "90 days later",
        [GOOD, pay(90 * DAY_S, payment_id="good", payee="x")],
        [("APPROVE", 0), ("REVIEW", 50)],
        [1],
    ),
    (
        "a second more, and forgotten",
        [GOOD, pay(90 * DAY_S + 1, payment_id="good", payee="x")],
        [("APPROVE", 0)] * 2,
        [],
    ),
    (
        "nothing leaves no trace",
        [pay(0, 0, payment_id="good"), pay(0, -1, payment_id="good"), GOOD],
        [("APPROVE", 0)] * 3,
        [],
    ),
    ("to oneself", [pay(payee="alice")] * 20, [("APPROVE", 0)] * 20, []),
    ("the ledger's own accounts", [pay(payee="$clearing:EUR:0")] * 20, [("APPROVE", 0)] * 20, []),
    (
        "a tenant of its own",
        [*BURST, HELD._replace(fields=HELD.fields | {"tenant_id": "south"})],
        [("APPROVE", 0)] * 11,
        [],
    ),
]


@pytest.mark.parametrize(
    "log, decided, alerted", [case[1:] for case in REPEATS], ids=[case[0] for case in REPEATS]
)
def test_an_id_that_comes_again_counts_once_and_is_alerted_once(
    log: list[Input], decided: list[tuple[str, int]], alerted: list[int]
) -> None:
    assert outcomes(log) == decided
    assert [wanted.source for wanted in play(log) if wanted.topic == ALERTS] == alerted


def test_an_approval_by_a_reviewer_teaches_once_and_only_who_waits() -> None:
    held = [*BURST, pay(payment_id="held", payee="new", device_id="d")]
    later = pay(2 * HOUR_S, payee="x")
    for reviews, approved in (
        ([], 10),
        ([review("held", approved=False)], 10),
        ([review("held", debtor="eve")], 10),
        ([review("b1"), review("nobody")], 10),
        ([about("PaymentCancelled", "held")], 10),
        ([review("held")], 11),
        ([review("held"), review("held")], 11),
    ):
        detail = reasons([*held, *reviews, later])["new_payee"]
        assert detail == f"unknown payee after {approved} approved payments"
    assert "new_payee" not in reasons([*held, review("held"), pay(2 * HOUR_S, payee="new")])


def test_a_payment_from_before_the_memory_teaches_nothing() -> None:
    late = pay(-8 * DAY_S, payment_id="late", payee="old")
    assert outcomes([*USUAL, pay(), late])[-1] == ("REVIEW", 60)
    assert "new_payee" in reasons([*USUAL, pay(), late, review("late"), pay(payee="old")])


def test_a_late_payment_counts_where_it_lies() -> None:
    late = [pay(), *[pay(-600)] * 30]
    assert reasons([*late, pay()]) == {"payments_per_hour": "32 payments in 1 h, limit 30"}
    assert reasons([*late, pay(HOUR_S)]) == {}


def test_a_time_later_than_the_record_counts_as_the_records() -> None:
    ahead = pay(400 * DAY_S, recorded_s=0)
    assert reasons([ahead, pay()]) == {}, "else this one would be too late"
    assert "too_late" in reasons([pay(40 * DAY_S), pay()])
    assert reasons([pay(12 * HOUR_S, recorded_s=0)]) == {}, "else it would be night"
    decided = on(COMMANDS, play([ahead]))[0]
    assert decided["occurred_at"] == (NOON_S + 400 * DAY_S) * SECOND_US, "what the event says is passed on"


# --- what comes out


def test_a_decision_carries_the_payment_and_an_alert_names_its_cause() -> None:
    known = {name: value for name, value in HELD.fields.items() if name != "causation_id"}
    out = play([*BURST, HELD])
    reason = {"rule": "payments_per_minute", "detail": "11 payments in 60 s, limit 10"}
    verdict = {"outcome": "REVIEW", "score": 60, "reasons": [reason], "rules_version": VERSION}
    unknown = dict.fromkeys(("channel", "device_id", "counterparty_country", "merchant_category"))
    unknown |= dict.fromkeys(("actor", "metadata", "expected_sequence", "hold", "balancing"))
    unknown |= dict.fromkeys(("creditor_currency", "rate_e8", "capture_tolerance_bp", "execute_at"))
    cause = cause_of(HELD._replace(fields=HELD.fields | {"event_id": "e10"}))
    caused = {"event_id": derived(cause, "payment_decided"), "causation_id": "e10", "hold_expires_at": None}
    assert on(COMMANDS, out)[-1] == known | unknown | verdict | caused
    alert_id = derived(cause, "fraud_alert_raised")
    about_alert = {"event_id": alert_id, "alert_id": alert_id, "account_id": "alice", "causation_id": "e10"}
    shared = {name: known[name] for name in ("tenant_id", "occurred_at", "correlation_id", "payment_id")}
    assert on(ALERTS, out) == [shared | verdict | about_alert]
    rows = [wanted.key for wanted in out if wanted.topic == FRAUD_TABLE and wanted.source == 10]
    payment = [b"f\0north\0alice", b"d\0north\0held", b"a\0north\0alice\0held"]
    assert sorted(rows) == sorted([*payment, b"e\0north", b"h\0north"])


def test_reviews_and_cancellations_are_passed_on_as_they_are() -> None:
    out = play([review("p"), review("p", approved=False), about("PaymentCancelled", "p")])
    clock = b"\1" + (NOON_S * SECOND_US).to_bytes(8) + LONG_MAX.to_bytes(8)
    assert [(wanted.topic, wanted.key, wanted.event, wanted.value) for wanted in out] == [
        (COMMANDS, b"north/alice", "PaymentReviewed", b"bytes of 0"),
        (PAYMENT_EVENTS, b"north/alice", "PaymentReviewed", b"bytes of 0"),
        (FRAUD_TABLE, b"w", "row", clock),
        (COMMANDS, b"north/alice", "PaymentReviewed", b"bytes of 1"),
        (PAYMENT_EVENTS, b"north/alice", "PaymentReviewed", b"bytes of 1"),
        (COMMANDS, b"north/alice", "PaymentCancelled", b"bytes of 2"),
    ]


def test_captures_extensions_and_reversals_are_passed_on_and_change_nothing() -> None:
    names = ("PaymentCaptured", "PaymentExtended", "PaymentReversed")
    ids = {"capture_id": "k", "reversal_id": "v"}
    branch, log = (
        FraudBranch(0, 1),
        records([pay(payment_id="p"), *(about(name, "p", **ids) for name in names)]),
    )
    branch.apply(log[0])
    debtor = branch.debtor.row()
    for made in log[1:]:
        expected = Expected(COMMANDS, b"north/alice", made.event or "", made.fields, made.offset, made.value)
        assert branch.apply(made) == (None, [expected])
        for name in ids:
            bad = made._replace(fields=made.fields | {name: "a/b"})
            assert branch.apply(bad) == ("invalid_id", [])
    assert branch.debtor.row() == debtor


def test_a_decision_says_until_when_a_payment_is_held() -> None:
    decided = on(COMMANDS, play([pay(), pay(hold_expires_at=NOON_S), pay(hold_expires_at=None)]))
    assert [said["hold_expires_at"] for said in decided] == [None, NOON_S, None]


def test_what_the_stream_refuses_leaves_no_trace() -> None:
    made = records([pay()])[0]
    ids = ("tenant_id", "payment_id", "debtor_account_id", "creditor_account_id")
    cases = [(name, bad) for name in ids for bad in ("", "a/b", "a\0b")]
    branch = FraudBranch(0, 1)
    for name, bad in cases:
        fields = made.fields | {name: bad}
        key = f"{fields['tenant_id']}/{fields['debtor_account_id']}".encode()
        assert branch.apply(made._replace(fields=fields, key=key)) == ("invalid_id", [])
    false = made.fields | {"creditor_reference": "RF19539007547034"}
    assert branch.apply(made._replace(fields=false)) == ("invalid_creditor_reference", [])
    for end, beyond in ((None, 0), (5, -1), (5, 10_001)):
        false = made.fields | {"hold_expires_at": end, "capture_tolerance_bp": beyond}
        assert branch.apply(made._replace(fields=false)) == ("invalid_tolerance", [])
    opened = {"tenant_id": "north", "account_id": "alice"}
    assert branch.apply(made._replace(event="AccountOpened", fields=opened))[0] == "unexpected_event"
    assert branch.apply(made._replace(event=None, fault="malformed_value"))[0] == "malformed_value"
    assert branch.apply(made._replace(key=b"north/eve"))[0] == "wrong_key"
    assert (branch.debtors, branch.decisions) == ({}, {})


# --- against the product


class KeptRows(MemoryRows):
    """Rows that remember what was written since they were asked last."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[bytes, bytes | None]] = []

    def put(self, key: bytes, value: bytes) -> None:
        super().put(key, value)
        self.written.append((key, value))

    def delete(self, key: bytes) -> None:
        super().delete(key)
        self.written.append((key, None))


NAMES = {kind: name.removeprefix("ledgerflow.") for name, kind in EVENTS.items()}


class Product:
    """The product's rules over rows in memory; answers as the model does."""

    def __init__(self, partitions: int, stream: FraudStream | None = None) -> None:
        self.stream, self.rows, self.partitions = stream or FraudStream(), KeptRows(), partitions

    def apply(self, record: Record) -> tuple[str | None, list[Expected]]:
        code = misplaced(record, self.partitions)  # such records do not reach the rules
        if code is not None:
            return code, []
        kind, out, key = EVENTS[f"ledgerflow.{record.event}"], Outbox(), record.key or b""
        unknown = {name: None for name in kind.__struct_fields__ if kind is PaymentInitiated}
        event = msgspec.convert({**unknown, **record.fields}, kind)
        at = Arrival(record.timestamp_ms * 1000, record.partition, self.partitions)
        self.rows.written = []
        try:
            self.stream.apply(event, at, self.rows, out)
        except Reject as reject:
            return reject.code, []
        said = [
            Expected(topic, key, record.event or "", record.fields, record.offset, record.value)
            if emitted is None
            else Expected(
                topic,
                to.encode(),
                NAMES[type(emitted)],
                msgspec.json.decode(msgspec.json.encode(emitted)),
                record.offset,
            )
            for topic, to, emitted in out.items
        ]
        rows = [
            Expected(FRAUD_TABLE, key, "row", {}, record.offset, value)
            for key, value in dict(self.rows.written).items()
        ]
        return None, said + rows


def parted(out: Sequence[Expected]) -> list[list[Expected]]:
    """Return the outputs of one command by topic, in order, and its rows.

    Outputs are ordered within a topic only. The rows of a command have different keys, so they have no order.
    """
    topics = (COMMANDS, PAYMENT_EVENTS, ALERTS)
    rows = sorted((wanted for wanted in out if wanted.topic == FRAUD_TABLE), key=lambda wanted: wanted.key)
    return [*([wanted for wanted in out if wanted.topic == topic] for topic in topics), rows]


def assert_agreed(log: Iterable[Record], number: int = 0, partitions: int = 1) -> list[Expected]:
    """Check that model and product answer each record of a partition with the same; return the answers."""
    return assert_alike(log, FraudBranch(number, partitions), Product(partitions))


def assert_alike(log: Iterable[Record], model: FraudBranch, product: Product) -> list[Expected]:
    """Check that a model and a product answer each record with the same; return the answers."""
    found: list[Expected] = []
    for record in log:
        code, out = model.apply(record)
        product_code, product_out = product.apply(record)
        assert (code, parted(out)) == (product_code, parted(product_out)), record
        found += out
    return found


times_us = st.one_of(
    st.integers(NOON_S * SECOND_US, (NOON_S + 90) * SECOND_US),
    st.integers((NOON_S - 20 * DAY_S) * SECOND_US, (NOON_S + 120 * DAY_S) * SECOND_US),
    st.sampled_from([LONG_MIN, -1, 0, LONG_MAX]),
)
few = st.integers(0, 11).map(str)
payment_ids = st.integers(0, 40).map("p{}".format)
contents = st.fixed_dictionaries(
    {
        "occurred_at": times_us,
        "tenant_id": st.sampled_from(["north", "south"]),
        "payment_id": payment_ids,
        "debtor_account_id": st.sampled_from(["alice", "bob"]),
        "creditor_account_id": st.one_of(few, few, st.sampled_from(["alice", "$opening:EUR:0", "a/b"])),
        "amount_minor": st.one_of(
            st.integers(1, 100_00),
            st.sampled_from([99, 500_01, 9_500_00, 1_000_00, 10**15, LONG_MAX, 0, -1, LONG_MIN]),
        ),
        "currency": st.sampled_from(["EUR", "USD"]),
        "device_id": st.one_of(st.none(), few, st.text(max_size=3)),
        "counterparty_country": st.sampled_from(
            [None, "", "FR", "fr", "BR", "ßßßßßßß", "日本国日本国日本国"]
        ),
    },
    optional={
        "execute_at": st.one_of(st.none(), times_us),
        "hold_expires_at": st.one_of(st.none(), times_us),
        "hold": st.booleans(),
    },
)
recorded = st.one_of(st.none(), st.integers(-2 * DAY_S, 2 * DAY_S))
payments = st.builds(
    lambda fields, at_s: Input("PaymentInitiated", pay().fields | fields, at_s), contents, recorded
)
answers = st.one_of(
    st.builds(review, payment_ids, st.booleans(), st.sampled_from(["alice", "bob"])),
    st.builds(about, st.just("PaymentCancelled"), payment_ids, at_us=times_us),
    st.builds(
        about,
        st.just("PaymentExtended"),
        payment_ids,
        st.sampled_from(["alice", "bob"]),
        hold_expires_at=times_us,
    ),
    st.builds(about, st.just("PaymentReversed"), payment_ids, reversal_id=st.just("v")),
)


@pytest.mark.parametrize("name", [*CASES, "repeats"])
def test_model_and_product_agree_on_what_was_written_by_hand(name: str) -> None:
    cases = [[*log, last] for _, log, last, _ in CASES.get(name, ())]
    for log in cases or [log for _, log, _, _ in REPEATS]:
        assert_agreed(records(log))


@given(st.lists(st.one_of(payments, payments, payments, answers), max_size=60))
@settings(max_examples=80, deadline=None)
def test_model_and_product_agree_on_any_log(log: list[Input]) -> None:
    assert_agreed(records(log))


PHONE, HOME = ("phone", None), ("FR", "fr", None)
PACES = [
    ((HOUR_S, 5 * HOUR_S, 9 * HOUR_S), 150),
    ((0, 1, 4), 40),
    ((60, 120), 80),
    ((500,), 150),
    ((1_000,), 650),
]
"""Seconds between payments, and for how many events: calm, and too much for each of the windows."""


def traffic(seed: int, count: int, scheduled: bool = True) -> list[Input]:
    """Return a few debtors' traffic: calm and hectic, late and early, retries and reviews; some for later."""
    chance = random.Random(seed)
    log: list[Input] = []
    paces, at_s = [steps for steps, length in PACES for _ in range(length)], 0
    for number in range(count):
        pace = paces[number % len(paces)]
        silent = pace is PACES[0][0] and number % 30 == 0
        at_s += 61 * DAY_S if silent else chance.choice(pace)
        kind = chance.random()
        if log and kind < 0.1:
            retried = chance.choice(log[-100:])
            changes = chance.choice(({}, {}, {"amount_minor": 7}, {"debtor_account_id": "eve"}))
            if retried.event == "PaymentInitiated":
                log.append(retried._replace(fields=retried.fields | changes))
            continue
        if kind < 0.2:
            waiting = f"n{chance.randrange(max(0, number - 9), number + 1)}"
            answer = review(waiting, chance.random() < 0.8, chance.choice(("alice", "alice", "bob")))
            log += [answer] * chance.choice((1, 2))
            continue
        if kind > 0.95 and scheduled:
            ahead_s = chance.choice((1, 5, 600, HOUR_S, DAY_S, 30 * DAY_S, 401 * DAY_S))
            later = {"execute_at": int((NOON_S + at_s + ahead_s) * SECOND_US)}
            log.append(pay(at_s, chance.randrange(1, 90_00), payment_id=f"n{number}", **later))
            if chance.random() < 0.3:
                log.append(about("PaymentCancelled", f"n{number}", at_us=log[-1].fields["occurred_at"]))
            continue
        late_s = chance.choice((3, 400, 2 * HOUR_S, DAY_S, 6 * DAY_S, 9 * DAY_S)) if kind > 0.9 else 0
        amount = chance.randrange(1, 60_00)
        if silent or kind < (0.4 if pace is PACES[1][0] else 0.26):
            amount = chance.choice((0, 99, 501_00, 9_000_00, 9_999_99, 3_000_00, 15_000_00))
        log.append(
            pay(
                at_s - late_s,
                LONG_MAX if chance.random() < 0.001 else amount,
                f"payee {chance.randrange(60 if chance.random() < 0.2 else 5)}",
                f"n{number}",
                "bob" if pace is PACES[0][0] and chance.random() < 0.3 else "alice",
                at_s - 30 if chance.random() < 0.05 else None,
                device_id=f"d{number % 12}" if 0.88 < kind < 0.92 else chance.choice(PHONE),
                counterparty_country=f"C{number % 11}" if 0.86 < kind < 0.93 else chance.choice(HOME),
            )
        )
    return log


def test_model_and_product_agree_on_long_logs_in_which_every_rule_fires() -> None:
    found = [wanted for seed in range(2) for wanted in assert_agreed(records(traffic(seed, 2_200)))]
    decided = [said for said in on(COMMANDS, found) if "outcome" in said]
    assert {said["outcome"] for said in decided} == {"APPROVE", "REVIEW", "DECLINE"}
    fired = {reason["rule"] for said in decided for reason in said["reasons"]}
    assert fired >= {*CASES, "payment_id_reused"}, "else the agreement proves little"


def test_model_and_product_agree_on_what_a_load_produces() -> None:
    now_us, partitions, decode = 1_790_000_000 * SECOND_US, 4, decoder().read
    plan = history(5, 5_000, now_us, accounts=150, malformed_pct=2.0, partitions=partitions)
    logs: list[list[Record]] = [[] for _ in range(partitions)]
    for made in generate(plan, ENCODE):
        if made.topic == "payments":
            number = made.partition
            if number is None:
                number = partition_of((made.key or b"").decode(), partitions)
            place = ("payments", number, len(logs[number]), now_us // 1000)
            logs[number].append(Record(*place, made.key, made.value, {}, *decode(made.value)))
    assert sum(map(len, logs)) > 5_000
    found = [wanted for number, log in enumerate(logs) for wanted in assert_agreed(log, number, partitions)]
    alerts = on(ALERTS, found)
    assert len(alerts) >= 40, "else the agreement proves little"
