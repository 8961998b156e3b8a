"""Kinds of one payment whose amount is right: what differs is the reference, the text, the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.benchmarks.reconciliation_data import texts, words
from tests.benchmarks.reconciliation_data.chance import Chance
from tests.benchmarks.reconciliation_data.days import HOUR_US, at, business_day, later
from tests.benchmarks.reconciliation_data.items import Instance, Line
from tests.benchmarks.reconciliation_data.world import (
    ACCOUNTS,
    PROMPT,
    Payment,
    World,
    pair,
)

REFERENCED = 750
"""Of payments whose kind leaves it open, in thousandths: their line has the reference."""
DAYS_OF_A_WEEK = 7
SERIES_OF = 15, 20
"""Payments of a weekly series, and of a customer with a constant reference."""


def usual_line(chance: Chance, paid: Payment, text: str = "") -> Line:
    """Return a line with ordinary text, and mostly the reference."""
    said = texts.line_text(chance, paid.name, f"{paid.said} {text}".strip())
    return paid.line(said, reference=paid.reference if chance.happens(REFERENCED) else None)


def clean(world: World, chance: Chance) -> Instance:
    """A reference on both sides; in a few the books follow the bank by some hours."""
    paid = world.payment(chance)
    if chance.happens(60):
        paid.at = paid.booked_at + chance.between(1, 3) * HOUR_US
    line = paid.line(texts.line_text(chance, paid.name, paid.said), reference=paid.reference)
    line.value_day = _value_day(chance, line.value_day)
    return pair("clean", line, paid.posting())


def _value_day(chance: Chance, booked_day: int) -> int:
    """Return a value day as banks have it: mostly the booking's, some the next business day, some before."""
    form = chance.below(20)
    return later(booked_day, 1) if form < 3 else booked_day - 1 if form == 3 else booked_day


def no_reference(world: World, chance: Chance) -> Instance:
    """All words, no reference at the bank."""
    paid = world.payment(chance)
    made = pair("no_reference", paid.line(texts.line_text(chance, paid.name, paid.said)), paid.posting())
    world.plain.append(made)
    return made


def truncated(world: World, chance: Chance) -> Instance:
    """The text is cut."""
    paid = world.payment(chance)
    return pair("truncated", paid.line(texts.cut(chance, paid.name, paid.said)), paid.posting())


def rewritten(world: World, chance: Chance) -> Instance:
    """The bank has its own words."""
    paid = world.payment(chance)
    return pair("rewritten", paid.line(texts.rewritten(chance, paid.name, paid.said)), paid.posting())


def reference_in_text(world: World, chance: Chance) -> Instance:
    """The reference stands in the free text."""
    paid = world.payment(chance)
    shown = paid.reference if chance.happens(650) else texts.respelled(chance, paid.reference)
    said = f"{shown} {paid.said}" if chance.happens(500) else f"{paid.said} REF {shown}"
    return pair("reference_in_text", paid.line(texts.line_text(chance, paid.name, said)), paid.posting())


def respelled_reference(world: World, chance: Chance) -> Instance:
    """The same reference, written otherwise."""
    paid = world.payment(chance)
    line = paid.line(texts.line_text(chance, paid.name, paid.said))
    if chance.happens(500):
        compact = texts.creditor_reference(chance.digits(chance.between(9, 13)))
        sides = [compact, texts.spaced(compact)]
        ours, line.reference = chance.shuffled(sides)
        return pair("respelled_reference", line, paid.posting(reference=ours))
    line.reference = texts.respelled(chance, paid.reference)
    return pair("respelled_reference", line, paid.posting())


def placeholder(world: World, chance: Chance) -> Instance:
    """A text that stands where no reference is."""
    paid = world.payment(chance)
    nothing = chance.one_of(words.PLACEHOLDERS)
    line = paid.line(texts.line_text(chance, paid.name, paid.said), reference=nothing)
    ours = chance.one_of(("NOTPROVIDED", nothing)) if chance.happens(500) else paid.reference
    return pair("placeholder", line, paid.posting(reference=ours))


def constant_reference(world: World, chance: Chance, count: int) -> Iterator[Instance]:
    """A customer's number is the reference of all its payments."""
    for first in range(0, count, SERIES_OF[1]):
        pattern = world.payment(chance)
        number = f"KD-{chance.digits(6)}"
        for _ in range(min(SERIES_OF[1], count - first)):
            paid = world.payment(chance, (pattern.account,))
            paid.name = pattern.name
            said = texts.line_text(chance, paid.name, paid.said)
            yield pair(
                "constant_reference", paid.line(said, reference=number), paid.posting(reference=number)
            )


def late(world: World, chance: Chance) -> Instance:
    """Booked much later than usual, 7 to 21 days after the posting."""
    paid = world.payment(chance, PROMPT, days_after=22)
    day = paid.day + chance.between(7, 19)
    paid.booked_at = at(business_day(day), paid.account.slots[-1] * 3_600 + chance.between(0, 599))
    return pair("late", usual_line(chance, paid), paid.posting())


def weekly(world: World, chance: Chance, count: int) -> Iterator[Instance]:
    """Equal amounts each week to one payee: a line belongs to the posting that its bank's lag tells."""
    length = SERIES_OF[0]
    for number, first in enumerate(range(0, count, length)):
        account = ACCOUNTS[number % len(ACCOUNTS)]
        pattern = world.payment(chance, (account,))
        weekday, seconds = chance.below(5), chance.between(8 * 3_600, 18 * 3_600)
        for week in range(min(length, count - first)):
            posted_at = at(week * DAYS_OF_A_WEEK + weekday, seconds)
            lag = chance.weighted(range(len(account.lags)), account.lags)
            booked_at = world.booked_at(chance, account, posted_at, lag)
            paid = replace(pattern, at=posted_at, booked_at=booked_at, reference=texts.reference(chance))
            said = texts.line_text(chance, paid.name, paid.said)
            yield pair("weekly", paid.line(said), paid.posting())


def value_past(world: World, chance: Chance) -> Instance:
    """The value date lies days before the booking."""
    paid = world.payment(chance)
    line = usual_line(chance, paid)
    line.value_day -= chance.between(1, 10)
    return pair("value_past", line, paid.posting())


def value_wrong(world: World, chance: Chance) -> Instance:
    """The value date is off by a month or a year; the reference is clean."""
    paid = world.payment(chance)
    line = paid.line(texts.line_text(chance, paid.name, paid.said), reference=paid.reference)
    line.value_day += chance.one_of((-365, -365, -31, -30, 31, 365))
    return pair("value_wrong", line, paid.posting())


def booked_before(world: World, chance: Chance) -> Instance:
    """The books come days after the bank."""
    paid = world.payment(chance, PROMPT, days_after=18)
    day = business_day(paid.booked_day + chance.between(4, 13))
    line = usual_line(chance, paid)
    posted_at = at(day, chance.between(8 * 3_600, 18 * 3_600))
    return pair("booked_before", line, paid.posting(at=posted_at))
