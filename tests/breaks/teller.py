"""Tales of breaks: text in which people and the ledger act, and what is said of it.

    tale: the bank's fee is booked by two people
        day 20                                                   event time goes on
        open b1 MISSING_INTERNAL -350 line:S1/2 since:18         => opened MISSING_INTERNAL NORMAL
        anna suggest b1 as k1 nostro-350 fees+350                => CORRECTION_SUGGESTED: ...
        bob approve b1 k1
        ledger posts b1/1 -350

An amount is minor units of EUR; a credit has no sign or `+`. The account is `nostro`. `diff:` is what the
bank has and the books have not, by default the amount of a line. `robot` is a program, `nobody` is not named.
`again` is the event before once more, with the same id. Where a line has no `=>`, nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox, Reject
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.breaks import facts
from pipeline.domain.reconciliation.breaks.actions import act
from pipeline.domain.reconciliation.breaks.rows import Life, life_key, read_life
from pipeline.domain.reconciliation.breaks.scope import Scope, sweep_life
from pipeline.domain.tenants.break_rules import BreakRules
from pipeline.verify.model.break_cases import Said
from pipeline.verify.model.break_lives import BreakLives
from tests.breaks.shown import break_id, essence, journal, leg_of, show

DAY = 86_400_000_000
KEEP_DAYS = 400
RULES = BreakRules(
    immaterial_below={"EUR": 500},
    material_from={"EUR": 100_000},
    write_off_accounts={"EUR": "write-offs"},
)
BY_HAND = "worked out by hand"
FOLDER = Path(__file__).parent


class Tale(NamedTuple):
    """A tale: its name, and its lines as (what happens, what is said)."""

    name: str
    lines: tuple[tuple[str, str], ...]


def read_tales() -> list[Tale]:
    """Return the tales of all text files of this folder, in order."""
    return [tale for path in sorted(FOLDER.glob("*.txt")) for tale in _tales(path.read_text("utf-8"))]


def _tales(text: str) -> Iterator[Tale]:
    for part in re.split(r"^tale: ", text, flags=re.MULTILINE)[1:]:
        name, *lines = part.strip().splitlines()
        told = [line.partition("=>") for line in map(str.strip, lines) if line and not line.startswith("#")]
        yield Tale(
            name, tuple((happens.strip(), said.strip()) for happens, _, said in told if happens != BY_HAND)
        )


def actor(name: str) -> ev.Actor | None:
    """Return who acts: a person with a session, a program with a key, or nobody."""
    if name == "nobody":
        return None
    return ev.Actor("idp", name, key_id="key") if name == "robot" else ev.Actor("idp", name, "session")


class Bank:
    """One account whose breaks a tale is about."""

    def __init__(self, rules: BreakRules = RULES) -> None:
        self.rules, self.rows, self.out = rules, MemoryRows(), Outbox()
        self.model = BreakLives("nostro", dict(rules.write_off_accounts), KEEP_DAYS * DAY)
        self.wanted: Said = []
        """What the model says of what happens."""
        self.now, self.number = 10 * DAY, 0
        self.queue: list[tuple[int, bytes]] = []
        self.names: dict[str, str] = {}
        """Short names of corrections by their ids, and of breaks."""
        self.last: Any = None
        self.said: list[Any] = []
        """All events that were emitted."""

    def common(self) -> dict[str, Any]:
        """Return what every event begins with; each has an id of its own."""
        self.number += 1
        return {
            "event_id": f"e{self.number}",
            "tenant_id": "acme",
            "occurred_at": self.now,
            "correlation_id": "c",
            "causation_id": None,
            "account_id": "nostro",
        }

    def scope(self, cause: Any) -> Scope:
        """Return the context of an event."""
        keep = KEEP_DAYS * DAY
        return Scope(
            cause, self.now, self.rows, self.out, self.rules, keep, lambda at, key: self._end(at, key)
        )

    def _end(self, at: int, key: bytes) -> None:
        self.queue.append((at, key))

    def life(self, name: str) -> Life | None:
        """Return the row of a break."""
        return read_life(self.rows, life_key("acme", "nostro", break_id(name)))

    def tell(self, line: str) -> str:
        """Let one thing happen, and return what is said of it. Fails where the model says something else."""
        self.out.items.clear()
        self.wanted = []
        try:
            self._do(*line.split())
        except Reject as reject:
            assert self.out.items == self.wanted == []
            return f"dead letter {reject.code}"
        events = [event for _, _, event in self.out.items]
        self.said += events
        assert [essence(event) for event in events] == self.wanted, line
        return "; ".join(show(event, self.names) for event in events)

    def _do(self, who: str, *words: str) -> None:
        if who == "day":
            self.now = int(words[0]) * DAY
        elif who == "rules":
            given = words[0].partition(":")[2]
            self.rules = BreakRules(write_off_accounts={"EUR": given} if given else {})
            self.model.write_off_accounts = dict(self.rules.write_off_accounts)
        elif who == "sweep":
            for _, key in self.queue:
                sweep_life(self.rows, key, self.now, KEEP_DAYS * DAY)
        elif who == "again":
            self.act(self.last)
        elif who in ("open", "match", "unmatch"):
            self._fact(who, *words)
        elif who == "ledger":
            self._ledger(*words)
        else:
            self._person(who, *words)

    def act(self, event: Any) -> None:
        """Apply an action."""
        self.last = event
        act(self.scope(event), event, Arrival(self.now, 0, 4))
        self.wanted = self.model.act(type(event).__name__, msgspec.to_builtins(event), self.now)

    def _fact(self, what: str, name: str, *words: str) -> None:
        scope = self.scope(ev.StatementLine(**self.common(), **_LINE))
        self.names[break_id(name)] = name
        if what == "open":
            opening = opening_of(*words, now=self.now)
            facts.opened(scope, break_id(name), opening)
            self.wanted = self.model.open(break_id(name), opening.difference_minor, "EUR", self.now)
        elif what == "match":
            facts.matched(scope, break_id(name))
            self.wanted = self.model.match(break_id(name), self.now)
        else:
            facts.unmatched(scope, break_id(name))
            self.wanted = self.model.unmatch(break_id(name), self.now)

    def _person(self, who: str, what: str, name: str, *words: str) -> None:
        common = {**self.common(), "break_id": break_id(name), "actor": actor(who)}
        text = " ".join(words)
        match what:
            case "assign":
                event: Any = ev.BreakAssigned(**common, assignee=None if text == "nobody" else text)
            case "comment":
                event = ev.BreakCommented(**common, text=text)
            case "suggest" | "take-back":
                event = self._suggestion(common, *words)
            case "approve":
                event = ev.CorrectionApproved(**common, correction_id=self._id_of(words[0]))
            case "reject":
                named = self._id_of(words[0])
                event = ev.CorrectionRejected(**common, correction_id=named, reason="no")
            case "write-off":
                self.names[common["event_id"]] = words[1]
                event = ev.BreakWrittenOff(**common, reason="too small")
            case "dispute":
                event = ev.BreakDisputed(**common, reason="asked the bank")
            case _:
                event = {"reopen": ev.BreakReopened}[what](**common, reason="look again")
        self.act(event)

    def _suggestion(
        self, common: dict[str, Any], as_: str, named: str, *words: str
    ) -> ev.CorrectionSuggested:
        assert as_ == "as"
        self.names[common["event_id"]] = named
        reverses = [journal(word.removeprefix("of:")) for word in words if word.startswith("of:")]
        legs = [word for word in words if not word.startswith("of:")]
        return ev.CorrectionSuggested(
            **common,
            legs=tuple(leg_of(number, text) for number, text in enumerate(legs, 1)),
            reference="INV 7",
            reason="found it",
            reverses=reverses[0] if reverses else None,
        )

    def _id_of(self, short: str) -> str:
        return next((long for long, name in reversed(self.names.items()) if name == short), short)

    def _ledger(self, what: str, named: str, *words: str) -> None:
        if what in ("posts", "reverses"):
            signed = int(words[0])
            reverses = next((journal(word.removeprefix("of:")) for word in words[1:]), None)
            event = ev.PostingRecorded(
                **self.common(),
                **{**_POSTING, "posting_id": f"p{self.number}"},
                side="CREDIT" if signed > 0 else "DEBIT",
                amount_minor=abs(signed),
                journal_id=journal(named),
                reverses=reverses,
            )
            facts.corrected(self.scope(event), event)
            self.wanted = self.model.post(journal(named), reverses, signed, "EUR", self.now)
        else:
            outcome = {"refuses": "REFUSED", "asks": "AWAITS_APPROVAL"}[what]
            code = words[0] if words else "ok"
            answer = ev.JournalAnswered(
                **self.common(), journal_id=journal(named), outcome=outcome, code=code
            )
            facts.answered(self.scope(answer), answer)
            self.wanted = self.model.answer(journal(named), outcome, code, self.now)


def opening_of(kind: str, amount: str, *words: str, now: int) -> facts.Opening:
    """Return how a break opens; `now`: event time."""
    more = dict(word.split(":") for word in words)
    statement, _, number = more.get("line", "").partition("/")
    return facts.Opening(
        kind=kind,
        amount_minor=int(amount),
        currency="EUR",
        since=int(more.get("since", now // DAY)),
        detail="",
        difference_minor=int(more.get("diff", amount if "line" in more else 0)),
        is_line="posting" not in more,
        statement_id=statement or None,
        line_no=int(number) if number else None,
        posting_id=more.get("posting"),
    )


_LINE: dict[str, Any] = {
    "statement_id": "S1",
    "line_no": 1,
    "external_reference": None,
    "amount_minor": 1,
    "currency": "EUR",
    "booked_at": 0,
    "value_date": 0,
    "description": "",
}
_POSTING: dict[str, Any] = {
    "posting_id": "p",
    "entry_id": "e",
    "payment_id": None,
    "account_type": "nostro",
    "currency": "EUR",
    "account_sequence": 1,
    "balance_minor_after": 0,
    "branch": 0,
}
