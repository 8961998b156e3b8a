"""The load generator: the same plan gives the same bytes, all kinds are planted, and the manifest says so."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.kernel.partitions import partition_of
from pipeline.loadgen import LoadPlan, PlantedItem, Produce, demo, generate, history
from pipeline.loadgen.frauds import FRAUDS
from pipeline.loadgen.generator import TrafficGenerator
from pipeline.loadgen.manifest import LoadManifest
from pipeline.loadgen.plan import AHEAD_S, DAY_US, SECOND_US
from pipeline.loadgen.planting import BREAKS
from pipeline.loadgen.rare_stories import MARK, RARE_STORIES, RareStories
from pipeline.loadgen.refusals import REFUSALS
from pipeline.loadgen.stories import STORIES
from tests.simulated_cluster import ENCODE, decoder

NOW = 1_763_000_000 * SECOND_US
PLAN = history(7, 1_500, NOW, accounts=100, malformed_pct=4.0)


def produced(plan: LoadPlan) -> tuple[list[Produce], dict[int, PlantedItem]]:
    planted: dict[int, PlantedItem] = {}
    return list(generate(plan, ENCODE, planted)), planted


@pytest.fixture(scope="module")
def run() -> tuple[list[Produce], dict[int, PlantedItem]]:
    return produced(PLAN)


def events(produces: list[Produce]) -> list[tuple[Produce, str, dict[str, Any]]]:
    decode = decoder().decode
    decoded = [(produce, decode(produce.value)) for produce in produces]
    return [(produce, *event) for produce, event in decoded if event is not None]


def test_the_same_plan_gives_the_same_bytes_and_another_seed_other_ids(
    run: tuple[list[Produce], dict[int, PlantedItem]],
) -> None:
    assert produced(PLAN) == run
    other = events(produced(replace(PLAN, seed=8, count=100))[0])
    ids = {fields["event_id"] for _, _, fields in events(run[0])}
    assert not ids & {fields["event_id"] for _, _, fields in other}
    accounts = {fields["account_id"] for _, name, fields in events(run[0]) if name == "AccountOpened"}
    assert not accounts & {fields["account_id"] for _, name, fields in other if name == "AccountOpened"}


def test_all_versions_are_mixed(run: tuple[list[Produce], dict[int, PlantedItem]]) -> None:
    versions: defaultdict[str, Counter[bytes]] = defaultdict(Counter)
    for produce, name, fields in events(run[0]):
        name += " of a rare story" if f"{PLAN.seed}{MARK}-" in fields["event_id"] else ""
        versions[name][(produce.value or b"")[1:5]] += 1
    counts = {"AccountOpened": 3, "AccountClosed": 2, "PaymentInitiated": 4}
    for name, count in (counts | {"PaymentInitiated of a rare story": 2}).items():
        assert len(versions[name]) == count, name
    assert min(versions["PaymentInitiated"].values()) / versions["PaymentInitiated"].total() > 0.1


def test_every_kind_is_planted_and_every_part_of_it_is_produced(
    run: tuple[list[Produce], dict[int, PlantedItem]],
) -> None:
    produces, planted = run
    parts = Counter(number for produce in produces for number in produce.planted)
    assert {number: item.parts for number, item in planted.items()} == parts
    names = defaultdict(set)
    for item in planted.values():
        names[item.kind].add(item.name)
    assert len(names["fraud"]) == FRAUDS
    assert len(names["retry"]) == 5 and len(names["retry"] | names["refusal"]) == REFUSALS
    assert names["break"] == {kind.lower() for kind in BREAKS}
    assert len(names["malformed"]) == 12
    assert names["review"]
    kinds = ("hold", "journal", "reversal", "limit", "period", "link")
    rare = {item.name for item in planted.values() if any(MARK in one for one in map(str, item.ids.values()))}
    assert len(rare) == RARE_STORIES
    assert {"exchange", "schedule", "approval", "past"} <= set(names)
    stories = set().union(*(names[kind] for kind in kinds)) - rare
    assert len(stories) == STORIES - 1  # of one, the end depends on what ran before


def test_what_is_rare_comes_beside_the_other_records_and_changes_none_of_them(
    run: tuple[list[Produce], dict[int, PlantedItem]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def others(produces: list[Produce]) -> list[tuple[bytes | None, bytes | None]]:
        mark = f"{PLAN.seed}{MARK}-".encode()
        return [(made.key, made.value) for made in produces if made.value is None or mark not in made.value]

    rare = len(run[0]) - len(others(run[0]))
    monkeypatch.setattr(LoadPlan, "rare_per_mille", 0.0)
    monkeypatch.setattr(RareStories, "rates", lambda stories: iter(()))
    without = produced(PLAN)[0]
    assert others(without) == others(run[0])
    assert 0 < rare - (len(without) - len(others(without))) < 150


def test_rare_stories_are_less_than_one_record_of_a_hundred() -> None:
    plan = history(7, 20_000, NOW, accounts=1_000)
    per_story = 3  # records, with the opening of its account
    assert plan.every(plan.rare_per_mille, RARE_STORIES) * 100 // per_story >= 10_000


def test_shares_follow_the_plan(run: tuple[list[Produce], dict[int, PlantedItem]]) -> None:
    malformed = [item for item in run[1].values() if item.kind == "malformed"]
    assert 0.025 < len(malformed) / PLAN.count < 0.055  # type: ignore[operator]
    assert not [i for i in produced(replace(PLAN, malformed_pct=0.0))[1].values() if i.kind == "malformed"]


def test_a_single_partition_has_no_wrong_one() -> None:
    planted = produced(replace(PLAN, partitions=1))[1]
    assert not [item for item in planted.values() if item.name == "wrong_partition"]


def test_what_is_not_planted_is_well_formed_and_where_its_key_belongs(
    run: tuple[list[Produce], dict[int, PlantedItem]],
) -> None:
    malformed = {number for number, item in run[1].items() if item.kind == "malformed"}
    good = [produce for produce in run[0] if not malformed & set(produce.planted)]
    assert len(events(good)) == len(good)
    assert all(produce.partition is None and produce.key for produce in good)
    wrong = [
        produce
        for produce in run[0]
        for number in malformed & set(produce.planted)
        if run[1][number].name == "wrong_partition"
    ]
    assert wrong
    for produce in wrong:
        assert partition_of((produce.key or b"").decode(), PLAN.partitions) != produce.partition


def test_accounts_come_first_and_no_event_lies_in_the_future(
    run: tuple[list[Produce], dict[int, PlantedItem]],
) -> None:
    first_payment = next(place for place, produce in enumerate(run[0]) if produce.topic == "payments")
    assert {produce.topic for produce in run[0][:first_payment]} == {"accounts", "rates"}
    assert first_payment > 150
    assert max(fields["occurred_at"] for _, _, fields in events(run[0])) <= NOW


def test_statements_add_up_unless_a_break_is_planted() -> None:
    plan = replace(PLAN, break_per_mille=0.0)
    sums: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    balance: Counter[str] = Counter()
    closed = 0
    for _, name, fields in events(produced(plan)[0]):
        if name == "StatementLine" and not fields["account_id"].startswith("y"):
            sums[fields["statement_id"]] += fields["amount_minor"]
            lines[fields["statement_id"]] += 1
            assert fields["line_no"] == lines[fields["statement_id"]]
        if name == "StatementClosed" and not fields["account_id"].startswith("y"):
            closed += 1
            assert fields["opening_balance_minor"] == balance[fields["account_id"]]
            balance[fields["account_id"]] += sums[fields["statement_id"]]
            assert fields["closing_balance_minor"] == balance[fields["account_id"]]
            assert fields["line_count"] == lines[fields["statement_id"]]
    assert closed >= 16 and sum(lines.values()) > 200


def test_an_endless_run_catches_up_with_now_and_then_keeps_real_time() -> None:
    plan = demo(3, NOW, rate=100.0, speed=36_000.0, backlog_us=DAY_US, accounts=50)
    traffic = TrafficGenerator(plan, ENCODE, {})
    list(traffic.opening())
    steps = traffic.steps()
    while traffic.payments < 300:
        next(steps)
    assert NOW <= traffic.at < NOW + 2 * 36_000 * SECOND_US // 100 + 300 * SECOND_US // 100
    list(traffic.closing())
    assert [list(part) for part in traffic.falling_due()] == [[]]


def test_an_endless_run_pays_from_accounts_that_were_opened_a_minute_before() -> None:
    """They come to the ledger by another topic than payments; while a worker restarts it takes that long."""
    rate, decode = 20, decoder().decode
    traffic = TrafficGenerator(demo(3, NOW, rate=rate, accounts=50), ENCODE, {})
    list(traffic.opening())
    opened: dict[str, int] = {}
    ages = []
    for produce in traffic.steps():
        if traffic.payments > 4_000:
            break
        event = decode(produce.value)
        if event is not None and event.name == "AccountOpened":
            opened[event.fields["account_id"]] = traffic.payments
        elif event is not None:
            used = (event.fields.get(field) for field in ("debtor_account_id", "creditor_account_id"))
            ages += [traffic.payments - opened.pop(account) for account in used if account in opened]
    assert len(ages) > 20 and min(ages) >= AHEAD_S * rate


def test_a_plan_that_cannot_be_carried_out_is_refused() -> None:
    for wrong in ({"malformed_pct": 101.0}, {"tenants": ()}, {"tenants": ("a/b",)}, {"partitions": 0}):
        with pytest.raises(ValueError):
            replace(PLAN, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        demo(1, NOW, rate=0.0)


def test_the_manifest_says_an_item_when_all_of_it_is_delivered(tmp_path: Path) -> None:
    item = PlantedItem(1, "retry", "exact_retry", "north", {"payment_id": "p"}, {"outcome": {}}, 2)
    path = tmp_path / "below" / "manifest.jsonl"
    with LoadManifest(path, PLAN) as manifest:
        assert not manifest.delivered(item, "payments", 1, 10)
        assert len(path.read_text().splitlines()) == 1
        assert manifest.delivered(item, "payments", 1, 11)
        written = [json.loads(line) for line in path.read_text().splitlines()]
        manifest.counts(Counter(payments=2), 1, 0, done=True)
    assert written[0]["line"] == "plan" and written[0]["seed"] == 7
    assert written[1]["line"] == "planted" and written[1]["records"] == [
        ["payments", 1, 10],
        ["payments", 1, 11],
    ]
    assert json.loads(path.read_text().splitlines()[-1])["planted"] == {"retry": 1}
