"""The checker and the verifier where tenants have quotas and currencies, or are closed: a load in memory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pipeline.domain.tenants import quotas
from pipeline.domain.tenants.quotas import Bucket, pack_bucket, take_token
from pipeline.domain.tenants.settings import parse_tenants
from pipeline.verify.model.tenants import Buckets, Tenants
from pipeline.verify.verifier import verify_log
from tests.chaos.load_in_memory import Topics, problems, simulated, topics_of
from tests.simulated_cluster import SimulatedCluster, decoder

FILE = """
[default]
payments_per_second = 7
burst = 90
currencies = ["EUR", "GBP"]
[tenants.south]
closed = true
"""
NOW = 1_790_000_000_000_000


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> SimulatedCluster:
    return simulated(tmp_path_factory.mktemp("load") / "planted.jsonl", 400, FILE)


@pytest.fixture(scope="module")
def topics(cluster: SimulatedCluster) -> Topics:
    return topics_of(cluster)


def test_checker_and_verifier_find_nothing_wrong_and_every_kind_of_refusal(
    cluster: SimulatedCluster, topics: Topics
) -> None:
    assert problems(topics, None, FILE) == []
    report = verify_log(cluster, decoder(), [])
    assert report.ok, report.to_json()
    said = [
        record.fields
        for log in topics["payment-events"].values()
        for record in log
        if record.event == "CommandRefused"
    ]
    found = Counter((fields["tenant_id"], fields["command"], fields["code"]) for fields in said)
    assert found["north", "payment_initiated", "quota_exceeded"] > 30
    assert found["south", "payment_initiated", "tenant_closed"] > 30
    assert found["south", "account_opened", "tenant_closed"] > 10


def test_a_quota_that_is_not_the_files_is_found(topics: Topics) -> None:
    assert {text.partition(":")[0] for text in problems(topics, None)} >= {
        "inputs_ledger",
        "answers",
        "alerts",
    }
    assert problems(topics, None, FILE.replace("burst = 90", "burst = 94")) != []


@pytest.mark.parametrize("late_us", [0, quotas.LATENESS_MAX_US + 1])
def test_a_gate_with_another_clock_is_found(
    late_us: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "LATENESS_MAX_US", late_us)
    assert problems(topics_of(simulated(tmp_path / "planted.jsonl", 100, FILE)), None, FILE) != []


def test_model_and_product_count_alike_by_any_clock() -> None:
    product, model, tenants = None, Buckets(3), Tenants(FILE)
    tenant = parse_tenants(FILE).of("north")
    for number in range(2_000):
        recorded = NOW + number * 50_021
        occurred = recorded + (number * 7_919 % 24 - 18) * 1_000_003
        at_us = quotas.event_time(occurred, recorded)
        product, allowed = take_token(product, tenant, at_us, 3)
        assert (model.refusal(tenants, "north", occurred, recorded) is None) == allowed
        assert model.row("north") == pack_bucket(Bucket(*product))
