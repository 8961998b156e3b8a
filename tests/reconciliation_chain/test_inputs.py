"""Events as the chain takes them: what a line is known by, and what may be told of it later."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.reconciliation.chain.inputs import Closing, closing_of, line_of
from tests.reconciliation_chain.random_chains import tell
from tests.reconciliation_chain.stories import DAY, Bank

LINE = ev.StatementLine(
    event_id="e-1",
    tenant_id="acme",
    occurred_at=5 * DAY,
    correlation_id="c",
    causation_id=None,
    statement_id="S9",
    account_id="nostro",
    line_no=1,
    external_reference="INV1",
    amount_minor=-100,
    currency="EUR",
    booked_at=5 * DAY + 1,
    value_date=4,
    description="rent",
    bank_reference="B-7",
)


def test_a_closing_has_all_figures_of_its_event() -> None:
    event = ev.StatementClosed(
        *("e-1", "acme", 9 * DAY, "c", None, "S9", "nostro", "EUR", 5, 7, 3, 8 * DAY),
        sequence_no=61,
        from_at=4 * DAY,
        page=2,
    )
    assert closing_of(event) == Closing("S9", "EUR", 5, 7, 3, 8 * DAY, 61, 2, 4 * DAY)


@pytest.mark.parametrize(
    "change",
    [
        {"external_reference": "INV2"},
        {"external_reference": None},
        {"amount_minor": -101},
        {"booked_at": 5 * DAY + 2},
        {"value_date": 5},
        {"description": "rent "},
        {"bank_reference": "B-8"},
        {"bank_reference": None},
    ],
    ids=str,
)
def test_other_content_under_a_number_is_a_conflict(change: dict[str, Any]) -> None:
    bank = Bank()
    assert tell(bank, line_of(LINE)) == "NEW"
    assert tell(bank, line_of(msgspec.structs.replace(LINE, **change))) == "CONFLICT"


def test_a_line_that_comes_again_with_more_told_of_it_is_the_same_line() -> None:
    bank = Bank()
    assert tell(bank, line_of(LINE)) == "NEW"
    told = msgspec.structs.replace(
        LINE, event_id="e-2", end_to_end_id="E-1", counterparty_name="Bob", is_reversal=False, fee_minor=3
    )
    outcome = bank.tell_line(line_of(told))
    assert (outcome.what, [outcome.key]) == ("REPEAT", [*bank.keys])


def test_what_is_for_information_moves_no_money() -> None:
    assert line_of(msgspec.structs.replace(LINE, entry_kind="INFORMATION")).moves_minor == 0
    assert line_of(msgspec.structs.replace(LINE, entry_kind="FEE")).moves_minor == -100
