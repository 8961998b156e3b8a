"""Planted stories of what waits: payments and journals for their time, journals for a second person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.ledger.proposed_content import content_hash, content_of
from pipeline.loadgen.journals import JournalDraft
from pipeline.loadgen.payments import RARE
from pipeline.loadgen.plan import AHEAD_S, SECOND_US, Produce
from pipeline.loadgen.story_steps import SETTLED, SHORT_HOLD_US, StorySteps
from pipeline.loadgen.world import Community


class WaitingStories(StorySteps):
    """Stories of commands that have no effect before something else comes."""

    # --- for a time

    def scheduled(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A payment waits for its time; a later one of its debtor meets it executed."""
        payment = self._paid(community, victim, self._near(community, victim))
        number = self._outcome("schedule", payment, SETTLED, "ok", 2)
        yield self._payments.initiated(payment, at, RARE, (number,), execute_at=at + SHORT_HOLD_US)
        later = self._paid(community, victim, payment.creditor)
        self._after(
            at + 2 * SHORT_HOLD_US, lambda time: self._payments.initiated(later, time, planted=(number,))
        )

    def called_off(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A payment is cancelled before its time."""
        payment = self._paid(community, victim, self._near(community, victim))
        number = self._outcome("schedule", payment, "outcomes.PaymentCancelled", "cancelled", 2)
        yield self._payments.initiated(payment, at, RARE, (number,), execute_at=self._long())
        yield self._payments.cancelled(payment, at + SECOND_US, (number,))

    def journal_scheduled(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A journal waits for its time; a later one on its account meets it executed."""
        desk, more = self._near(community, victim), {"execute_at": at + SHORT_HOLD_US}
        journal = self._pays(community, victim, desk, more=more)
        number = self._becomes(community.tenant, journal.journal_id, "POSTED", parts=2, kind="schedule")
        yield self._journals.submitted(journal, at, (number,))
        later = self._pays(community, victim, desk)
        self._after(at + 2 * SHORT_HOLD_US, lambda time: self._journals.submitted(later, time, (number,)))

    def journal_called_off(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A journal is voided before its time."""
        more = {"execute_at": self._long()}
        journal = self._pays(community, victim, self._near(community, victim), more=more)
        number = self._becomes(community.tenant, journal.journal_id, "VOIDED", "cancelled", 2, "schedule")
        yield self._journals.submitted(journal, at, (number,))
        yield self._journals.voided(journal, at + SECOND_US, (number,))

    # --- for a second person

    def approved(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """A journal needs a second person, who approves it."""
        journal, proposal = self._proposed(community, victim)
        number = self._becomes(community.tenant, journal.journal_id, "POSTED", parts=2, kind="approval")
        yield self._proposal(journal, proposal, at, number)
        named = content_hash(journal.tenant, "journal_submitted", _content(journal, proposal))
        yield from self._when_known(
            at, lambda time: self._approval(journal, proposal["event_id"], named, time, number)
        )

    def approved_unread(self, community: Community, victim: str, at: int) -> Iterator[Produce]:
        """The second person approves another content than what is proposed: it goes on waiting."""
        journal, proposal = self._proposed(community, victim)
        refused = {"account_id": victim, "code": "proposal_changed"}
        ids = {"journal_id": journal.journal_id, "account_id": victim}
        number = self._plant("approval", community.tenant, {"refused": refused}, 2, **ids)
        yield self._proposal(journal, proposal, at, number)
        other = replace(journal, journal_id=f"{journal.journal_id}-other")
        named = content_hash(journal.tenant, "journal_submitted", _content(other, proposal))
        yield from self._when_known(
            at, lambda time: self._approval(journal, proposal["event_id"], named, time, number)
        )

    def _proposed(self, community: Community, victim: str) -> tuple[JournalDraft, dict[str, Any]]:
        """Return a journal that needs approval, and the fields with which it is proposed."""
        more = {"needs_approval": True, "actor": _person("anna")}
        journal = self._pays(community, victim, self._near(community, victim), more=more)
        return journal, self._journals.submitted_fields(journal)

    def _proposal(self, journal: JournalDraft, fields: dict[str, Any], at: int, number: int) -> Produce:
        """Return journal_submitted of a journal; its event's id is kept in `fields`."""
        return self._journals.event("JournalSubmitted", journal, at, fields, (number,))

    def _approval(self, journal: JournalDraft, proposal: str, named: str, at: int, number: int) -> Produce:
        fields = {
            "account_id": journal.account,
            "proposal_id": proposal,
            "content_hash": named,
            "actor": _person("bert"),
        }
        record = "ledgerflow.ProposalApproved", 1, journal.tenant, journal.account
        return self._emitter.event("approvals", *record, at, fields, (number,))

    def _when_known(self, at: int, make: Callable[[int], Produce]) -> Iterator[Produce]:
        """Keep a record of another topic until the ledger has what it is about."""
        if self._plan.count is not None:
            yield from self._when_answered(at, make)
            return
        live = self._plan.live_after is not None and at >= self._plan.live_after
        faster = 1 if live else self._plan.step_us / max(self._plan.live_step_us, 1)
        self._after(at + int(AHEAD_S * SECOND_US * faster), make)


def _content(journal: JournalDraft, fields: dict[str, Any]) -> dict[str, Any]:
    """Return what a journal_submitted says, without the envelope."""
    said = {**fields, "journal_id": journal.journal_id, "account_id": journal.account}
    about = {"event_id": "", "tenant_id": "", "occurred_at": 0, "correlation_id": "", "causation_id": None}
    return content_of(msgspec.convert({**said, **about}, ev.JournalSubmitted))


def _person(subject: str) -> dict[str, Any]:
    """Return an actor who is a person: one with a session."""
    unknown = {"key_id": None, "roles_version": None}
    return {"issuer": "load", "subject": subject, "session_id": f"session of {subject}", **unknown}
