"""The units of an expression: what may be compared, added and multiplied, against a catalogue.

x + y, x - y    the same unit
x * y           a count or a share times anything (a share of an amount is an amount)
x / y           by a count: the unit of x; by the same unit: a count
x < y           numbers of the same unit; == and != of texts, too
min, max, abs   the same unit in and out
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pipeline.domain.fraud.expressions import syntax as tree
from pipeline.domain.fraud.expressions.catalogue import Catalogue
from pipeline.domain.fraud.expressions.problems import ExpressionError, Problem, did_you_mean
from pipeline.domain.fraud.expressions.units import BOOLEAN, COUNT, SHARE, TEXT, Unit

Lists = Mapping[str, str]
"""Name of a list -> the feature whose values it has."""


def problems_of(node: tree.Node, catalogue: Catalogue, lists: Lists) -> list[Problem]:
    """Return all that is wrong with the names and units of an expression, by place."""
    checker = _Checker(catalogue, lists)
    unit = checker.unit_of(node)
    if unit is not None and unit != BOOLEAN:
        checker.say(node, f"a rule is true or false, and this is {unit}; compare it with something")
    return sorted(checker.problems, key=lambda one: (one.at, one.until, one.message))


def check(node: tree.Node, text: str, catalogue: Catalogue, lists: Lists) -> None:
    """Check the names and units of an expression of a text. Raises ExpressionError with all problems."""
    problems = problems_of(node, catalogue, lists)
    if problems:
        raise ExpressionError(text, problems)


def unit_of(node: tree.Node, catalogue: Catalogue) -> Unit | None:
    """Return the unit of a part of an expression that was checked."""
    return _Checker(catalogue, {}).unit_of(node)


class _Checker:
    """Finds the unit of each part; None where a problem was said, so that one is not said twice."""

    def __init__(self, catalogue: Catalogue, lists: Lists) -> None:
        self._catalogue, self._lists = catalogue, lists
        self.problems: list[Problem] = []

    def say(self, node: tree.Node, message: str) -> None:
        """Note what is wrong with a part."""
        self.problems.append(Problem(message, node.at, node.until))

    def unit_of(self, node: tree.Node) -> Unit | None:
        """Return the unit of a part, None where it has none for a problem. Raises TypeError for no node."""
        match node:
            case tree.Number():
                return node.unit
            case tree.Text():
                return TEXT
            case tree.Boolean():
                return BOOLEAN
            case tree.Name():
                return self._feature(node)
            case tree.All() | tree.Any() | tree.Not():
                self._booleans(node)
                return BOOLEAN
            case tree.Comparison():
                self._comparison(node)
                return BOOLEAN
            case tree.In():
                self._set(node)
                return BOOLEAN
            case tree.InList():
                self._list(node)
                return BOOLEAN
            case tree.Call():
                return self._call(node)
            case tree.Negative():
                return self._numbers([node.part], "`-`")
            case tree.Arithmetic():
                return self._arithmetic(node)
        raise TypeError(f"{type(node).__name__} is no node of an expression")

    def _feature(self, node: tree.Name) -> Unit | None:
        feature = self._catalogue.get(node.name)
        if feature is None:
            known: Collection[str] = list(self._catalogue.names())
            self.say(node, f"unknown feature `{node.name}`{did_you_mean(node.name, known)}")
            return None
        return feature.unit

    def _booleans(self, node: tree.All | tree.Any | tree.Not) -> None:
        sign = {tree.All: "and", tree.Any: "or", tree.Not: "not"}[type(node)]
        for part in tree.parts_of(node):
            unit = self.unit_of(part)
            if unit is not None and unit != BOOLEAN:
                self.say(part, f"`{sign}` takes booleans, and this is {unit}; compare it with something")

    def _comparison(self, node: tree.Comparison) -> None:
        left, right = self.unit_of(node.left), self.unit_of(node.right)
        if left is None or right is None:
            return
        if left == right == BOOLEAN:
            self.say(node, "booleans are not compared: write `x`, `not x`, or use `and` and `or`")
        elif left != right:
            self.say(node, f"{left} is compared with {right}{_hint(node.left, left, node.right, right)}")
        elif left == TEXT and node.sign not in ("==", "!="):
            self.say(node, f"texts have no order: `==`, `!=` or `in`, not `{node.sign}`")

    def _set(self, node: tree.In) -> None:
        unit = self.unit_of(node.part)
        if unit is None:
            return
        if unit == BOOLEAN:
            self.say(node.part, "a boolean is in no set")
            return
        for member in node.members:
            found = member.unit if isinstance(member, tree.Number) else TEXT
            if found != unit:
                self.say(member, f"{unit} is looked up among members of which this is {found}")

    def _list(self, node: tree.InList) -> None:
        unit = self.unit_of(node.part)
        of = self._lists.get(node.name)
        if of is None:
            near = did_you_mean(node.name, self._lists)
            said = near or ("; there are no lists" if not self._lists else "")
            self.say(node, f'unknown list "{node.name[:64]}"{said}')
        elif unit is not None and unit != TEXT:
            self.say(node.part, f"a list has texts, and this is {unit}")
        elif not isinstance(node.part, tree.Name):
            self.say(node.part, "a list is asked for a feature, and this is a constant")
        elif unit is not None and self._family(node.part.name) != self._family(of):
            self.say(node, f'the list "{node.name}" has values of `{of}`, and this is `{node.part.name}`')

    def _family(self, name: str) -> str:
        """Return what the values of a feature name: features of one family can be on the same list."""
        feature = self._catalogue.get(name)
        return name if feature is None or feature.names is None else feature.names

    def _call(self, node: tree.Call) -> Unit | None:
        if node.function == "known":
            self.unit_of(node.parts[0])
            return BOOLEAN
        return self._numbers(node.parts, f"`{node.function}`")

    def _numbers(self, parts: Collection[tree.Node], sign: str) -> Unit | None:
        """Return the one unit of several parts, which are numbers."""
        units = [(part, self.unit_of(part)) for part in parts]
        found = [(part, unit) for part, unit in units if unit is not None]
        for part, unit in found:
            if not unit.is_number:
                self.say(part, f"{sign} takes numbers, and this is {unit}")
                return None
            if unit != found[0][1]:
                self.say(part, f"{sign} takes the same unit, and here {found[0][1]} meets {unit}")
                return None
        return found[0][1] if len(found) == len(units) else None

    def _arithmetic(self, node: tree.Arithmetic) -> Unit | None:
        if node.sign in tree.SUMS:
            return self._numbers([node.left, node.right], f"`{node.sign}`")
        left, right = self.unit_of(node.left), self.unit_of(node.right)
        if left is None or right is None:
            return None
        for part, unit in ((node.left, left), (node.right, right)):
            if not unit.is_number:
                self.say(part, f"`{node.sign}` takes numbers, and this is {unit}")
                return None
        found = _product(left, right) if node.sign == "*" else _quotient(left, right)
        if found is None:
            verb = "multiplied by" if node.sign == "*" else "divided by"
            self.say(node, f"{left} cannot be {verb} {right}")
        return found


def _product(left: Unit, right: Unit) -> Unit | None:
    if left == COUNT:
        return right
    if right == COUNT:
        return left
    if left == SHARE:
        return right
    return left if right == SHARE else None


def _quotient(left: Unit, right: Unit) -> Unit | None:
    if right == COUNT:
        return left
    return COUNT if left == right else None


def _hint(left: tree.Node, left_unit: Unit, right: tree.Node, right_unit: Unit) -> str:
    """Return how to write a plain number that misses its unit."""
    for number, unit, other in ((left, left_unit, right_unit), (right, right_unit, left_unit)):
        if isinstance(number, tree.Number) and unit == COUNT and other.is_number:
            suffix = other.currency or {"duration": "h", "share": "%", "sd": "sd"}[other.kind]
            return f": write {number.value} {suffix}"
    return ""
