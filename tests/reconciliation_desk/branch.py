"""A partition of the desk for stories: events one by one, what is said, the rows, whether figures agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.retention import Windows
from pipeline.domain.kernel.rows import MemoryRows, row_key
from pipeline.domain.reconciliation.breaks import summary
from pipeline.domain.reconciliation.breaks.rows import Day, Life, Tally, day_key, unpack_day, unpack_life
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.items import as_item
from pipeline.domain.reconciliation.desk.rows import (
    EARLIER,
    INFORMATION,
    Entry,
    Line,
    Posting,
    Watermark,
    decode,
)
from pipeline.domain.reconciliation.desk.stream import WINDOWS, apply
from pipeline.domain.reconciliation.desk.time import TOPIC
from pipeline.domain.reconciliation.sortable import number_at
from pipeline.domain.tenants.break_rules import BreakRules

DAY = 86_400_000_000
LATER = 10**6 * DAY
ANNA, BOB = ev.Actor("idp", "anna", "session"), ev.Actor("idp", "bob", "session")
RULES = BreakRules(write_off_accounts={"EUR": "write-offs"})


class Branch:
    """One partition with the account `nostro` of the tenant `acme`."""

    def __init__(self, windows: Windows = WINDOWS) -> None:
        self.rows, self.windows, self.number = MemoryRows(), windows, 0
        self.said: list[Any] = []
        """All that was said, in order."""
        self.log: list[Any] = []
        """What the desk has sent to its own log, and that has not come yet."""

    def apply(self, event: Any) -> list[Any]:
        """Apply an event; return what is said. Raises Reject."""
        out = Outbox()
        apply(event, Arrival(LATER, 0, 4), self.rows, out, RULES, self.windows)
        said = [one for topic, _, one in out.items if topic != TOPIC]
        self.log += [one for topic, _, one in out.items if topic == TOPIC]
        self.said += said
        assert_figures_agree(self.rows, self.windows)
        return said

    def goes_on(self) -> list[Any]:
        """Apply what the desk has sent to its own log, until there is nothing; return what is said."""
        said = []
        while self.log:
            said += self.apply(self.log.pop(0))
        return said

    def common(self, day: float) -> dict[str, Any]:
        """Return the fields that each event of the account has; days since 1970."""
        self.number += 1
        return {
            "event_id": f"e{self.number}",
            "tenant_id": "acme",
            "occurred_at": int(day * DAY),
            "correlation_id": "c",
            "causation_id": None,
            "account_id": "nostro",
        }

    def tick(self, day: float) -> list[Any]:
        """Let the branch have time alone, and what that wakes go on."""
        common = self.common(day) | {"tenant_id": "", "account_id": "$clock:0"}
        return self.apply(ev.BranchTicked(**common, branch=0)) + self.goes_on()

    def decides(self, day: float, kind: Any, lines: Sequence[Any], *postings: str) -> list[Any]:
        """Let anna say of lines (by events that name them) and postings that they are one match, or none."""
        named = tuple(ev.LineRef(one.statement_id, one.line_no, one.line_id) for one in lines)
        return self.apply(kind(**self.common(day), lines=named, posting_ids=postings, actor=ANNA))

    def account(self) -> AccountDesk:
        """Return the rows of the account."""
        return AccountDesk(self.rows, "acme", "nostro", self.windows.both_days * DAY)

    def lives(self) -> list[Life]:
        """Return the breaks."""
        return [unpack_life(value) for key, value in sorted(self.rows.data.items()) if key[:1] == b"f"]

    def figures(self, day: int) -> dict[str, Any]:
        """Return the figures of a day."""
        return summary.figures(unpack_day(self.rows.data[day_key("acme", "nostro", "EUR", day)]))


def entries(rows: MemoryRows) -> list[Entry]:
    """Return all items."""
    kinds: dict[bytes, Any] = {b"o": Posting, b"l": Line}
    return [decode(value, kinds[key[:1]]) for key, value in sorted(rows.data.items()) if key[:1] in kinds]


def _day_of(entry: Entry) -> bytes:
    return day_key(entry.tenant_id, entry.account_id, entry.currency, as_item(entry).booked_day)


def assert_figures_agree(rows: MemoryRows, windows: Windows = WINDOWS) -> None:
    """Check that each day counts at least its items, each under the standing that its row says.

    Items that are over are deleted before their day may be: so a day may count more. What happens on a day
    whose windows are over is counted no more.
    """
    items = Counter(
        (_day_of(one), isinstance(one, Line), one.standing)
        for one in entries(rows)
        if one.form != EARLIER and one.status != INFORMATION
    )
    for (key, is_line, standing), count in items.items():
        row = rows.get(key)
        reached = rows.data[b"w\0" + b"\0".join(key.split(b"\0")[1:3])]
        over = decode(reached, Watermark).reached_at - windows.both_days * DAY
        day = Day(ended_at=number_at(key, len(key) - 20) * DAY) if row is None else unpack_day(row)
        if day.ended_at is not None and day.ended_at < over:
            continue
        tally = (day.lines if is_line else day.postings).get(standing, Tally())
        assert tally.count >= count, (key, standing)


def pending(rows: MemoryRows, family: str) -> int:
    """Return how many rows of a family there are."""
    return len([key for key in rows.data if key.startswith(row_key(family, ""))])


def with_(event: Any, **change: Any) -> Any:
    """Return an event with other fields."""
    return msgspec.structs.replace(event, **change)
