"""What reconciliation is told of a correction that the ledger does not post."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.corrections import correction_name
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.stream import Ledger
from tests.ledger.branches import DAY, envelope, opened
from tests.ledger.test_proposals import ANNA, BERT, TWO

BREAK = "00000001-0000-5000-8000-000000000000"
FIRST, SECOND = correction_name(BREAK, 1), correction_name(BREAK, 2)


def journal(journal_id: str, event_id: str, **changes: Any) -> ev.JournalSubmitted:
    legs = (
        ev.JournalLeg(1, 0, "nostro", "DEBIT", 5, "EUR", None),
        ev.JournalLeg(2, 0, "fees", "CREDIT", 5, "EUR", None),
    )
    fields = {
        "journal_id": journal_id, "account_id": "nostro", "legs": legs, "reference": "fee", "reason": "fee",
        "effective_at": None, "late": "NEXT_PERIOD", "hold_expires_at": None, "actor": ANNA,
    }  # fmt: skip
    return ev.JournalSubmitted(**{**envelope(event_id), **fields, **changes})


def reversal(event_id: str, reversal_id: str = SECOND, journal_id: str = FIRST) -> ev.JournalReversed:
    return ev.JournalReversed(
        **envelope(event_id), journal_id=journal_id, account_id="nostro", reversal_id=reversal_id, legs=(),
        reason="wrong", effective_at=None, late="NEXT_PERIOD", actor=ANNA,
    )  # fmt: skip


class Bank:
    """A branch with two accounts, where reversals need two people."""

    def __init__(self) -> None:
        self.rows, self.ledger = MemoryRows(), Ledger(TWO)
        self.said: list[Any] = []
        for account, kind in (("nostro", "nostro"), ("fees", "internal")):
            self.put(opened(f"open {account}", account, 100, account_type=kind))

    def put(self, event: Any) -> list[tuple[str, str, str]]:
        """Apply a command; return name, outcome and code of the answers to reconciliation."""
        out = Outbox()
        self.ledger.apply(event, Arrival(event.occurred_at, 0, 1), self.rows, out)
        self.said = [one for _, _, one in out.items]
        answers = [(topic, key, one) for topic, key, one in out.items if isinstance(one, ev.JournalAnswered)]
        for topic, key, one in answers:
            assert (topic, key) == ("reconciliation-items", "acme/nostro")
            assert (one.account_id, one.tenant_id) == ("nostro", "acme")
        return [(one.journal_id, one.outcome, one.code) for _, _, one in answers]

    def proposal(self) -> ev.CommandProposed:
        """Return what the last command has proposed."""
        (told,) = [one for one in self.said if isinstance(one, ev.CommandProposed)]
        return told


def test_what_is_posted_is_not_answered_and_a_repeat_neither() -> None:
    bank = Bank()
    assert bank.put(journal(FIRST, "e1")) == []
    assert bank.put(journal(FIRST, "e1")) == []
    assert [one.code for one in bank.said] == ["exists"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (journal(FIRST, "e1", legs=()), "invalid_legs"),
        (reversal("e1"), "journal_not_found"),
    ],
)
def test_what_is_refused_is_answered_with_its_code(command: Any, code: str) -> None:
    bank = Bank()
    assert bank.put(command) == [(command.journal_id if code == "invalid_legs" else SECOND, "REFUSED", code)]


def test_journals_of_others_are_not_answered() -> None:
    bank = Bank()
    assert bank.put(journal("j", "e1", legs=())) == []
    assert bank.put(reversal("e2", "r", "j")) == []


def test_a_reversal_that_needs_two_people_is_answered_until_it_is_decided() -> None:
    bank = Bank()
    bank.put(journal(FIRST, "e1"))
    assert bank.put(reversal("e2")) == [(SECOND, "AWAITS_APPROVAL", "awaits_approval")]
    told = bank.proposal()
    assert bank.put(reversal("e2")) == [(SECOND, "AWAITS_APPROVAL", "awaits_approval")]
    approval = ev.ProposalApproved(*envelope("a").values(), "nostro", "e2", told.content_hash, BERT)
    assert bank.put(approval) == []
    assert [one.state for one in bank.said if isinstance(one, ev.JournalUpdated)] == ["POSTED"]


def test_a_reversal_that_is_rejected_or_forgotten_is_refused() -> None:
    bank = Bank()
    bank.put(journal(FIRST, "e1"))
    bank.put(reversal("e2"))
    told = bank.proposal()
    rejected = ev.ProposalRejected(*envelope("r").values(), "nostro", "e2", told.content_hash, "no", BERT)
    assert bank.put(rejected) == [(SECOND, "REFUSED", "already_decided")]
    bank.put(structs.replace(reversal("e3"), reversal_id=correction_name(BREAK, 3)))
    later = ev.BranchTicked("t", "", 400 * DAY, "c", None, "$clock:0", 0)
    assert bank.put(later) == [(correction_name(BREAK, 3), "REFUSED", "proposal_expired")]
