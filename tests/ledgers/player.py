"""Plays tales on the branches of a ledger, by any program that applies commands, and compares answers."""

from __future__ import annotations

from typing import Any

from pipeline.domain.history import stream as history
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.routing import BROADCAST
from pipeline.domain.kernel.rows import MemoryRows
from tests.ledger.branches import Branch, Branches
from tests.ledgers.engines import ENGINES
from tests.ledgers.tale import Tale, tale_of
from tests.ledgers.words import BRANCHES

_WORDS: dict[type, str] = {
    ev.PaymentReserved: "reserved",
    ev.PaymentSettled: "settled",
    ev.PaymentRejected: "rejected",
    ev.PaymentFailed: "failed",
    ev.PaymentCancelledOutcome: "cancelled",
    ev.PaymentExpired: "expired",
    ev.PaymentCapturedOutcome: "captured",
    ev.PaymentExtendedOutcome: "extended",
    ev.CommandRefused: "refused",
    ev.CommandProposed: "proposed",
}
_PLAIN = {("cancelled", "cancelled"), ("expired", "expired"), ("voided", "cancelled")}
"""Answers whose code says nothing more."""
Said = list[tuple[str, str, Any]]


class Player:
    """One ledger in memory, and what a tale asks of it."""

    def __init__(self, tale: Tale, engine: str = "rules") -> None:
        self.tale = tale
        self.engine = ENGINES[engine](tale.settings)
        self.ledger = Branches(BRANCHES, engine=self.engine)
        self._balances: dict[str, Any] = {}
        self._postings: list[Any] = []

    def play(self) -> Branches:
        """Play every step and return the ledger.

        Raises: AssertionError with file and line where it does not answer as the tale says.
        """
        for step in self.tale.steps:
            try:
                given = step.act(self)
            except AssertionError as error:
                raise AssertionError(f"{step.place}: {step.text}\n    {error}") from error
            same = len(given) == len(step.answers) and all(
                wanted in forms for forms, wanted in zip(given, step.answers, strict=True)
            )
            said = ", ".join(forms[-1] for forms in given) or "nothing"
            assert same, f"{step.place}: {step.text}\n    the ledger says: {said}"
        self.engine.finish(self.ledger)
        return self.ledger

    def tell(self, event: Any, recorded_at: int) -> list[tuple[str, ...]]:
        """Apply one command before whatever waits on its branches; return the answers."""
        self.ledger.recorded_at = recorded_at
        home = self.ledger.put(event)
        answers = []
        for number in range(BRANCHES) if type(event) in BROADCAST else (home,):
            self.ledger.branches[number].waiting.rotate(1)
            answers += self._step(number)
        return answers

    def deliver(self, number: int | None = None) -> list[tuple[str, ...]]:
        """Apply what waits on one branch now, or on all of them until nothing does; return the answers."""
        answers = []
        if number is not None:
            for _ in range(len(self.ledger.branches[number].waiting)):
                answers += self._step(number)
            return answers
        while busy := [number for number, branch in enumerate(self.ledger.branches) if branch.waiting]:
            for number in busy:
                answers += self._step(number)
        self.ledger.check_clearing()
        return answers

    def _step(self, number: int) -> list[tuple[str, ...]]:
        branch = self.ledger.branches[number]
        dead = len(branch.dead)
        items = self.ledger.step(number)
        for topic, key, event in items:
            if topic == "balances":
                self._balances[key] = event
            elif type(event) is ev.PostingRecorded and topic == "postings":
                self._postings.append(event)
        return _answers(items) + [(f"dead {code}",) for code in branch.dead[dead:]]

    def balance(self, key: str) -> Any:
        """Return what the balances topic says last of an account (`tenant/account`)."""
        assert key in self._balances, "the account does not exist"
        return self._balances[key]

    def clearing(self, currency: str) -> int:
        """Return the sum of the clearing accounts of all branches: the money between them, minor units."""
        mark = f"/$clearing:{currency}:"
        return sum(said.balance_minor for key, said in self._balances.items() if mark in key)

    def new_entries(self) -> list[tuple[str, str, int]]:
        """Return (debit, credit, minor units) of the entries since the last time this was asked."""
        pairs = zip(self._postings[::2], self._postings[1::2], strict=True)
        entries = []
        for debit, credit in pairs:
            assert debit.entry_id == credit.entry_id and debit.amount_minor == credit.amount_minor
            entries.append((debit.account_id, credit.account_id, debit.amount_minor))
        self._postings.clear()
        return entries

    def content_hash(self, decision: Any) -> str:
        """Return the hash of a version of what a decision is about, as it was proposed.

        `last` is the last version, `1` the first; any other word is no hash of anything.
        """
        place = (decision.tenant_id, decision.account_id, decision.proposal_id)
        said = [
            one.content_hash
            for one in self.ledger.said(ev.CommandProposed)
            if (one.tenant_id, one.account_id, one.proposal_id) == place
        ]
        version = str(decision.content_hash)
        if version == "last" and said:
            return said[-1]
        return said[int(version) - 1] if version.isdigit() else version

    def postings(self, account_id: str) -> list[Any]:
        """Return the postings of an account."""
        return [one for one in self.ledger.said(ev.PostingRecorded) if one.account_id == account_id]

    def warnings(self, account_id: str) -> list[tuple[int | None, int | None]]:
        """Return what the history warns of an account's past: each lowest balance, and when it was."""
        return [
            (one.balance_minor, one.lowest_at)
            for branch in self.ledger.branches
            for one in past_of(branch)
            if one.account_id == account_id
        ]

    def value_times(self, account_id: str) -> list[tuple[int, int | None]]:
        """Return the value time of each posting of an account, and the time asked for where that differs."""
        return [
            (one.occurred_at if one.effective_at is None else one.effective_at, one.asked_at)
            for one in self.postings(account_id)
        ]


def past_of(branch: Branch) -> list[Any]:
    """Return what the stream of the history says of the journal of a branch."""
    rows, out = MemoryRows(), Outbox()
    for topic, _, event in branch.said:
        if topic == "postings":
            history.apply(event, Arrival(0, 0, BRANCHES), rows, out)
    return [event for _, _, event in out.items]


def _answers(items: Said) -> list[tuple[str, ...]]:
    """Return each answer in the forms in which a tale may write it, the longest last."""
    answers: list[tuple[str, ...]] = []
    for topic, _, event in items:
        detail = ""
        if topic == "payment-events":
            if type(event) is ev.ProposalDecided:
                answers.append((f"proposal_{event.outcome.lower()}",))
                continue
            word = _WORDS[type(event)]
            if type(event) is ev.CommandProposed:
                answers.append((word,))
                continue
            if event.code == "sequence_mismatch":
                detail = f" {event.account_sequence}"
            if type(event) in (ev.PaymentCapturedOutcome, ev.PaymentSettled):
                detail = f" {event.amount_minor // 100}.{event.amount_minor % 100:02d}"
        elif topic == "journal-events":
            word = event.state.lower()
            detail = "" if event.leg_no is None else f" leg {event.leg_no}"
            if event.code == "sequence_mismatch":
                detail = f" {event.account_sequence}"
        else:
            continue
        plain = event.code == "ok" or (word, event.code) in _PLAIN
        short = word if plain else f"{word} {event.code}"
        answers.append((short, short + detail) if detail else (short,))
    return answers


def play(text: str) -> Branches:
    """Play steps by the rules, from nothing; return the ledger, for what a tale cannot say.

    Raises: AssertionError where an answer is another one.
    """
    return Player(tale_of(text)).play()
