"""One partition of reconciliation beside what it has said: matches are not foretold, they are judged.

    record of the log -> a dead letter's code, or what it has caused -> MatchJudge -> what is wrong

What it has caused is taken from the topics as it stands there (`Witness`): results, continuations of its own
log, journals of corrections. So this model needs a witness.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pipeline.verify.model.match_defaults import DEFAULT_WEIGHTS
from pipeline.verify.model.match_envelope import check_envelope, is_caused
from pipeline.verify.model.match_flaws import (
    ITEM_EVENTS,
    flaw_of,
    flaw_of_number,
    is_of_this_release,
)
from pipeline.verify.model.match_judge import KEEP_DAYS, MatchJudge
from pipeline.verify.model.record import Record
from pipeline.verify.model.stream import StreamModel, Wrong
from pipeline.verify.model.wire import (
    COMMANDS,
    DAY_US,
    ITEMS,
    LAYOUT,
    RESULTS,
    WEIGHTS,
    Expected,
    misplaced,
    msgpack,
    row_key,
)

TIME = "w"
"""The letter of the rows of accounts' event times."""
CONTINUED = "ReconciliationContinued"
REMEMBERED = 1_024
"""Continuations by their ids, which come once."""


@dataclass
class MatchBranch(StreamModel):
    """One partition, as far as its log has been followed."""

    keep_days: int = KEEP_DAYS
    default_weights: str | None = DEFAULT_WEIGHTS
    """The text of the weights that come with the product; None: they are another release's."""
    matches: MatchJudge = field(init=False)
    found: list[Wrong] = field(default_factory=list)
    continued: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        known = None if self.letter is not None else self.write_off_accounts
        self.matches = MatchJudge(self.default_weights, self.keep_days, known)

    def apply(self, record: Record) -> tuple[str | None, list[Expected]]:
        """Follow one record; return its dead-letter code or None, and what it has caused."""
        self.cause, self.out, self.found = record, [], []
        code = misplaced(record, self.partitions) or self.flaw(record)
        if code is not None:
            return code, []
        results: list[Record] = []
        asked: list[Record] = []
        if record.fields.get("account_id") is not None and record.event != "BranchTicked":
            results = self.taken(RESULTS, self.is_result)
        if record.event == "CorrectionApproved":
            asked = self.taken(COMMANDS, lambda said: is_caused(record, said))
        self.taken(ITEMS, self.is_continuation)
        for said in (*results, *asked):
            check_envelope(record, said, self.say_wrong)
        self.found += self.matches.follow(record, results, False, asked)
        if record.event == CONTINUED:
            self.once(record)
        if self.with_rows and "account_id" in record.fields and record.event != "BranchTicked":
            self.say_time(record.fields)
        return None, self.out

    def say_time(self, event: dict[str, Any]) -> None:
        """Expect the row of an account's event time: of all rows, the only one that a model foretells."""
        account = self.matches.account(event)
        if account is not None and account.events:
            key = row_key(TIME, account.tenant, account.name)
            self.row(key, bytes([LAYOUT]) + msgpack([account.time]))

    def write_off_accounts(self, tenant: str) -> dict[str, str]:
        """Return a tenant's accounts for write-offs, by currency."""
        told = self.tenants.setting(tenant, "breaks") or {}
        return dict(told.get("write_off_accounts", {}))

    def wrong(self) -> Iterable[Wrong]:
        """Yield what is wrong with what the present record has caused."""
        yield from self.found

    def wrong_at_rest(self) -> Iterable[Wrong]:
        """Yield what is wrong where nothing comes any more."""
        yield from self.matches.end()

    def view(self) -> Iterable[dict[str, Any]]:
        """Yield the breaks that are open."""
        yield from self.matches.view()

    def say_wrong(self, name: str, text: str) -> None:
        """Note what is wrong."""
        self.found.append(Wrong(name, text))

    def taken(self, topic: str, matches: Callable[[Record], bool]) -> list[Record]:
        """Return what stands next on a topic, as far as it matches, and expect it."""
        assert self.witness is not None, "what was said is judged"
        found: list[Record] = []
        while (said := self.witness(topic, len(found), matches, False)) is not None:
            found.append(said)
        source = self.cause.offset
        self.out += [
            Expected(topic, said.key or b"", said.event or "", said.fields, source, said.value)
            for said in found
        ]
        return found

    def is_result(self, said: Record) -> bool:
        """Whether the present record has caused a result."""
        cause = self.cause
        return is_caused(cause, said) and self.matches.may_cause(cause.event or "", cause.fields, said)

    def is_continuation(self, said: Record) -> bool:
        """Whether the present record lets an account continue: its own, or one whose time has come by it."""
        cause, fields = self.cause.fields, said.fields
        if said.event != CONTINUED or fields["occurred_at"] != cause["occurred_at"]:
            return False
        if fields["causation_id"] is None:
            return bool(fields["correlation_id"] == fields["event_id"])
        owner = [(one["tenant_id"], one["account_id"]) for one in (cause, fields) if "account_id" in one]
        return bool(fields["causation_id"] == cause["event_id"] and owner[0] == owner[-1])

    def once(self, record: Record) -> None:
        """Note a continuation, which comes once."""
        event_id = record.fields["event_id"]
        if event_id in self.continued:
            self.say_wrong("continued twice", "a continuation stands there twice")
        self.continued[event_id] = None
        if len(self.continued) > REMEMBERED:
            self.continued.popitem(last=False)

    # --- dead letters

    def flaw(self, record: Record) -> str | None:
        """Return the code of the dead letter that a record is."""
        event, name = record.fields, record.event or ""
        said = None if self.letter is None else self.letter(record)
        code = flaw_of(name, event)
        if code is not None:
            return code
        if name == WEIGHTS and not is_of_this_release(event):
            return said if self.letter is not None and said != "wrong_tenant" else "invalid_weights"
        if name not in ITEM_EVENTS:
            return None
        if self.is_too_old(record, said):
            return "too_old"
        return flaw_of_number(event) or self.overflows(event, said)

    def is_too_old(self, record: Record, said: str | None) -> bool:
        """Whether an event lies so far behind its account's time that what it repeats may be forgotten.

        How far is a setting: where a witness says it, at least it must lie behind.
        """
        event = record.fields
        account = self.matches.account(event)
        if account is None:
            return False
        behind = account.time - min(event["occurred_at"], record.timestamp_ms * 1000)
        if self.letter is not None:
            return said == "too_old" and behind > 0
        return bool(behind > self.keep_days * DAY_US)

    def overflows(self, event: dict[str, Any], said: str | None) -> str | None:
        """Return `overflow` of a line with which its statement comes to too much."""
        if "line_no" not in event or said != "overflow":
            return None
        return said if self.matches.is_much(event) else None
