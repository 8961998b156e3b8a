"""A seed -> instances of every kind -> ids in the order of time -> tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from tests.benchmarks.reconciliation_data import differing, groups, plain
from tests.benchmarks.reconciliation_data.chance import Chance
from tests.benchmarks.reconciliation_data.items import Instance, Line, Posting
from tests.benchmarks.reconciliation_data.kinds import CLEAN_SHARE, KINDS
from tests.benchmarks.reconciliation_data.tables import (
    DataSet,
    labels,
    lines,
    postings,
    rates,
    statements,
    truth,
)
from tests.benchmarks.reconciliation_data.world import World

LABELLED = 200
"""In thousandths of the instances that people could confirm."""
SERIES: dict[str, Callable[[World, Chance, int], Iterator[Instance]]] = {
    "constant_reference": plain.constant_reference,
    "weekly": plain.weekly,
}
_Item = TypeVar("_Item", Posting, Line)
FAMILIES = (plain, differing, groups)


@dataclass(frozen=True)
class Form:
    """How large a data set is: of each kind one in `divided_by` of a full one's, and at least `least`."""

    divided_by: int = 1
    least: int = 1

    def count(self, kind: str) -> int:
        """Return how many instances of a kind there are."""
        if kind == "clean":
            share, of = CLEAN_SHARE
            return sum(self.count(other) for other in KINDS if other != kind) * share // (of - share)
        return max(KINDS[kind].count // self.divided_by, self.least)


DEFAULT, SMALL = Form(), Form(divided_by=30, least=7)


def generate(seed: int, form: Form) -> DataSet:
    """Return the data set of a seed."""
    world = World(seed)
    made = [one for kind in KINDS for one in _of_kind(world, seed, kind, form.count(kind))]
    chance = Chance(seed, "order")
    made = chance.shuffled(made)
    ours = _numbered([one for instance in made for one in instance.postings], lambda one: one.at, "P")
    theirs = _numbered([one for instance in made for one in instance.lines], lambda one: one.booked_at, "L")
    closings, places = statements(seed, theirs)
    return DataSet(
        seed,
        postings(ours),
        lines(theirs),
        labels(_confirmed_by_people(seed, made)),
        truth(made),
        closings,
        places,
        rates(world.rates),
    )


def _of_kind(world: World, seed: int, kind: str, count: int) -> Iterator[Instance]:
    chance = Chance(seed, f"kind/{kind}")
    if kind in SERIES:
        yield from SERIES[kind](world, chance, count)
        return
    (make,) = (getattr(family, kind) for family in FAMILIES if hasattr(family, kind))
    for _ in range(count):
        yield make(world, chance)


def _numbered(items: list[_Item], at: Callable[[_Item], int], letter: str) -> list[_Item]:
    """Give items their ids in the order of time; of one moment in the random order of their instances."""
    ordered = sorted(items, key=at)
    for number, one in enumerate(ordered, 1):
        one.id = f"{letter}{number:06d}"
    return ordered


def _confirmed_by_people(seed: int, made: list[Instance]) -> list[Instance]:
    """Return a fifth of the instances that people could confirm."""
    chance = Chance(seed, "labels")
    return [
        one
        for one in made
        if KINDS[one.kind].matched and KINDS[one.kind].confirmable and chance.happens(LABELLED)
    ]
