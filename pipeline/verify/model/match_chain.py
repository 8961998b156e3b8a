"""Whether what is said of statements holds: their lines, their balances, and the chain that they make.

    line, close -> check after each event: SEQUENCE_GAP, CLOSING_BALANCE of a statement by itself
    end         -> GAP, OPENING_BALANCE, OVERLAP and STALE of all of them

Only statements whose meaning needs no guess are judged: an id that was closed once, is no page, and has one
content at each number. An opening balance that no statement near by closes with must be in a break, whatever
the order of the statements.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from pipeline.verify.model.match_items import Say
from pipeline.verify.model.wire import DAY_US

NEAR_DAYS = 7
"""Within so many days balances may decide the order of statements."""
LINE_DAYS = 10
"""A line whose day is further from its statement's may be another one's."""
STALE_DAYS_MIN = 2
STALE_FROM = 8
"""From so many closings on an account surely has a usual interval."""
INTERVALS = 16
LINKS_MAX = 1_000
"""Chains that are longer are not judged as a whole: their beginning may be forgotten."""
AMOUNT_MAX = 2**61
LINK_KINDS = ("GAP", "OPENING_BALANCE", "OVERLAP")
CONTENT = ("external_reference", "amount_minor", "currency", "booked_at", "value_date", "description")
FIGURES = ("currency", "opening_balance_minor", "closing_balance_minor", "line_count", "closed_at")


@dataclass
class Closing:
    """A closed statement."""

    statement_id: str
    currency: str
    opening: int
    closing: int
    count: int
    at: int

    @property
    def day(self) -> int:
        return self.at // DAY_US


@dataclass
class Statement:
    """What came under one id in one currency."""

    contents: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    days: set[int] = field(default_factory=set)
    total: int = 0
    size: int = 0
    """The sum of all that has come, without signs."""
    closings: list[Closing] = field(default_factory=list)
    is_odd: bool = False
    """Whether it takes a guess to say what belongs to what."""

    @property
    def is_simple(self) -> bool:
        """Whether it is one closed statement, and nothing about it is a guess."""
        if self.is_odd or len(self.closings) != 1:
            return False
        numbers = sorted(self.contents)
        starts = not numbers or numbers[0] in (0, 1)
        near = all(abs(day - self.closings[0].day) <= LINE_DAYS for day in self.days)
        return near and starts and all(after == one + 1 for one, after in pairwise(numbers))


@dataclass
class Chain:
    """The statements of one account."""

    is_judged: bool = True
    """Whether no earlier version has had them, which knew no gaps."""
    statements: dict[tuple[str, str], Statement] = field(default_factory=dict)
    open: dict[str, tuple[str, str | None, int, str]] = field(default_factory=dict)
    """Open breaks by id: kind, statement, amount, currency."""
    conflicts: set[tuple[Any, ...]] = field(default_factory=set)
    touched: set[tuple[str, str]] = field(default_factory=set)

    # --- what comes

    def line(self, event: dict[str, Any]) -> None:
        """A line came that is no conflict."""
        key = (event["statement_id"], event["currency"])
        statement = self.statements.setdefault(key, Statement())
        self.touched.add(key)
        statement.size += abs(event["amount_minor"])
        content = tuple(event[name] for name in CONTENT)
        before = statement.contents.get(event["line_no"])
        if before is not None:
            statement.is_odd = statement.is_odd or before != content
            return
        statement.contents[event["line_no"]] = content
        statement.days.add(event["booked_at"] // DAY_US)
        statement.total += event["amount_minor"]

    def is_much(self, event: dict[str, Any]) -> bool:
        """Whether the lines of a statement may come to more than can be added up, with this one."""
        statement = self.statements.get((event["statement_id"], event["currency"]), Statement())
        return bool(statement.size + abs(event["amount_minor"]) > AMOUNT_MAX)

    def close(self, event: dict[str, Any], is_conflict: bool) -> None:
        """A statement is complete."""
        key = (event["statement_id"], event["currency"])
        statement = self.statements.setdefault(key, Statement())
        if is_conflict or conflict_of(event) in self.conflicts:
            return self.conflict(event)
        self.touched.add(key)
        found = closing_of(event)
        if found not in statement.closings:
            statement.closings.append(found)
        if event.get("page") is not None:
            statement.is_odd = True
        return None

    def conflict(self, event: dict[str, Any]) -> None:
        """Other content came under a taken number or place: it changes nothing."""
        self.conflicts.add(conflict_of(event))
        key = (event["statement_id"], event["currency"])
        self.statements.setdefault(key, Statement()).is_odd = True

    def is_conflict(self, event: dict[str, Any]) -> bool:
        """Whether it was said before that this content is a conflict."""
        return conflict_of(event) in self.conflicts

    def is_repeat(self, event: dict[str, Any]) -> bool:
        """Whether just this line or closing came before."""
        if self.is_conflict(event):
            return True
        statement = self.statements.get((event["statement_id"], event["currency"]), Statement())
        if "line_no" in event:
            return statement.contents.get(event["line_no"]) == tuple(event[name] for name in CONTENT)
        return closing_of(event) in statement.closings

    def is_taken(self, event: dict[str, Any]) -> bool:
        """Whether the number of a line, or of a statement, had other content before."""
        statement = self.statements.get((event["statement_id"], event["currency"]), Statement())
        if "line_no" in event:
            before = statement.contents.get(event["line_no"])
            return before is not None and before != tuple(event[name] for name in CONTENT)
        return bool(statement.closings) and closing_of(event) not in statement.closings

    # --- what is said

    def opened(self, break_id: str, said: dict[str, Any], now: int, say: Say) -> None:
        """A break of a statement was opened."""
        kind, statement_id, amount = (
            said.get("kind") or said["type"],
            said["statement_id"],
            said["amount_minor"],
        )
        currency = said["currency"]
        if not self.is_judged:
            return
        self.open[break_id] = (kind, statement_id, amount, currency)
        statement = self.statements.get((statement_id or "", currency))
        if kind == "STALE":
            last = max((one.at for one in self.links(currency)), default=None)
            if last is None or last <= now < last + STALE_DAYS_MIN * DAY_US:
                say("false stale", f"statements in {currency} have not stopped")
        elif statement is None:
            say("break of nothing", f"{kind} of {statement_id}, which nobody has sent")
        elif kind == "CLOSING_BALANCE" and statement.is_simple:
            (one,) = statement.closings
            made = one.opening + statement.total
            if amount != one.closing - made:
                say("amount", f"{statement_id} closes with {one.closing}, its lines make {made}")
        elif kind in ("GAP", "OPENING_BALANCE") and amount and statement.is_simple:
            (one,) = statement.closings
            if all(one.opening - other.closing != amount for other in self.links(currency)):
                say(
                    "amount",
                    f"{statement_id} opens with {one.opening}, and no statement closes {amount} below",
                )

    def resolved(self, break_id: str) -> None:
        """A break has ended."""
        self.open.pop(break_id, None)

    # --- what must hold

    def check(self, say: Say) -> None:
        """Check the statements that the present event was about, by themselves."""
        for key in sorted(self.touched if self.is_judged else ()):
            statement = self.statements[key]
            if statement.is_simple:
                self.check_statement(key, statement, say)
        self.touched.clear()

    def check_statement(self, key: tuple[str, str], statement: Statement, say: Say) -> None:
        """Check a closed statement: are its lines there, do they make its closing balance?"""
        (one,) = statement.closings
        is_whole = len(statement.contents) == one.count
        is_right = one.opening + statement.total == one.closing
        for kind, must in (("SEQUENCE_GAP", not is_whole), ("CLOSING_BALANCE", is_whole and not is_right)):
            is_open = any(found[:2] == (kind, key[0]) and found[3] == key[1] for found in self.open.values())
            if must and not is_open:
                say("lost statement break", f"{key[0]} has {kind}, and no break says it")
            elif is_open and not must:
                say("false statement break", f"{key[0]} has no {kind}, and a break says it")

    def links(self, currency: str) -> list[Closing]:
        """Return all closed statements of a currency, by day."""
        found = [
            closing
            for (_, of_currency), statement in self.statements.items()
            for closing in statement.closings
            if of_currency == currency
        ]
        return sorted(found, key=lambda one: (one.at, one.opening, one.closing, one.statement_id))

    def end(self, now: int, say: Say) -> None:
        """Check the chains of all currencies at the end."""
        for currency in sorted({currency for _, currency in self.statements if self.is_judged}):
            links = self.links(currency)
            if 1 < len(links) <= LINKS_MAX:
                self.check_links(links, currency, say)
            self.check_stale(links, currency, now, say)

    def check_links(self, links: list[Closing], currency: str, say: Say) -> None:
        """Check that opening balances which nothing explains are in a break, and no others."""
        named = {found[1] for found in self.open.values() if found[0] in LINK_KINDS and found[3] == currency}
        bare = []
        for place, one in enumerate(links):
            near = [other for other in links if other is not one and abs(other.day - one.day) <= NEAR_DAYS]
            near += links[place - 1 : place] if place else []
            statement = self.statements[one.statement_id, currency]
            needs_guess = statement.is_odd or len(statement.closings) > 1
            if (
                not needs_guess
                and one.statement_id not in named
                and all(other.closing != one.opening for other in near)
            ):
                bare.append(one)
        if bare and bare[0].day <= links[0].day + NEAR_DAYS:
            del bare[0]
        for one in bare:
            say(
                "lost statement break", f"{one.statement_id} opens with {one.opening}, which nothing explains"
            )
        pairs = list(pairwise(links))
        if all(before.day < after.day and before.closing == after.opening for before, after in pairs):
            for kind, statement_id, amount, of_currency in self.open.values():
                if kind in ("GAP", "OPENING_BALANCE") and amount and of_currency == currency:
                    say("false statement break", f"the statements fit, and {statement_id} has {kind}")

    def check_stale(self, links: list[Closing], currency: str, now: int, say: Say) -> None:
        """Check that an account whose statements have stopped says so."""
        if len(links) < STALE_FROM:
            return
        last = links[-INTERVALS - 1 :]
        usual = max(after.at - before.at for before, after in pairwise(last))
        silent = max(usual + usual // 2, STALE_DAYS_MIN * DAY_US) + 2 * DAY_US
        is_open = any(found[0] == "STALE" and found[3] == currency for found in self.open.values())
        if now > last[-1].at + silent and not is_open:
            say("lost statement break", f"statements in {currency} have stopped, and no break says it")


def closing_of(event: dict[str, Any]) -> Closing:
    """Return the closing of a statement."""
    figures = (event["opening_balance_minor"], event["closing_balance_minor"], event["line_count"])
    return Closing(event["statement_id"], event["currency"], *figures, event["closed_at"])


def conflict_of(event: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells a conflict from others: its place and its content."""
    names = FIGURES if "closed_at" in event else CONTENT
    return (event["statement_id"], event.get("line_no"), *(event[name] for name in names))
