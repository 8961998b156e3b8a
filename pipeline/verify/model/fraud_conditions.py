"""The conditions of fraud rules: a text becomes parts with units, or is none.

    "amount > 950 EUR and not known(silence)" -> parsed -> Part("and", "boolean", ...)

From the contract: the language in the README of the rules. A number is stored as its unit says; what binds
most stands deepest. `worded` writes the one text of a condition.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pipeline.verify.model.fraud_words import (
    BOOLEAN,
    COUNT,
    NAME_MAX,
    SHARE,
    TEXT,
    is_suffix,
    stored,
    text_of,
    tokens,
    wanted,
)

PARTS_MAX, DEPTH_MAX, MEMBERS_MAX = 256, 32, 64
COMPARED = ("==", "!=", "<", "<=", ">", ">=")


class Part(NamedTuple):
    """A part of a condition: a kind or sign, the unit of what it says, its value if it has one, its parts."""

    kind: str
    unit: str
    value: Any = None
    parts: tuple[Part, ...] = ()


Units = dict[str, str]
"""The unit of each feature: `count`, `EUR`, `duration`, ..."""
Lists = dict[str, str]
"""Which feature's values a list has."""
SAME: dict[str, str] = {"debtor": "account", "payee": "account"}
"""Features that name the same can be on one list."""


class Parser:
    """Reads a condition from its tokens, from what binds least to what binds most."""

    def __init__(self, text: str, units: Units, lists: Lists) -> None:
        self.tokens, self.at = tokens(text), 0
        self.units, self.lists = units, lists
        self.depth = self.made = 0

    def whole(self) -> Part:
        """Return the condition. Raises FalseCondition."""
        found = self.either()
        wanted(self.at == len(self.tokens) and found.unit == BOOLEAN, "no condition")
        return found

    @property
    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *words: str) -> str:
        """Take the next token if it is one of these."""
        if self.next not in words or not self.next:
            return ""
        self.at += 1
        return self.tokens[self.at - 1]

    def need(self, word: str) -> None:
        wanted(bool(self.take(word)), f"{word} is missing")

    def part(self, kind: str, unit: str, value: Any = None, parts: tuple[Part, ...] = ()) -> Part:
        self.made += 1
        wanted(self.made <= PARTS_MAX, "too many parts")
        return Part(kind, unit, value, parts)

    def deeper(self) -> None:
        self.depth += 1
        wanted(self.depth <= DEPTH_MAX, "too deep")

    def either(self) -> Part:
        return self.joined("or", self.both)

    def both(self) -> Part:
        return self.joined("and", self.negated)

    def joined(self, word: str, below: Callable[[], Part]) -> Part:
        found = [below()]
        while self.take(word):
            found.append(below())
        if len(found) == 1:
            return found[0]
        wanted(all(one.unit == BOOLEAN for one in found), "booleans are joined")
        flat = [one for part in found for one in (part.parts if part.kind == word else (part,))]
        return self.part(word, BOOLEAN, None, tuple(flat))

    def negated(self) -> Part:
        if not self.take("not"):
            return self.compared()
        self.deeper()
        below = self.negated()
        self.depth -= 1
        wanted(below.unit == BOOLEAN, "a boolean is negated")
        return self.part("not", BOOLEAN, None, (below,))

    def compared(self) -> Part:
        left = self.sum()
        sign = self.take(*COMPARED)
        if sign:
            right = self.sum()
            wanted(left.unit == right.unit != BOOLEAN, "other units are compared")
            wanted(left.unit != TEXT or sign in ("==", "!="), "texts have no order")
            wanted(self.next not in (*COMPARED, "in", "not"), "comparisons are not chained")
            return self.part(sign, BOOLEAN, None, (left, right))
        outside = bool(self.take("not"))
        if outside or self.next == "in":
            self.need("in")
            found = self.member(left)
            wanted(self.next not in (*COMPARED, "in", "not"), "comparisons are not chained")
            return self.part("not", BOOLEAN, None, (found,)) if outside else found
        return left

    def member(self, left: Part) -> Part:
        if self.take("list"):
            self.need("(")
            name = text_of(self.advance())
            self.need(")")
            wanted(left.kind == "name" and name in self.lists, "no such list")
            ours, theirs = left.value, self.lists[name]
            same = ours == theirs or (ours in SAME and SAME[ours] == SAME.get(theirs))
            wanted(same, "a list of something else")
            return self.part("list", BOOLEAN, name, (left,))
        self.need("[")
        members = [self.literal()]
        while self.take(","):
            members.append(self.literal())
        self.need("]")
        wanted(len(members) <= MEMBERS_MAX, "too many members")
        wanted({one.unit for one in members} == {left.unit} and left.unit != BOOLEAN, "other units")
        values = tuple(sorted({one.value for one in members}))
        return self.part("in", BOOLEAN, values, (left,))

    def literal(self) -> Part:
        minus = bool(self.take("-"))
        found = self.primary()
        wanted(found.kind in ("number", "text") and not (minus and found.kind == "text"), "a member")
        return found._replace(value=-found.value) if minus else found

    def sum(self) -> Part:
        found = self.product()
        while sign := self.take("+", "-"):
            right = self.product()
            wanted(found.unit == right.unit and is_number(found.unit), "other units are added")
            found = self.part(sign, found.unit, None, (found, right))
        return found

    def product(self) -> Part:
        found = self.unary()
        while sign := self.take("*", "/"):
            right = self.unary()
            wanted(is_number(found.unit) and is_number(right.unit), "numbers are multiplied")
            found = self.part(sign, unit_of(sign, found.unit, right.unit), None, (found, right))
        return found

    def unary(self) -> Part:
        if not self.take("-"):
            return self.primary()
        self.deeper()
        below = self.unary()
        self.depth -= 1
        wanted(is_number(below.unit), "a number is negative")
        if below.kind == "number" and below.value > 0:
            return below._replace(value=-below.value)
        return self.part("negative", below.unit, None, (below,))

    def advance(self) -> str:
        wanted(self.at < len(self.tokens), "something is missing")
        self.at += 1
        return self.tokens[self.at - 1]

    def primary(self) -> Part:
        token = self.advance()
        if token == "(":
            self.deeper()
            found = self.either()
            self.depth -= 1
            self.need(")")
            return found
        if token[0].isdigit():
            suffix = self.take("%") or (self.next if is_suffix(self.next) else "")
            self.at += bool(suffix) and suffix != "%"
            return self.part("number", *stored(token, suffix))
        if token[0] == '"':
            return self.part("text", TEXT, text_of(token))
        if token in ("true", "false"):
            return self.part("boolean", BOOLEAN, token == "true")
        if token in ("known", "min", "max", "abs"):
            return self.call(token)
        wanted(token in self.units, f"unknown feature {token[:NAME_MAX]}")
        return self.part("name", self.units[token], token)

    def call(self, name: str) -> Part:
        self.need("(")
        self.deeper()
        parts = [self.either()]
        while self.take(","):
            parts.append(self.either())
        self.depth -= 1
        self.need(")")
        units = {one.unit for one in parts}
        if name == "known":
            wanted(len(parts) == 1, "one part")
            return self.part(name, BOOLEAN, None, tuple(parts))
        wanted(len(parts) == 1 if name == "abs" else 2 <= len(parts) <= 8, "parts")
        wanted(len(units) == 1 and is_number(parts[0].unit), "numbers of one unit")
        return self.part(name, parts[0].unit, None, tuple(parts))


def parsed(text: str, units: Units, lists: Lists) -> Part:
    """Return a condition. Raises FalseCondition."""
    return Parser(text, units, lists).whole()


def is_number(unit: str) -> bool:
    return unit not in (BOOLEAN, TEXT)


def unit_of(sign: str, left: str, right: str) -> str:
    """Return the unit of a product or a quotient."""
    if sign == "/":
        wanted(right in (COUNT, left), "divided by another unit")
        return left if right == COUNT else COUNT
    if COUNT in (left, right):
        return right if left == COUNT else left
    wanted(SHARE in (left, right), "neither a count nor a share")
    return right if left == SHARE else left
