"""What holds of the fraud stream for any run of events: replay, repeats, bounds, score and outcome."""

from __future__ import annotations

import random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.fraud.alerts import alert_key, read_alert
from pipeline.domain.fraud.decisions import decision_key, read_decision
from pipeline.domain.fraud.profile import (
    COUNTRIES_KEPT,
    id64,
    profile_key,
    read_profile,
)
from pipeline.domain.fraud.screening import content_of
from pipeline.domain.fraud.settings import DEVICES_KEPT, PAYEES_KEPT, FraudRules
from pipeline.domain.fraud.stream import FraudStream
from pipeline.domain.kernel.events import PaymentCancelled, PaymentDecided, PaymentInitiated, PaymentReviewed
from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows

START_US = 1_767_268_800_000_000
DAY_US = 86_400_000_000
RULES = FraudRules()
STREAM = FraudStream(RULES)
PROFILE_BYTES_MAX = 3_000

times = st.one_of(
    st.integers(START_US, START_US + 90_000_000),
    st.integers(START_US - 20 * DAY_US, START_US + 120 * DAY_US),
    st.sampled_from([INT64_MIN, -1, 0, INT64_MAX]),
)
amounts = st.one_of(
    st.integers(1, 100_00),
    st.sampled_from([99, 500_01, 9_500_00, 1_000_00, 10**15, INT64_MAX, 0, -1, INT64_MIN]),
)
few = st.integers(0, 11).map(str)


def _initiated(
    number: int, at: int, tenant: str, debtor: str, creditor: str, amount: int, device: Any, country: Any
) -> PaymentInitiated:
    return PaymentInitiated(
        f"event-{number}",
        tenant,
        at,
        "correlation",
        None,
        f"payment-{number}",
        debtor,
        creditor,
        amount,
        "EUR",
        "transfer",
        "reference",
        None,
        device,
        country,
        *(None, None, "reference"),
    )


payments = st.builds(
    _initiated,
    st.integers(0, 40),
    times,
    st.sampled_from(["acme", "other"]),
    st.sampled_from(["A1", "A2"]),
    few,
    amounts,
    st.one_of(st.none(), few, st.text(max_size=3)),
    st.sampled_from([None, "", "FR", "BR", "ßßßßßßß", "日本国日本国日本国"]),
)
scheduled = st.builds(
    lambda payment, at, end: msgspec.structs.replace(payment, execute_at=at, hold_expires_at=end),
    payments,
    times,
    st.one_of(st.none(), times),
)
"""Payments with a time of their own."""
reviews = st.builds(
    lambda number, at, approved: PaymentReviewed(
        f"review-{number}", "acme", at, "c", None, f"payment-{number}", "A1", approved, "me", ""
    ),
    st.integers(0, 40),
    times,
    st.booleans(),
)
cancellations = st.builds(
    lambda number, at: PaymentCancelled(
        f"cancel-{number}", "acme", at, "c", None, f"payment-{number}", "A1", ""
    ),
    st.integers(0, 40),
    times,
)
runs = st.lists(
    st.tuples(st.one_of(payments, payments, payments, reviews, cancellations), st.one_of(st.none(), times)),
    max_size=60,
)


waiting_runs = st.lists(
    st.tuples(st.one_of(payments, scheduled, scheduled, reviews, cancellations), st.one_of(st.none(), times)),
    max_size=60,
)


def play(events: list[tuple[Any, int | None]]) -> tuple[MemoryRows, list[tuple[str, str, Any]]]:
    """Apply events, each with its recorded time (None = when it occurred); return rows and outputs."""
    rows, out = MemoryRows(), Outbox()
    for event, recorded_at in events:
        at = event.occurred_at if recorded_at is None else recorded_at
        STREAM.apply(event, Arrival(at, 0, 4), rows, out)
    return rows, out.items


@given(st.one_of(runs, waiting_runs))
@settings(max_examples=60, deadline=None)
def test_any_order_of_any_times_is_applied_and_a_replay_gives_the_same_bytes(
    events: list[tuple[Any, int | None]],
) -> None:
    rows, items = play(events)
    again_rows, again_items = play(events)
    assert rows.data == again_rows.data
    assert msgspec.msgpack.encode(items) == msgspec.msgpack.encode(again_items)


@given(runs)
@settings(max_examples=60, deadline=None)
def test_every_payment_is_decided_in_order_and_score_and_outcome_agree(
    events: list[tuple[Any, int | None]],
) -> None:
    _, items = play(events)
    to_ledger = [event for topic, _, event in items if topic == "ledger-commands"]
    assert len(to_ledger) == len(events)
    for (event, _), output in zip(events, to_ledger, strict=True):
        if not isinstance(event, PaymentInitiated):
            assert output is None
            continue
        assert isinstance(output, PaymentDecided)
        assert (output.payment_id, output.amount_minor) == (event.payment_id, event.amount_minor)
        assert 0 <= output.score <= 100
        assert (output.outcome == "DECLINE") == (output.score >= RULES.decline_score_min)
        assert (output.outcome == "APPROVE") == (output.score < RULES.review_score_min)
        assert output.outcome == "APPROVE" or output.reasons
        assert output.rules_version == RULES.version


@given(runs)
@settings(max_examples=60, deadline=None)
def test_a_payment_id_raises_at_most_one_alert(events: list[tuple[Any, int | None]]) -> None:
    within = range(START_US - 20 * DAY_US, START_US + 60 * DAY_US)
    _, items = play([(event, None) for event, _ in events if event.occurred_at in within])
    alerted = [
        (key.split("/")[0], event.payment_id) for topic, key, event in items if topic == "fraud-alerts"
    ]
    assert len(alerted) == len(set(alerted))


@given(runs)
@settings(max_examples=60, deadline=None)
def test_there_is_a_row_for_every_alert_and_for_nothing_else(events: list[tuple[Any, int | None]]) -> None:
    rows, items = play(events)
    raised = {
        alert_key(event.tenant_id, event.account_id, event.payment_id): event
        for topic, _, event in items
        if topic == "fraud-alerts"
    }
    kept = {key: read_alert(row) for key, row in rows.scan(b"a\0")}
    assert kept.keys() == raised.keys()
    for key, event in raised.items():
        verdict = kept[key].verdict
        assert (verdict.outcome, verdict.score) == (event.outcome, event.score)
        assert verdict.reasons == tuple((reason.rule, reason.detail) for reason in event.reasons)


def newest_of(rows: MemoryRows, tenant_id: str) -> int:
    """Return the time of a tenant: that of its newest decided payment."""
    return max(
        read_decision(row).at_us
        for key, row in rows.data.items()
        if key.startswith(b"d\0" + tenant_id.encode() + b"\0")
    )


def without_queue_of_alerts(rows: MemoryRows) -> dict[bytes, bytes]:
    return {key: row for key, row in rows.data.items() if key[:1] not in b"hj"}


@given(runs, st.data())
@settings(max_examples=60, deadline=None)
def test_only_the_first_repeat_with_other_content_raises_an_alert(
    events: list[tuple[Any, int | None]], data: Any
) -> None:
    rows, items = play(events)
    positive = [one for one in events if isinstance(one[0], PaymentInitiated) and one[0].amount_minor > 0]
    for event, recorded_at in positive[:5]:
        known = without_queue_of_alerts(rows)
        amount = data.draw(st.sampled_from([event.amount_minor, 7]))
        alerted = alert_key(event.tenant_id, event.debtor_account_id, event.payment_id)
        at = event.occurred_at if recorded_at is None else recorded_at
        row = rows.get(decision_key(event.tenant_id, event.payment_id))
        if row is None:
            continue
        decision = read_decision(row)
        # Told at the tenant's time, if decision and alert are still known then. That decision may be a later
        # one, of other content, where the id was forgotten between the two.
        decided_at = newest_of(rows, event.tenant_id)
        alert = rows.get(alerted)
        if decided_at - decision.at_us > 90 * DAY_US or (
            alert is not None and decided_at - read_alert(alert).at_us > 400 * DAY_US
        ):
            continue
        retry = msgspec.structs.replace(event, event_id="retry", occurred_at=decided_at, amount_minor=amount)
        content = content_of(event.debtor_account_id, event.creditor_account_id, str(amount), event.currency)
        other = decision.content != id64(content)
        for _ in range(2):
            out = Outbox()
            STREAM.apply(retry, Arrival(max(at, decided_at), 0, 4), rows, out)
            topics = [topic for topic, _, _ in out.items if topic != "payment-events"]
            now = without_queue_of_alerts(rows)
            new = now.keys() - known.keys()
            assert new <= {alerted} and (other or not new)
            assert not other or alerted in rows.data
            assert topics == ["ledger-commands", *["fraud-alerts"] * len(new)]
            assert {key: now[key] for key in known} == known
            known = now
    assert items == play(events)[1]


@given(st.integers(0, 2**32))
@settings(max_examples=4, deadline=None)
def test_a_profile_stays_small_whatever_is_paid(seed: int) -> None:
    chance = random.Random(seed)
    rows, out = MemoryRows(), Outbox()
    at = START_US
    for number in range(2_000):
        at += chance.choice((0, 1_000_000, 3_600_000_000, DAY_US)) * chance.randrange(3)
        event = _initiated(
            number,
            at - chance.choice((0, 0, 5_000_000, 10 * DAY_US)),
            "acme",
            "A1",
            f"creditor-{chance.randrange(10_000)}" * 18,
            chance.choice((1, 50, 20_00, 9_500_00, INT64_MAX)),
            f"device-{chance.randrange(1_000)}" * 20,
            chance.choice(("FR", "BR", "US", "日" * 50)) + str(chance.randrange(100)),
        )
        STREAM.apply(event, Arrival(at, 0, 4), rows, out)
    row = rows.get(profile_key("acme", "A1"))
    assert row is not None and len(row) <= PROFILE_BYTES_MAX
    profile = read_profile(row)
    assert len(profile.payees.ids) <= PAYEES_KEPT
    assert len(profile.devices.ids) <= DEVICES_KEPT
    assert len(profile.countries.ids) <= COUNTRIES_KEPT
    assert profile.attempts + profile.too_late == 2_000


@given(runs)
@settings(max_examples=30, deadline=None)
def test_a_tenant_sees_the_same_whether_or_not_another_is_there(events: list[tuple[Any, int | None]]) -> None:
    together = [item for item in play(events)[1] if item[1].startswith("acme/")]
    alone = [one for one in events if one[0].tenant_id == "acme"]
    assert together == [item for item in play(alone)[1] if item[1]]
