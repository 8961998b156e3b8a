"""The checker and its models on what a load makes of the product's rules in memory: no Kafka, every event."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from pipeline.domain.positions import stream as positions
from pipeline.verify.model.positions import PositionBranch
from pipeline.verify.model.wire import POSITION_COMMANDS, POSITIONS, RESULTS
from pipeline.verify.planted import read_manifests
from pipeline.verify.verifier import verify_log
from tests.chaos.load_in_memory import (
    PARTITIONS,
    Topics,
    first_problem,
    problems,
    processed,
    simulated,
    strike,
    topics_of,
)
from tests.chaos.mutants import MUTANTS
from tests.chaos.side_by_side import first_difference
from tests.chaos.sound_load import SoundLoad
from tests.simulated_cluster import decoder

SHORT = 40
"""Payments of a load that tells every story once, rare ones too."""
WRONG_RULES = (
    *("no_dedupe", "no_leg", "no_credit", "rounded", "one_cent", "kept_hold", "random_ids"),
    *("any_hold", "any_capture", "any_reversal", "any_journal", "any_change", "any_home"),
    *("ageless_limit", "hasty_limit", "one_sided_hold", "uncounted_holds", "stale_index", "own_alone"),
    *("learned_twice", "no_alert", "filled_twice", "claimed_twice", "silent_standstill"),
    *("own_periods", "forgotten_period", "never_in_time", "too_eager", "no_dollars"),
    *("any_age", "short_memory"),
    *("zone_one_short", "lost_line", "value_for_booking", "late_line"),
    *("never_ahead", "deaf_to_cancellations", "hasty_journals", "nobody_asked", "any_content", "silent_past"),
    *("no_tolerance", "no_shares", "any_rate", "part_of_a_link"),
)
"""Mutants of the rules; those of the runtime need real workers (`python -m tests.chaos --mutants`)."""


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> tuple[Topics, Path]:
    return processed(tmp_path_factory.mktemp("load"), payments=800)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> SoundLoad:
    return SoundLoad(tmp_path_factory.mktemp("short") / "planted.jsonl", payments=SHORT)


@pytest.mark.parametrize("name", WRONG_RULES)
def test_a_wrong_rule_is_found(name: str, short: SoundLoad, monkeypatch: pytest.MonkeyPatch) -> None:
    topics = short.broken(MUTANTS[name].patch, monkeypatch.setattr)
    assert first_problem(topics, short.manifest) is not None


def test_the_checker_finds_nothing_wrong_with_a_short_load(short: SoundLoad) -> None:
    assert problems(short.topics, short.manifest) == []


def test_the_checker_finds_nothing_wrong_with_a_load(load: tuple[Topics, Path]) -> None:
    topics, manifest = load
    assert problems(topics, manifest) == []
    kinds = {next(iter(item.expected)) for item in read_manifests([manifest])}
    assert {"alert", "outcome", "break", "matched"} <= kinds
    for name in (POSITIONS, RESULTS):
        assert sum(map(len, topics[name].values())) > 30


@pytest.mark.parametrize(
    ("seed", "payments"),
    [(0, 250), (1, 250), *(pytest.param(seed, 250, marks=pytest.mark.long) for seed in range(2, 6))],
)
def test_whatever_upstreams_send_is_applied_or_dead_and_nothing_is_wrong(
    seed: int, payments: int, tmp_path: Path
) -> None:
    manifest = tmp_path / "planted.jsonl"
    cluster = simulated(manifest, payments)
    strike(cluster, Random(2 * seed))
    strike(cluster, Random(2 * seed + 1))
    assert problems(topics_of(cluster), manifest) == []
    report = verify_log(cluster, decoder(), read_manifests([manifest]))
    assert report.ok, report.to_json()


def test_the_model_says_and_writes_record_by_record_what_the_product_does(load: tuple[Topics, Path]) -> None:
    for number in range(PARTITIONS):
        log = load[0][POSITION_COMMANDS][number]
        assert first_difference(PositionBranch(number, PARTITIONS), positions, log) is None


def test_a_match_that_was_never_said_is_missed_by_the_model_and_by_what_was_planted(
    load: tuple[Topics, Path],
) -> None:
    topics, manifest = load
    late = next(item for item in read_manifests([manifest]) if "matched" in item.expected)
    payment_id = late.expected["matched"]["payment_id"]
    ids = {
        made.fields["posting_id"]
        for log in topics["postings"].values()
        for made in log
        if made.fields.get("payment_id") == payment_id
    }
    without = {
        number: [made for made in log if not ids & set(made.fields.get("posting_ids", ()))]
        for number, log in topics[RESULTS].items()
    }
    found = problems({**topics, RESULTS: without}, manifest)
    assert {text.partition(":")[0] for text in found} >= {"planted_breaks"}
