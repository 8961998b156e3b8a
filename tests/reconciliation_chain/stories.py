"""A bank for tests: stories of lines and closings as text, told to the chain of one account.

    5 line S9/1 -100 [RENT] [booked:4] [info] [id:E2E] [USD]     line 1 of statement S9; text, days, an id
    5 close S9 0->100 2 [no:9] [page:1] [from:3] [at:4.5] [USD]  balances and number of lines; at noon
    9 tick                                                       time passes, and what is due falls due
    5 line S9/1 -100 | repeat                                    behind the bar: what it means

Days are days since 1970; the first number is the day of the event. An empty id is written `-`.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY as DAY
from pipeline.domain.reconciliation.chain.closings import arrive_closing
from pipeline.domain.reconciliation.chain.findings import ChainRows, Finding, Moment, Outcome, Resolved
from pipeline.domain.reconciliation.chain.history import fall_stale
from pipeline.domain.reconciliation.chain.inputs import Closing, Line, content_of
from pipeline.domain.reconciliation.chain.lines import arrive_line
from pipeline.domain.reconciliation.chain.rows import History, StoredRows, history_key

STORIES = Path(__file__).parent / "stories"
KEEP_DAYS = 400
ACCOUNT = ("acme", "nostro")


class Told(msgspec.Struct, frozen=True):
    """A story: its title and its entries, each with what is expected of it."""

    title: str
    entries: tuple[tuple[str, str], ...]


def stories(text: str) -> list[Told]:
    """Return the stories of a file: titles begin with `story:`, entries are indented, the rest are words."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for line in text.splitlines():
        if line.startswith("story:"):
            found.append((line.removeprefix("story:").strip(), []))
        elif line.startswith(" ") and line.strip():
            entry, _, expected = line.partition("|")
            found[-1][1].append((entry.strip(), expected.strip()))
    return [Told(title, tuple(entries)) for title, entries in found]


class Bank:
    """The chain of one account, told entry by entry."""

    def __init__(self) -> None:
        self.table = MemoryRows()
        self.watermark = 0
        self.open: dict[tuple[str, str, str], Finding] = {}
        """The open breaks by what their ids are derived from."""
        self.ever: list[Finding] = []
        self.keys: dict[bytes, str] = {}
        """The lines by key: as an entry names them."""
        self.ended: list[tuple[int, bytes]] = []

    @property
    def rows(self) -> ChainRows:
        """The rows of the account."""
        return StoredRows(self.table)

    @property
    def moment(self) -> Moment:
        """Now."""
        return Moment(*ACCOUNT, self.watermark, KEEP_DAYS * DAY)

    def tell(self, entry: str) -> Outcome:
        """Apply an entry."""
        day, kind, *words = entry.split()
        self.watermark = max(self.watermark, int(float(day) * DAY) + DAY // 2)
        if kind == "tick":
            return self.told(fall_stale(self.rows, self.moment, _currency(words)))
        if kind == "line":
            return self.tell_line(line_of(int(day), *words))
        return self.tell_closing(closing_of(int(day), *words))

    def tell_line(self, line: Line) -> Outcome:
        """Apply a line. A repeat has the key of the line that it repeats."""
        outcome = arrive_line(self.rows, self.moment, line)
        if outcome.what == "REPEAT":
            assert not outcome.key or outcome.key in self.keys
        else:
            self.note(outcome.key, f"{line.statement_id}/{line.line_no}")
        return self.told(outcome)

    def tell_closing(self, closing: Closing) -> Outcome:
        """Apply a closing."""
        return self.told(arrive_closing(self.rows, self.moment, closing))

    def told(self, outcome: Outcome) -> Outcome:
        """Note what an outcome opens and resolves: each break is opened once, and resolved once."""
        for resolved in outcome.resolved:
            del self.open[resolved.kind, resolved.name, resolved.ordinal]
        for finding in outcome.opened:
            place = finding.kind, finding.name, finding.ordinal
            assert all(place != (one.kind, one.name, one.ordinal) for one in self.ever)
            self.open[place] = finding
            self.ever.append(finding)
        for adopted in outcome.adopted:
            assert adopted.like in self.keys
            self.note(adopted.key, f"{self.keys[adopted.like]} again")
        self.ended += [(self.watermark, key) for key in outcome.ended]
        return outcome

    def note(self, key: bytes, shown: str) -> None:
        """Note the key of a line, which no other line has."""
        if key:
            assert key not in self.keys
            self.keys[key] = shown

    def standing(self) -> list[str]:
        """Return the open breaks, in an order of their own."""
        return sorted(show(finding) for finding in self.open.values())

    def chain(self, currency: str = "EUR") -> list[str]:
        """Return the chain: ids, balances."""
        history = self.rows.get(history_key(ACCOUNT, currency), History) or History()
        closings = [link.closing for link in history.links]
        return [f"{one.statement_id} {one.opening_minor}->{one.closing_minor}" for one in closings]


def line_of(day: int, place: str, amount: str, *words: str) -> Line:
    """Return the line of an entry."""
    statement_id, _, number = place.rpartition("/")
    named = dict(word.split(":", 1) for word in words if ":" in word)
    plain = [word for word in words if ":" not in word and word not in ("info", "USD")]
    booked = int(named.get("booked", day))
    currency = _currency(list(words))
    content = content_of(
        named.get("ref"), int(amount), currency, booked * DAY, booked, " ".join(plain), named.get("id")
    )
    shown = "" if statement_id == "-" else statement_id
    return Line(shown, int(number), currency, int(amount), booked, content, "info" in words)


def closing_of(day: int, statement_id: str, balances: str, line_count: str, *words: str) -> Closing:
    """Return the closing of an entry."""
    named = dict(word.split(":", 1) for word in words if ":" in word)
    opening, closing = map(int, balances.split("->"))
    begins = named.get("from")
    return Closing(
        "" if statement_id == "-" else statement_id,
        _currency(list(words)),
        opening,
        closing,
        int(line_count),
        int(float(named.get("at", day + 0.5)) * DAY),
        int(named["no"]) if "no" in named else None,
        int(named["page"]) if "page" in named else None,
        None if begins is None else int(begins) * DAY,
    )


def _currency(words: list[str]) -> str:
    return "USD" if "USD" in words else "EUR"


def _shown(name: str) -> str:
    """Return a statement as stories show it: its id, and which of it, if it is not the first."""
    *_, number, statement_id = name.split("/", 4)
    return (statement_id or "-") + (f"#{number}" if number != "1" else "")


def show(finding: Finding | Resolved) -> str:
    """Return a break as stories show it."""
    kind, name = finding.kind, finding.name
    if name.startswith("line/"):
        _, number, name = name.split("/", 2)
        where = f"{_shown(name)}/{number}"
    elif name.startswith("chain/"):
        where = name.removeprefix("chain/")
    else:
        where = _shown(name)
    return (
        f"resolved {kind} {where}"
        if isinstance(finding, Resolved)
        else f"{kind} {finding.amount_minor} {where}"
    )


def meaning(bank: Bank, entry: str) -> str:
    """Apply an entry and return what it means, as it stands behind the bar."""
    outcome = bank.tell(entry)
    parts = list[str]()
    if entry.split()[1] == "line":
        which = _shown(outcome.statement) if outcome.statement else ""
        begins = f" {which}" if "#" in which else ""
        parts = [outcome.what.lower() + begins + (f" like {bank.keys[outcome.twin]}" if outcome.twin else "")]
    elif entry.split()[1] == "close":
        which = _shown(outcome.statement) if "#" in _shown(outcome.statement or "/1/x") else ""
        said = outcome.standing if outcome.what == "CLOSED" else outcome.what
        parts = [f"{said.lower()} {which}".strip()]
    parts += [f"adopted {bank.keys[adopted.key]}" for adopted in outcome.adopted]
    parts += [*map(show, outcome.resolved), *map(show, outcome.opened)]
    return "; ".join(parts)
