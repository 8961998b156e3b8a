"""What the models of all streams have in common: one record in; a dead letter, or what must come out.

What never changes: a record has all of its effects or none, and one that has none says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.chaos.log_reader import Record
from tests.chaos.tenants_model import Tenants
from tests.chaos.wire import TABLE, UNSAID, Dead, Expected, cause_of, derived, misplaced


@dataclass
class StreamModel:
    """One partition of a stream, as far as its log has been applied."""

    number: int
    partitions: int
    out: list[Expected] = field(default_factory=list)
    cause: Record = field(init=False)
    tenants: Tenants = field(default_factory=Tenants)
    """What each tenant may do."""
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
            rule(self, record.fields)
            self.conclude()
        except Dead as dead:
            return str(dead), []
        return None, self.out

    def check_ids(self, event: dict[str, Any]) -> None:
        """Raise `Dead` for an id that no row could have."""

    def conclude(self) -> None:
        """Say what is said once, after all that a record has changed."""

    def view(self) -> Iterable[dict[str, Any]]:
        """Yield what the view of the stream's table must show, as events have it."""
        return ()

    def id_of(self, name: str) -> str:
        """Return the id of an event that the present record gives rise to."""
        return derived(cause_of(self.cause), name)

    def say(self, topic: str, account_id: str, event: str, event_id: str, /, **fields: Any) -> None:
        """Expect an event caused by the present record, with the envelope that follows from it."""
        cause = self.cause.fields
        envelope = {name: cause[name] for name in ("tenant_id", "occurred_at", "correlation_id")}
        said = {"event_id": event_id, **envelope, "causation_id": cause["event_id"]}
        said |= UNSAID.get(event, {}) | fields
        key = f"{cause['tenant_id']}/{account_id}".encode()
        self.out.append(Expected(topic, key, event, said, self.cause.offset))

    def row(self, key: bytes, value: bytes | None) -> None:
        """Expect a row of the table; None: it is deleted."""
        self.out.append(Expected(TABLE, key, "row", {}, self.cause.offset, value))
