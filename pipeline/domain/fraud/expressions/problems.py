"""What is wrong with an expression or a set of rules: where, and in words.

line 2, column 8: unknown feature `amont_24h`, did you mean `amount_24h`?
  and amont_24h > 950 EUR
      ^^^^^^^^^
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import msgspec

ERROR, WARNING = "error", "warning"
SHOWN_CHARS = 100
"""Most characters of a line that are shown, around what is wrong."""
NEAR_CHARS_MAX = 64
"""Longer names are not compared with others: it costs time, and finds nothing."""


class Problem(msgspec.Struct, frozen=True):
    """Something wrong with the text of an expression."""

    message: str
    """In words: what was found and what was expected."""
    at: int
    """Where it begins: characters from the start of the expression."""
    until: int
    """Where it ends; greater than `at`."""
    severity: str = ERROR


class ExpressionError(ValueError):
    """The text is not an expression of the language, or not one of the catalogue."""

    def __init__(self, text: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(pointed(text, problem) for problem in self.problems))


def line_and_column(text: str, at: int) -> tuple[int, int]:
    """Return line and column of a character of a text; both count from 1."""
    at = min(at, len(text))
    line_start = text.rfind("\n", 0, at) + 1
    return text.count("\n", 0, at) + 1, at - line_start + 1


def caret(text: str, at: int, until: int) -> str:
    """Return the line of a text that has the character `at`, and under it what is meant.

    Signs that cannot be shown are shown as `?`, so that the carets stand under what they point to.
    """
    at = min(at, len(text))
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : len(text) if end < 0 else end]
    column = at - start
    width = max(1, min(until - at, len(line) - column))
    first = max(0, column - SHOWN_CHARS // 2)
    shown = line[first : first + SHOWN_CHARS]
    seen = "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in shown)
    return f"  {seen}\n  {' ' * (column - first)}{'^' * min(width, max(1, SHOWN_CHARS - (column - first)))}"


def pointed(text: str, problem: Problem) -> str:
    """Return a problem with its line and column, and the line with carets."""
    line, column = line_and_column(text, problem.at)
    return f"line {line}, column {column}: {problem.message}\n{caret(text, problem.at, problem.until)}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `, did you mean ...?` for the nearest of the known names; nothing if none is near."""
    if len(name) > NEAR_CHARS_MAX:
        return ""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f", did you mean `{near[0]}`?" if near else ""
