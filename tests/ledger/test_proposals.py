"""What a tale cannot say of proposals: hashes, sizes, actors without a session, who is told what."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.ledger.proposals import BYTES_MAX, PROPOSABLE, read_proposal
from pipeline.domain.ledger.proposed_content import OUTSIDE, command_of, content_hash, content_of
from pipeline.domain.ledger.stream import Ledger, LedgerRules
from pipeline.domain.tenants.settings import parse_tenants
from tests.ledger.branches import TENANT, envelope, opened

ANNA = ev.Actor("idp", "anna", "s-1", None, "7")
BERT = ev.Actor("idp", "bert", "s-2")
TWO = LedgerRules(tenants=parse_tenants("[default]\nfour_eyes = { limits = true, corrections = true }"))
HASH = "c60a6cb96623deaac8256334722a651f37bde807d11d0afb689aea5318f48b95"
"""Of the example in schemas/README.md: printf 'd10:account_id...' | sha256sum."""


def limit(event_id: str = "e-1", amount: int | None = 20_00, **changes: Any) -> ev.AccountLimitSet:
    fields = {**envelope(event_id), "actor": ANNA, **changes}
    return ev.AccountLimitSet(**fields, account_id="alice", overdraft_limit_minor=amount)


class Bank:
    """One branch with the account alice; what it says last."""

    def __init__(self) -> None:
        self.rows, self.ledger = MemoryRows(), Ledger(TWO)
        self.put(opened("open", "alice", 0))

    def put(self, event: Any) -> list[Any]:
        out = Outbox()
        self.ledger.apply(event, Arrival(event.occurred_at, 0, 1), self.rows, out)
        return [said for topic, _, said in out.items if topic == "payment-events"]


def test_the_hash_of_the_example_is_that_of_its_bytes() -> None:
    content = {"account_id": "alice", "overdraft_limit_minor": 20_00}
    assert content_hash("north", "account_limit_set", content) == HASH
    (said,) = Bank().put(limit(tenant_id="north", event_id="e-9")) or [None]
    assert said.code == "account_not_found"  # alice is another tenant's


def test_who_sends_it_and_when_is_no_content_and_every_other_field_is() -> None:
    one = limit()
    other = limit("e-2", occurred_at=7, correlation_id="x", causation_id="y", actor=BERT)
    assert content_of(one) == content_of(other)
    for kind in PROPOSABLE:
        fields = set(kind.__struct_fields__) - set(OUTSIDE)
        assert fields and not fields & set(OUTSIDE)
    assert content_of(limit(amount=None)) == {"account_id": "alice"}
    assert content_of(structs.replace(one, minimum_balance_minor=0)) != content_of(one)


def test_what_is_approved_is_what_was_proposed_with_the_time_of_the_approval() -> None:
    leg = ev.JournalLeg(1, 0, "alice", "DEBIT", 5, "EUR", "fee")
    about = ("j", "alice", (leg,), "ref", None, None, "REFUSE", None, ANNA, {"é": "x"})
    journal = ev.JournalSubmitted(*envelope("e-1").values(), *about, needs_approval=True)
    approval = ev.ProposalApproved("a-1", TENANT, 99, "c", None, "alice", "e-1", "", BERT)
    again = command_of(
        ev.JournalSubmitted, content_of(journal), "e-1", journal.correlation_id, approval, ANNA
    )
    assert again == structs.replace(journal, occurred_at=99, causation_id="a-1")


def test_a_person_has_a_session() -> None:
    bank = Bank()
    (said,) = bank.put(limit(actor=ev.Actor("idp", "anna")))
    assert said.code == "person_required"
    (said,) = bank.put(limit())
    assert (said.command, said.proposal_id, said.actor) == ("account_limit_set", "e-1", ANNA)
    decision = (*envelope("a-1").values(), "alice", "e-1", said.content_hash)
    (refused,) = bank.put(ev.ProposalApproved(*decision, ev.Actor("idp", "bert")))
    assert (refused.command, refused.code) == ("proposal_approved", "programs_cannot_approve")
    (decided,) = bank.put(ev.ProposalApproved(*decision, BERT))
    assert (decided.outcome, decided.proposed_by, decided.actor) == ("APPROVED", "idp anna", BERT)
    kept = read_proposal(bank.rows, TENANT, "alice", "e-1")
    assert kept is not None and (kept.state, kept.content, kept.decided_by) == ("APPROVED", None, "a-1")


def test_what_is_too_large_to_be_kept_is_refused() -> None:
    legs = tuple(ev.JournalLeg(n, 0, "alice", "DEBIT", 1, "EUR", "x" * BYTES_MAX) for n in range(1))
    about = ("j", "alice", legs, "ref", None, None, "REFUSE", None, ANNA)
    bank = Bank()
    (said,) = bank.put(ev.JournalSubmitted(*envelope("e-1").values(), *about, needs_approval=True))
    assert (said.code, said.journal_id) == ("proposal_too_large", "j")
    assert read_proposal(bank.rows, TENANT, "alice", "e-1") is None


def test_an_approved_command_that_can_be_none_is_a_dead_letter_and_stays_proposed() -> None:
    """More limits wait than an account may have."""
    bank = Bank()
    bank.ledger = Ledger()
    for number in range(100):
        bank.put(structs.replace(limit(f"l-{number}"), effective_at=10**15 + number))
    bank.ledger = Ledger(TWO)
    (proposed,) = bank.put(structs.replace(limit("e-1"), effective_at=10**16))
    before = dict(bank.rows.data)
    approval = ev.ProposalApproved(*envelope("a-1").values(), "alice", "e-1", proposed.content_hash, BERT)
    with pytest.raises(Reject, match="too_many_limits"):
        bank.put(approval)
    assert bank.rows.data == before
