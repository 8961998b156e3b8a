"""The syntax tree of an expression. Two trees are equal if they say the same, wherever they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from pipeline.domain.fraud.expressions.units import Unit

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
SUMS, PRODUCTS = ("+", "-"), ("*", "/")
NODES_MAX = 256
DEPTH_MAX = 32
MEMBERS_MAX = 64
"""Most members of a set in brackets."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression."""

    at: int = field(default=0, compare=False, kw_only=True)
    """Where it begins in the text, in characters."""
    until: int = field(default=1, compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A number, as its unit stores it."""

    value: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class Text(Node):
    """A text in quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Boolean(Node):
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A feature."""

    name: str


@dataclass(frozen=True, slots=True)
class Not(Node):
    """`not x`."""

    part: Node


@dataclass(frozen=True, slots=True)
class Negative(Node):
    """`-x`."""

    part: Node


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """`x + y`, `x - y`, `x * y`, `x / y`."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """`x < y` and the like."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class All(Node):
    """`x and y and ...`: two parts or more, none of them an All."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any(Node):
    """`x or y or ...`: two parts or more, none of them an Any."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`known(x)`, `abs(x)`, `min(x, y, ...)`, `max(x, y, ...)`."""

    function: str
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class In(Node):
    """`x in [a, b]`: the members are all numbers or all texts, sorted, each once."""

    part: Node
    members: tuple[Number, ...] | tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class InList(Node):
    """`x in list("name")`."""

    part: Node
    name: str


def parts_of(node: Node) -> Sequence[Node]:
    """Return the parts of a node that are expressions, in order."""
    match node:
        case Arithmetic() | Comparison():
            return (node.left, node.right)
        case All() | Any() | Call():
            return node.parts
        case Not() | Negative() | In() | InList():
            return (node.part,)
    return ()


def nodes_of(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, parents first."""
    yield node
    for part in parts_of(node):
        yield from nodes_of(part)


def names_in(node: Node) -> frozenset[str]:
    """Return the features that an expression uses."""
    return frozenset(one.name for one in nodes_of(node) if isinstance(one, Name))


def members_in_order(members: Sequence[Number] | Sequence[Text]) -> tuple[Number, ...] | tuple[Text, ...]:
    """Return the members of a set as In has them: sorted, each once."""
    numbers = {(str(one.unit), one.value): one for one in members if isinstance(one, Number)}
    if numbers:
        return tuple(numbers[key] for key in sorted(numbers))
    texts = {one.value: one for one in members if isinstance(one, Text)}
    return tuple(texts[key] for key in sorted(texts))


def with_lists(node: Node, named: Callable[[str], str]) -> Node:
    """Return an expression whose lists are named otherwise."""
    match node:
        case InList():
            return replace(node, name=named(node.name))
        case Arithmetic() | Comparison():
            return replace(node, left=with_lists(node.left, named), right=with_lists(node.right, named))
        case All() | Any() | Call():
            return replace(node, parts=tuple(with_lists(part, named) for part in node.parts))
        case Not() | Negative() | In():
            return replace(node, part=with_lists(node.part, named))
    return node
