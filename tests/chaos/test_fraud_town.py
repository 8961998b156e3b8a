"""The fraud town in memory: all that decides payments comes up, and is right; a broken stream is found."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from pipeline.verify.model.wire import (
    ALERTS,
    COMMANDS,
    DEAD_LETTERS,
    FRAUD_COMMANDS,
    PUBLICATIONS,
    UPSTREAM,
)
from pipeline.verify.verifier import verify_log
from tests.chaos.fraud_published import ACTS, SNOOZED, TENANT
from tests.chaos.hostile import TENANT as HOSTILE
from tests.chaos.hostile import event_of
from tests.chaos.load_in_memory import Topics, first_problem, problems, simulated, strike, topics_of
from tests.chaos.mutants import MUTANTS
from tests.chaos.sound_load import SoundLoad
from tests.simulated_cluster import decoder

PAYMENTS = 160
WRONG = (
    *("look_ahead_label", "window_at_newest", "risk_not_broadcast"),
    *("other_model_than_named", "list_ignored", "alert_lost"),
)


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> SoundLoad:
    return SoundLoad(tmp_path_factory.mktemp("town") / "planted.jsonl", PAYMENTS, town=True)


@pytest.fixture(scope="module")
def topics(load: SoundLoad) -> Topics:
    return load.topics


def wrong(topics: Topics) -> set[str]:
    """Return the checks that find something."""
    return {text.partition(":")[0] for text in problems(topics, None)}


def letters(topics: Topics, *names: str) -> set[tuple[str, str]]:
    """Return topic and code of the dead letters of some topics."""
    headers = [one.headers for log in topics[DEAD_LETTERS].values() for one in log]
    prefix = "__ledgerflow.errors."
    found = {(one[prefix + "topic"].decode(), one[prefix + "code"].decode()) for one in headers}
    return {one for one in found if one[0] in names}


def said(topics: Topics, topic: str, event: str, tenant: str = TENANT) -> list[dict[str, Any]]:
    """Return the fields of a tenant's events."""
    return [
        one.fields
        for log in topics[topic].values()
        for one in log
        if one.event == event and one.fields["tenant_id"] == tenant
    ]


def test_both_judges_find_nothing_wrong_with_the_town(load: SoundLoad) -> None:
    assert wrong(load.topics) == set()
    report = verify_log(load.cluster, decoder())
    assert report.ok, report.to_json()


def test_labels_of_every_kind_come_up(topics: Topics) -> None:
    labels = said(topics, "fraud-labels", "PaymentLabelled")
    assert {one["label"] for one in labels} == {"FRAUD", "GENUINE"}
    assert len({str(one) for one in labels}) < len(labels)  # the very same one again
    assert ("fraud-commands", "unknown_payment") in letters(topics, FRAUD_COMMANDS)
    confirmed = said(topics, FRAUD_COMMANDS, "PayeeFraudConfirmed")
    assert {one["label"] for one in confirmed} == {"FRAUD", "GENUINE"}


def test_all_is_published_and_what_is_broken_is_a_dead_letter(topics: Topics) -> None:
    published = {one["event_id"] for name in PUBLICATIONS for one in said(topics, "fraud-rules", name)}
    acts = {one.split()[2] for one in published}
    acts |= {one.fields["event_id"].split()[2] for log in topics["fraud-rules"].values() for one in log}
    assert acts == {str(number) for number in range(len(ACTS))}
    assert letters(topics, "fraud-rules", FRAUD_COMMANDS) >= {
        ("fraud-rules", "wrong_hash"),
        ("fraud-rules", "wrong_tenant"),
        ("fraud-commands", "part_missing"),
        ("fraud-commands", "other_content"),
        ("fraud-commands", "invalid_model"),
    }


def test_rules_lists_and_models_decide(topics: Topics) -> None:
    decided = said(topics, COMMANDS, "PaymentDecided")
    versions = {str(one["rules_version"]) for one in decided}
    models = {one.partition("; model ")[2] for one in versions}
    assert len(models) == 3  # none, and two of them
    sets = {part for one in versions for part in one.partition(";")[0].split(", ")}
    assert sets >= {"default@1", "all@1", f"{TENANT}/town@1", f"{TENANT}/town@2"}
    alerts = said(topics, ALERTS, "FraudAlertRaised")
    reasons = {reason["rule"] for one in alerts for reason in one["reasons"]}
    assert reasons >= {"list:blocked", "watched@1", "often@1", "known_frauds@1"}
    assert "known_too_soon@1" not in reasons  # all labels are younger than a week
    assert any(one.startswith("model:") for one in reasons)
    snoozed = [
        one for one in decided if one["debtor_account_id"] == SNOOZED and "town@" in one["rules_version"]
    ]
    again = [one for one in snoozed if any(why["rule"] == "payment_id_reused" for why in one["reasons"])]
    outcomes = {one["outcome"] for one in snoozed if one not in again}
    assert outcomes - {"DECLINE"} == {"APPROVE"} and len(snoozed) > 5


@pytest.mark.parametrize("name", WRONG)
def test_a_broken_fraud_stream_is_found(name: str, load: SoundLoad, monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_problem(load.broken(MUTANTS[name].patch, monkeypatch.setattr), None) is not None


def test_every_input_is_among_what_is_hostile(tmp_path: Path) -> None:
    cluster = simulated(tmp_path / "planted.jsonl", 60, town=True)
    taken = {
        topic
        for topic in UPSTREAM
        for number in range(cluster.count)
        for one in cluster.records[topic, number]
        if event_of(decoder(), topic, one.value) is not None
    }
    assert taken == set(UPSTREAM)
    strike(cluster, Random(1))
    strike(cluster, Random(2))
    topics = topics_of(cluster)
    assert wrong(topics) == set()
    report = verify_log(cluster, decoder())
    assert report.ok, report.to_json()
    assert {"invalid_part", "invalid_rules", "invalid_hash"} & {
        code for _, code in letters(topics, "fraud-rules")
    }
    assert said(topics, FRAUD_COMMANDS, "FraudRulesPublished", HOSTILE)
    assert said(topics, FRAUD_COMMANDS, "PaymentLabelled", HOSTILE)
