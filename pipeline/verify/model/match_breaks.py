"""Whether breaks are opened once and end once, and whether two people stand behind a correction.

    BreakOpened -> opened; BreakResolved -> resolved; BreakChanged, CorrectionProposed -> changed, proposed

One account at a time. What people may do about a break, and when, is for the model of lives (`break_lives`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from pipeline.verify.model.match_break_kinds import STATEMENT_KINDS, check_kind
from pipeline.verify.model.match_fields import check_opened, check_resolved
from pipeline.verify.model.match_items import Account, Item, Say
from pipeline.verify.model.wire import DAY_US

OVER = ("WRITTEN_OFF", "RESOLVED")
ENDS = ("MATCHED", "CORRECTION_POSTED", "WRITTEN_OFF")
"""Changes that go with a BreakResolved, which ends the break."""
RESOLUTIONS = (
    *("posting_arrived", "line_arrived", "statement_arrived", "matched"),
    *("corrected", "written_off", "accepted"),
)
SHOWN = (
    *("type", "kind", "amount_minor", "currency", "statement_id", "line_no", "posting_id", "detail"),
    *("difference_minor", "materiality"),
)
"""What a view says of an open break as it was opened."""
Person = tuple[str, str]


@dataclass(eq=False)
class Break:
    """One break."""

    kind: str
    statement_id: str | None
    amount: int
    difference: int
    item: Item | None
    is_of_item: bool
    is_open: bool = True
    ended_at: int = 0
    was_corrected: bool = False
    shown: dict[str, Any] = field(default_factory=dict)
    """How it was opened."""
    makers: dict[str, Person | None] = field(default_factory=dict)
    """Who has suggested a correction, by its id."""


@dataclass
class Breaks:
    """The breaks of one account."""

    known: dict[str, Break] = field(default_factory=dict)
    over: deque[tuple[int, str]] = field(default_factory=deque)
    """Breaks that have ended, by when they did."""

    def opened(self, account: Account, said: dict[str, Any], is_conflict: bool, say: Say) -> Break:
        """A break was opened; `is_conflict`: it is about content that came under a taken number."""
        name, kind = said["break_id"], said.get("kind") or said["type"]
        before = self.known.get(name)
        if before is not None:
            say("break opened twice", f"break {name} is {'open' if before.is_open else 'known, and over'}")
        item = None
        is_of_item = said["posting_id"] is not None or (said["line_no"] is not None and not is_conflict)
        if is_of_item:
            item = self.item_of(account, said, say)
        elif kind not in STATEMENT_KINDS:
            say("kind", f"{kind} names no item")
        difference = said.get("difference_minor") or 0
        found = Break(kind, said["statement_id"], said["amount_minor"], difference, item, is_of_item)
        check_opened(said, is_of_item, say)
        found.shown = {field: said[field] for field in SHOWN} | {"opened_at": said["occurred_at"]}
        self.known[name] = found
        if item is not None:
            self.check_item(account, said, kind, item, say)
            item.break_id, item.has_ended = name, True
        return found

    def item_of(self, account: Account, said: dict[str, Any], say: Say) -> Item | None:
        """Return the item that a break is about."""
        if said["posting_id"] is not None:
            item = account.postings.get(said["posting_id"])
        else:
            item = account.line(said)
        if item is None:
            say("break of nothing", "no item that is known has this break")
        return item

    def check_item(self, account: Account, said: dict[str, Any], kind: str, item: Item, say: Say) -> None:
        """Check a break of an item."""
        if item.match is not None:
            say("break of a match", f"{item.name} is matched")
        if item.break_id is not None and item.break_id != said["break_id"]:
            say("break opened twice", f"{item.name} has an open break already")
        if said["amount_minor"] != item.amount:
            say("amount", f"{item.name} is of {item.amount}, its break of {said['amount_minor']}")
        if account.time < item.came_at + DAY_US:
            say("break too early", f"{item.name} came less than a day before")
        if said["currency"] != item.currency:
            say("currencies", f"{item.name} is of {item.currency}, its break of {said['currency']}")
        if said.get("since") is not None and said["since"] != item.day:
            say("since", f"{item.name} is of day {item.day}, its break counts from {said['since']}")
        named = [account.line(ref) for ref in said.get("counterpart_lines") or ()]
        named += map(account.postings.get, said.get("counterpart_postings") or ())
        others = [one for one in named if one is not None]
        if len(others) < len(named):
            say("unknown item", f"a counterpart of {item.name} is not known")
        check_kind(kind, item, others, said.get("difference_minor"), say)

    def resolved(self, said: dict[str, Any], now: int, say: Say) -> Break | None:
        """A break has ended."""
        found = self.known.get(said["break_id"])
        if found is None:
            say("break ended twice", f"resolves {said['break_id']}, which was never opened")
            return None
        if not found.is_open:
            say("break ended twice", f"{said['break_id']} is over already")
        check_resolved(said, found.shown, say)
        if said["resolution"] not in RESOLUTIONS:
            say("resolution", f"{said['resolution']} is no end of a break")
        found.is_open, found.ended_at = False, now
        self.over.append((now, said["break_id"]))
        if found.item is not None and found.item.break_id == said["break_id"]:
            found.item.break_id = None
        return found

    def forget(self, ended_before: int) -> None:
        """Let breaks go that ended before a time."""
        while self.over and self.over[0][0] < ended_before:
            at, name = self.over.popleft()
            found = self.known.get(name)
            if found is not None and not found.is_open and found.ended_at == at:
                del self.known[name]

    def changed(self, said: dict[str, Any], say: Say) -> Break | None:
        """Something has become of a break."""
        found = self.known.get(said["break_id"])
        if found is None:
            say("break of nothing", f"changes {said['break_id']}, which was never opened")
            return None
        if said["change"] in ("CORRECTION_POSTED", "CORRECTION_TAKEN_BACK"):
            found.was_corrected = True
        if said["status"] in OVER:
            found.is_open = found.is_open and said["change"] in ENDS
        else:
            found.is_open = True
        if found.item is not None:
            found.item.break_id = said["break_id"] if found.is_open else None
        return found

    def proposed(self, said: dict[str, Any], say: Say) -> None:
        """A correction waits for a second person."""
        found = self.known.get(said["break_id"])
        if found is None:
            return say("break of nothing", f"corrects {said['break_id']}, which was never opened")
        found.makers[said["correction_id"]] = person(said["actor"])
        is_whole = said["legs"] and said["reverses"] is None and not found.was_corrected
        if is_whole and said["amount_minor"] != found.difference:
            say("correction", f"it posts {said['amount_minor']}, the break is of {found.difference}")
        return None

    def approved(self, event: dict[str, Any], say: Say) -> None:
        """A person approves a correction, and was not refused."""
        found = self.known.get(event["break_id"])
        actor = event["actor"]
        if found is None or event["correction_id"] not in found.makers:
            return say("correction", f"{event['correction_id']} is approved, and nobody has proposed it")
        maker = found.makers.pop(event["correction_id"])
        if actor is None:
            say("program approves", "nobody is named who approves")
        elif maker is None or maker == person(actor):
            say("maker is checker", f"{event['correction_id']} is approved by who has proposed it")
        elif actor["key_id"] is not None or actor["session_id"] is None:
            say("program approves", f"{event['correction_id']} is approved by a program")
        return None


def person(actor: dict[str, Any] | None) -> Person | None:
    """Return who acts."""
    return None if actor is None else (actor["issuer"], actor["subject"])
