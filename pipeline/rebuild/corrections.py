"""Correcting journals: what an account's balance has to change by after a change of rules, as a proposal.

    replay under the new rules - live table = difference of an account
    difference -> a journal of two legs, the account against the tenant's correction account

A correction puts the live tables right, and the replay is right without it. So **a replay leaves corrections
out**, and the legs that their branches ask of each other: with them it would have the difference twice, and
every later replay would propose it again, with the other sign.

A correction is known by its id alone in no case: the id must be the one that its reason, account and tenant
give, and two people must be asked for. A journal of an upstream that only looks like one is replayed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pipeline.domain.kernel import events as ev
from pipeline.runtime.avro.codec import Codec
from pipeline.runtime.store.partition_store import PartitionStore

PREFIX = "correction-"
PURPOSE, AGAINST = "rules correction", "rules correction, other side"
"""Purposes of the leg on the account that is put right, and of the leg on the correction account."""
REFERENCE = "correction after a change of rules"
_CAUSE = re.compile(r"rules (\S+) -> (\S+) at (\d+)/(\d+)")
_LEGS = (ev.JournalLegsRequested, ev.JournalLegsAnswered, ev.JournalLegsEnded)


class Cause(NamedTuple):
    """The change of rules that a correction belongs to, and where in the log the tables were compared."""

    before: str
    """The version of the rules that the live table was written by, as `after`."""
    after: str
    partition: int
    offset: int
    """The live rows contain the effects of all events below it."""

    def __str__(self) -> str:
        return f"rules {self.before} -> {self.after} at {self.partition}/{self.offset}"


class Party(NamedTuple):
    """An account of a tenant."""

    tenant_id: str
    account_id: str

    def __str__(self) -> str:
        return f"{self.tenant_id}/{self.account_id}"


def correction_id(cause: Cause, party: Party) -> str:
    """Return the id of an account's correction: of the journal, and of the event that proposes it."""
    named = "\0".join((str(cause), *party))
    return PREFIX + hashlib.sha256(named.encode()).hexdigest()[:32]


def correction(
    cause: Cause, party: Party, change_minor: int, currency: str, against: str, at: int, actor: ev.Actor
) -> ev.JournalSubmitted:
    """Return the journal that changes the balance of an account by an amount other than 0, minor units.

    `at`: when it is proposed, microseconds UTC. All but `at` and `actor`, which are no part of what is
    proposed, follows from the position: sending it again repeats it, and proposes nothing new.
    """
    sides = ("CREDIT", "DEBIT") if change_minor > 0 else ("DEBIT", "CREDIT")
    parties = ((party.account_id, PURPOSE), (against, AGAINST))
    legs = tuple(
        ev.JournalLeg(number, 1, account_id, side, abs(change_minor), currency, purpose, None)
        for number, (side, (account_id, purpose)) in enumerate(zip(sides, parties, strict=True), 1)
    )
    name = correction_id(cause, party)
    return ev.JournalSubmitted(
        name, party.tenant_id, at, name, None, name, party.account_id, legs, REFERENCE, str(cause), None,
        "NEXT_PERIOD", actor=actor, needs_approval=True,
    )  # fmt: skip


def is_correction(event: Any) -> bool:
    """Whether an event is a correction that `correction` could have made."""
    if not isinstance(event, ev.JournalSubmitted) or not event.needs_approval or len(event.legs) != 2:
        return False
    found = _CAUSE.fullmatch(event.reason or "")
    if found is None or [leg.purpose for leg in event.legs] != [PURPOSE, AGAINST]:
        return False
    before, after, partition, offset = found.groups()
    cause, party = Cause(before, after, int(partition), int(offset)), Party(event.tenant_id, event.account_id)
    name = correction_id(cause, party)
    return event.journal_id == event.event_id == name and event.legs[0].account_id == event.account_id


class LeftOut:
    """The corrections that a replay has left out so far, kept in a database of its scratch."""

    def __init__(self, store: PartitionStore, codec: Codec) -> None:
        self._store = store
        self._codec = codec

    def without(self, records: Sequence[Any]) -> list[Any]:
        """Return the records of a log that are no corrections; those that are, are noted first."""
        kinds = self._codec.kinds([record.value for record in records])
        places = [place for place, kind in enumerate(kinds) if kind is ev.JournalSubmitted]
        events = self._codec.decode([records[place].value for place in places]).events
        found = {place: event for place, event in zip(places, events, strict=True) if is_correction(event)}
        if not found:
            return list(records)
        rows = {_key(one.tenant_id, one.account_id, one.journal_id): _row(one) for one in found.values()}
        self._store.write(rows, None)
        return [record for place, record in enumerate(records) if place not in found]

    def is_part(self, event: Any) -> bool:
        """Whether a message between branches is about a correction that was left out."""
        journal = journal_of(event)
        return journal is not None and self._store.committed_get(_key(*journal)) is not None

    def accounts(self) -> set[Party]:
        """Return the accounts that corrections were booked against."""
        return {
            Party(key.decode().split("\0")[0], value.decode())
            for key, value in self._store.committed_scan(b"")
        }

    def wipe(self) -> None:
        """Forget all."""
        self._store.wipe()


def journal_of(event: Any) -> tuple[str, str, str] | None:
    """Return tenant, home account and id of the journal that a message between branches is about, if any."""
    if not isinstance(event, _LEGS):
        return None
    return event.tenant_id, event.home_account_id, event.journal_id


def corrections_among(events: Iterable[Any]) -> dict[Party, str]:
    """Return the accounts that corrections among events are for, each with the journal's id."""
    return {Party(one.tenant_id, one.account_id): one.journal_id for one in events if is_correction(one)}


def _key(tenant_id: str, account_id: str, journal_id: str) -> bytes:
    return "\0".join((tenant_id, account_id, journal_id)).encode()


def _row(event: ev.JournalSubmitted) -> bytes:
    return event.legs[1].account_id.encode()
