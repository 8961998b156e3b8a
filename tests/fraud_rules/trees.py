"""Expressions, features and lists by chance: of the right units, with extreme and unknown values."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np

from pipeline.domain.fraud.expressions import syntax as tree
from pipeline.domain.fraud.expressions.by_column import Batch, Values, texts
from pipeline.domain.fraud.expressions.checking import unit_of
from pipeline.domain.fraud.expressions.units import BOOLEAN, COUNT, DURATION, SD, SHARE, TEXT, Unit
from tests.fraud_rules.sample import EUR, SAMPLE

NUMBERS = (COUNT, EUR, DURATION, SHARE, SD)
SMALL = (-2, -1, 0, 1, 2, 3, 5, 9_999, 10_000, 10_001)
EXTREME = (2**63 - 1, -(2**63) + 1, 2**62, -(2**62), 3_037_000_500, 2**31, -(2**32))
OF_FEATURES = (*EXTREME, -(2**63))
"""The smallest number is one that a feature can have, and that cannot be written."""
WORDS = ("DE", "FR", "web", "acc-1", "acc-2", "acc-3", "payroll", "retail")
LISTS: dict[str, dict[str, int | None]] = {
    "watch": {"acc-1": None, "acc-2": 1_000, "acc-3": 999},
    "empty": {},
}
OF_LISTS = {"watch": "payee", "empty": "payee"}
NAMES = {unit: [one.name for one in SAMPLE if one.unit == unit] for unit in (*NUMBERS, BOOLEAN, TEXT)}


def number_of(random: Random, unit: Unit, depth: int) -> tree.Node:
    """Return an expression of a unit."""
    choice = random.randrange(12 if depth > 0 else 4)
    if choice < 3:
        return tree.Name(random.choice(NAMES[unit]))
    if choice == 3:
        return tree.Number(random.choice(SMALL if random.random() < 0.7 else EXTREME), unit)
    below = depth - 1
    if choice < 7:
        sign = random.choice("+-")
        return tree.Arithmetic(sign, number_of(random, unit, below), number_of(random, unit, below))
    if choice == 7:
        factor = number_of(random, COUNT if random.random() < 0.6 else SHARE, below)
        parts = [factor, number_of(random, unit, below)]
        random.shuffle(parts)
        if unit == COUNT and any(unit_is(part, SHARE) for part in parts):
            parts = [number_of(random, COUNT, below) for _ in parts]
        return tree.Arithmetic("*", *parts)
    if choice == 8:
        other = random.choice(NUMBERS) if unit == COUNT else unit
        divisor = number_of(random, other if unit == COUNT else COUNT, below)
        return tree.Arithmetic("/", number_of(random, other, below), divisor)
    if choice == 9:
        part = number_of(random, unit, below)
        return part if isinstance(part, tree.Number) else tree.Negative(part)
    if choice == 10:
        return tree.Call("abs", (number_of(random, unit, below),))
    count = random.randint(2, 3)
    parts = [number_of(random, unit, below) for _ in range(count)]
    return tree.Call(random.choice(["min", "max"]), tuple(parts))


def unit_is(node: tree.Node, unit: Unit) -> bool:
    """Whether an expression of `number_of` has a unit."""
    return unit_of(node, SAMPLE) == unit


def boolean(random: Random, depth: int = 4) -> tree.Node:
    """Return an expression that is a rule's."""
    choice = random.randrange(14 if depth > 0 else 6)
    if choice < 2:
        unit = random.choice(NUMBERS)
        left, right = (number_of(random, unit, max(0, depth - 1)) for _ in range(2))
        return tree.Comparison(random.choice(tree.COMPARISONS), left, right)
    if choice == 2:
        return tree.Name(random.choice(NAMES[BOOLEAN]))
    if choice == 3:
        sides = [tree.Name(random.choice(NAMES[TEXT])), text_or_name(random)]
        random.shuffle(sides)
        return tree.Comparison(random.choice(["==", "!="]), *sides)
    if choice == 4:
        return member(random)
    if choice == 5:
        return random.choice(
            [tree.Boolean(True), tree.Boolean(False), tree.Call("known", (any_part(random),))]
        )
    if choice < 8:
        return tree.Not(boolean(random, depth - 1))
    if choice == 8:
        return tree.InList(tree.Name("payee"), random.choice(list(LISTS)))
    kind = tree.All if choice < 12 else tree.Any
    parts = [boolean(random, depth - 1) for _ in range(random.randint(2, 4))]
    flat = [one for part in parts for one in (part.parts if isinstance(part, kind) else (part,))]
    return kind(tuple(flat))


def text_or_name(random: Random) -> tree.Node:
    """Return a text."""
    if random.random() < 0.7:
        return tree.Text(random.choice((*WORDS, 'a"b', "a\\b", "")))
    return tree.Name(random.choice(NAMES[TEXT]))


def any_part(random: Random) -> tree.Node:
    """Return a number, a text or a boolean."""
    if random.random() < 0.3:
        return tree.Name(random.choice(NAMES[TEXT]))
    return boolean(random, 1) if random.random() < 0.3 else number_of(random, random.choice(NUMBERS), 1)


def member(random: Random) -> tree.Node:
    """Return a membership of a set."""
    if random.random() < 0.5:
        words = [tree.Text(random.choice(WORDS)) for _ in range(random.randint(1, 4))]
        return tree.In(tree.Name(random.choice(NAMES[TEXT])), tree.members_in_order(words))
    unit = random.choice(NUMBERS)
    numbers = [tree.Number(random.choice(SMALL), unit) for _ in range(random.randint(1, 4))]
    return tree.In(number_of(random, unit, 1), tree.members_in_order(numbers))


def row(random: Random, in_bounds: bool = False) -> dict[str, Any]:
    """Return the features of a payment; `in_bounds`: as the catalogue says, else some have any value."""
    found: dict[str, Any] = {}
    for one in SAMPLE:
        if random.random() < 0.15 and (one.nullable or not in_bounds):
            found[one.name] = None
        elif one.unit == BOOLEAN:
            found[one.name] = random.random() < 0.5
        elif one.unit == TEXT:
            found[one.name] = random.choice(WORDS)
        else:
            value = random.choice(SMALL if random.random() < 0.75 else OF_FEATURES)
            found[one.name] = min(max(value, one.least), one.most) if in_bounds else value
    return found


def batch_of(rows: Sequence[dict[str, Any]], at_us: Sequence[int]) -> Batch:
    """Return payments as columns."""
    features: dict[str, Values] = {}
    for one in SAMPLE:
        column = [row[one.name] for row in rows]
        if one.unit == TEXT:
            features[one.name] = texts(column)
            continue
        known = None if None not in column else np.array([value is not None for value in column], bool)
        kind: Any = bool if one.unit == BOOLEAN else np.int64
        features[one.name] = Values(np.array([value or 0 for value in column], kind), known)
    return Batch(features, np.array(at_us, np.int64))
