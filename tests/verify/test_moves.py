"""The verifier on a deployment whose fraud stream has read payments itself, up to a migration."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tests.simulated_cluster
from pipeline.domain.fraud.alerts import Alert, alert_key, pack_alert
from pipeline.domain.fraud.decision_book import DecisionBook
from pipeline.domain.fraud.decisions import Decision, decision_key
from pipeline.domain.fraud.linked import alone, emit_link_decided
from pipeline.domain.fraud.log import FraudLog
from pipeline.domain.fraud.outputs import emit_alert, emit_decided
from pipeline.domain.fraud.repeated import content_of, debtor_hash, is_refused_by_ledger
from pipeline.domain.fraud.score import Verdict
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import record_key
from pipeline.loadgen import history
from pipeline.verify.report import Report
from pipeline.verify.verifier import verify_log
from tests.simulated_cluster import SimulatedCluster, decoder, encode, simulate

THRESHOLDS = "1-0123456789ab"
HELD_FROM = 500_00
UNSCORED = Verdict("APPROVE", 0, (), THRESHOLDS)


class Earlier(FraudLog):
    """Decides as the version before did: by thresholds, and without counting anything."""

    def _verdict(self, payment: ev.PaymentInitiated, at_us: int, rows: Any) -> tuple[Verdict, bool]:
        """Return what is decided, and whether it is an alert; one that comes again gets its first verdict."""
        terms = self.terms
        book, key = DecisionBook(rows, terms.kept_us), decision_key(payment.tenant_id, payment.payment_id)
        newest = max(book.newest_at(payment.tenant_id), at_us)
        known = book.of(key, newest, terms.window_us)
        if known is not None:
            return known.verdict, False
        if newest - at_us > terms.too_old_us or is_refused_by_ledger(payment):
            return UNSCORED, False
        held = payment.amount_minor >= HELD_FROM
        verdict = Verdict("REVIEW", 60, (("large", "a large amount"),), THRESHOLDS) if held else UNSCORED
        debtor = debtor_hash(payment.debtor_account_id)
        book.add(payment.tenant_id, key, Decision(at_us, debtor, content_of(payment), verdict))
        book.write()
        if held:
            names = payment.tenant_id, payment.debtor_account_id, payment.payment_id
            about = payment.creditor_account_id, payment.amount_minor, payment.currency
            rows.put(alert_key(*names), pack_alert(Alert(at_us, verdict, *about)))
        return verdict, held

    def _decide(self, event: ev.PaymentInitiated, at_us: int, partition: int, rows: Any, out: Any) -> None:
        verdict, alerts = self._verdict(event, at_us, rows)
        emit_decided(event, verdict, out)
        if alerts:
            emit_alert(event, event, verdict, out)

    def _link(self, event: ev.PaymentsLinked, at: Any, clock: Any, rows: Any, out: Any) -> None:
        payments = [alone(event, one) for one in event.payments]
        found = [self._verdict(one, min(event.occurred_at, at.recorded_at), rows) for one in payments]
        emit_link_decided(event, [verdict for verdict, _ in found], out)
        for place, (payment, (verdict, alerts)) in enumerate(zip(payments, found, strict=True)):
            if alerts:
                emit_alert(event, payment, verdict, out, f"fraud_alert_raised:{place}")


class Moving(SimulatedCluster):
    """Begins with the version before, whose fraud stream reads payments; amid the payments it is migrated."""

    PAYMENTS = 120
    """So many records of payments are applied by the version before, at least."""

    def __init__(self, *about: Any, **more: Any) -> None:
        super().__init__(*about, **more)
        self.begun: dict[int, int] = {}
        """By partition, where intake has begun to read payments."""
        self._later = self._stages
        new = ("intake-payments", "intake-postings", "intake-fraud-labels", "intake-fraud-rules")
        kept = [one for one in self._stages if one[0] not in (*new, "fraud") and "beside" not in one[0]]
        self._stages = [("fraud", "payments", Earlier()), *kept]

    def process(self) -> None:
        """Let every stream read on; then move, if there were payments enough."""
        super().process()
        numbers = range(self.count)
        if self.begun or sum(len(self.records["payments", number]) for number in numbers) < self.PAYMENTS:
            return
        for number in range(4 * self.count):  # surely refused by the ledger, so nobody scores it
            payment = to_itself(f"self-{number}", self.recorded_at)
            key = record_key(payment)
            self.append("payments", partition_of(key, self.count), key.encode(), encode(payment))
        super().process()
        for number in numbers:
            log = self.records["payments", number]
            self.begun[number] = log[-1].offset + 1 if log else 0
            self._read["intake-payments", "payments", number] = self._read["fraud", "payments", number]
        self._stages = self._later
        super().process()


def to_itself(account: str, at_us: int) -> ev.PaymentInitiated:
    """Return a payment whose debtor is its creditor."""
    envelope = f"pays {account}", "north", at_us, "c", None
    return ev.PaymentInitiated(
        *(*envelope, f"p {account}", account, account, 5_00, "EUR", "transfer", "r"), None, None, None, None
    )


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Moving:
    path: Path = tmp_path_factory.mktemp("load") / "manifest.jsonl"
    plan = history(12, 120, 1_763_000_000_000_000, accounts=30, malformed_pct=5.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tests.simulated_cluster, "SimulatedCluster", Moving)
        cluster = simulate(plan, path)
    assert isinstance(cluster, Moving)
    for number in range(cluster.count):
        before = sum(one.offset < cluster.begun[number] for one in cluster.records["payments", number])
        assert 10 < before < len(cluster.records["payments", number])
    return cluster


def verified(moved: Moving, said: Callable[[int], int] | None = lambda begun: begun) -> Report:
    """Verify what the migration has left; `said`: what operator-actions has of where it was."""
    log = copy.copy(moved)
    log.records = copy.copy(moved.records)
    for number, begun in moved.begun.items():
        if said is not None:
            end = said(begun)
            acted = ev.OperatorActed(
                *(f"moved {number}", "", 0, "moved", None, "OFFSETS_ADOPTED", "op", "migrated"),
                *("payments", number, end, end, "intake-payments"),
            )
            log.records["operator-actions", number] = []
            log.append("operator-actions", number, b"/payments", encode(acted))
    return verify_log(log, decoder())


def failed(report: Report) -> set[str]:
    return {check.name for check in report.checks if not check.ok}


def test_what_the_stream_has_read_before_it_moved_explains_what_it_has_said(moved: Moving) -> None:
    decided = [decoder().read(one.value) for number in range(moved.count)
               for one in moved.records["ledger-commands", number]]  # fmt: skip
    versions = {fields["rules_version"] for name, fields, _ in decided if name == "PaymentDecided"}
    assert versions >= {THRESHOLDS, "default@1"}
    assert failed(verified(moved)) == set()


def test_without_a_word_of_the_move_it_does_not(moved: Moving) -> None:
    assert "inputs_ledger" in failed(verified(moved, None))


@pytest.mark.parametrize("by", [-1, 1], ids=["a record earlier", "a record later"])
def test_another_place_than_the_true_one_is_found_out(moved: Moving, by: int) -> None:
    """A payment that was skipped, or applied by both, shows."""

    def said(begun: int) -> int:
        offsets = [one.offset for one in moved.records["payments", 0]]
        later = [one for one in offsets if one >= begun]
        earlier = [one for one in offsets if one < begun]
        return earlier[-1] if by < 0 else later[0] + 1

    assert "inputs_ledger" in failed(verified(moved, said))
