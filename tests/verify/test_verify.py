"""The verifier: green on a sound log, and each check turns red for the damage that it is there for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.loadgen import history
from pipeline.verify import PresentSettings
from pipeline.verify.planted import Planted, read_manifests
from pipeline.verify.report import Check, Report
from pipeline.verify.verifier import verify_log
from tests import simulated_cluster
from tests.simulated_cluster import SimulatedCluster, decoder, simulate
from tests.verify import damage
from tests.verify.damage import DECODE, Damage

PAYMENTS = 200


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[SimulatedCluster, list[Planted]]:
    path = tmp_path_factory.mktemp("load") / "manifest.jsonl"
    plan = history(11, PAYMENTS, 1_763_000_000_000_000, accounts=60, malformed_pct=5.0)
    return simulate(plan, path), read_manifests([path])


def verify(log: SimulatedCluster, planted: list[Planted]) -> Report:
    return verify_log(log, decoder(), planted)


def test_a_sound_log_is_clean(sound: tuple[SimulatedCluster, list[Planted]]) -> None:
    report = verify(*sound)
    assert report.ok, report.to_json()
    silent = {check.name for check in report.checks if not check.counted}
    assert silent == {"views", "invariant_alerts", "requests", "personal"}, "a load has no gateway"
    assert report.records["payments"] > PAYMENTS
    assert json.loads(report.to_json())["ok"] is True


def test_what_settings_decide_is_judged_by_those_of_now_if_that_is_asked_for(
    sound: tuple[SimulatedCluster, list[Planted]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(present: PresentSettings) -> set[str]:
        report = verify_log(sound[0], decoder(), sound[1], present=present)
        return {check.name for check in report.checks if not check.ok}

    assert failed(PresentSettings()) == set()
    closed = "[tenants.north]\nclosed = true\n"
    assert failed(PresentSettings(tenants=closed)) >= {"inputs_ledger", "accounts"}
    assert "answers" in failed(PresentSettings(dedupe_window_days=1))
    assert failed(PresentSettings(stuck_after_seconds=7_200)) == {"stuck"}
    assert failed(PresentSettings(fraud_review_score_min=5)) >= {"inputs_ledger"}


def test_settings_that_were_others_once_are_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = iter((90, 1))

    class Changing:
        """A ledger that is started again with another window, for each command anew."""

        def __init__(self, rules: LedgerRules) -> None:
            self.ledgers = [
                Ledger(LedgerRules(dedupe_window_days=next(days), tenants=rules.tenants)) for _ in range(2)
            ]
            self.count = 0

        def apply(self, *about: Any) -> None:
            self.count += 1
            self.ledgers[self.count > 600].apply(*about)

    monkeypatch.setattr(simulated_cluster, "Ledger", Changing)
    plan = history(11, 300, 1_763_000_000_000_000, accounts=60)
    cluster = simulate(plan, tmp_path / "manifest.jsonl")
    report = verify(cluster, [])
    assert report.ok, report.to_json()
    assert not verify_log(cluster, decoder(), present=PresentSettings()).ok


def test_a_second_read_gives_the_same_report(sound: tuple[SimulatedCluster, list[Planted]]) -> None:
    assert verify(*sound).to_dict() == verify(*sound).to_dict()


DAMAGES: list[tuple[Callable[[Damage], None], set[str]]] = [
    (damage.lose_a_posting, {"entries", "zero_sum"}),
    (damage.repeat_a_posting, {"fold", "entries", "zero_sum"}),
    (damage.post_one_side_more, {"zero_sum", "entries", "fold", "lives"}),
    (damage.misstate_a_running_balance, {"fold"}),
    (damage.skip_a_sequence_number, {"fold"}),
    (damage.claim_another_branch, {"entries"}),
    (damage.lose_a_hold, {"holds"}),
    (damage.misstate_what_is_held, {"hold_fold"}),
    (damage.misstate_the_balance, {"balances"}),
    (damage.forget_a_balance, {"balances", "accounts"}),
    (damage.leave_a_hold, {"accounts", "balances", "pending"}),
    (damage.close_an_account_silently, {"accounts"}),
    (damage.leave_money_in_clearing, {"clearing"}),
    (damage.lose_a_payment, {"inputs_ledger"}),
    (damage.apply_and_bury_a_payment, {"inputs_ledger"}),
    (damage.decide_twice, {"inputs_ledger", "answers"}),
    (damage.change_a_payment_on_the_way, {"inputs_ledger"}),
    (damage.lose_an_account_event, {"inputs_ledger"}),
    (damage.swap_two_account_events, {"inputs_ledger"}),
    (damage.lose_an_answer, {"answers", "planted_outcomes"}),
    (damage.lose_a_leg, {"legs"}),
    (damage.settle_twice, {"lives"}),
    (damage.settle_another_amount, {"lives"}),
    (damage.lose_a_settlement, {"lives"}),
    (damage.lose_a_screening, {"inputs_ledger"}),
    (damage.screen_twice, {"inputs_ledger"}),
    (damage.screen_another_amount, {"inputs_ledger"}),
    (damage.lose_a_review_on_the_way, {"inputs_ledger"}),
    (damage.say_that_a_payment_is_stuck_twice, {"stuck"}),
    (damage.leave_a_payment_stuck, {"stuck"}),
    (damage.answer_a_request_that_nobody_made, {"requests"}),
    (damage.lose_a_trade, {"inputs_positions", "positions"}),
    (damage.lose_a_price_on_one_partition, {"inputs_positions"}),
    (damage.misstate_a_position, {"positions"}),
    (damage.lose_a_statement_line, {"inputs_reconciliation"}),
    (damage.hand_over_a_posting_twice, {"nostro_postings"}),
    (damage.claim_twice, {"claims"}),
    (damage.open_a_break_twice, {"breaks"}),
    (damage.resolve_what_is_not_open, {"breaks"}),
    (damage.match_another_amount, {"matches"}),
    (damage.misstate_what_a_break_is, {"corrections"}),
    (damage.keep_a_break_quiet, {"planted_breaks"}),
    (damage.lose_an_alert, {"alerts"}),
    (damage.lose_the_alerts_of_a_scenario, {"alerts", "planted_frauds"}),
    (damage.alert_without_a_reason, {"alerts"}),
    (damage.lose_a_dead_letter, {"planted_malformed"}),
    (damage.alter_a_dead_letter, {"dead_letters"}),
    (damage.bury_a_record_that_is_not_there, {"dead_letters"}),
    (damage.give_another_answer, {"planted_outcomes"}),
    (damage.put_a_record_on_a_wrong_partition, {"keys"}),
    (damage.write_bytes_that_are_no_event, {"readable"}),
    (damage.say_a_name_in_the_clear, {"personal"}),
    (damage.find_an_invariant_broken, {"invariant_alerts"}),
    (damage.count_a_leg_less, {"clearing_totals"}),
    (damage.count_nothing, {"clearing_totals"}),
    (damage.lose_a_capture, {"lives"}),
    (damage.say_a_capture_twice, {"lives"}),
    (damage.post_a_capture_twice, {"lives"}),
    (damage.never_release_an_expired_hold, {"holds"}),
    (damage.end_a_hold_before_its_time, {"lives"}),
    (damage.lose_an_extension, {"answers"}),
    (damage.lose_the_leg_of_a_capture, {"legs"}),
    (damage.lose_a_posting_of_a_journal, {"entries", "journals"}),
    (damage.post_a_journal_on_one_branch_only, {"journals", "clearing"}),
    (damage.post_a_leg_for_another_purpose, {"journals"}),
    (damage.post_a_journal_that_is_refused, {"journals", "planted_journals"}),
    (damage.lose_the_end_of_a_journal, {"journals", "planted_journals"}),
    (damage.hold_a_journal_for_ever, {"journals", "planted_journals"}),
    (damage.forget_to_ask_a_branch, {"legs"}),
    (damage.ask_a_branch_for_other_legs, {"legs"}),
    (damage.lose_the_answer_of_a_branch, {"legs"}),
    (damage.forget_to_tell_a_branch, {"legs"}),
    (damage.tell_a_branch_otherwise, {"legs"}),
    (damage.take_back_more_than_was_posted, {"reversals", "journals"}),
    (damage.lose_a_journal, {"inputs_ledger"}),
    (damage.lose_the_answer_to_a_journal, {"answers", "planted_journals"}),
    (damage.raise_a_limit_silently, {"accounts"}),
    (damage.forget_a_limit_that_has_begun, {"accounts"}),
    (damage.free_an_account_silently, {"accounts"}),
    (damage.lose_a_period_on_one_partition, {"inputs_ledger"}),
    (damage.count_an_entry_in_a_closed_period, {"periods"}),
    (damage.move_an_entry_where_no_period_ends, {"periods"}),
]
"""What is done to a sound log, and the checks that must turn red for it."""


@pytest.mark.parametrize(("harm", "red"), DAMAGES, ids=[harm.__name__ for harm, _ in DAMAGES])
def test_damage_turns_its_checks_red(
    sound: tuple[SimulatedCluster, list[Planted]], harm: Callable[[Damage], None], red: set[str]
) -> None:
    log = Damage(sound[0])
    harm(log)
    report = verify(log.log, sound[1])
    failed = {check.name for check in report.checks if not check.ok}
    assert red <= failed, f"{failed}: {report.to_json()}"


def test_every_check_is_turned_red_by_some_damage(sound: tuple[SimulatedCluster, list[Planted]]) -> None:
    covered = set().union(*(red for _, red in DAMAGES))
    assert {check.name for check in verify(*sound).checks} - covered == {"topics", "logs", "views"}


def test_a_missing_topic_is_said_and_nothing_else_is_claimed(
    sound: tuple[SimulatedCluster, list[Planted]],
) -> None:
    class Lacking(SimulatedCluster):
        def partitions(self, topic: str) -> int:
            return 0 if topic == "postings" else super().partitions(topic)

    report = verify(Lacking(4, 0), [])
    assert [check.name for check in report.checks] == ["topics"] and not report.ok
    assert "postings" in report.checks[0].problems[0]


def test_the_views_are_asked_and_compared(sound: tuple[SimulatedCluster, list[Planted]]) -> None:
    def answers(change: int) -> Callable[[str], tuple[int, Any]]:
        def fetch(url: str) -> tuple[int, Any]:
            key = unquote(url.removeprefix("http://worker/balances/")).encode()
            for (topic, _), records in sound[0].records.items():
                for record in reversed(records if topic == "balances" else []):
                    if record.key == key:
                        fields = DECODE(record.value).fields  # type: ignore[union-attr]
                        return 200, {"data": {**fields, "balance_minor": fields["balance_minor"] + change}}
            return 404, None

        return fetch

    for change, ok in ((0, True), (1, False)):
        report = verify_log(sound[0], decoder(), workers=["http://worker/"], fetch=answers(change))
        assert report.check("views").ok is ok and report.check("views").counted > 50
    silent = verify_log(sound[0], decoder(), workers=["http://worker"], fetch=lambda url: (0, None))
    assert not silent.check("views").ok


def test_a_manifest_cut_off_by_a_kill_is_good_as_far_as_it_goes(tmp_path: Path) -> None:
    line = {
        "line": "planted",
        "kind": "fraud",
        "name": "fan_out",
        "tenant_id": "t",
        "expected": {},
        "records": [],
    }
    path = tmp_path / "manifest.jsonl"
    path.write_text('{"line": "plan"}\n' + json.dumps(line) + "\n" + json.dumps(line)[:30])
    assert [item.name for item in read_manifests([path])] == ["fraud fan_out"]
    path.write_text("no json\n" + json.dumps(line) + "\n")
    with pytest.raises(ValueError, match=r"manifest\.jsonl:1"):
        read_manifests([path])


def test_only_the_first_problems_are_kept() -> None:
    check = Check("name", "It holds.")
    for number in range(100):
        check.expect(False, str(number))
    assert (check.counted, check.failed, len(check.problems), check.ok) == (100, 100, 10, False)
