"""Short logs of the ledger by hand: what is played on several branches, and what is answered, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any, TypeVar

from pipeline.verify.model.ledger import Branch
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import JOURNAL_EVENTS, PAYMENT_EVENTS, Expected, home_of
from tests.chaos.by_hand import NOW_US, Event, about, decided
from tests.chaos.ledger_town import Town
from tests.chaos.ledger_traffic import Command

T = TypeVar("T")
BRANCHES = 3
HOUR_US = 3_600_000_000
NAMES = [f"a{number}" for number in range(30)]
(ANN, AMY), (BEN, BOB), (CAT, CID) = (
    [name for name in NAMES if home_of(f"north/{name}", BRANCHES) == branch][:2] for branch in range(BRANCHES)
)
"""Accounts of the first branch, of the second, and of the third."""
DELIVER = "what is on its way between branches arrives"
Step = Event | str


def after(hours: float, event: Event) -> Event:
    """Return an event that happens some hours from now."""
    kind, fields = event
    return kind, {**fields, "occurred_at": NOW_US + round(hours * HOUR_US)}


def hours(count: float) -> int:
    """Return a time some hours from now, microseconds."""
    return NOW_US + round(count * HOUR_US)


def held(payment: str, debtor: str, creditor: str, amount: int, until: float = 10, **other: Any) -> Event:
    """Return a payment that is held for captures, until some hours from now."""
    return decided(payment, debtor, creditor, amount, hold_expires_at=hours(until), **other)


def captured(payment: str, part: str, amount: int | None, debtor: str, final: bool = False) -> Event:
    fields = {"capture_id": part, "amount_minor": amount, "final": final}
    return about("PaymentCaptured", payment, debtor, event_id=f"capture {part}", **fields)


class InOrder(Random):
    """Chance that always takes what is first."""

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]
        return seq[0]


class Hand:
    """Plays steps on branches; what is on its way arrives at DELIVER, and at the end."""

    def __init__(self) -> None:
        self.branches = [Branch(number, BRANCHES) for number in range(BRANCHES)]
        self.town = Town(self.branches, InOrder())
        self.out: list[Expected] = []
        self.answers: list[str] = []

    def play(self, steps: Iterable[Step]) -> Hand:
        for step in (*steps, DELIVER):
            if isinstance(step, str):
                for placed, code in self.town.play(()):
                    self._note(placed, code)
            else:
                for placed, code in self.town.put(Command(*step, step[1]["occurred_at"])):
                    self._note(placed, code)
        return self

    def _note(self, placed: Record, code: str | None) -> None:
        out = self.branches[placed.partition].out if code is None else []
        self.out += out
        self.answers += [f"dead {code}"] if code else []
        self.answers += [in_words(said) for said in out if said.topic in (PAYMENT_EVENTS, JOURNAL_EVENTS)]

    def books(self, *accounts: str) -> list[tuple[int, int]]:
        """Return balance and what is held of accounts."""
        found = {}
        for branch in self.branches:
            for (_, account_id), account in branch.accounts.items():
                found[account_id] = (account.balance, account.debits_pending)
        return [found[account] for account in accounts]


def in_words(said: Expected) -> str:
    """Return an answer in a few words: what has happened, the amounts of a capture, and the code."""
    fields, code = said.fields, said.fields["code"]
    if said.event == "CommandRefused":
        return f"refused {code}"
    if said.event == "JournalUpdated":
        leg = "" if fields["leg_no"] is None else f" leg {fields['leg_no']}"
        return f"{fields['journal_id']} {fields['state']}{leg}" + ("" if code == "ok" else f" {code}")
    what = said.event.rpartition("Payment")[2].lower()
    if what == "captured":
        what += " {amount_minor} ({captured_minor} captured, {held_minor} held)".format_map(fields)
    if what == "settled":
        what += f" {fields['amount_minor']}"
    return what if code == "ok" or code == what else f"{what} {code}"
