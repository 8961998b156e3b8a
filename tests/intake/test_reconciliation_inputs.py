"""What comes to the log of reconciliation besides statements; and names that upstreams may not give."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pipeline.domain.intake.stream import ACCEPTED, ITEMS_ALSO, Intake, IntakeBeside
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.corrections import correction_name
from pipeline.domain.reconciliation.desk.broadcasts import check_weights
from pipeline.domain.reconciliation.scoring.default_weights import DEFAULT_WEIGHTS
from tests.intake.test_fraud_inputs import RATE, passed_on
from tests.ledger.branches import envelope
from topologies import intake

ITEMS = "reconciliation-items"
ANNA = ev.Actor("idp", "anna", "session")
NAME = correction_name("00000001-0000-5000-8000-000000000000", 1)
ASSIGNED = ev.BreakAssigned(**envelope("e1"), account_id="nostro", break_id="b", assignee="anna", actor=ANNA)
WEIGHTS = ev.MatchingWeightsPublished(
    **envelope("e2") | {"tenant_id": "*"},
    role="LIVE",
    of_tenant=None,
    weights=DEFAULT_WEIGHTS.canonical().decode(),
    sha256=DEFAULT_WEIGHTS.hash(),
    effective_from=0,
)
PAYMENT_REVERSED = ev.PaymentReversed(
    **envelope("e3"), payment_id="p", debtor_account_id="alice", reversal_id=NAME, amount_minor=None,
    reason="",
)  # fmt: skip
JOURNAL_REVERSED = ev.JournalReversed(
    **envelope("e4"), journal_id="j", account_id="alice", reversal_id=NAME, legs=(), reason="",
    effective_at=None, late="REFUSE",
)  # fmt: skip
JOURNAL = ev.JournalSubmitted(
    **envelope("e5"), journal_id=NAME, account_id="alice", legs=(), reference="", reason=None,
    effective_at=None, late="REFUSE", hold_expires_at=None,
)  # fmt: skip


def test_what_people_decide_goes_to_the_partition_of_the_account() -> None:
    actions = Intake("break-actions", ITEMS)
    assert passed_on(actions, ASSIGNED) == [(ITEMS, "")]
    assert passed_on(actions, msgspec.structs.replace(ASSIGNED, account_id="a/b")) == "invalid_id"
    assert passed_on(actions, RATE) == "unexpected_event"
    assert len(ACCEPTED["break-actions"]) == 10


def test_weights_go_everywhere_once_they_are_checked() -> None:
    rules = Intake("matching-rules", ITEMS, check_weights)
    assert passed_on(rules, WEIGHTS) == [(ITEMS, "*")]
    assert passed_on(rules, msgspec.structs.replace(WEIGHTS, sha256="0" * 64)) == "wrong_hash"
    assert passed_on(rules, msgspec.structs.replace(WEIGHTS, of_tenant="north")) == "wrong_tenant"


def test_rates_go_everywhere_a_second_time() -> None:
    assert passed_on(IntakeBeside("rates", ITEMS, ITEMS_ALSO), RATE) == [(ITEMS, "*")]


@pytest.mark.parametrize(
    ("source", "event"),
    [("journals", JOURNAL), ("journals", JOURNAL_REVERSED), ("payments", PAYMENT_REVERSED)],
)
def test_only_reconciliation_names_a_journal_as_a_correction(source: str, event: Any) -> None:
    assert passed_on(Intake(source, "log"), event) == "reserved_journal_id"
    field = "journal_id" if isinstance(event, ev.JournalSubmitted) else "reversal_id"
    for free in ("correction-1", f"{NAME}x", NAME.upper()):
        assert passed_on(Intake(source, "log"), msgspec.structs.replace(event, **{field: free})) == [
            ("log", "")
        ]


def test_whoever_reverses_a_correction_names_it() -> None:
    reversal = msgspec.structs.replace(JOURNAL_REVERSED, journal_id=NAME, reversal_id="r")
    assert passed_on(Intake("journals", "log"), reversal) == [("log", "")]


def test_every_input_of_reconciliation_is_checked_by_its_own_stream() -> None:
    sources = [stream.source for stream in intake.STREAMS if stream.outputs == (ITEMS,)]
    assert sources == ["statements", "break-actions", "matching-rules"]
