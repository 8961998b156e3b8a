"""Rules of back-dated debits, broken on purpose: the model finds each of them on the logs of their tales.

What the history makes of a journal is compared with its model, on the journals of the same tales.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.domain.history import past
from pipeline.domain.history import stream as history
from pipeline.domain.ledger import back_dating, closed_past
from pipeline.domain.ledger import stream as ledger_stream
from pipeline.verify.model.history import HistoryBranch
from tests.chaos.mutants import silent_past
from tests.chaos.side_by_side import first_difference
from tests.ledger.branches import Branches
from tests.ledgers.engines import first_difference_of, record_of
from tests.ledgers.player import Player
from tests.ledgers.tale import read_tales
from tests.ledgers.words import BRANCHES

Set = Callable[[Any, str, Any], None]
Told = list[tuple[Branches, Any]]


@pytest.fixture(scope="module")
def told() -> Told:
    """Return what the model makes of the tales, and their settings."""
    tales = [tale for tale in read_tales() if tale.place.startswith("back_dating")]
    return [(Player(tale, "model").play(), tale.settings) for tale in tales]


def differs_in_the_history(ledger: Branches) -> bool:
    """Whether the history stream and its model make other rows or warnings of a ledger's journal."""
    for number, branch in enumerate(ledger.branches):
        postings = [event for topic, _, event in branch.said if topic == "postings"]
        log = [record_of(event, 0, number, offset) for offset, event in enumerate(postings)]
        if first_difference(HistoryBranch(number, BRANCHES), history, log) is not None:
            return True
    return False


def takes_every_time_for_the_present(patch: Set) -> None:
    patch(back_dating, "is_back_dated", lambda counts_at, watermark: False)


def takes_five_minutes_for_the_past(patch: Set) -> None:
    patch(back_dating, "BACK_DATED_US", 299_999_999)


def refuses_nothing(patch: Set) -> None:
    patch(ledger_stream, "answer_back_dated", lambda *about: False)


def refuses_repeats_of_what_was_booked_in_time(patch: Set) -> None:
    patch(closed_past, "_posts", lambda event, rows: True)


def looks_at_the_time_of_the_command_alone(patch: Set) -> None:
    patch(closed_past, "_counts_at", lambda event, rows: event.occurred_at)


def looks_at_the_time_of_the_debit_alone(patch: Set) -> None:
    def low(rows: Any, tenant_id: str, account_id: str, head: Any, since: int) -> Any:
        state = history.state_at(rows, tenant_id, account_id, head.lines, since)
        assert state is not None
        return past.Low(since, state.balance_minor)

    patch(past, "lowest_since", low)


def looks_at_hardly_any_bookings(patch: Set) -> None:
    patch(past, "CHECKED_MAX", 2)


@pytest.mark.parametrize(
    "mutant",
    [
        takes_every_time_for_the_present,
        takes_five_minutes_for_the_past,
        refuses_nothing,
        refuses_repeats_of_what_was_booked_in_time,
        looks_at_the_time_of_the_command_alone,
    ],
)
def test_a_ledger_is_found_that(
    mutant: Callable[[Set], None], told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all(first_difference_of(*one) is None for one in told)
    mutant(monkeypatch.setattr)
    assert any(first_difference_of(*one) is not None for one in told)


@pytest.mark.parametrize(
    "mutant",
    [silent_past, looks_at_the_time_of_the_debit_alone, looks_at_hardly_any_bookings],
)
def test_a_history_is_found_that(
    mutant: Callable[[Set], None], told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not any(differs_in_the_history(ledger) for ledger, _ in told)
    mutant(monkeypatch.setattr)
    assert any(differs_in_the_history(ledger) for ledger, _ in told)
