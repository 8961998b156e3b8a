"""Rules of what waits for its time, broken on purpose: the model beside them finds each."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from msgspec import structs

from pipeline.domain.fraud import scheduled
from pipeline.domain.ledger import scheduled_journals
from tests.chaos.mutants import deaf_to_cancellations, hasty_journals, never_ahead
from tests.fraud.log_traffic import whole_log
from tests.fraud.plain_log import assert_agreed, records
from tests.ledgers.player import Player
from tests.ledgers.tale import read_tales

Set = Callable[[Any, str, Any], None]


def takes_what_is_due_twice(patch: Set) -> None:
    take = scheduled._take

    def twice(due: Any, clock: Any, rows: Any, window_us: int, execute: Any) -> None:
        take(due, clock, rows, window_us, lambda command: (execute(command), execute(command))[0])

    patch(scheduled, "_take", twice)


def executes_at_the_time_of_the_sweep(patch: Set) -> None:
    take = scheduled._take

    def late(due: Any, clock: Any, rows: Any, window_us: int, execute: Any) -> None:
        now = clock.watermark
        take(due, clock, rows, window_us, lambda one: execute(structs.replace(one, occurred_at=now)))

    patch(scheduled, "_take", late)


FRAUD = (
    never_ahead,
    takes_what_is_due_twice,
    deaf_to_cancellations,
    executes_at_the_time_of_the_sweep,
)


@pytest.mark.parametrize("mutant", FRAUD)
def test_a_fraud_stream_is_found_that(mutant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch) -> None:
    log = records(whole_log(Random(3), 150, scheduled=0.3))
    assert_agreed(log)
    mutant(monkeypatch.setattr)
    with pytest.raises(AssertionError):
        assert_agreed(log)


def voids_no_journal_that_waits(patch: Set) -> None:
    patch(scheduled_journals, "_forget", lambda *about: None)


def forgets_who_has_approved(patch: Set) -> None:
    keep = scheduled_journals._with_approver
    patch(scheduled_journals, "_with_approver", lambda event, out: structs.replace(
        keep(event, out), approved_by=None))  # fmt: skip


def takes_back_whatever_was_expected(patch: Set) -> None:
    patch(scheduled_journals, "moved_on", lambda *about: None)


JOURNALS = (
    hasty_journals,
    voids_no_journal_that_waits,
    forgets_who_has_approved,
    takes_back_whatever_was_expected,
)


@pytest.mark.parametrize("mutant", JOURNALS)
def test_a_ledger_is_found_that(mutant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch) -> None:
    tales = [tale for tale in read_tales() if tale.steps[0].place.startswith("scheduled.txt")]
    assert len(tales) > 10
    mutant(monkeypatch.setattr)
    with pytest.raises(AssertionError):
        for tale in tales:
            Player(tale).play()
