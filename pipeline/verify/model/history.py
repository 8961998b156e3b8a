"""The model of the history stream: a list of lines for each account, and rows worked out from the list.

What never changes: a line is the journal's record, in the order of the log; a zone is the span and the sum of
its lines; the head says how many lines there are and what the last of them left.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from pipeline.verify.model.ledger_accounts import ACCOUNT_KINDS
from pipeline.verify.model.stream import StreamModel
from pipeline.verify.model.wire import HISTORY_ALERTS, LAYOUT, LONG_MAX, LONG_MIN, Dead, row_key

KINDS = ("DEBIT", "CREDIT", "PLACED", "RELEASED")
LOOKED_AT = 1000
"""So many of an account's last lines are looked at for a debit that counts in the past."""
SIZE = 32
"""Lines of a zone, and zones of the next larger one."""
HEAD = struct.Struct("<BB3sqqqq")
LINE = struct.Struct("<BBBBIqqqqqq")
ZONE = struct.Struct("<qqqq")


class Line(NamedTuple):
    """What a zone and a head need of a line."""

    booked_at: int
    effective_at: int
    posted: int
    held: int
    balance: int
    held_after: int


def posting(branch: HistoryBranch, event: dict[str, Any]) -> None:
    sign = 1 if event["side"] == "CREDIT" else -1
    ids = event["posting_id"], event["entry_id"]
    posted = sign * event["amount_minor"]
    of = event["payment_id"]
    if of is None:
        of = event.get("journal_id")  # a line says what it is for, whichever of both that is
    branch.book(event["side"], posted, event["balance_minor_after"], ids, of)
    if event.get("lowest_balance_minor") is not None:
        branch.look_back(event, of)


def hold(branch: HistoryBranch, event: dict[str, Any]) -> None:
    if event["change"] not in KINDS:
        raise Dead("unexpected_change")
    branch.book(event["change"], 0, event["balance_minor"], (event["event_id"], ""), event["hold_id"])


@dataclass
class HistoryBranch(StreamModel):
    """The lines of one partition."""

    lines: dict[tuple[str, str], list[Line]] = field(default_factory=dict)
    parts: dict[tuple[str, str, int], tuple[int, int, bytes]] = field(default_factory=dict)
    """The open part of each account's level as it was last: from which line to which, and its zone. A level
    goes on once in so many lines, and a clearing account has a line for nearly every payment."""
    rules: ClassVar = {"PostingRecorded": posting, "HoldRecorded": hold}

    def book(self, kind: str, posted: int, balance: int, ids: tuple[str, str], payment: str | None) -> None:
        """Add the line of the present record, and expect its rows."""
        event = self.cause.fields
        if event["amount_minor"] <= 0:
            raise Dead("amount_must_be_positive")
        if event["held_minor_after"] is not None and event["held_minor_after"] < 0:
            raise Dead("held_below_zero")
        account = event["tenant_id"], event["account_id"]
        lines = self.lines.setdefault(account, [])
        before = lines[-1] if lines else Line(LONG_MIN, 0, 0, 0, 0, 0)
        held = before.held_after if event["held_minor_after"] is None else event["held_minor_after"]
        booked_at = event["booked_at"]
        if booked_at is None:
            booked_at = self.cause.timestamp_ms * 1000
        change = held - before.held_after
        effective_at = event.get("effective_at")  # older versions of a posting, and holds, have none
        if effective_at is None:
            effective_at = event["occurred_at"]
        line = Line(max(booked_at, before.booked_at), effective_at, posted, change, balance, held)
        lines.append(line)
        number, reference = len(lines) - 1, event.get("reference")
        correlation = event["correlation_id"].encode()
        flags = (payment is None, reference is None)
        fixed = LINE.pack(LAYOUT, KINDS.index(kind), *flags, len(correlation), *line)
        texts = "\0".join((*ids, payment or "", "")).encode() + correlation + (reference or "").encode()
        self.row(row_key("l", *account, f"{number:010x}"), fixed + texts)
        self._sum_up(account, lines)

    def look_back(self, event: dict[str, Any], of: str | None) -> None:
        """Expect the warning of a back-dated debit, the last line of its account, if the past lies too low.

        The balance at a time is today's without the lines that count later. Where older lines than the last
        LOOKED_AT count later than the debit, nobody has looked.
        """
        lines = self.lines[event["tenant_id"], event["account_id"]]
        since, allowed, today = lines[-1].effective_at, event["lowest_balance_minor"], lines[-1].balance
        later = [line for line in lines if line.effective_at > since]
        checked = not any(line.effective_at > since for line in lines[:-LOOKED_AT])
        found: dict[str, Any] = dict.fromkeys(("lowest_at", "balance_minor", "short_minor"))
        if checked:
            low, at = min(
                (today - sum(line.posted for line in later if line.effective_at > time), time)
                for time in {since, *(line.effective_at for line in later)}
            )
            if low >= allowed:
                return
            found = {"lowest_at": at, "balance_minor": low, "short_minor": allowed - low}
        self.say(
            HISTORY_ALERTS,
            event["account_id"],
            "PastOverdrawn",
            self.id_of(f"past_overdrawn:{event['posting_id']}"),
            **{name: event[name] for name in ("account_id", "currency", "posting_id", "amount_minor")},
            payment_id=of,
            effective_at=since,
            lowest_balance_minor=allowed,
            checked=checked,
            **found,
        )

    def _sum_up(self, account: tuple[str, str], lines: list[Line]) -> None:
        """Expect the zones that the last line has filled, and the head."""
        count, level = len(lines), 1
        while count % SIZE**level == 0:
            number = count // SIZE**level - 1
            zone = ZONE.pack(*span(lines[-(SIZE**level) :]))
            self.row(row_key("z", *account, str(level), f"{number:010x}"), bytes([LAYOUT]) + zone)
            level += 1
        rest, level = b"", 1
        while level == 1 or count >= SIZE ** (level - 1):
            start, stop = (count // SIZE**size * SIZE**size for size in (level, level - 1))
            known = self.parts.get((*account, level))
            if known is None or known[:2] != (start, stop):
                known = self.parts[*account, level] = start, stop, ZONE.pack(*span(lines[start:stop]))
            rest += known[2]
            level += 1
        event, last = self.cause.fields, lines[-1]
        kind, currency = ACCOUNT_KINDS.index(event["account_type"]), event["currency"].encode()
        head = HEAD.pack(LAYOUT, kind, currency, count, last.booked_at, last.balance, last.held_after)
        self.row(row_key("h", *account), head + rest)


def span(lines: list[Line]) -> tuple[int, int, int, int]:
    """Return earliest and latest value time, and what the lines add to the balance and to the holds."""
    times = [line.effective_at for line in lines]
    posted, held = sum(line.posted for line in lines), sum(line.held for line in lines)
    return min(times, default=LONG_MAX), max(times, default=LONG_MIN), posted, held
