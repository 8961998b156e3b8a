"""Expressions for many payments at once: numpy columns, with the same answers as `by_row`.

Several expressions make one program: what they share (`amount_24h > 950 EUR`) is calculated once. A boolean
is two columns, where it is true and where it is false; where neither is, it is unknown. So `and`, `or` and
`not` are single operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.domain.fraud.expressions import arithmetic
from pipeline.domain.fraud.expressions import syntax as tree
from pipeline.domain.fraud.expressions.by_row import COMPARE, Entries, row_function, sign_of
from pipeline.domain.fraud.expressions.catalogue import Catalogue
from pipeline.domain.fraud.expressions.checking import unit_of
from pipeline.domain.fraud.expressions.units import BOOLEAN, TEXT
from pipeline.domain.kernel.times import LONG_AGO


class Values(NamedTuple):
    """A feature of many payments."""

    values: np.ndarray
    """Numbers: int64. Booleans: bool. Texts: places in `words`."""
    known: np.ndarray | None = None
    """Which are known; None: all. Where it is False, the value is any one that its type can have."""
    words: Sequence[str] = ()
    """Of a text: the different ones."""


class Batch(NamedTuple):
    """The features of many payments, by name; a feature that is missing is unknown."""

    features: Mapping[str, Values]
    at_us: np.ndarray
    """Event time of each payment, microseconds UTC."""


class Truth(NamedTuple):
    """A boolean of many payments: where it is true, and where it is false."""

    true: np.ndarray
    false: np.ndarray


class _Texts(NamedTuple):
    codes: np.ndarray
    known: np.ndarray | None
    words: Sequence[str]


Slots = list[Any]
Step = Callable[[Slots, Batch], Any]
_YES, _NO = np.array(True), np.array(False)


def texts(values: Sequence[str | None]) -> Values:
    """Return a column of texts; None is unknown."""
    words = tuple(one for one in dict.fromkeys(values) if one is not None)
    places: dict[str | None, int] = {None: 0, **dict(zip(words, range(len(words)), strict=True))}
    known = None if None not in values else np.array([one is not None for one in values], bool)
    return Values(np.array([*map(places.__getitem__, values)], np.int64), known, words)


class ColumnProgram:
    """Expressions that were checked, calculated together."""

    def __init__(self, catalogue: Catalogue, lists: Entries) -> None:
        self._catalogue, self._lists = catalogue, lists
        self._steps: list[Step] = []
        self._slots: dict[tree.Node, int] = {}
        self._uses: list[list[int]] = []
        """Of each slot: which slots it is calculated from."""
        self._results: list[int] = []
        self._plan: list[tuple[Step, list[int], list[int]]] | None = None

    def add(self, node: tree.Node) -> None:
        """Add an expression; its place among the results is the order of adding."""
        self._results.append(self._slot(node))
        self._plan = None

    def fired(self, batch: Batch) -> np.ndarray:
        """Return where each expression is true: an array of bool, expressions by payments."""
        if self._plan is None:
            self._plan = self._planned()
        slots: Slots = []
        found = np.empty((len(self._results), len(batch.at_us)), bool)
        for slot, (step, places, over) in enumerate(self._plan):
            slots.append(step(slots, batch))
            for place in places:
                found[place] = slots[slot].true
            for done in over:
                slots[done] = None
        return found

    def _planned(self) -> list[tuple[Step, list[int], list[int]]]:
        """Return each step, the results that it is, and the slots that nobody needs after it.

        So memory is that of what is in use, not of all parts of all expressions.
        """
        last = list(range(len(self._steps)))
        for slot, uses in enumerate(self._uses):
            for used in uses:
                last[used] = slot
        plan: list[tuple[Step, list[int], list[int]]] = [(step, [], []) for step in self._steps]
        for slot, after in enumerate(last):
            plan[after][2].append(slot)
        for place, slot in enumerate(self._results):
            plan[slot][1].append(place)
        return plan

    def _slot(self, node: tree.Node) -> int:
        known = self._slots.get(node)
        if known is None:
            # A part that is a constant as a whole is calculated from nothing.
            uses = [self._slot(one) for one in tree.parts_of(node)] if tree.names_in(node) else []
            step = self._step(node, uses)
            known = self._slots[node] = len(self._steps)
            self._steps.append(step)
            self._uses.append(uses)
        return known

    def _step(self, node: tree.Node, places: list[int]) -> Step:
        if isinstance(node, tree.Name):
            return _feature(node.name, self._catalogue)
        if not tree.names_in(node):
            constant = self._constant(node)
            return lambda slots, batch: constant
        if isinstance(node, tree.Comparison) and unit_of(node.left, self._catalogue) == TEXT:
            return _texts_compared(node.sign == "==", *places)
        part, *others = places
        match node:
            case tree.All():
                return lambda slots, batch: _conjunction([slots[place] for place in places])
            case tree.Any():
                return lambda slots, batch: _disjunction([slots[place] for place in places])
            case tree.Not():
                return lambda slots, batch: Truth(slots[part].false, slots[part].true)
            case tree.Negative():
                return lambda slots, batch: arithmetic.negative_column(slots[part])
            case tree.Arithmetic():
                sign, other = sign_of(node, self._catalogue), others[0]
                return lambda slots, batch: arithmetic.columns(sign, slots[part], slots[other])
            case tree.Comparison():
                compare, other = COMPARE[node.sign], others[0]
                return lambda slots, batch: _compared(compare, slots[part], slots[other])
            case tree.Call():
                return _call(node.function, places)
            case tree.In():
                return _in_set(part, node)
            case tree.InList():
                return _on_list(part, self._lists[node.name])
        raise TypeError(f"{type(node).__name__} is no node of an expression")

    def _constant(self, node: tree.Node) -> Any:
        value = row_function(node, self._catalogue, self._lists)({}, 0)
        unit = unit_of(node, self._catalogue)
        if unit == BOOLEAN:
            return Truth(np.array(value is True), np.array(value is False))
        if unit == TEXT:
            return _Texts(np.array(0), None, (value,))
        return (np.array(0), _NO) if value is None else (np.array(value, np.int64), None)


def _texts_compared(is_equal: bool, left: int, right: int) -> Step:
    def found(slots: Slots, batch: Batch) -> Truth:
        one: _Texts = slots[left]
        other: _Texts = slots[right]
        places = {word: place for place, word in enumerate(one.words)}
        as_one = np.array([places.get(word, -1) for word in other.words], np.int64)
        same = one.codes == as_one[other.codes]
        return _where(same if is_equal else ~same, arithmetic.both(one.known, other.known))

    return found


def _where(true: np.ndarray, known: np.ndarray | None) -> Truth:
    return Truth(true, ~true) if known is None else Truth(true & known, ~true & known)


def _feature(name: str, catalogue: Catalogue) -> Step:
    feature = catalogue.get(name)
    assert feature is not None, name  # the expression was checked
    unit = feature.unit

    def found(slots: Slots, batch: Batch) -> Any:
        column = batch.features.get(name)
        if column is None:
            nothing = np.zeros(len(batch.at_us), np.int64)
            column = Values(nothing != 0 if unit == BOOLEAN else nothing, nothing != 0)
        if unit == BOOLEAN:
            return _where(column.values, column.known)
        if unit == TEXT:
            return _Texts(column.values, column.known, column.words or ("",))
        return column.values, column.known

    return found


def _conjunction(parts: Sequence[Truth]) -> Truth:
    true, false = parts[0]
    for part in parts[1:]:
        true, false = true & part.true, false | part.false
    return Truth(true, false)


def _disjunction(parts: Sequence[Truth]) -> Truth:
    true, false = parts[0]
    for part in parts[1:]:
        true, false = true | part.true, false & part.false
    return Truth(true, false)


def _compared(compare: Callable[[Any, Any], Any], left: arithmetic.Column, right: arithmetic.Column) -> Truth:
    return _where(compare(left[0], right[0]), arithmetic.both(left[1], right[1]))


def _call(function: str, places: Sequence[int]) -> Step:
    part = places[0]
    if function == "abs":
        return lambda slots, batch: arithmetic.absolute_column(slots[part])
    if function == "known":
        return lambda slots, batch: _known(slots[part])
    choose = np.minimum if function == "min" else np.maximum

    def chosen(slots: Slots, batch: Batch) -> arithmetic.Column:
        values, known = slots[part]
        for place in places[1:]:
            other, other_known = slots[place]
            values, known = choose(values, other), arithmetic.both(known, other_known)
        return values, known

    return chosen


def _known(column: Any) -> Truth:
    known = column.true | column.false if isinstance(column, Truth) else column[1]
    return Truth(_YES, _NO) if known is None else Truth(known, ~known)


def _in_set(part: int, node: tree.In) -> Step:
    members = [member.value for member in node.members]
    if isinstance(node.members[0], tree.Text):
        wanted = frozenset(members)

        def found(slots: Slots, batch: Batch) -> Truth:
            column: _Texts = slots[part]
            is_member = np.array([word in wanted for word in column.words], bool)
            return _where(is_member[column.codes], column.known)

        return found
    numbers = np.array(members, np.int64)
    return lambda slots, batch: _where(np.isin(slots[part][0], numbers), slots[part][1])


def _on_list(part: int, entries: Mapping[str, int]) -> Step:
    def found(slots: Slots, batch: Batch) -> Truth:
        column: _Texts = slots[part]
        if not entries:
            return _where(np.zeros(len(batch.at_us), bool), column.known)
        until_us = np.array([entries.get(word, LONG_AGO) for word in column.words], np.int64)
        return _where(batch.at_us < until_us[column.codes], column.known)

    return found
