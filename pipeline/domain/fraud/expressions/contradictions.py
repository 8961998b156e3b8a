"""Rules that can never hold, and rules that always do: said as warnings, for nobody means them.

    x > 5 and x < 3          never
    hour_of_day >= 24        never: the catalogue says 0 to 23
    x > 5 or x <= 5          whenever x is known
    c == "DE" and c == "FR"  never

The condition is written as clauses (`a and b`, or ...). In each, what is said of one number, text or boolean
is put together; if nothing is left of it, the clause is never true. What is said is always right; not all
that could be said is found (sums are not taken apart, more than CLAUSES_MAX clauses are not looked at).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.domain.fraud.expressions import syntax as tree
from pipeline.domain.fraud.expressions.by_row import row_function
from pipeline.domain.fraud.expressions.catalogue import Catalogue
from pipeline.domain.fraud.expressions.checking import unit_of
from pipeline.domain.fraud.expressions.units import TEXT
from pipeline.domain.kernel.money import INT64_MAX, INT64_MIN

CLAUSES_MAX = 128
ATOMS_MAX = 4_096
"""Most parts of all clauses together."""
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_SIGNS = {"<": {-1}, "<=": {-1, 0}, "==": {0}, ">=": {0, 1}, ">": {1}, "!=": {-1, 1}}
"""Of two things compared: which order of them a comparison allows."""
Clause = tuple[tree.Node, ...]


def never_holds(node: tree.Node, catalogue: Catalogue) -> bool:
    """Whether an expression that was checked is true for no payment."""
    clauses = _clauses(node, negated=False)
    return clauses is not None and all(_is_empty(clause, catalogue) for clause in clauses)


def always_holds(node: tree.Node, catalogue: Catalogue) -> bool:
    """Whether an expression that was checked is false for no payment: true, or unknown where a part is."""
    clauses = _clauses(node, negated=True)
    return clauses is not None and all(_is_empty(clause, catalogue) for clause in clauses)


def _clauses(node: tree.Node, negated: bool) -> list[Clause] | None:
    """Return the clauses of an expression, or of its opposite; None if there are too many."""
    if isinstance(node, tree.Not):
        return _clauses(node.part, not negated)
    if isinstance(node, tree.All | tree.Any):
        parts = [_clauses(part, negated) for part in node.parts]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        if isinstance(node, tree.All) != negated:
            return _crossed(known)
        return _bounded([clause for part in known for clause in part])
    if not negated:
        return [(node,)]
    if isinstance(node, tree.Comparison):
        return [(tree.Comparison(_OPPOSITE[node.sign], node.left, node.right),)]
    return [(tree.Boolean(not node.value) if isinstance(node, tree.Boolean) else tree.Not(node),)]


def _crossed(parts: Iterable[list[Clause]]) -> list[Clause] | None:
    found: list[Clause] = [()]
    for part in parts:
        if len(found) * len(part) > CLAUSES_MAX:
            return None
        crossed = _bounded([(*left, *right) for left in found for right in part])
        if crossed is None:
            return None
        found = crossed
    return found


def _bounded(clauses: list[Clause]) -> list[Clause] | None:
    too_many = len(clauses) > CLAUSES_MAX or sum(map(len, clauses)) > ATOMS_MAX
    return None if too_many else clauses


def _is_empty(clause: Clause, catalogue: Catalogue) -> bool:
    """Whether no payment can make all parts of a clause true."""
    facts = _Facts(catalogue)
    return not all(facts.allow(atom) for atom in clause)


class _Facts:
    """What the parts of a clause leave possible, by what they speak of."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._numbers: dict[tree.Node, _Numbers] = {}
        self._orders: dict[tuple[tree.Node, tree.Node], set[int]] = {}
        self._texts: dict[tree.Node, _Texts] = {}
        self._booleans: dict[tree.Node, bool] = {}
        self._known: set[str] = set()
        self._unknown: set[str] = set()

    def allow(self, atom: tree.Node) -> bool:
        """Add a part that must be true; return whether all can still be."""
        if not tree.names_in(atom) and not isinstance(atom, tree.InList):
            return row_function(atom, self._catalogue, {})({}, 0) is True
        positive = not isinstance(atom, tree.Not)
        inner = atom.part if isinstance(atom, tree.Not) else atom
        if isinstance(inner, tree.Call) and inner.function == "known":
            return self._is_known(inner.parts[0], positive)
        self._known |= tree.names_in(inner)
        if self._known & self._unknown:
            return False
        if isinstance(inner, tree.Comparison):
            return self._compared(inner)
        if isinstance(inner, tree.In):
            return self._member(inner, positive)
        return self._booleans.setdefault(inner, positive) == positive

    def _is_known(self, part: tree.Node, positive: bool) -> bool:
        """Add that a part is known, or that it is not: only of features it can be said."""
        if not isinstance(part, tree.Name):
            return self._booleans.setdefault(tree.Call("known", (part,)), positive) == positive
        if positive:
            self._known.add(part.name)
        else:
            feature = self._catalogue.get(part.name)
            if feature is not None and not feature.nullable:
                return False
            self._unknown.add(part.name)
        return not self._known & self._unknown

    def _compared(self, node: tree.Comparison) -> bool:
        left, right, sign = node.left, node.right, node.sign
        if not tree.names_in(left):
            left, right, sign = right, left, _MIRRORED[sign]
        if tree.names_in(right):
            return self._ordered(left, right, sign)
        value = row_function(right, self._catalogue, {})({}, 0)
        if value is None:
            return False
        if unit_of(left, self._catalogue) == TEXT:
            return self._texts.setdefault(left, _Texts()).allow({value}, sign == "==")
        return self._number(left).compare(sign, value)

    def _ordered(self, left: tree.Node, right: tree.Node, sign: str) -> bool:
        if left == right:
            return 0 in _SIGNS[sign]
        allowed = _SIGNS[sign]
        if (right, left) in self._orders:
            left, right, allowed = right, left, {-one for one in allowed}
        self._orders[left, right] = self._orders.get((left, right), {-1, 0, 1}) & allowed
        return bool(self._orders[left, right])

    def _member(self, node: tree.In, positive: bool) -> bool:
        texts = {member.value for member in node.members if isinstance(member, tree.Text)}
        if texts:
            return self._texts.setdefault(node.part, _Texts()).allow(texts, positive)
        numbers = {member.value for member in node.members if isinstance(member, tree.Number)}
        return self._number(node.part).member(numbers, positive)

    def _number(self, node: tree.Node) -> _Numbers:
        if node not in self._numbers:
            feature = self._catalogue.get(node.name) if isinstance(node, tree.Name) else None
            low, high = (INT64_MIN, INT64_MAX) if feature is None else (feature.least, feature.most)
            self._numbers[node] = _Numbers(low, high)
        return self._numbers[node]


class _Numbers:
    """The values that a number can still have: an interval, perhaps some of it only, without others."""

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = low, high
        self._only: set[int] | None = None
        self._never: set[int] = set()

    def compare(self, sign: str, value: int) -> bool:
        """Allow what compares so with a value; return whether there is any left."""
        if sign == "==":
            return self.member({value}, True)
        if sign == "!=":
            return self.member({value}, False)
        if sign in ("<", "<="):
            self._high = min(self._high, value - (sign == "<"))
        else:
            self._low = max(self._low, value + (sign == ">"))
        return self._any_left()

    def member(self, values: set[int], positive: bool) -> bool:
        """Allow members of a set, or what is none; return whether there is any left."""
        if positive:
            self._only = set(values) if self._only is None else self._only & values
        else:
            self._never |= values
        return self._any_left()

    def _any_left(self) -> bool:
        if self._low > self._high:
            return False
        left: Iterator[int] | range
        if self._only is not None:
            left = iter(self._only)
        else:  # more values than are excluded: one of them is left
            left = range(self._low, min(self._high, self._low + len(self._never)) + 1)
        return any(self._low <= one <= self._high and one not in self._never for one in left)


class _Texts:
    """The values that a text can still have: some only, without others."""

    def __init__(self) -> None:
        self._only: set[str] | None = None
        self._never: set[str] = set()

    def allow(self, values: set[str], positive: bool) -> bool:
        """Allow values, or what is none of them; return whether there is any left."""
        if positive:
            self._only = set(values) if self._only is None else self._only & values
        else:
            self._never |= values
        return self._only is None or bool(self._only - self._never)
