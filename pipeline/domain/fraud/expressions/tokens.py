"""The words of an expression: names, numbers with their unit, texts, signs.

An expression is printable ASCII with spaces, tabs and line breaks. So no letter looks like another one, no
mark changes the direction of a line, and what is accepted does not depend on a version of Unicode.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from pipeline.domain.fraud.expressions.catalogue import NAME_CHARS_MAX
from pipeline.domain.fraud.expressions.problems import ExpressionError, Problem
from pipeline.domain.fraud.expressions.units import scaled, suffix_unit
from pipeline.domain.kernel.currencies import EXPONENTS

TEXT_CHARS_MAX = 4_096
"""Most characters of an expression."""
STRING_CHARS_MAX = 256
"""Most characters of a text in quotes."""
NUMBER_CHARS_MAX = 40
NAME_KIND, NUMBER_KIND, STRING_KIND, SIGN_KIND, END_KIND = "name", "number", "text", "sign", "end"
_ALLOWED = re.compile(r"[\x20-\x7e\t\n]*")
_TOKEN = re.compile(
    r"(?P<space>[ \t\n]+)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>[0-9](?:_?[0-9])*(?:\.[0-9]+)?)"
    r'|(?P<text>"(?:[^"\\\n\t]|\\["\\])*")'
    r"|(?P<sign><=|>=|==|!=|[-+*/()<>,\[\]])"
)
_UNIT = re.compile(r"[ \t]*(%|[A-Za-z_][A-Za-z0-9_]*)")
_NO_UNITS = frozenset({"and", "or", "not", "in"})
_UNITS_KNOWN = "; known: s, min, h, d, w, %, sd and the codes of ISO 4217"
_UNIT_WORDS = {
    "sec": "s",
    "min": "min",
    "hour": "h",
    "hr": "h",
    "day": "d",
    "week": "w",
    "percent": "%",
    "pct": "%",
    "std": "sd",
    "sigma": "sd",
}
_INSTEAD = {
    "=": "write `==` to compare",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or `!=`",
    "'": 'texts stand in double quotes: "EUR"',
    "%": "`%` follows a number: 35 %",
    ".": "decimals follow digits: 9.50 EUR",
    "#": "an expression has no comments",
    "{": "lists stand in square brackets",
}


class Token(NamedTuple):
    """A word of an expression, and where it stands."""

    kind: str
    text: str
    """As it is written; of a text in quotes, what it says."""
    at: int
    until: int
    value: int = 0
    """Of a number: as its unit stores it."""
    suffix: str = ""
    """Of a number: its unit as it is written."""


def tokens(text: str) -> list[Token]:
    """Return the words of an expression; the last one is its end.

    Raises ExpressionError, with the first problem. Takes time in proportion to at most TEXT_CHARS_MAX.
    """
    if len(text) > TEXT_CHARS_MAX:
        message = f"an expression of {len(text)} characters; at most {TEXT_CHARS_MAX}"
        raise ExpressionError("", [Problem(message, 0, 1)])
    allowed = _ALLOWED.match(text)
    assert allowed is not None  # the pattern matches the empty text
    if allowed.end() < len(text):
        at = allowed.end()
        raise ExpressionError(text, [Problem(_foreign(text[at]), at, at + 1)])
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(text, [_misplaced(text, at)])
        if match.lastgroup == NUMBER_KIND:
            token = _number(text, match)
            found.append(token)
            at = token.until
            continue
        at = match.end()
        if match.lastgroup == STRING_KIND:
            found.append(_string(text, match))
        elif match.lastgroup == NAME_KIND:
            found.append(_name(text, match))
        elif match.lastgroup == SIGN_KIND:
            found.append(Token(SIGN_KIND, match.group(), match.start(), at))
    found.append(Token(END_KIND, "", len(text), len(text) + 1))
    return found


def _name(text: str, match: re.Match[str]) -> Token:
    word = match.group()
    if len(word) > NAME_CHARS_MAX:
        message = f"a name of {len(word)} characters; at most {NAME_CHARS_MAX}"
        raise ExpressionError(text, [Problem(message, match.start(), match.end())])
    return Token(NAME_KIND, word, match.start(), match.end())


def _number(text: str, match: re.Match[str]) -> Token:
    digits, at, until = match.group(), match.start(), match.end()
    if len(digits) > NUMBER_CHARS_MAX:
        raise ExpressionError(text, [Problem("the number does not fit into 64 bits", at, until)])
    suffix = ""
    unit = _UNIT.match(text, until)
    if unit is not None and unit.group(1).lower() not in _NO_UNITS:
        suffix = unit.group(1)
        if suffix_unit(suffix) is None:
            message = f"unknown unit `{suffix[:NAME_CHARS_MAX]}`{_unit_meant(suffix)}"
            raise ExpressionError(text, [Problem(message, unit.start(1), unit.end(1))])
        until = unit.end()
    whole, _, fraction = digits.partition(".")
    try:
        value = scaled(whole.replace("_", ""), fraction, suffix)
    except ValueError as error:
        raise ExpressionError(text, [Problem(str(error), at, until)]) from None
    return Token(NUMBER_KIND, text[at:until], at, until, value, suffix)


def _unit_meant(suffix: str) -> str:
    """Return what a unit that does not exist may have meant, or which units there are."""
    for word, unit in _UNIT_WORDS.items():
        if suffix.lower().startswith(word):
            return f", did you mean `{unit}`?"
    code = suffix.upper()[:3]
    return f", did you mean `{code}`?" if code in EXPONENTS else _UNITS_KNOWN


def _string(text: str, match: re.Match[str]) -> Token:
    said = re.sub(r"\\(.)", r"\1", match.group()[1:-1])
    if len(said) > STRING_CHARS_MAX:
        message = f"a text of {len(said)} characters; at most {STRING_CHARS_MAX}"
        raise ExpressionError(text, [Problem(message, match.start(), match.end())])
    return Token(STRING_KIND, said, match.start(), match.end())


def _foreign(sign: str) -> str:
    code = f"U+{ord(sign):04X}"
    name = unicodedata.name(sign, "a control character" if ord(sign) < 32 or ord(sign) == 127 else "")
    return f"{code} {name}".rstrip() + " cannot stand in an expression: it is printable ASCII"


def _misplaced(text: str, at: int) -> Problem:
    sign = text[at]
    if sign == '"':
        end = text.find("\n", at)
        until = len(text) if end < 0 else end
        message = 'a text that has no end, or a backslash before another sign than " and \\'
        return Problem(message, at, max(until, at + 1))
    instead = _INSTEAD.get(sign)
    return Problem(f"`{sign}` means nothing here" + (f": {instead}" if instead else ""), at, at + 1)
