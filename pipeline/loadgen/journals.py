"""Journals of many legs: their records, and the desks, the accounts that are the other party in stories.

A desk is an institutional account without limits. Each community has one on every partition, so a story can
choose whether its accounts are on one branch or on two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

import schemas
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.partitions import partition_of
from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.plan import Produce
from pipeline.loadgen.world import Community, World

DESK_BALANCE_MINOR = 50_000_000_00
Leg = dict[str, Any]


@dataclass
class JournalDraft:
    """The fields of a journal_submitted."""

    tenant: str
    journal_id: str
    account: str
    legs: list[Leg]
    hold_until: int | None = None
    """Microseconds UTC; None: the journal is posted at once."""
    effective_at: int | None = None
    refuse_late: bool = False
    more: Leg | None = None
    """Fields that version 1 has not; None: it is of version 1."""


def newest(kind: type) -> dict[str, Any]:
    """Return the fields that were added to an event, each null."""
    return {field.name: None for field in msgspec.structs.fields(kind) if not field.required}


def leg(
    number: int, account: str, amount: int, currency: str, entry: int = 0, **more: str | int | None
) -> Leg:
    """Return a leg. `amount` in minor units: a positive one is a credit, a negative one a debit."""
    return {
        "leg_no": number,
        "entry_no": entry,
        "account_id": account,
        "side": "CREDIT" if amount > 0 else "DEBIT",
        "amount_minor": abs(amount),
        "currency": currency,
        "purpose": None,
        "rate_e8": None,
        **more,
    }


class JournalRecords:
    """Makes the records of journals."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter

    def new(self, community: Community, account: str, legs: list[Leg], **more: Any) -> JournalDraft:
        """Return a journal with a new id; `account` is the one whose partition keeps it."""
        return JournalDraft(community.tenant, self._emitter.name("j"), account, legs, **more)

    def submitted(self, journal: JournalDraft, at: int, planted: tuple[int, ...] = ()) -> Produce:
        """Return journal_submitted."""
        return self.event("JournalSubmitted", journal, at, self.submitted_fields(journal), planted)

    def submitted_fields(self, journal: JournalDraft) -> dict[str, Any]:
        """Return the fields of journal_submitted without the envelope and the ids."""
        fields: dict[str, Any] = {
            "legs": journal.legs,
            "reference": f"JOURNAL {journal.journal_id}",
            "reason": None,
            "effective_at": journal.effective_at,
            "late": "REFUSE" if journal.refuse_late else "NEXT_PERIOD",
            "hold_expires_at": journal.hold_until,
        }
        return fields if journal.more is None else fields | newest(ev.JournalSubmitted) | journal.more

    def confirmed(
        self, journal: JournalDraft, at: int, planted: tuple[int, ...] = (), **more: Any
    ) -> Produce:
        """Return journal_confirmed; `more`: fields that version 1 has not."""
        fields = newest(ev.JournalConfirmed) | more if more else {}
        return self.event("JournalConfirmed", journal, at, fields, planted)

    def voided(self, journal: JournalDraft, at: int, planted: tuple[int, ...] = ()) -> Produce:
        """Return journal_voided."""
        return self.event("JournalVoided", journal, at, {"reason": "order withdrawn"}, planted)

    def reversed(
        self,
        journal: JournalDraft,
        at: int,
        reversal_id: str,
        legs: list[Leg] | None = None,
        planted: tuple[int, ...] = (),
    ) -> Produce:
        """Return journal_reversed; without legs it reverses all that is left."""
        fields = {
            "reversal_id": reversal_id,
            "legs": legs or [],
            "reason": "booked in error",
            "effective_at": None,
            "late": "NEXT_PERIOD",
        }
        return self.event("JournalReversed", journal, at, fields, planted)

    def event(
        self, name: str, journal: JournalDraft, at: int, fields: dict[str, Any], planted: tuple[int, ...]
    ) -> Produce:
        """Return an event of a journal; `fields` without the envelope and the ids: they are added."""
        fields |= {"journal_id": journal.journal_id, "account_id": journal.account}
        record = f"ledgerflow.{name}"
        version = len(schemas.versions(record)) if "expected_sequence" in fields else 1
        return self._emitter.event(
            "journals", record, version, journal.tenant, journal.account, at, fields, planted
        )


class Desks:
    """The desks of all communities."""

    def __init__(self, world: World, emitter: Emitter, partitions: int) -> None:
        self._world = world
        self._emitter = emitter
        self._partitions = partitions
        self._desks: dict[tuple[str, str], list[str]] = {}

    def open_all(self) -> Iterator[Produce]:
        """Yield the opening of every desk."""
        for community in self._world.communities:
            desks = [self.name("b", community, number) for number in range(self._partitions)]
            self._desks[community.tenant, community.currency] = desks
            for desk in desks:
                yield self._world.open(community, desk, "merchant", DESK_BALANCE_MINOR, limit=None)

    def near(self, community: Community, account: str) -> str:
        """Return the desk on the partition of an account."""
        return self._desk(community, account, 0)

    def far(self, community: Community, account: str) -> str:
        """Return a desk on another partition than an account's, if there is one."""
        return self._desk(community, account, 1)

    def name(self, prefix: str, community: Community, partition: int) -> str:
        """Return a new account id whose key is on a partition."""
        while True:
            account = self._emitter.name(prefix)
            if self.home(community, account) == partition % self._partitions:
                return account

    def home(self, community: Community, account: str) -> int:
        """Return the partition of an account."""
        return partition_of(f"{community.tenant}/{account}", self._partitions)

    def _desk(self, community: Community, account: str, step: int) -> str:
        place = (self.home(community, account) + step) % self._partitions
        return self._desks[community.tenant, community.currency][place]
