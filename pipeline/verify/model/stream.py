"""What the models of all streams have in common: one record in; a dead letter, or what must come out.

What never changes: a record has all of its effects or none, and one that has none says why.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

from pipeline.verify.model.record import Record
from pipeline.verify.model.tenants import Tenants
from pipeline.verify.model.wire import (
    METADATA_EVENTS,
    TABLE,
    UNSAID,
    WITH_ACTOR,
    WITH_APPROVER,
    Dead,
    Expected,
    cause_of,
    derived,
    misplaced,
)


class Wrong(NamedTuple):
    """What a model that judges finds: the name of a problem, and what is wrong."""

    name: str
    text: str


class Witness(Protocol):
    """What a stream has really said."""

    def __call__(
        self, topic: str, ahead: int, matches: Callable[[Record], bool], sure: bool
    ) -> Record | None:
        """Return the record of a topic that stands `ahead` behind those that are accounted for, if it
        matches; `sure`: there must be one, so it may also stand near by."""
        ...


@dataclass
class StreamModel:
    """One partition of a stream, as far as its log has been applied."""

    number: int
    partitions: int
    out: list[Expected] = field(default_factory=list)
    cause: Record = field(init=False)
    tenants: Tenants = field(default_factory=Tenants)
    """What each tenant may do."""
    with_rows: bool = True
    """Whether the rows of the stream's table are said, too."""
    witness: Witness | None = None
    """Where it is given, what settings decide is not judged but taken as the stream has said it: which
    settings counted when a record was applied is not in the log."""
    letter: Callable[[Record], str | None] | None = None
    """With a witness: the code of the dead letter that a record is, None where it is none."""
    rules: ClassVar[Mapping[str, Callable[[Any, dict[str, Any]], None]]]
    """By event, how a model is changed by one; a rule raises `Dead` before it changes anything."""

    def apply(self, record: Record) -> tuple[str | None, list[Expected]]:
        """Apply one record; return its dead-letter code or None, and what must come out of it."""
        self.cause, self.out = record, []
        try:
            code = misplaced(record, self.partitions)
            if code is not None:
                raise Dead(code)
            rule = self.rules.get(record.event or "")
            if rule is None:
                raise Dead("unexpected_event")
            self.check_ids(record.fields)
            if not self.refused_at_once(record):
                rule(self, record.fields)
            self.conclude()
        except Dead as dead:
            return str(dead), []
        return None, self.out

    def check_ids(self, event: dict[str, Any]) -> None:
        """Raise `Dead` for an id that no row could have."""

    def refused_at_once(self, record: Record) -> bool:
        """Whether a record is answered before its rule, and has no other effect."""
        return False

    def conclude(self) -> None:
        """Say what is said once, after all that a record has changed."""

    def view(self) -> Iterable[dict[str, Any]]:
        """Yield what the view of the stream's table must show, as events have it."""
        return ()

    def wrong(self) -> Iterable[Wrong]:
        """Yield what is wrong with what the present record has caused, where a model judges what was said."""
        return ()

    def wrong_at_rest(self) -> Iterable[Wrong]:
        """Yield what is wrong where nothing comes any more."""
        return ()

    def id_of(self, name: str) -> str:
        """Return the id of an event that the present record gives rise to."""
        return derived(cause_of(self.cause), name)

    def say(self, topic: str, account_id: str, event: str, event_id: str, /, **fields: Any) -> None:
        """Expect an event caused by the present record, with the envelope that follows from it."""
        cause = self.cause.fields
        said = {
            "event_id": event_id,
            "tenant_id": cause["tenant_id"],
            "occurred_at": cause["occurred_at"],
            "correlation_id": cause["correlation_id"],
            "causation_id": cause["event_id"],
            **({"actor": cause.get("actor")} if event in WITH_ACTOR else {}),
            **({"approved_by": cause.get("approved_by")} if event in WITH_APPROVER else {}),
            **({"metadata": None} if event in METADATA_EVENTS else {}),
            **UNSAID.get(event, {}),
            **fields,
        }
        key = f"{cause['tenant_id']}/{account_id}".encode()
        self.out.append(Expected(topic, key, event, said, self.cause.offset))

    def row(self, key: bytes, value: bytes | None) -> None:
        """Expect a row of the table; None: it is deleted."""
        if self.with_rows:
            self.out.append(Expected(TABLE, key, "row", {}, self.cause.offset, value))

    def next_said(self, topic: str, event: str, sure: bool = False, **about: Any) -> dict[str, Any] | None:
        """Return what the stream has said next on a topic, if it is such an event of the present record.

        Upstreams repeat event ids, so its time must be the record's, too.
        """
        assert self.witness is not None
        cause = self.cause.fields
        about |= {"tenant_id": cause["tenant_id"], "causation_id": cause["event_id"]}
        about = {"occurred_at": cause["occurred_at"]} | about

        def matches(record: Record) -> bool:
            return record.event == event and about.items() <= record.fields.items()

        said = self.witness(topic, sum(one.topic == topic for one in self.out), matches, sure)
        return None if said is None else said.fields

    def said_code(self, codes: Container[str], topic: str, event: str, **about: Any) -> str | None:
        """Return the code of what the stream has said next, as `next_said`, if it is one of these."""
        said = self.next_said(topic, event, **about)
        return None if said is None or said["code"] not in codes else said["code"]
