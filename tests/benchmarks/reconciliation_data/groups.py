"""Kinds of several items: splits, batches, parts, reversals, duplicates, twins; and of one side alone."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.reconciliation_data import texts, words
from tests.benchmarks.reconciliation_data.chance import Chance
from tests.benchmarks.reconciliation_data.days import HOUR_US, LAST, at, business_day, day_of, later
from tests.benchmarks.reconciliation_data.items import Instance, Line, Link, Posting
from tests.benchmarks.reconciliation_data.plain import REFERENCED
from tests.benchmarks.reconciliation_data.world import (
    ACCOUNTS,
    COLLECTION,
    COMPANY,
    NOSTRO,
    PROMPT,
    Payment,
    World,
    amount_of,
)

BATCHING = (NOSTRO, COMPANY, replace(COLLECTION, share=600))


def _parts(chance: Chance, amount: int, count: int) -> list[int]:
    """Return so many parts of an amount, each about as large as another."""
    parts, rest = [], amount
    for left in range(count, 1, -1):
        part = rest * chance.between(500, 1_400) // 1_000 // left
        parts.append(part)
        rest -= part
    return [*parts, rest]


def _line_on(chance: Chance, paid: Payment, day: int, amount: int, text: str, reference: str | None) -> Line:
    """Return a line of a part of a payment, on a day at its bank's last hour or on that of its booking."""
    booked_at = paid.booked_at + chance.between(0, 30) * 1_000_000
    if day != paid.booked_day:
        booked_at = at(day, paid.account.slots[-1] * 3_600 + chance.between(0, 599))
    said = texts.line_text(chance, paid.name, f"{paid.said} {text}".strip())
    return paid.line(said, amount_minor=amount, booked_at=booked_at, value_day=day, reference=reference)


def split(world: World, chance: Chance) -> Instance:
    """One posting, several lines."""
    paid = world.payment(chance, PROMPT, at_least=200_00, days_after=6)
    parts = _parts(chance, paid.amount_minor, chance.weighted((2, 3, 4), (60, 25, 15)))
    reference = paid.reference if chance.happens(700) else None
    numbered, posting = chance.happens(500), paid.posting()
    links = []
    for number, part in enumerate(parts, 1):
        day = later(paid.booked_day, 0 if number == 1 else chance.below(3))
        text = f"PART {number}/{len(parts)}" if numbered else ""
        links.append(Link(_line_on(chance, paid, day, part, text, reference), (posting,)))
    return Instance("split", links)


def batch_reference(world: World, chance: Chance) -> Instance:
    """Many payments collected in one line, by a reference of the batch."""
    first = world.payment(chance, BATCHING)
    sign = 1 if first.amount_minor > 0 else -1
    postings = []
    for _ in range(chance.weighted((3, 4, 6, 9, 12, 16), (30, 25, 20, 10, 10, 5))):
        postings.append(
            first.posting(
                amount_minor=sign * amount_of(chance, COMPANY, 5_00),
                at=first.at + chance.between(0, 600) * 1_000_000,
                counterparty=world.payee(chance, first.account),
                description=texts.purpose(chance),
            )
        )
    said = f"{chance.one_of(('SEPA DD COLLECTION', 'SAMMLER', 'BATCH BOOKING'))} {len(postings)} ITEMS"
    total = sum(one.amount_minor for one in postings)
    line = first.line(said, amount_minor=total, reference=first.reference)
    return Instance("batch_reference", [Link(line, tuple(postings))])


def batch_bare(world: World, chance: Chance) -> Instance:
    """Some payments with one payee in one line; its text has the payee, and no reference."""
    first = world.payment(chance, BATCHING)
    sign = 1 if first.amount_minor > 0 else -1
    postings = []
    for _ in range(chance.weighted((2, 3, 4, 5), (40, 30, 20, 10))):
        postings.append(
            first.posting(
                amount_minor=sign * amount_of(chance, COMPANY, 5_00),
                at=first.at - chance.between(0, 3) * HOUR_US // 2,
                reference=texts.reference(chance),
                description=texts.purpose(chance),
            )
        )
    said = texts.line_text(chance, first.name, chance.one_of(("several invoices", "as per advice", "sum")))
    line = first.line(said, amount_minor=sum(one.amount_minor for one in postings))
    return Instance("batch_bare", [Link(line, tuple(postings))])


def _partial(world: World, chance: Chance, kind: str, paid_up: bool) -> Instance:
    paid = world.payment(chance, PROMPT, at_least=100_00, days_after=26)
    part = paid.amount_minor * chance.between(250, 850) // 1_000
    reference = paid.reference if chance.happens(800) else None
    posting = paid.posting()
    links = [Link(_line_on(chance, paid, paid.booked_day, part, "PART PAYMENT", reference), (posting,))]
    if paid_up:
        day = business_day(paid.booked_day + chance.between(8, 18))
        rest = paid.amount_minor - part
        links.append(Link(_line_on(chance, paid, day, rest, "REST", reference), (posting,)))
    return Instance(kind, links)


def partial_paid(world: World, chance: Chance) -> Instance:
    """A part is paid, and the rest much later."""
    return _partial(world, chance, "partial_paid", True)


def partial_open(world: World, chance: Chance) -> Instance:
    """A part is paid."""
    return _partial(world, chance, "partial_open", False)


def reversal_bank(world: World, chance: Chance) -> Instance:
    """The bank has booked what is nobody's, and taken it back within three days."""
    paid = world.payment(chance, days_after=5)
    reference = paid.reference if chance.happens(REFERENCED) else None
    line = paid.line(texts.line_text(chance, paid.name, paid.said), reference=reference)
    back = _back(chance, paid, later(paid.booked_day, chance.between(0, 2)), reference)
    return Instance("reversal_bank", [Link(line, ()), Link(back, ())])


def _back(chance: Chance, paid: Payment, day: int, reference: str | None) -> Line:
    """Return the line that takes a payment back."""
    booked_at = paid.booked_at + HOUR_US // 2
    if day != paid.booked_day:
        booked_at = at(day, paid.account.slots[-1] * 3_600 + chance.between(0, 599))
    said = f"{chance.one_of(words.RETURN_TEXTS)} {texts.line_text(chance, paid.name, paid.said)}"
    return paid.line(
        said, amount_minor=-paid.amount_minor, booked_at=booked_at, value_day=day, reference=reference
    )


def reversal_books(world: World, chance: Chance) -> Instance:
    """The books have posted what never was, and reversed it within three days."""
    paid = world.payment(chance, days_after=5)
    day = later(paid.day, chance.between(0, 2))
    posted_at = max(at(day, chance.between(8 * 3_600, 18 * 3_600)), paid.at + HOUR_US // 4)
    back = paid.posting(amount_minor=-paid.amount_minor, at=posted_at, description=f"reversal of {paid.said}")
    return Instance("reversal_books", [Link(None, (paid.posting(), back))])


def returned(world: World, chance: Chance) -> Instance:
    """A payment comes back; the books have both ways."""
    paid = world.payment(chance, PROMPT, days_after=15)
    reference = paid.reference if chance.happens(REFERENCED) else None
    line = paid.line(texts.line_text(chance, paid.name, paid.said), reference=reference)
    day = business_day(paid.booked_day + chance.between(2, 8))
    back = _back(chance, paid, day, reference)
    posted_at = back.booked_at + chance.between(-3 * 3_600, 3 * 3_600) * 1_000_000
    ours = paid.posting(amount_minor=-paid.amount_minor, at=posted_at, description=f"return of {paid.said}")
    return Instance("returned", [Link(line, (paid.posting(),)), Link(back, (ours,))])


def _duplicate(world: World, chance: Chance, kind: str, reference: bool) -> Instance:
    paid = world.payment(chance, days_after=5)
    line = paid.line(
        texts.line_text(chance, paid.name, paid.said), reference=paid.reference if reference else None
    )
    again = replace(line, booked_at=line.booked_at + HOUR_US)
    if chance.happens(600):
        day = later(paid.booked_day, chance.between(1, 2))
        again.booked_at, again.value_day = at(day, paid.account.slots[-1] * 3_600), day
    return Instance(kind, [Link(line, (paid.posting(),)), Link(again, ())])


def duplicate_reference(world: World, chance: Chance) -> Instance:
    """The bank books twice, with the reference."""
    return _duplicate(world, chance, "duplicate_reference", True)


def duplicate_bare(world: World, chance: Chance) -> Instance:
    """The bank books twice, without a reference."""
    return _duplicate(world, chance, "duplicate_bare", False)


def twins(world: World, chance: Chance) -> Instance:
    """Two equal payments of a day: nobody can know which line is whose."""
    paid = world.payment(chance)
    other = at(paid.day, chance.between(7 * 3_600, 19 * 3_600 - 1))
    said = texts.line_text(chance, paid.name, paid.said)
    lines = [paid.line(said), paid.line(said, booked_at=paid.booked_at)]
    postings = [paid.posting(reference=None), paid.posting(reference=None, at=min(other, paid.booked_at))]
    if chance.happens(500):
        lines.reverse()
    return Instance("twins", [Link(line, (one,)) for line, one in zip(lines, postings, strict=True)])


def missing_internal(world: World, chance: Chance) -> Instance:
    """A line of nobody; one in three has the amount of a posting that comes one to three weeks later."""
    paid = world.payment(chance)
    said = texts.line_text(chance, _somebody(world, chance, paid), chance.one_of(words.NOBODY_TEXTS))
    line = paid.line(said, reference=paid.reference if chance.happens(300) else None)
    if chance.happens(333):
        other = _lookalike(world, chance)
        day = day_of(other.at) - chance.between(8, 20)
        if day >= 0:
            line.account, line.currency, line.amount_minor = other.account, other.currency, other.amount_minor
            line.value_day = business_day(day)
            line.booked_at = at(line.value_day, ACCOUNTS[0].slots[-1] * 3_600)
    return Instance("missing_internal", [Link(line, ())])


def _somebody(world: World, chance: Chance, paid: Payment) -> str:
    """Return a name for a line of nobody; half have no name."""
    return world.payee(chance, paid.account) if chance.happens(500) else ""


def missing_external(world: World, chance: Chance) -> Instance:
    """A posting that the bank never sees; one in three has the amount of another account's customer."""
    paid = world.payment(chance)
    posting = paid.posting()
    if chance.happens(333):
        other = _lookalike(world, chance)
        day = min(max(day_of(other.at) + chance.between(-9, 9), 0), LAST - 14)
        posting = replace(posting, account=other.account, currency=other.currency)
        posting.amount_minor = other.amount_minor
        posting.at = at(business_day(day), chance.between(8 * 3_600, 18 * 3_600))
    return Instance("missing_external", [Link(None, (posting,))])


def _lookalike(world: World, chance: Chance) -> Posting:
    """Return a posting that has its own line, without a reference."""
    return chance.one_of(world.plain).postings[0]
