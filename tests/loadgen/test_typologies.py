"""Planted frauds are what their typologies are called, and the rules of the package find each of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from pipeline.domain.kernel.partitions import partition_of
from pipeline.loadgen import PlantedItem, Produce, demo, generate, history
from pipeline.loadgen.frauds import FRAUDS, RECEIVED_S
from pipeline.loadgen.generator import TrafficGenerator
from pipeline.loadgen.plan import AHEAD_S, SECOND_US
from pipeline.loadgen.typologies import HOPS_MAX, HOPS_MIN
from tests.simulated_cluster import ENCODE, SimulatedCluster, decoder, simulate

NOW = 1_790_000_000 * SECOND_US
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
PLAN = history(5, 900, NOW, accounts=80, fraud_per_mille=40.0, story_per_mille=0.0, partitions=2)
"""36 frauds: each typology four times, so cycles of all lengths."""
FOUND_BY = {
    "structuring": "structuring_24h",
    "structuring_slow": "structuring_7d",
    "fan_in": "fan_in",
    "fan_out": "fan_out",
    "cycle": "cycle",
    "pass_through": "pass_through",
    "dormant_then_active": "dormant_then_active",
    "probe_then_drain": "probe_then_drain",
    "first_large_payment": "first_large_payment",
}
Payment = dict[str, Any]


def decoded(produces: list[Produce]) -> Iterator[tuple[str, dict[str, Any]]]:
    decode = decoder().decode
    for produce in produces:
        event = decode(produce.value)
        if event is not None:
            yield event


def told(seeds: range) -> dict[str, list[list[Payment]]]:
    """Return the payments of each planted fraud of some runs, without the lives before, by typology."""
    found = defaultdict(list)
    for seed in seeds:
        planted: dict[int, PlantedItem] = {}
        plan = history(seed, 40, NOW, accounts=80, fraud_per_mille=1_000.0, malformed_pct=0.0)
        payments = {
            event["payment_id"]: event
            for name, event in decoded(list(generate(plan, ENCODE, planted)))
            if name == "PaymentInitiated"
        }
        for item in planted.values():
            if item.kind == "fraud":
                found[item.name].append([payments[one] for one in item.ids["payment_ids"]])
    return found


@pytest.fixture(scope="module")
def stories() -> dict[str, list[list[Payment]]]:
    return told(range(3))


def amounts(story: list[Payment]) -> list[int]:
    return [payment["amount_minor"] for payment in story]


def times(story: list[Payment]) -> list[int]:
    return [payment["occurred_at"] for payment in story]


def span(story: list[Payment]) -> int:
    return max(times(story)) - min(times(story))


def test_each_typology_is_told_and_none_is_told_in_one_way(stories: dict[str, list[list[Payment]]]) -> None:
    assert set(stories) == set(FOUND_BY) and len(FOUND_BY) == FRAUDS
    assert all(len({tuple(amounts(story)) for story in told}) > 10 for told in stories.values())


def test_structuring_is_three_to_six_a_day_or_two_a_day(stories: dict[str, list[list[Payment]]]) -> None:
    for name, least, most in (("structuring", 3, 6), ("structuring_slow", 2, 2)):
        for story in stories[name]:
            begins = min(times(story))
            days = Counter((at - begins) // DAY_US for at in times(story))
            assert all(least <= payments <= most for payments in days.values())
            assert all(9_000_00 <= amount < 10_000_00 for amount in amounts(story))
            assert 5 <= len(story) <= 16 and len({one["debtor_account_id"] for one in story}) == 1


def test_many_pay_one_and_one_pays_many(stories: dict[str, list[list[Payment]]]) -> None:
    for story in stories["fan_in"]:
        *paid, out = story
        assert {one["creditor_account_id"] for one in paid} == {out["debtor_account_id"]}
        assert 8 <= len({one["debtor_account_id"] for one in paid}) == len(paid) <= 12
        assert 0.8 <= out["amount_minor"] / sum(amounts(paid)) < 0.96 and span(story) <= DAY_US
    sizes = {len(story) for story in stories["fan_out"]}
    assert 4 <= min(sizes) < max(sizes) <= 12
    for story in stories["fan_out"]:
        assert len({one["creditor_account_id"] for one in story}) == len(story) and span(story) <= HOUR_US


def test_what_comes_in_goes_round_or_on(stories: dict[str, list[list[Payment]]]) -> None:
    assert {len(story) for story in stories["cycle"]} == set(range(HOPS_MIN, HOPS_MAX + 1))
    for story in stories["cycle"]:
        payers = [one["debtor_account_id"] for one in story]
        assert [one["creditor_account_id"] for one in story] == [*payers[1:], payers[0]]
        assert amounts(story) == sorted(amounts(story), reverse=True) and times(story) == sorted(times(story))
    for story in stories["pass_through"]:
        *paid, out = story
        assert 1 <= len(paid) <= 3 and {one["creditor_account_id"] for one in paid} == {
            out["debtor_account_id"]
        }
        assert 0.79 < out["amount_minor"] / sum(amounts(paid)) < 0.99 and span(story) < 6 * HOUR_US


def test_a_probe_comes_before_a_drain_and_new_payees_after_a_silence(
    stories: dict[str, list[list[Payment]]],
) -> None:
    for story in stories["probe_then_drain"]:
        small = [amount for amount in amounts(story) if amount <= 5_00]
        assert amounts(story)[: len(small)] == small and 1 <= len(small) <= 3
        assert min(amounts(story)[len(small) :]) >= 400_00 and span(story) < HOUR_US
    for story in stories["dormant_then_active"]:
        assert len({one["creditor_account_id"] for one in story}) == len(story) > 3
        assert span(story) < DAY_US


class Processed(NamedTuple):
    """What the streams made of a load."""

    cluster: SimulatedCluster
    planted: dict[str, tuple[str, int]]
    """By payment: the typology, and a number of its story."""
    reasons: dict[str, list[str]]
    """By payment with an alert: rules."""


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Processed:
    planted: dict[int, PlantedItem] = {}
    list(generate(PLAN, ENCODE, planted))
    stories = {
        payment_id: (item.name, item.number)
        for item in planted.values()
        if item.kind == "fraud"
        for payment_id in item.ids["payment_ids"]
    }
    cluster = simulate(PLAN, tmp_path_factory.mktemp("load") / "manifest.jsonl")
    alerts = said(cluster, "fraud-alerts")
    reasons = {
        event["payment_id"]: [reason["rule"].partition("@")[0] for reason in event["reasons"]]
        for name, event in alerts
        if name == "FraudAlertRaised"
    }
    return Processed(cluster, stories, reasons)


def said(cluster: SimulatedCluster, topic: str) -> list[tuple[str, dict[str, Any]]]:
    read = decoder().decode
    events = [read(made.value) for number in range(cluster.count) for made in cluster.records[topic, number]]
    return [event for event in events if event is not None]


def test_each_planted_fraud_is_an_alert_of_its_typology(processed: Processed) -> None:
    found: dict[tuple[str, int], set[str]] = {story: set() for story in processed.planted.values()}
    for payment_id, rules in processed.reasons.items():
        if payment_id in processed.planted:
            found[processed.planted[payment_id]] |= set(rules)
    assert len(found) == 4 * FRAUDS
    missed = {story: rules for story, rules in found.items() if FOUND_BY[story[0]] not in rules}
    assert not missed


def test_ordinary_traffic_with_payrolls_and_rents_gives_few_alerts(processed: Processed) -> None:
    paid = [event for name, event in said(processed.cluster, "fraud-commands") if name == "PaymentInitiated"]
    ordinary = [event for event in paid if event["payment_id"] not in processed.planted]
    alerts = [payment_id for payment_id in processed.reasons if payment_id not in processed.planted]
    # Payments whose id comes again with other content are retries that are planted, too.
    again = [one for one in alerts if processed.reasons[one] == ["payment_id_reused"]]
    assert len(ordinary) > 1_000 and len(alerts) - len(again) <= len(ordinary) // 100
    payers = Counter(event["debtor_account_id"] for event in ordinary)
    assert any(payments >= 12 for account, payments in payers.items() if account.startswith("f"))


def test_labels_come_after_their_payments_and_reach_both_sides(processed: Processed) -> None:
    labels = [event for name, event in said(processed.cluster, "fraud-labels") if name == "PaymentLabelled"]
    labelled = {label["payment_id"] for label in labels}
    assert labelled < set(processed.planted) and len(labelled) == len(labels) > 100
    assert {label["source"] for label in labels} == {"CHARGEBACK", "CUSTOMER"}
    stories = set(processed.planted.values())
    found = {processed.planted[payment_id] for payment_id in labelled}
    assert {name for name, _ in stories - found} >= {"first_large_payment"}
    dead = [made for number in range(2) for made in processed.cluster.records["dead-letters", number]]
    assert not [made for made in dead if b"unknown_payment" in made.headers.values()]
    commands = said(processed.cluster, "fraud-commands")
    confirmed = [name for name, _ in commands].count("PayeeFraudConfirmed")
    # A payment that a person refuses is a fraud, too.
    refused = sum(name == "PaymentReviewed" and not event["approved"] for name, event in commands)
    assert confirmed == len(labels) + refused and refused == 1


def test_stages_of_an_endless_run_wait_and_no_alert_is_expected_of_them() -> None:
    rate, planted, numbers = 20, dict[int, PlantedItem](), defaultdict[int, list[int]](list)
    traffic = TrafficGenerator(demo(3, NOW, rate=rate), ENCODE, planted)
    list(traffic.opening())
    labels = 0
    for produce in traffic.steps():
        for number in produce.planted:
            numbers[number].append(traffic.payments)
        labels += produce.topic == "fraud-labels"
        if traffic.payments > 4_000:
            break
    frauds = [item for item in planted.values() if item.kind == "fraud"]
    waits = {item.name: numbers[item.number] for item in frauds if len(set(numbers[item.number])) > 1}
    assert set(waits) == {"fan_in", "cycle", "pass_through"} and labels > 20
    assert all(max(steps) - min(steps) >= RECEIVED_S * rate for steps in waits.values())
    assert all(bool(item.expected) == (item.name not in waits) for item in frauds)
    assert AHEAD_S > RECEIVED_S and not list(traffic.rounds())


def test_a_stage_of_an_endless_run_waits_for_the_receipts_of_the_one_before() -> None:
    """A worker that is behind has not booked a hop after RECEIVED_S: then it is no cycle to anybody."""
    rate, planted, sent = 20, dict[int, PlantedItem](), defaultdict[int, list[tuple[int, Produce]]](list)
    traffic = TrafficGenerator(demo(3, NOW, rate=rate), ENCODE, planted)
    list(traffic.opening())
    traffic.receipts.is_read = True
    heard_at, told = 3_500, 0
    for produce in traffic.steps():
        for number in produce.planted:
            if planted[number].kind == "fraud" and planted[number].name in ("cycle", "pass_through"):
                sent[number].append((traffic.payments, produce))
        if traffic.payments == heard_at and not told:
            assert all(len({step for step, _ in one}) == 1 for one in sent.values())
            for number, one in sent.items():
                for _, made in one:
                    told += 1
                    traffic.receipts.heard(made.key, made.value)  # the payer's own record says nothing
                    event = decoder().decode(made.value)
                    assert event is not None
                    key = f"{planted[number].tenant_id}/{event.fields['creditor_account_id']}"
                    traffic.receipts.heard(key.encode(), made.value)
            early = {number for number, one in sent.items() if one[0][0] < heard_at - 2 * RECEIVED_S * rate}
        if traffic.payments > heard_at + 2 * rate:
            break
    assert told > len(early) > 1 and all(len({step for step, _ in sent[number]}) == 2 for number in early)


def test_an_endless_run_has_more_customers_once_it_has_caught_up() -> None:
    """Of few people each would pay hundreds of times in an hour: everybody would be suspicious."""
    decode = decoder().decode
    plan = demo(3, NOW, rate=10.0, fraud_per_mille=0.0, story_per_mille=0.0, malformed_pct=0.0)
    assert plan.people == 3_000 and demo(3, NOW, rate=10.0, accounts=50).people is None
    traffic = TrafficGenerator(plan, ENCODE, {})
    begun = {
        event["account_id"] for name, event in decoded(list(traffic.opening())) if name == "AccountOpened"
    }
    joined: dict[str, int] = {}
    paid: dict[str, int] = {}
    for produce in traffic.steps():
        event = decode(produce.value)
        if event is not None and event.name == "AccountOpened":
            joined.setdefault(event.fields["account_id"], traffic.payments)
        elif event is not None and "debtor_account_id" in event.fields:
            paid.setdefault(event.fields["debtor_account_id"], traffic.payments)
        if traffic.payments > 3_500:
            break
    customers = {account: at for account, at in joined.items() if account.startswith("c")}
    assert len(customers) == 2_000 and max(customers.values()) * plan.step_us <= 7 * DAY_US
    assert not customers.keys() & begun
    waited = [paid[account] - at for account, at in customers.items() if account in paid]
    assert len(waited) > 300 and min(waited) >= AHEAD_S * 10
    homes = {partition_of(f"north/{account}", 4) for account in customers}
    assert homes == {0, 1, 2, 3}
