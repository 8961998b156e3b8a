"""Whether what becomes of breaks follows from what people, matches and the ledger do: their lives, exactly.

    an action, an answer of the ledger, a posting of a correction -> `break_lives` -> what must be said of it
    a match that takes an item of a break, or is undone           -> what was said must be possible

What one event says of breaks begins with what its own action or fact comes to; what is due only then, or what
a match resolves, comes after that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.verify.model.break_cases import Said, named, signed_of
from pipeline.verify.model.break_lives import ACTIONS, BreakLives
from pipeline.verify.model.match_fields import check_proposed
from pipeline.verify.model.match_items import Account, Say
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import MATCH_DECISIONS

OF_LIVES = ("BreakChanged", "BreakResolved", "CorrectionProposed", "BreakActionRefused")
BY_OTHERS = ("MATCHED", "UNMATCHED")
"""Changes that follow from matches."""
JOURNALS = ("JournalSubmitted", "JournalReversed")


class Lives:
    """The lives of an account's breaks."""

    def __init__(self, account: Account, write_off: dict[str, str] | None, keep_us: int) -> None:
        """`write_off`: the tenant's accounts for write-offs, by currency; None: they are taken as said."""
        self.cases = BreakLives(account.name, dict(write_off or {}), keep_us)
        self._is_known = write_off is not None
        self.unknown: set[str] = set()
        """Breaks of an earlier version: what becomes of them is taken as it is said."""

    def begin(
        self,
        now: int,
        name: str,
        event: dict[str, Any],
        results: Sequence[Record],
        asked: Sequence[Record],
        say: Say,
    ) -> None:
        """Hold the beginning of what an event says of breaks against what it comes to."""
        if self.is_about_unknown(event, results):
            return
        wanted = self.wanted(now, name, event, results)
        journals = [one for one in wanted if one[0] in JOURNALS]
        check_journals(event, journals, asked, say)
        rest = [one for one in wanted if one[0] not in JOURNALS]
        told = [one for one in results if one.event in OF_LIVES]
        for place, (kind, fields) in enumerate(rest):
            if place >= len(told):
                say("life of a break", f"{kind} of {fields.get('break_id')} is not said")
                return
            check_same(kind, fields, told[place].event, told[place].fields, say)
            if kind == told[place].event == "CorrectionProposed":
                case = self.cases.cases[event["break_id"]]
                check_proposed(event, told[place].fields, case.currency, say)
        for one in told[len(rest) :]:
            what = one.fields.get("change", one.event)
            if one.event != "BreakResolved" and what not in BY_OTHERS and name not in MATCH_DECISIONS:
                say("life of a break", f"{what} of {one.fields['break_id']} follows from nothing")

    def wanted(self, now: int, name: str, event: dict[str, Any], results: Sequence[Record]) -> Said:
        """Return what an event says of breaks by itself."""
        if name in ACTIONS:
            if not self._is_known and name == "BreakWrittenOff":
                self.learn(event, results)
            return self.cases.act(name, event, now)
        if name == "JournalAnswered":
            return self.cases.answer(event["journal_id"], event["outcome"], event["code"], now)
        if name == "PostingRecorded" and (named(event.get("journal_id")) or named(event.get("reverses"))):
            journal, reverses = event.get("journal_id"), event.get("reverses")
            return self.cases.post(journal, reverses, signed_of(event), event["currency"], now)
        return []

    def learn(self, event: dict[str, Any], results: Sequence[Record]) -> None:
        """Take the account for write-offs as a correction names it."""
        case = self.cases.cases.get(event["break_id"])
        if case is None:
            return
        legs = [leg for one in results if one.event == "CorrectionProposed" for leg in one.fields["legs"]]
        others = [leg["account_id"] for leg in legs if leg["account_id"] != self.cases.account]
        self.cases.write_off_accounts.pop(case.currency, None)
        if others:
            self.cases.write_off_accounts[case.currency] = others[0]

    def is_about_unknown(self, event: dict[str, Any], results: Sequence[Record]) -> bool:
        """Whether an event is about a break of an earlier version."""
        of = [named(event.get(name)) for name in ("journal_id", "reverses")]
        names = {event.get("break_id"), *(one[0] for one in of if one is not None)}
        names |= {one.fields.get("break_id") for one in results}
        return not self.unknown.isdisjoint(names)

    # --- what matches come to

    def opened(self, said: dict[str, Any], now: int) -> None:
        """A break is found."""
        self.cases.open(said["break_id"], said.get("difference_minor") or 0, said["currency"], now)

    def changed(self, said: dict[str, Any], now: int, say: Say) -> None:
        """A match has resolved a break, or is undone."""
        if said["change"] not in BY_OTHERS or said["break_id"] in self.unknown:
            return
        follow = self.cases.match if said["change"] == "MATCHED" else self.cases.unmatch
        wanted = follow(said["break_id"], now)
        if not wanted:
            return say("life of a break", f"{said['change']} of {said['break_id']}, which cannot be")
        check_same(*wanted[0], "BreakChanged", said, say)


def check_same(kind: str, fields: dict[str, Any], event: str | None, said: dict[str, Any], say: Say) -> None:
    """Check that a result is the one that must be said."""
    about = fields.get("break_id") or said.get("break_id")
    if event != kind:
        return say("life of a break", f"{event} instead of {kind} of {about}")
    for name, value in fields.items():
        if said.get(name) != value:
            text = f"{kind}.{name} of {about} is {said.get(name)!r} instead of {value!r}"
            return say("life of a break", text)
    return None


def check_journals(event: dict[str, Any], wanted: Said, asked: Sequence[Record], say: Say) -> None:
    """Check what the ledger is asked for: just what was approved, once."""
    if len(asked) > len(wanted):
        say("journal", f"{len(asked)} journals are asked for, {len(wanted)} were approved")
    for (kind, fields), record in zip(wanted, asked, strict=False):
        told = record.fields
        actor = told["actor"] or {"issuer": None, "subject": None}
        legs = sorted((leg["account_id"], signed_of(leg), leg["currency"]) for leg in told["legs"])
        said = {**told, "by": (actor["issuer"], actor["subject"]), "legs": legs}
        for name, value in fields.items():
            if record.event != kind or said.get(name) != value:
                say("journal", f"{record.event}.{name} is {said.get(name)!r}, approved is {value!r}")
        if told["account_id"] != event["account_id"]:
            say("journal", f"it is of {told['account_id']}, approved is one of {event['account_id']}")
    if len(asked) < len(wanted):
        say("journal", f"{wanted[-1][1]['journal_id']} was approved, and the ledger is not asked")
