"""Corrections after a change of rules: proposed, approved by a second person, and never proposed again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec import structs

from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger.rows import CLOSED, FROZEN_DEBIT, account_key
from pipeline.rebuild.corrections import PURPOSE, Cause, Party, is_correction
from pipeline.rebuild.proposals import Balances, Kept, Proposed, Uneven, propose
from pipeline.rebuild.replay import LivePartition, Replayed, replay, sent_since
from pipeline.rebuild.scratch import Scratch
from tests.ledger.branches import DAY, TENANT, Branches, decided, envelope, opened
from tests.rebuild.bench import PARTITIONS, Logs, bank, commands_of
from tests.rebuild.test_replay import COPIED_MS, live_of, spec_of

NEW_DAYS = 10
"""By the new rules a payment of 20 days ago is refused; the ledger has booked it."""
OTHER_SIDE = Party(TENANT, "corrections")
MAKER = ev.Actor("bank", "anna", session_id="s1")
CHECKER = ev.Actor("bank", "bert", session_id="s2")


class Bank:
    """A ledger whose tables the old rules have written, and what is found when its log is replayed."""

    def __init__(self, logs: Logs, folder: Path, ledger: Branches) -> None:
        self.logs, self.folder, self.ledger = logs, folder, ledger
        self.balances = Balances()
        self.sent: dict[Party, str] = {}
        self._runs = 0

    def live(self) -> list[LivePartition]:
        """Return a snapshot of now."""
        self.logs.records.clear()
        commands_of(self.ledger, self.logs)
        self._runs += 1
        return live_of(self.ledger, self.logs, self.folder / f"live-{self._runs}")

    def replayed(self, live: list[LivePartition], days: int = NEW_DAYS) -> Replayed:
        """Replay by the new rules; what scratch an earlier run has left is gone on with."""
        self.balances = Balances([OTHER_SIDE])
        with Scratch(self.folder / f"scratch-{days}", {"days": str(days)}) as scratch:
            told = {"limit": 1000, "on_progress": lambda *_: None, "on_stage": lambda _: None}
            found = asyncio.run(
                replay({}, self.logs.codec, scratch, spec_of(days), live, COPIED_MS, PARTITIONS, **told,
                       balances=self.balances)  # type: ignore[arg-type]
            )  # fmt: skip
        self.sent = asyncio.run(sent_since({}, self.logs.codec, "ledger-commands", live))
        return found

    def proposals(
        self, live: list[LivePartition] | None = None, days: int = NEW_DAYS
    ) -> tuple[list[Proposed], list[Kept]]:
        """Return what is proposed of a snapshot (None: of one that is taken now)."""
        live = live or self.live()
        found = self.replayed(live, days)
        causes = {one.partition: Cause("old", "new", one.partition, one.source_offset) for one in live}
        return propose(self.balances, causes, self.ledger.recorded_at, found.booked_against, self.sent, MAKER)

    def send(self, proposed: list[Proposed]) -> None:
        """Let corrections come to the ledger."""
        self.ledger.recorded_at += 1
        self.ledger.run(*(one.event for one in proposed))

    def approve(self) -> None:
        """Let a second person approve all that waits."""
        for number, one in enumerate(self.ledger.said(ev.CommandProposed)):
            about = envelope(f"yes-{number}", self.ledger.recorded_at)
            ids = {"account_id": one.account_id, "proposal_id": one.proposal_id}
            self.ledger.run(ev.ProposalApproved(**about, **ids, content_hash=one.content_hash, actor=CHECKER))

    def balance(self, account_id: str) -> int:
        """Return the balance of an account."""
        account = self.ledger.account(account_id)
        assert account is not None
        return account.balance_minor


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bank:
    ledger = bank()
    opening = structs.replace(opened("oc", OTHER_SIDE.account_id, 0), overdraft_limit_minor=None)
    ledger.run(structs.replace(opening, account_type="internal"))
    return Bank(Logs(monkeypatch), tmp_path, ledger)


def test_what_differs_is_proposed_and_after_a_second_person_has_approved_it_all_is_even(ledger: Bank) -> None:
    before = {account: ledger.balance(account) for account in ("acc-4", "acc-5")}
    proposed, kept = ledger.proposals()
    assert kept == []
    changes = {one.event.account_id: one.uneven.change_minor for one in proposed}
    assert changes == {"acc-4": +11, "acc-5": -11}
    ledger.send(proposed)
    assert {account: ledger.balance(account) for account in before} == before, "nobody has approved them"
    ledger.approve()
    assert {account: ledger.balance(account) - before[account] for account in before} == changes
    assert ledger.balance(OTHER_SIDE.account_id) == 0
    posted = [one for one in ledger.ledger.said(ev.PostingRecorded) if one.purpose == PURPOSE]
    assert sorted(one.account_id for one in posted) == ["acc-4", "acc-5"]
    assert {one.reason.split(" at ")[0] for one in posted} == {"rules old -> new"}
    assert all(one.approved_by == "bank bert" and one.actor == MAKER for one in posted)
    assert ledger.proposals() == ([], [])


def test_a_replay_leaves_corrections_out_with_all_that_branches_said_of_them(ledger: Bank) -> None:
    first = ledger.replayed(ledger.live())
    proposed, _ = ledger.proposals()
    assert {ledger.ledger.put(one.event) for one in proposed} == {0, 1}, "they are of both branches"
    ledger.ledger.deliver()
    ledger.approve()
    live = ledger.live()
    again = ledger.replayed(live)
    assert again.counts == (0, 0) and first.counts == (2, 0), "of the rest of the log nothing is left out"
    assert again.booked_against == {OTHER_SIDE}
    assert ledger.balances.uneven == []


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_whoever_begins_anew_comes_to_the_same(ledger: Bank, batch: int) -> None:
    ledger.logs.batch = batch
    proposed, _ = ledger.proposals()
    ledger.send(proposed)
    ledger.approve()
    ledger.ledger.run(decided("more", "more", "acc-2", "acc-6", 5, occurred_at=40 * DAY))
    (ledger.folder / f"scratch-{NEW_DAYS}").rename(ledger.folder / "gone")
    assert ledger.proposals() == ([], [])


def test_the_same_snapshot_gives_the_same_commands_and_sending_them_twice_has_one_effect(
    ledger: Bank,
) -> None:
    live = ledger.live()
    first, _ = ledger.proposals(live)
    second, _ = ledger.proposals(live)
    assert [one.event for one in first] == [one.event for one in second]
    ledger.send(first)
    ledger.send(second)
    assert len(ledger.ledger.said(ev.CommandProposed)) == len(first)
    ledger.approve()
    ledger.send(second)
    assert ledger.proposals() == ([], [])


def test_what_waits_to_be_decided_is_not_proposed_again(ledger: Bank) -> None:
    """Neither while the snapshot has it, nor where it has come since."""
    live = ledger.live()
    proposed, _ = ledger.proposals(live)
    ledger.send(proposed)
    wanted = {(one.event.account_id, one.event.journal_id) for one in proposed}
    nothing, kept = ledger.proposals()
    assert nothing == [] and {(one.uneven.party.account_id, one.why.split()[0]) for one in kept} == wanted
    nothing, kept = ledger.proposals(live)
    assert nothing == [] and {(one.uneven.party.account_id, one.why.split()[0]) for one in kept} == wanted


def test_one_that_was_rejected_is_proposed_anew_at_a_later_position(ledger: Bank) -> None:
    proposed, _ = ledger.proposals()
    ledger.send(proposed)
    for number, one in enumerate(ledger.ledger.said(ev.CommandProposed)):
        about = envelope(f"no-{number}", ledger.ledger.recorded_at)
        ids = {"account_id": one.account_id, "proposal_id": one.proposal_id, "reason": "not yet"}
        ledger.ledger.run(ev.ProposalRejected(**about, **ids, content_hash=one.content_hash, actor=CHECKER))
    again, kept = ledger.proposals()
    assert kept == [] and len(again) == len(proposed)
    assert not {one.event.journal_id for one in again} & {one.event.journal_id for one in proposed}


def test_going_back_to_the_old_rules_takes_the_corrections_back(ledger: Bank) -> None:
    proposed, _ = ledger.proposals()
    ledger.send(proposed)
    ledger.approve()
    back, kept = ledger.proposals(days=90)
    assert kept == []
    assert {one.event.account_id: one.uneven.change_minor for one in back} == {"acc-4": -11, "acc-5": +11}


def test_a_journal_that_only_looks_like_a_correction_is_none(ledger: Bank) -> None:
    proposed, _ = ledger.proposals()
    event = proposed[0].event
    assert is_correction(event)
    other = event.legs[0]
    for change in (
        {"needs_approval": None},
        {"reason": "rules old -> newer at 0/0"},
        {"tenant_id": "other"},
        {"journal_id": "correction-1"},
        {"legs": (structs.replace(other, purpose="fee"), event.legs[1])},
        {"legs": (structs.replace(other, account_id="acc-7"), event.legs[1])},
    ):
        assert not is_correction(structs.replace(event, **change)), change


def test_accounts_that_get_no_correction_are_named_with_the_reason(ledger: Bank) -> None:
    proposed, _ = ledger.proposals()
    one = proposed[0].uneven
    balances = ledger.balances
    balances.uneven = [
        one._replace(account=None),
        one._replace(currency="USD"),
        one._replace(party=OTHER_SIDE),
        one._replace(live_minor=-(2**63), rebuilt_minor=2**63 - 1),
    ]
    causes = dict.fromkeys(range(PARTITIONS), Cause("old", "new", 0, 0))
    nothing, kept = propose(balances, causes, 0, set(), {}, MAKER)
    assert nothing == []
    for found, part in zip(kept, ("not open", "in USD", "other side", "64 bits"), strict=True):
        assert part in found.why


def test_what_may_keep_a_correction_from_being_booked_is_said(ledger: Bank) -> None:
    account = ledger.ledger.account("acc-5")
    assert account is not None
    account.status, account.frozen = CLOSED, FROZEN_DEBIT
    one = Uneven(0, Party(TENANT, "acc-5"), account, "EUR", account.balance_minor, 0)
    assert one.notes == "closed, frozen DEBIT"
    assert one._replace(rebuilt_minor=-1).notes == "closed, frozen DEBIT, insufficient funds"


def test_an_account_that_the_new_rules_do_not_open_goes_to_zero(ledger: Bank) -> None:
    for branch in ledger.ledger.branches:
        rows = branch.rows.data
        if account_key(TENANT, "acc-3") in rows:
            rows[account_key(TENANT, "ghost")] = rows[account_key(TENANT, "acc-3")]
    proposed, _ = ledger.proposals()
    ghost = next(one for one in proposed if one.event.account_id == "ghost")
    assert ghost.uneven.rebuilt_minor == 0 and ghost.event.legs[0].side == "DEBIT"
