"""Corrections and the ledger's own rules: what a break asks for is booked, and comes back as it counts it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.domain.kernel import events as ev
from pipeline.domain.reconciliation.breaks import facts, states
from tests.breaks.teller import DAY, Bank
from tests.ledger.branches import Branches, opened

BRANCHES = 3


class BankWithLedger(Bank):
    """A bank whose journals are booked by a ledger of several branches."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Branches(BRANCHES)
        self.ledger.recorded_at = 1000 * DAY
        accounts = [opened("o1", "nostro", 100_000, account_type="nostro")]
        accounts += [
            opened(f"o-{name}", name, 0, account_type="internal") for name in ("fees", "tax", "write-offs")
        ]
        self.ledger.run(*accounts)

    def book(self) -> list[Any]:
        """Let the ledger do what was asked for, and count what comes back; return its answers on journals."""
        asked = [event for topic, _, event in self.out.items if topic == "ledger-commands"]
        self.out.items.clear()
        said = self.ledger.run(*asked)
        assert self.ledger.dead() == []
        for topic, key, event in said:
            if topic == "reconciliation-items":
                assert key == "acme/nostro"
                note = facts.answered if isinstance(event, ev.JournalAnswered) else facts.corrected
                note(self.scope(event), event)
        return [event for _, _, event in said if isinstance(event, ev.JournalUpdated)]

    def balance(self, account: str) -> int:
        """Return what the ledger has on an account."""
        found = self.ledger.account(account)
        assert found is not None
        return found.balance_minor

    def status(self) -> str:
        """Return what the break is."""
        life = self.life("b1")
        assert life is not None
        return life.status


@pytest.mark.parametrize(
    ("legs", "fees"), [("nostro-650 fees+650", 650), ("nostro-650 fees+600 tax+50", 600)]
)
def test_a_correction_is_booked_and_taken_back_on_whatever_branches_its_accounts_are(
    legs: str, fees: int
) -> None:
    bank = BankWithLedger()
    bank.tell("open b1 MISSING_INTERNAL -650 line:S1/2")
    bank.tell(f"anna suggest b1 as k1 {legs}")
    bank.tell("bob approve b1 k1")
    assert [answer.state for answer in bank.book()][-1] == "POSTED"
    assert (bank.status(), bank.balance("nostro"), bank.balance("fees")) == (states.RESOLVED, 99_350, fees)
    life = bank.life("b1")
    assert life is not None and len(life.postings) == len(legs.split()) - 1
    bank.out.items.clear()
    bank.model.cases.clear()  # it was not told of the ledger's postings
    wanted = ev.CorrectionSuggested(
        **{**bank.common(), "actor": ev.Actor("idp", "bob", "s")},
        break_id=life_id(),
        legs=(),
        reference="",
        reason="wrong",
        reverses=facts.journal_of(life_id(), life),
    )
    bank.names[wanted.event_id] = "k2"
    bank.act(wanted)
    bank.act(
        ev.CorrectionApproved(
            **{**bank.common(), "actor": ev.Actor("idp", "anna", "s")},
            break_id=life_id(),
            correction_id=wanted.event_id,
        )
    )
    assert [answer.state for answer in bank.book()][-1] == "POSTED"
    assert (bank.status(), bank.balance("nostro"), bank.balance("fees")) == (states.REOPENED, 100_000, 0)
    life = bank.life("b1")
    assert life is not None and (life.explained_minor, life.postings) == (0, ())


def life_id() -> str:
    """Return the id of the break of these tests."""
    return "00000001-0000-5000-8000-000000000000"


def test_a_write_off_is_booked_to_the_tenants_account() -> None:
    bank = BankWithLedger()
    bank.tell("open b1 FEE -10000 diff:-3 line:S1/2")
    bank.tell("anna write-off b1 as k1")
    bank.tell("bob approve b1 k1")
    assert [answer.state for answer in bank.book()][-1] == "POSTED"
    assert (bank.status(), bank.balance("write-offs")) == (states.WRITTEN_OFF, 3)


def test_what_the_ledger_refuses_changes_no_balance_and_the_break_is_what_it_was() -> None:
    bank = BankWithLedger()
    bank.tell("open b1 MISSING_INTERNAL -650 line:S1/2")
    bank.tell("anna suggest b1 as k1 nostro-650 nowhere+650")
    bank.tell("bob approve b1 k1")
    (answer,) = (one for one in bank.book() if one.state == "REFUSED")
    assert (answer.code, bank.balance("nostro"), bank.status()) == (
        "creditor_not_found",
        100_000,
        states.OPEN,
    )
    life = bank.life("b1")
    assert life is not None and life.refused == "creditor_not_found"


def test_the_same_approval_twice_is_booked_once() -> None:
    bank = BankWithLedger()
    bank.tell("open b1 MISSING_INTERNAL -650 line:S1/2")
    bank.tell("anna suggest b1 as k1 nostro-650 fees+650")
    bank.tell("bob approve b1 k1")
    asked = [event for topic, _, event in bank.out.items if topic == "ledger-commands"]
    bank.book()
    bank.ledger.run(*asked)
    assert (bank.status(), bank.balance("fees")) == (states.RESOLVED, 650)
