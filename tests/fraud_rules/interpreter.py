"""The judge of expressions: a plain interpreter, after the README's words, that shares no rule with the code.

Only the syntax tree and the catalogue are the product's. It is slow, and takes one payment at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.domain.fraud.expressions import syntax as tree
from pipeline.domain.fraud.expressions.catalogue import Catalogue

UNKNOWN = None
LOW, HIGH = -(2**63), 2**63 - 1
ListsOfEntries = Mapping[str, Mapping[str, int | None]]
"""Name -> entry -> when it expires, or None."""


def answer(
    node: tree.Node, row: Mapping[str, Any], at_us: int, lists: ListsOfEntries, catalogue: Catalogue
) -> Any:
    """Return what an expression says of a payment: an int, a bool, a text, or UNKNOWN."""

    def of(part: tree.Node) -> Any:
        return answer(part, row, at_us, lists, catalogue)

    kind = type(node).__name__
    if kind in ("Number", "Text", "Boolean"):
        return node.value
    if kind == "Name":
        value = row.get(node.name)
        if isinstance(value, int) and not isinstance(value, bool) and not LOW <= value <= HIGH:
            return UNKNOWN
        return value
    if kind in ("All", "Any"):
        decisive = kind == "Any"
        answers = [of(part) for part in node.parts]
        if decisive in answers:
            return decisive
        return UNKNOWN if UNKNOWN in answers else not decisive
    if kind == "Call" and node.function == "known":
        return of(node.parts[0]) is not UNKNOWN
    values = [of(part) for part in tree.parts_of(node)]
    if UNKNOWN in values:
        return UNKNOWN
    if kind == "Not":
        return not values[0]
    if kind == "In":
        return values[0] in [member.value for member in node.members]
    if kind == "InList":
        entries = lists[node.name]
        if values[0] not in entries:
            return False
        expires = entries[values[0]]
        return expires is None or at_us < expires
    if kind == "Comparison":
        return compared(node.sign, *values)
    if kind == "Negative":
        return fitting(0 - values[0])
    if kind == "Call":
        return fitting(
            max(values[0], -values[0]) if node.function == "abs" else extreme(node.function, values)
        )
    assert kind == "Arithmetic"
    return calculated(node, values, catalogue)


def fitting(value: int) -> int | None:
    """Return a value that fits into 64 bits, or UNKNOWN."""
    return value if LOW <= value <= HIGH else UNKNOWN


def extreme(function: str, values: list[int]) -> int:
    """Return the least or the greatest."""
    return sorted(values)[0 if function == "min" else -1]


def compared(sign: str, left: Any, right: Any) -> bool:
    """Compare by the order of two values."""
    if sign in ("==", "!="):
        return (left == right) is (sign == "==")
    order = (left > right) - (left < right)
    return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[sign]


def calculated(node: Any, values: list[int], catalogue: Catalogue) -> int | None:
    """Return a sum, a product or a quotient."""
    left, right = values
    if node.sign == "+":
        return fitting(left + right)
    if node.sign == "-":
        return fitting(left - right)
    if node.sign == "/":
        if right == 0:
            return UNKNOWN
        quotient = abs(left) // abs(right)
        if (left < 0) != (right < 0):
            quotient = -quotient - (abs(left) % abs(right) != 0)
        return fitting(quotient)
    product = fitting(left * right)
    kinds = [kind_of(node.left, catalogue), kind_of(node.right, catalogue)]
    if product is not UNKNOWN and "share" in kinds and "count" not in kinds:
        return (product - product % 10_000) // 10_000
    return product


def kind_of(node: Any, catalogue: Catalogue) -> str:
    """Return the kind of unit of a number."""
    kind = type(node).__name__
    if kind == "Number":
        return str(node.unit.kind)
    if kind == "Name":
        feature = catalogue.get(node.name)
        assert feature is not None
        return feature.unit.kind
    if kind == "Negative":
        return kind_of(node.part, catalogue)
    if kind == "Call":
        return kind_of(node.parts[0], catalogue)
    left, right = kind_of(node.left, catalogue), kind_of(node.right, catalogue)
    if node.sign in "+-":
        return left
    if node.sign == "/":
        return left if right == "count" and left != "count" else "count"
    if "count" in (left, right):
        return right if left == "count" else left
    return right if left == "share" else left
