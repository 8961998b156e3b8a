"""The verifier on a deployment whose fraud stream has read payments itself, up to a migration."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.loadgen import history
from pipeline.verify.report import Report
from pipeline.verify.verifier import verify_log
from tests.simulated_cluster import SimulatedCluster, decoder, encode, simulate


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> SimulatedCluster:
    path: Path = tmp_path_factory.mktemp("load") / "manifest.jsonl"
    return simulate(history(12, 120, 1_763_000_000_000_000, accounts=30, malformed_pct=5.0), path)


def migrated(sound: SimulatedCluster, said: Callable[[int], int] | None = lambda begun: begun) -> Report:
    """Verify what a migration amid the payments leaves; `said`: what operator-actions has of it."""
    log = copy.copy(sound)
    log.records = copy.copy(sound.records)
    for number in range(log.count):
        payments = log.records["payments", number]
        begun = payments[len(payments) // 2].offset
        dead = {record.headers["__ledgerflow.errors.offset"] for record in log.records["dead-letters", number]
                if record.headers["__ledgerflow.errors.topic"] == b"payments"}  # fmt: skip
        before = sum(one.offset < begun and str(one.offset).encode() not in dead for one in payments)
        assert 10 < before < len(payments)
        there, of_payments = sound.records["fraud-commands", number], {one.value for one in payments}
        passed = [one.offset for one in there if one.value in of_payments]
        log.records["fraud-commands", number] = [one for one in there if one.offset not in passed[:before]]
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


def test_what_the_stream_has_read_before_it_moved_explains_what_it_has_said(sound: SimulatedCluster) -> None:
    assert failed(verify_log(sound, decoder())) == set()
    assert failed(migrated(sound)) == set()


def test_without_a_word_of_the_move_it_does_not(sound: SimulatedCluster) -> None:
    assert "inputs_ledger" in failed(migrated(sound, None))


@pytest.mark.parametrize("by", [-1, 1], ids=["a record earlier", "a record later"])
def test_another_place_than_the_true_one_is_found_out(sound: SimulatedCluster, by: int) -> None:
    """A payment that was skipped, or applied by both, shows."""

    def said(begun: int) -> int:
        offsets = [one.offset for one in sound.records["payments", 0]]
        return offsets[offsets.index(begun) + by] if begun in offsets else begun

    assert "inputs_ledger" in failed(migrated(sound, said))
