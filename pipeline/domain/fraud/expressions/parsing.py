"""From the text of an expression to its syntax tree: a Pratt parser, bounded in length, depth and nodes.

binds least to most: or | and | not | == != < <= > >= in | + - | * / | -x
"""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from pipeline.domain.fraud.expressions import syntax as tree
from pipeline.domain.fraud.expressions.catalogue import WORDS
from pipeline.domain.fraud.expressions.formatting import AND, COMPARE, MINUS, NOT, OR, PRODUCT, SUM, text_of
from pipeline.domain.fraud.expressions.problems import ExpressionError, Problem, did_you_mean
from pipeline.domain.fraud.expressions.tokens import (
    END_KIND,
    NAME_KIND,
    NUMBER_KIND,
    SIGN_KIND,
    STRING_KIND,
    TEXT_CHARS_MAX,
    Token,
    tokens,
)
from pipeline.domain.fraud.expressions.units import COUNT, suffix_unit

FUNCTIONS = {"known": (1, 1), "abs": (1, 1), "min": (2, 8), "max": (2, 8)}
"""Least and most arguments of each function."""
_INFIX = {
    "or": OR,
    "and": AND,
    "in": COMPARE,
    "not": COMPARE,  # x not in ...
    **dict.fromkeys(tree.COMPARISONS, COMPARE),
    **dict.fromkeys(tree.SUMS, SUM),
    **dict.fromkeys(tree.PRODUCTS, PRODUCT),
}
_VALUE = "a feature, a number, a text, `not`, `-` or `(`"


def parse(text: str) -> tree.Node:
    """Return the syntax tree of an expression; names and units are not looked at (see `checking`).

    Raises ExpressionError, with the first problem: where it is and what was expected. Never another error,
    and never more time than a text of TEXT_CHARS_MAX characters needs.
    """
    parser = _Parser(text)
    if parser.token.kind == END_KIND:
        parser.fail("an expression is expected, such as `payments_1h > 10`")
    found, _ = parser.expression(OR)
    if parser.token.kind != END_KIND:
        parser.fail_after_a_whole()
    # Formatting puts at most three signs beside each.
    if 4 * len(text) > TEXT_CHARS_MAX and len(text_of(found)) > TEXT_CHARS_MAX:
        parser.fail(f"the expression is longer than {TEXT_CHARS_MAX} characters when it is formatted")
    return found


class _Parser:
    """The words of one text, and the place in them. Methods return a tree with its depth."""

    def __init__(self, text: str) -> None:
        self._text, self._tokens, self._place = text, tokens(text), 0
        self._nodes = self._nested = 0

    @property
    def token(self) -> Token:
        """The present word."""
        return self._tokens[self._place]

    def fail(self, message: str, at: int | None = None, until: int | None = None) -> NoReturn:
        """End the reading, at the present word or at the place that is named. Raises ExpressionError."""
        start = self.token.at if at is None else at
        end = self.token.until if until is None else until
        raise ExpressionError(self._text, [Problem(message, start, end)])

    def fail_after_a_whole(self) -> NoReturn:
        """Raise ExpressionError for a word that follows a whole expression."""
        found = self.token
        if found.text.lower() in ("and", "or", "not", "in"):
            self.fail(f"write `{found.text.lower()}` in small letters")
        if found.text == ")":
            self.fail("`)` without `(`")
        near = did_you_mean(found.text, ["and", "or", "in", "not in"]) if found.kind == NAME_KIND else ""
        self.fail(f"expected `and`, `or`, a comparison or the end, found {_said(found)}{near}")

    def expression(self, least: int) -> tuple[tree.Node, int]:
        """Return the expression from here on whose signs bind at least so tightly. Raises ExpressionError."""
        self._nested += 1
        if self._nested > tree.DEPTH_MAX:
            self.fail(f"nested deeper than {tree.DEPTH_MAX}")
        left, depth = self._prefix()
        compared = False
        while (binds := self._binding()) >= least:
            sign = self.token
            if binds == COMPARE:
                if compared:
                    self.fail("comparisons are not chained: write `1 < x and x < 3`")
                compared = True
            left, depth = self._infix(sign, binds, left, depth)
        self._nested -= 1
        return left, depth

    def _binding(self) -> int:
        return _INFIX.get(self.token.text, 0) if self.token.kind in (NAME_KIND, SIGN_KIND) else 0

    def _made(self, node: tree.Node, depth: int) -> tuple[tree.Node, int]:
        self._nodes += 1
        if self._nodes > tree.NODES_MAX:
            self.fail(f"more than {tree.NODES_MAX} parts", node.at, node.until)
        if depth > tree.DEPTH_MAX:
            self.fail(f"nested deeper than {tree.DEPTH_MAX}", node.at, node.until)
        return node, depth

    def _next(self) -> Token:
        token = self.token
        self._place += 1
        return token

    def _expect(self, sign: str, why: str) -> Token:
        if self.token.text != sign or self.token.kind != SIGN_KIND:
            self.fail(f"expected `{sign}` {why}, found {_said(self.token)}")
        return self._next()

    def _prefix(self) -> tuple[tree.Node, int]:
        token = self._next()
        at, until = token.at, token.until
        match token.kind, token.text:
            case (kind, _) if kind == NUMBER_KIND:
                return self._made(_number(token), 1)
            case (kind, _) if kind == STRING_KIND:
                return self._made(tree.Text(token.text, at=at, until=until), 1)
            case _, "true" | "false":
                return self._made(tree.Boolean(token.text == "true", at=at, until=until), 1)
            case _, "not":
                part, depth = self.expression(NOT)
                return self._made(tree.Not(part, at=at, until=part.until), depth + 1)
            case _, "-":
                return self._negative(at)
            case _, "(":
                part, depth = self.expression(OR)
                self._expect(")", f"for the `(` at character {at + 1}")
                return part, depth
            case (kind, name) if kind == NAME_KIND and name in FUNCTIONS:
                return self._call(token)
            case (kind, name) if kind == NAME_KIND and name.lower() not in WORDS:
                if self.token.text == "(":
                    known = ", ".join(FUNCTIONS)
                    near = did_you_mean(name, FUNCTIONS) or f"; functions are {known}"
                    self.fail(f"unknown function `{name}`{near}", at, until)
                return self._made(tree.Name(name, at=at, until=until), 1)
        self._place -= 1
        if token.kind == NAME_KIND and token.text.lower() in WORDS and token.text not in WORDS:
            self.fail(f"write `{token.text.lower()}` in small letters")
        self.fail(f"expected {_VALUE}, found {_said(token)}")

    def _negative(self, at: int) -> tuple[tree.Node, int]:
        part, depth = self.expression(MINUS)
        if isinstance(part, tree.Number):
            return replace(part, value=-part.value, at=at), depth
        return self._made(tree.Negative(part, at=at, until=part.until), depth + 1)

    def _call(self, token: Token) -> tuple[tree.Node, int]:
        least, most = FUNCTIONS[token.text]
        self._expect("(", f"after `{token.text}`")
        parts, deepest = [], 0
        while True:
            part, depth = self.expression(OR)
            parts.append(part)
            deepest = max(deepest, depth)
            if len(parts) > most or self.token.text != ",":
                break
            self._next()
        until = self._expect(")", f"after what `{token.text}` takes").until
        if not least <= len(parts) <= most:
            wanted = "one part" if most == 1 else f"{least} to {most} parts"
            self.fail(f"`{token.text}` takes {wanted}, not {len(parts)}", token.at, until)
        return self._made(tree.Call(token.text, tuple(parts), at=token.at, until=until), deepest + 1)

    def _infix(self, sign: Token, binds: int, left: tree.Node, depth: int) -> tuple[tree.Node, int]:
        self._next()
        if sign.text in ("in", "not"):
            return self._membership(sign, left, depth)
        right, right_depth = self.expression(binds + 1)
        if binds in (AND, OR):
            return self._joined(tree.All if binds == AND else tree.Any, (left, depth), (right, right_depth))
        deepest = max(depth, right_depth) + 1
        at, until = left.at, right.until
        if binds == COMPARE:
            return self._made(tree.Comparison(sign.text, left, right, at=at, until=until), deepest)
        return self._made(tree.Arithmetic(sign.text, left, right, at=at, until=until), deepest)

    def _joined(
        self, kind: type[tree.All] | type[tree.Any], left: tuple[tree.Node, int], right: tuple[tree.Node, int]
    ) -> tuple[tree.Node, int]:
        """Return a chain of `and` or of `or`: one more part makes it no deeper."""
        parts: list[tree.Node] = []
        deepest = 0
        for node, depth in (left, right):
            is_chain = isinstance(node, kind)
            parts += node.parts if isinstance(node, kind) else [node]
            deepest = max(deepest, depth - is_chain)
        chain = kind(tuple(parts), at=left[0].at, until=right[0].until)
        return (chain, deepest + 1) if isinstance(left[0], kind) else self._made(chain, deepest + 1)

    def _membership(self, sign: Token, left: tree.Node, depth: int) -> tuple[tree.Node, int]:
        negated = sign.text == "not"
        if negated:
            if self.token.text != "in":
                self.fail(f"expected `in` after `not`, found {_said(self.token)}")
            self._next()
        found: tree.Node
        if self.token.text == "list" and self.token.kind == NAME_KIND:
            self._next()
            self._expect("(", "after `list`")
            name = self._next()
            if name.kind != STRING_KIND or not name.text:
                self.fail('expected the name of a list, such as list("watch")', name.at, name.until)
            end = self._expect(")", "after the name of a list")
            found = tree.InList(left, name.text, at=left.at, until=end.until)
        else:
            found = self._set(left)
        node, depth = self._made(found, depth + 1)
        return (
            self._made(tree.Not(node, at=node.at, until=node.until), depth + 1) if negated else (node, depth)
        )

    def _set(self, left: tree.Node) -> tree.In:
        if self.token.text != "[":
            self.fail(f'expected `[` or `list("...")` after `in`, found {_said(self.token)}')
        start = self._next()
        numbers: list[tree.Number] = []
        texts: list[tree.Text] = []
        while True:
            minus = self.token.text == "-" and self.token.kind == SIGN_KIND
            if minus:
                self._next()
            member = self._next()
            if member.kind == NUMBER_KIND:
                number = _number(member)
                numbers.append(replace(number, value=-number.value) if minus else number)
            elif member.kind == STRING_KIND and not minus:
                texts.append(tree.Text(member.text, at=member.at, until=member.until))
            else:
                self.fail(f"expected a number or a text, found {_said(member)}", member.at, member.until)
            if numbers and texts:
                self.fail("a set has numbers or texts, not both", member.at, member.until)
            if len(numbers) + len(texts) > tree.MEMBERS_MAX:
                self.fail(f"more than {tree.MEMBERS_MAX} members; use a list", start.at, member.until)
            if self.token.text != ",":
                break
            self._next()
        until = self._expect("]", "or `,` after a member").until
        return tree.In(left, tree.members_in_order(numbers or texts), at=left.at, until=until)


def _number(token: Token) -> tree.Number:
    unit = suffix_unit(token.suffix) if token.suffix else None
    return tree.Number(token.value, unit or COUNT, at=token.at, until=token.until)


def _said(token: Token) -> str:
    if token.kind == END_KIND:
        return "the end"
    if token.kind == STRING_KIND:
        return "a text"
    return f"`{token.text}`"
