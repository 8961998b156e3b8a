"""A year of business in small: postings and lines of one account with a known truth, from a seed.

Customers pay invoices, suppliers are paid, some of it again and again in equal amounts. Banks cut and rewrite
texts, lose references, take fees, exchange currencies, book late, turn signs, book twice, and forget.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from pipeline.domain.reconciliation.scoring.item import Item
from tests.reconciliation_matching.items import line, posting

# fmt: off
_FIRST = [
    "NORTH",
    "SOUTH",
    "BRIGHT",
    "SILVER",
    "RAPID",
    "PRIME",
    "ALPHA",
    "DELTA",
    "UNION",
    "GRAND",
    "CITY",
    "RIVER",
    "STONE",
    "GREEN",
]
_SECOND = [
    "TOOLS",
    "FOODS",
    "LOGISTICS",
    "PRINT",
    "STEEL",
    "MEDIA",
    "TEXTILES",
    "MOTORS",
    "PAPER",
    "GLASS",
    "ENERGY",
    "SYSTEMS",
]
# fmt: on
_LEGAL = ["GMBH", "LTD", "INC", "SA", "AG"]
_BOILERPLATE = ["SEPA CREDIT TRANSFER", "SEPA UEBERWEISUNG", "PAYMENT", "", "", "FASTER PAYMENT"]


class Business(NamedTuple):
    """Items in the order of their arrival, and which posting each line is of; empty for none."""

    arrivals: list[Item]
    posting_of: dict[bytes, bytes]
    kinds: dict[bytes, str]
    """What was done to a line: clean, no reference, fee, ..."""


def business(seed: int, payments: int, a_day: int = 25) -> Business:
    """Return so many payments and their lines."""
    chance = Random(seed)
    parties = [
        f"{chance.choice(_FIRST)} {chance.choice(_SECOND)} {chance.choice(_LEGAL)}" for _ in range(120)
    ]
    regular = {party: -chance.randrange(5_000, 90_000, 500) for party in parties[:12]}
    items: list[Item] = []
    truth: dict[bytes, bytes] = {}
    kinds: dict[bytes, str] = {}
    for number in range(payments):
        day = 20_000 + number // a_day
        party = chance.choice(parties)
        is_regular = party in regular
        amount = regular[party] if is_regular else _amount(chance)
        reference = "" if is_regular else f"INV-{day % 365:03}{number:05}"
        text = f"{party} {'rent' if is_regular else 'invoice'}"
        ours = posting(f"p{number:06}", day, amount, reference, text, party)
        items.append(ours)
        for at, (theirs, kind) in enumerate(_lines(chance, ours, reference, party, number)):
            items.append(theirs)
            truth[theirs.key] = b"" if at else ours.key
            kinds[theirs.key] = kind if not at else "twice"
    items.sort(key=lambda item: (item.booked_day, item.is_line, item.key))
    return Business(items, truth, kinds)


def _amount(chance: Random) -> int:
    size = int(10 ** chance.uniform(3.2, 6.5))
    size = size // 10_000 * 10_000 if chance.random() < 0.15 and size > 20_000 else size
    return size if chance.random() < 0.6 else -size


def _lag(chance: Random) -> int:
    return chance.choices((0, 1, 2, 3, 4, 6, 9, 14, 20), (25, 35, 18, 8, 4, 4, 3, 2, 1))[0]


def _lines(chance: Random, ours: Item, reference: str, party: str, number: int) -> list[tuple[Item, str]]:
    kind = chance.choices(
        ("clean", "no reference", "rewritten", "fee", "abroad", "turned", "missing", "twice", "wrong date"),
        (34, 22, 22, 6, 4, 1, 4, 2, 5),
    )[0]
    if kind == "missing":
        return []
    day = ours.day + _lag(chance)
    amount = ours.amount_minor
    words = f"{chance.choice(_BOILERPLATE)} {party}"
    said, value_day = "", None
    if kind in ("clean", "twice"):
        said = reference
    elif kind == "rewritten":
        kept = [word for word in words.split() if chance.random() < 0.75]
        words = " ".join(kept)[: chance.choice((15, 27, 60))]
    elif kind == "fee":
        amount -= chance.choice((250, 500, 750, 1_250, 1_500, 3_500))
    elif kind == "abroad":
        amount = amount * chance.randrange(970, 1_030) // 1_000
    elif kind == "turned":
        amount = -amount
    elif kind == "wrong date":
        value_day = day - chance.randrange(1, 12)
    first = line(f"l{number:06}", day, amount, said or "NOTPROVIDED", words, value_day)
    if kind == "twice":
        return [(first, kind), (line(f"m{number:06}", day + 1, amount, said, words), kind)]
    return [(first, kind)]
