"""The model of the ledger under random traffic on several branches: what must hold after every command.

The invariants know accounts, payments and journals, but no rule: what is held must stand for something, what
is booked must balance, and when it is quiet nothing may be half done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from pipeline.verify import journal as books
from pipeline.verify.model.ledger import Branch
from pipeline.verify.model.ledger_accounts import Account
from pipeline.verify.model.ledger_books import NUMBER_ROW, Payment
from pipeline.verify.model.ledger_journals import Journal, place_of, posted_of
from pipeline.verify.model.ledger_pairs import in_order, pairs_of
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import DAY_US, LAYOUT, LEGS, LONG_MAX, POSTINGS, TABLE, Expected, home_of
from tests.chaos.by_hand import NOW_US, about, envelope, record
from tests.chaos.judge import Problems
from tests.chaos.ledger_town import Town, commands_of, logs_of
from tests.chaos.ledger_traffic import TENANT, Command

FINAL = {"POSTED", "REFUSED", "VOIDED", "EXPIRED"}
"""States of a journal in which it stays."""
ENDED = {"SETTLED", "REJECTED", "FAILED", "CANCELLED", "EXPIRED", "HELD"}
"""States of a payment in which it stays, until somebody reviews what is held."""


class Watched(Branch):
    """A branch that keeps all it has said, and checks after each command what must always hold."""

    def __init__(self, number: int, partitions: int) -> None:
        super().__init__(number, partitions)
        self.heard: list[Record] = []
        self.whole: list[Expected] = []
        self.rows: dict[bytes, bytes | None] = {}
        self.taken: list[tuple[Payment | Journal, Journal]] = []
        """What was reversed, and its reversal: that may be forgotten first, and ids may come again."""

    def apply(self, record: Record) -> tuple[str | None, list[Expected]]:
        before = {
            key: (account.available, account.balance + account.credits_pending)
            for key, account in self.accounts.items()
        }
        code, out = super().apply(record)
        self.heard.append(record)
        self.whole += out
        self.rows.update({said.key: said.value for said in out if said.topic == TABLE})
        if record.event in ("PaymentReversed", "JournalReversed", "ProposalApproved"):
            self.note_reversals()
        self.balances_to_zero()
        self.links_are_whole()
        for key, (available, full) in before.items():
            self.keeps_its_limits(self.accounts[key], available, full)
        return code, out

    def note_reversals(self) -> None:
        """Remember reversals that are new, and what they are of."""
        known = {id(reversal) for _, reversal in self.taken}
        for (tenant, home, _), journal in self.journals.items():
            if journal.reverses is None or id(journal) in known:
                continue
            if journal.reverses_payment:
                self.taken.append((self.payments[tenant, journal.reverses], journal))
            else:
                self.taken.append((self.journals[tenant, home, journal.reverses], journal))

    def balances_to_zero(self) -> None:
        posted, pending = Counter[str](), Counter[str]()
        for account in self.accounts.values():
            assert min(account.debits_pending, account.credits_pending) >= 0
            posted[account.currency] += account.balance
            pending[account.currency] += account.credits_pending - account.debits_pending
        assert not any(posted.values()) and not any(pending.values())

    def keeps_its_limits(self, account: Account, available: int, full: int) -> None:
        """Check that an account has not come to have less, or more, than it may."""
        if account.limit is not None and account.available < available:
            assert account.available >= -account.limit
        if account.maximum is not None and account.balance + account.credits_pending > full:
            assert account.balance + account.credits_pending <= account.maximum

    def holds_stand_for_something(self) -> None:
        """Check that what is pending on accounts is what payments and journals hold."""
        # A branch names accounts of its present tenant, and a tick has none.
        self.cause = next((one for one in reversed(self.heard) if one.fields["tenant_id"]), self.cause)
        debits, credits = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for (tenant, payment_id), payment in self.payments.items():
            amount = 0
            if payment.state == "AUTHORISED":
                amount = self.holds[tenant, payment_id].held(payment)
                assert amount > 0
            elif payment.state in ("HELD", "IN_FLIGHT"):
                amount = 0 if self.opens_its_debtor(tenant, payment) else payment.amount
            if not amount:
                continue
            debits[tenant, payment.debtor] += amount
            if payment.exchange is None:
                credits[tenant, self.counterpart(payment)] += amount
                continue
            got, currency = self.still_to_get(tenant, payment_id), payment.exchange.currency
            credits[tenant, f"$position:{payment.currency}:{self.number}"] += amount
            debits[tenant, f"$position:{currency}:{self.number}"] += got
            credits[tenant, self.counterpart(payment)] += got
        for (tenant, _, _), group in self.groups.items():
            if group.state != "HELD":
                continue
            # With room for its parts, an entry is held as if each of its legs stood alone against clearing.
            alone = [leg for leg in group.legs if leg.entry_no in (group.room_for or ())]
            pairs = [pair for leg in alone for pair in pairs_of(self, [leg])]
            pairs += pairs_of(self, [leg for leg in group.legs if leg not in alone])
            for pair in pairs:
                debits[tenant, pair.debit] += pair.amount
                credits[tenant, pair.credit] += pair.amount
        for key, account in self.accounts.items():
            assert (account.debits_pending, account.credits_pending) == (debits[key], credits[key]), key

    def still_to_get(self, tenant: str, payment_id: str) -> int:
        """Return what is held of what the creditor gets in another currency."""
        payment, hold = self.payments[tenant, payment_id], self.holds.get((tenant, payment_id))
        assert payment.exchange is not None
        parts = [] if hold is None else hold.captures
        amounts = {
            state: sum(part.credited or 0 for part in parts if part.state == state)
            for state in ("POSTED", "IN_FLIGHT")
        }
        assert amounts["POSTED"] + amounts["IN_FLIGHT"] <= payment.exchange.credited
        if hold is not None and hold.ended:
            return amounts["IN_FLIGHT"]
        return payment.exchange.credited - amounts["POSTED"]

    def opens_its_debtor(self, tenant: str, payment: Payment) -> bool:
        """Whether a payment's link is to open the debtor's account: there is nothing to hold yet."""
        link = None if payment.link is None else self.links[tenant, payment.debtor, payment.link]
        return link is not None and link.opening is not None

    def links_are_whole(self) -> None:
        """Check that the payments of a link have one state, and that of the link."""
        for (tenant, debtor, link_id), link in self.links.items():
            for ask in link.asks:
                payment = self.payments.get((tenant, ask.payment_id))
                if payment is None:
                    assert link.state not in ("HELD", "PREPARING"), "only what has ended is forgotten"
                    continue
                if (payment.debtor, payment.link) == (debtor, link_id):
                    assert payment.state == ("IN_FLIGHT" if link.state == "PREPARING" else link.state)
                else:
                    assert link.state == "REJECTED", "a payment of something else is in it"

    def nothing_is_half_done(self, town: list[Watched]) -> None:
        """Check the states of payments and journals when nothing is under way."""
        for key, payment in self.payments.items():
            assert payment.state != "IN_FLIGHT"
            hold = self.holds.get(key)
            if hold is not None:
                assert (payment.state == "AUTHORISED") == (not hold.ended)
                assert hold.capturing == 0
                assert hold.captured <= payment.amount * (10_000 + (payment.tolerance or 0)) // 10_000
                posted = sum(part.amount for part in hold.captures if part.state == "POSTED")
                assert hold.captured == posted and all(part.state != "IN_FLIGHT" for part in hold.captures)
            settled = payment.amount if payment.state == "SETTLED" else 0
            if hold is not None:
                settled = hold.captured  # of a hold that lasts, too
            taken = [
                in_order(reversal.legs)[1].amount_minor  # of the debtor, in the payment's currency
                for reversal in self.reversals(payment)
            ]
            assert self.taken_back.get(key, 0) == sum(taken) <= settled
            if payment.exchange is not None and self.taken_back.get(key, 0) == settled > 0:
                got = payment.exchange.credited if hold is None else hold.credited("POSTED")
                assert self.given_back[key] == got, "all of it went back, in both currencies"
        for (tenant, debtor, link_id), link in self.links.items():
            assert link.state != "PREPARING"
            for branch in town:
                group = branch.groups.get((tenant, debtor, f"link/{link_id}"))
                wanted = "POSTED" if link.state == "SETTLED" else "RELEASED"
                assert group is None or group.state in (wanted, "REFUSED")
        for (tenant, home, journal_id), journal in self.journals.items():
            assert journal.state in {*FINAL, "HELD"}
            for branch in town:
                group = branch.groups.get((tenant, home, journal_id))
                wanted = {"HELD": "HELD", "POSTED": "POSTED"}.get(journal.state, "RELEASED")
                # In parts, one branch may have posted all of its legs while another still holds or releases.
                parts = ("POSTED", "RELEASED") if journal.parts else ()
                assert group is None or group.state in (wanted, "REFUSED", *parts)
                assert group is None or journal.state == "HELD" or group.state != "HELD"
            legs = Counter[tuple[str, str, str]]()
            for leg in posted_of(journal):  # nothing, where nothing was posted
                legs[leg.account_id, leg.side, leg.currency] += leg.amount_minor
            back = Counter[tuple[str, str, str]]()
            for reversal in self.reversals(journal):
                for leg in reversal.legs:
                    back[place_of(leg)] += leg.amount_minor
            assert journal.reversed == back
            assert all(amount <= legs[place] for place, amount in back.items())

    def reversals(self, subject: Payment | Journal) -> Iterator[Journal]:
        """Yield what has taken back a payment or a journal, forgotten or not; nothing may be under way."""
        for reversed_one, reversal in self.taken:
            if reversed_one is subject and reversal.state == "POSTED":
                yield reversal

    def add_up(self, fold: books.Journal) -> None:
        """Let the postings be added up, which must give the accounts; no posting may have two ids."""
        for command in self.heard:
            fold.hear(command)
        said = [wanted for wanted in self.whole if wanted.topic == POSTINGS]
        for at, one in enumerate(said):
            made = record(one.event, one.fields, at)
            fold.see(made._replace(key=one.key, partition=self.number))
        fold.close_branch(self.number)
        for (tenant, account_id), account in self.accounts.items():
            folded = fold.accounts.get(f"{tenant}/{account_id}")
            summed = (0, 0) if folded is None else (folded.held, folded.balance)
            assert summed == (account.debits_pending, account.balance)
        assert max(Counter(one.fields["event_id"] for one in said).values()) == 1


def quiet(branches: list[Watched]) -> None:
    """Check what must hold when nothing is under way between branches."""
    problems = Problems()
    fold = books.Journal(problems)
    for branch in branches:
        branch.holds_stand_for_something()
        branch.nothing_is_half_done(branches)
        branch.add_up(fold)
    fold.close()
    assert problems.new == []


def much_later(partitions: int) -> Iterator[Command]:
    """Yield commands that let a year go by on every branch, until all that is due has been taken."""
    at = NOW_US + 10 * 365 * DAY_US
    names = [f"nobody {number}" for number in range(20 * partitions)]
    assert {home_of(f"{TENANT}/{name}", partitions) for name in names} == set(range(partitions))
    for number, name in enumerate(names * 3):
        part = {"capture_id": "k", "amount_minor": None, "final": True, "occurred_at": at}
        yield Command(*about("PaymentCaptured", f"unknown {number}", name, **part), at)


def end_what_has_no_end(branch: Watched) -> Iterator[Command]:
    """Yield commands that release what a branch holds without an end: nothing else may be left."""
    at = NOW_US + 10 * 365 * DAY_US
    for (_, payment_id), payment in branch.payments.items():
        if payment.state == "AUTHORISED":
            assert payment.until == LONG_MAX
            yield Command(
                *about("PaymentCancelled", payment_id, payment.debtor, reason="why", occurred_at=at), at
            )
    for (_, account_id, journal_id), journal in branch.journals.items():
        if journal.state == "HELD":
            assert journal.expires_at == LONG_MAX
            voided = {"journal_id": journal_id, "account_id": account_id, "reason": "why", "occurred_at": at}
            yield Command("JournalVoided", envelope(f"void {journal_id}", **voided), at)


@pytest.mark.parametrize("seed, partitions, busy", [(1, 3, 0.6), (2, 3, 0.3), (3, 2, 0.4), (4, 1, 0.5)])
def test_random_traffic_keeps_the_books_whatever_comes(seed: int, partitions: int, busy: float) -> None:
    branches = [Watched(number, partitions) for number in range(partitions)]
    town, dead = Town(branches, Random(f"town-{seed}")), Counter[str]()
    for index, (placed, code) in enumerate(town.play(commands_of(seed, 900), busy)):
        if code is not None:
            assert placed.event not in LEGS, f"{code}: {placed.event} {placed.fields}"
            dead[code] += 1
        if index % 20 == 0:
            branches[placed.partition].holds_stand_for_something()
    assert set(dead) <= {"invalid_limit", "invalid_account_id", "overflow"}
    quiet(branches)
    for _ in town.play(much_later(partitions)):
        pass
    quiet(branches)
    for branch in branches:
        for _ in town.play(list(end_what_has_no_end(branch))):
            pass
    quiet(branches)
    for branch in branches:
        assert {payment.state for payment in branch.payments.values()} <= ENDED
        assert {journal.state for journal in branch.journals.values()} <= FINAL
        # The row of what is due next may be earlier than what is left, and nothing is.
        assert not branch.due and branch.rows[b"n"] in (None, NUMBER_ROW.pack(LAYOUT, LONG_MAX))
        assert not any(key.startswith(b"x\0") and value for key, value in branch.rows.items())


MET = {
    "CommandRefused account_limit_set": "account_not_found exists exists_with_different_content",
    "CommandRefused account_frozen": "exists",
    "CommandRefused account_unfrozen": "account_not_frozen",
    "CommandRefused account_reopened": "account_not_closed",
    "CommandRefused account_closed": "account_not_empty",
    "CommandRefused period_closed": "exists",
    "CommandRefused payment_reviewed": (
        "already_failed already_settled payment_not_found payment_not_held link_mismatch"
    ),
    "CommandRefused payment_cancelled": "already_failed already_settled payment_in_flight payment_not_found",
    "CommandRefused payment_captured": (
        "payment_not_found payment_not_authorised exists already_settled expired cancelled already_failed "
        "payment_under_review exceeds_held_amount creditor_frozen maximum_balance_exceeded "
        "exists_with_different_final exists_with_different_amount"
    ),
    "CommandRefused payment_initiated": (
        "exists exists_with_different_hold exists_with_different_expiry exists_with_different_amount "
        "exists_with_different_creditor exists_with_different_reference exists_with_different_type"
    ),
    "CommandRefused payments_linked": (
        "invalid_link exists exists_with_different_link exists_with_different_payments"
    ),
    "CommandRefused payment_extended": (
        "payment_not_found payment_not_authorised already_settled expired cancelled expiry_not_later"
    ),
    "CommandRefused payment_reversed": "payment_not_found exists not_settled exceeds_settled_amount",
    "CommandRefused journal_submitted": (
        "exists exists_with_different_hold exists_with_different_expiry exists_with_different_legs "
        "exists_with_different_reference exists_with_different_effective_time"
    ),
    "CommandRefused journal_confirmed": (
        "journal_not_found already_settled journal_not_held exists exceeds_held_amount legs_not_balanced "
        "amount_must_be_positive"
    ),
    "CommandRefused journal_voided": "journal_not_found already_settled journal_not_held",
    "CommandRefused journal_reversed": "journal_not_found exists not_settled exceeds_settled_amount",
    "JournalUpdated REFUSED": (
        "too_old invalid_legs debtor_not_found accounts_must_differ legs_not_balanced overflow expired "
        "period_closed debtor_frozen creditor_frozen maximum_balance_exceeded insufficient_funds"
    ),
    "JournalUpdated PREPARING": "ok",
    "JournalUpdated HELD": "ok",
    "JournalUpdated POSTED": "ok",
    "JournalUpdated VOIDED": "cancelled",
    "JournalUpdated EXPIRED": "expired",
    "JournalLegsAnswered": "ok debtor_frozen creditor_frozen insufficient_funds maximum_balance_exceeded",
    "LegRefused": "creditor_frozen maximum_balance_exceeded",
    "PaymentRejected": (
        "accounts_must_differ amount_must_be_positive creditor_frozen creditor_not_found debtor_frozen "
        "debtor_not_found declined expired insufficient_funds maximum_balance_exceeded too_old "
        "linked_payment_failed debtor_exists sequence_mismatch"
    ),
    "PaymentFailed": "creditor_frozen linked_payment_failed",
    "PaymentExpired": "expired",
    "outcomes.PaymentCancelled": "cancelled",
    "outcomes.PaymentCaptured": "ok",
    "outcomes.PaymentExtended": "ok",
}
"""Answers that the traffic of three seeds must have had; the rest is tested by hand."""


def test_the_traffic_meets_what_the_ledger_can_answer() -> None:
    said = set[tuple[str, str]]()
    for seed in range(10):
        branches = [Branch(number, 3) for number in range(3)]
        for placed, _ in Town(branches, Random(f"town-{seed}")).play(commands_of(seed, 2500)):
            for one in branches[placed.partition].out:
                subject = one.fields.get("command") or one.fields.get("state") or ""
                said.add((f"{one.event} {subject}".strip(), one.fields.get("code", "")))
    missing = {(event, code) for event, codes in MET.items() for code in codes.split()} - said
    assert not missing


def test_a_seed_gives_the_same_logs_again() -> None:
    first, second = (logs_of([Branch(number, 2) for number in (0, 1)], 1, 200) for _ in range(2))
    assert first == second and all(first)
