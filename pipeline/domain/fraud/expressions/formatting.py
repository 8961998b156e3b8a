"""The canonical text of an expression: one text for all that say the same but for spaces and brackets.

`parse(text_of(tree)) == tree`, and `text_of(parse(text))` changes no more when it is done again.
"""

from __future__ import annotations

from pipeline.domain.fraud.expressions import syntax as tree
from pipeline.domain.fraud.expressions.units import shown

OR, AND, NOT, COMPARE, SUM, PRODUCT, MINUS, ATOM = range(1, 9)
"""How tightly each sign binds its parts."""


def text_of(node: tree.Node) -> str:
    """Return the canonical text of an expression."""
    return _written(node)[0]


def quoted(text: str) -> str:
    """Return a text as the language writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _inside(node: tree.Node, least: int) -> str:
    """Return the text of a part, in brackets where it binds less than `least`."""
    text, binds = _written(node)
    return text if binds >= least else f"({text})"


def _written(node: tree.Node) -> tuple[str, int]:
    match node:
        case tree.Number():
            return shown(node.value, node.unit), ATOM if node.value >= 0 else MINUS
        case tree.Text():
            return quoted(node.value), ATOM
        case tree.Boolean():
            return "true" if node.value else "false", ATOM
        case tree.Name():
            return node.name, ATOM
        case tree.Any():
            return " or ".join([_inside(part, AND) for part in node.parts]), OR
        case tree.All():
            return " and ".join([_inside(part, NOT) for part in node.parts]), AND
        case tree.Not():
            return _negated(node)
        case tree.Negative():
            return f"-{_inside(node.part, MINUS)}", MINUS
        case tree.Comparison():
            return f"{_inside(node.left, SUM)} {node.sign} {_inside(node.right, SUM)}", COMPARE
        case tree.Arithmetic():
            binds = SUM if node.sign in tree.SUMS else PRODUCT
            return f"{_inside(node.left, binds)} {node.sign} {_inside(node.right, binds + 1)}", binds
        case tree.Call():
            return f"{node.function}({', '.join([_inside(part, OR) for part in node.parts])})", ATOM
        case tree.In() | tree.InList():
            return f"{_inside(node.part, SUM)} in {_members(node)}", COMPARE
    raise TypeError(f"{type(node).__name__} is no node of an expression")


def _members(node: tree.In | tree.InList) -> str:
    if isinstance(node, tree.InList):
        return f"list({quoted(node.name)})"
    return f"[{', '.join([_written(member)[0] for member in node.members])}]"


def _negated(node: tree.Not) -> tuple[str, int]:
    part = node.part
    if isinstance(part, tree.In | tree.InList):
        return f"{_inside(part.part, SUM)} not in {_members(part)}", COMPARE
    return f"not {_inside(part, NOT)}", NOT
