"""What reconciliation knows of one account: postings, lines, statements, breaks; and what is written of them.

Items that wait for a counterpart stand in plain lists. The rows of the table are those of the wire contract:
one of each item, statement, break, claim and watermark, and index rows that follow from an item's state.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipeline.verify.model.reconciliation_items import (
    AMOUNT,
    CLAIMED,
    OPEN,
    Line,
    Link,
    Posting,
    Statement,
    Waiting,
    number,
)
from pipeline.verify.model.retention import DUPLICATES_DAYS, REVERSALS_DAYS, Ended
from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.wire import DAY_US, LAYOUT, RESULTS, derived, msgpack, row_key

NOT_SAID_YET = {
    "BreakOpened": (
        *("kind", "difference_minor", "materiality", "since", "line_id"),
        *("counterpart_lines", "counterpart_postings"),
    ),
    "BreakResolved": ("kind", "line_no", "journal_id", "actor"),
    "ItemMatched": (
        *("line_id", "other_lines", "score", "parts", "weights_sha256"),
        *("difference_minor", "kind", "actor"),
    ),
}
"""Fields of results that are null: what they say is agreed on, and no stream says it yet."""


@dataclass
class Desk:
    """One account."""

    watermark: int | None = None
    postings: dict[str, Posting] = field(default_factory=dict)
    lines: dict[tuple[str, int], Line] = field(default_factory=dict)
    free_postings: Waiting = field(default_factory=Waiting)
    free_lines: Waiting = field(default_factory=Waiting)
    next_due: int | None = None
    """When the next grace may run out, microseconds; None: nothing waits."""
    claims: dict[tuple[str, str, int], tuple[int, str, bool, int]] = field(default_factory=dict)
    """By currency, reference and amount: day and tier of the last match, whether it was by an id of ours, and
    when it was made."""
    statements: dict[str, Statement] = field(default_factory=dict)
    chains: dict[str, list[Link]] = field(default_factory=dict)
    breaks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Those that are open."""
    resolved: set[str] = field(default_factory=set)
    past: Ended | None = None
    passed: list[bytes] = field(default_factory=list)
    """Keys of rows that may go."""


@dataclass
class Desks(StreamModel):
    """All accounts of a partition; what is said and written of the one that the present record is about."""

    window_days: int = 3
    """How far the dates of two items may lie apart where the amount decides."""
    tolerance: int = 0
    """How far amounts may lie apart, minor units."""
    grace_days: int = 2
    """How long an item may wait, in event time."""
    keep_days: int = max(DUPLICATES_DAYS, REVERSALS_DAYS)
    """How long what has ended is known, in event time of the account."""
    desks: dict[tuple[str, str], Desk] = field(default_factory=dict)
    indexed: dict[bytes, set[bytes]] = field(default_factory=dict)
    """The index rows that each item has now."""

    @property
    def owner(self) -> tuple[str, str]:
        return self.cause.fields["tenant_id"], self.cause.fields["account_id"]

    @property
    def desk(self) -> Desk:
        return self.desks.setdefault(self.owner, Desk())

    # --- event time

    def reached(self) -> int:
        """Return the account's event time, the present record included; no clock runs ahead of Kafka's."""
        now: int = min(self.cause.fields["occurred_at"], self.cause.timestamp_ms * 1000)
        before = self.desk.watermark
        return now if before is None else max(before, now)

    def due(self, *times_us: int) -> int:
        """Return when the grace of an item runs out that happened at the earliest of the times."""
        return min(*times_us, self.cause.timestamp_ms * 1000) + self.grace_days * DAY_US

    # --- saying

    def result(self, event: str, name: str, **fields: Any) -> None:
        """Expect a result; `name` makes its id."""
        event_id = self.id_of(name)
        fields = {**dict.fromkeys(NOT_SAID_YET[event]), **fields}
        self.say(RESULTS, self.owner[1], event, event_id, account_id=self.owner[1], **fields)

    def break_id(self, kind: str, subject: str, ordinal: str) -> str:
        """Return the id of a break: it follows from what it is about, not from what has uncovered it."""
        return derived(f"{'/'.join(self.owner)}/{subject}", f"{kind}/{ordinal}")

    def open_break(
        self, kind: str, subject: str, ordinal: str, currency: str, amount: int, detail: str, **about: Any
    ) -> str:
        """Expect a break to be opened; return its id."""
        break_id = self.break_id(kind, subject, ordinal)
        said = {"statement_id": None, "line_no": None, "posting_id": None, **about, "detail": detail}
        said = {"type": kind, "amount_minor": amount, "currency": currency, **said}
        self.result("BreakOpened", f"break_opened/{break_id}", break_id=break_id, **said)
        self.desk.resolved.discard(break_id)
        self.desk.breaks[break_id] = {**said, "opened_at": self.cause.fields["occurred_at"]}
        self.write("b", [*self.desk.breaks[break_id].values(), None, None], break_id)
        return break_id

    def resolve(self, break_id: str, resolution: str) -> str:
        """Expect an open break to be resolved; return its type."""
        opened = self.desk.breaks.pop(break_id)
        self.desk.resolved.add(break_id)
        self.end("b", break_id)
        about = {name: opened[name] for name in ("type", "statement_id", "posting_id")}
        name = f"break_resolved/{break_id}"
        self.result("BreakResolved", name, break_id=break_id, resolution=resolution, **about)
        self.write("b", [*opened.values(), resolution, self.cause.fields["occurred_at"]], break_id)
        return str(opened["type"])

    # --- writing

    def end(self, family: str, *parts: str) -> None:
        """Take note that a row of the present account has ended."""
        desk = self.desk
        if desk.past is None:
            desk.past = Ended("qx", self.owner)
        key, keep_us = row_key(family, *self.owner, *parts), self.keep_days * DAY_US
        keys, changes = desk.past.add(self.reached(), key, keep_us)
        desk.passed += keys
        for change in (*changes, desk.past.row()):
            self.row(*change)

    def is_over(self, ended_at: int | None) -> bool:
        """Whether what has ended then counts as unknown by now."""
        return ended_at is not None and self.reached() - ended_at > self.keep_days * DAY_US

    def write(self, family: str, fields: list[Any], *parts: str) -> None:
        """Expect a row of the present account."""
        layout = 2 if family in "olsc" else LAYOUT
        self.row(row_key(family, *self.owner, *parts), bytes([layout]) + msgpack(fields))

    def write_item(self, item: Posting | Line) -> None:
        """Expect an item's row, and its index rows to come and go with its state."""
        state = [item.state, item.break_id, item.breaks]
        if isinstance(item, Posting):
            family = "o"
            content: list[Any] = [item.posting_id, item.currency, item.amount, item.day, item.sequence]
            content += [item.due_at, item.ids, item.names, *state, item.ended_at]
        else:
            family = "l"
            content = [item.statement_id, item.line_no, item.currency, item.amount, item.day, item.due_at]
            content += [item.reference, item.content, item.ripe, *state, item.posting_id, item.ended_at]
        row = row_key(family, *self.owner, *item.key)
        before, now = self.indexed.get(row, set()), self.indexes(item, row)
        for gone in sorted(before - now):
            self.row(gone, None)
        for new in sorted(now - before):
            self.row(new, row)
        self.indexed[row] = now
        if item.state == OPEN:
            known = self.desk.next_due
            self.desk.next_due = item.due_at if known is None else min(item.due_at, known)
        self.write(family, [*self.owner, *content], *item.key)

    def indexes(self, item: Posting | Line, row: bytes) -> set[bytes]:
        """Return the keys of an item's index rows: by reference, by date, and by when its grace runs out."""
        if item.state == CLAIMED:
            return set()
        by_name, by_date, identity = "e", "u", item.key
        if isinstance(item, Posting):
            by_name, by_date, identity = "r", "a", [number(item.sequence), *item.key]
        day, amount = number(item.day), number(item.amount)
        place = (*self.owner, item.currency)
        found = {row_key(by_name, *place, text, amount, day, *identity) for text in item.names}
        if item.ripe and item.state != AMOUNT:
            found.add(row_key(by_date, *place, day, amount, *identity))
        if item.state == OPEN:
            found.add(row_key("d", *self.owner, number(item.due_at)) + b"\0" + row)
        return found
