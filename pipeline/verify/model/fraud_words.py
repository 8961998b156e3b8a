"""The words of the conditions of fraud rules: signs, texts, and numbers with their units."""

from __future__ import annotations

import re

from pipeline.verify.model.currencies import DIGITS

CHARS_MAX = 4_096
STRING_MAX, NUMBER_MAX, NAME_MAX = 256, 40, 64
LONG_MAX = 2**63 - 1
SECONDS = {"s": 1, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
TOKEN = re.compile(
    r"(?P<number>[0-9][0-9_]*(?:\.[0-9][0-9_]*)?)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r'|(?P<text>"(?:[^"\\]|\\.)*")|(?P<sign>==|!=|<=|>=|[-+*/<>()\[\],%])',
    re.ASCII,
)
GROUPED = re.compile(r"[0-9]+(_[0-9]+)*", re.ASCII)
COUNT, DURATION, SHARE, SD, BOOLEAN, TEXT = "count", "duration", "share", "sd", "boolean", "text"


class FalseCondition(Exception):
    """A text that is no condition; the argument says why."""


def wanted(holds: bool, why: str) -> None:
    """Raise `FalseCondition` where something does not hold."""
    if not holds:
        raise FalseCondition(why)


def tokens(text: str) -> list[str]:
    """Return the words, signs, numbers and texts of a condition."""
    wanted(len(text) <= CHARS_MAX and text.isascii(), "too long, or not ASCII")
    found, at = [], 0
    while at < len(text):
        if text[at] in " \t\r\n":
            at += 1
            continue
        match = TOKEN.match(text, at)
        wanted(match is not None, "a sign")
        assert match is not None
        found.append(match.group())
        at = match.end()
    return found


def is_suffix(word: str) -> bool:
    return word in SECONDS or word == "sd" or word in DIGITS


def decimals_of(unit: str) -> int:
    return DIGITS.get(unit, 2 if unit in (SHARE, SD) else 0)


def stored(digits: str, suffix: str) -> tuple[str, int]:
    """Return the unit of a number, and the number as the unit stores it."""
    whole, _, fraction = digits.partition(".")
    wanted(len(digits) <= NUMBER_MAX, "a long number")
    wanted(all(GROUPED.fullmatch(one) for one in (whole, fraction) if one), "a number")
    unit = {"": COUNT, "%": SHARE, "sd": SD}.get(suffix, DURATION if suffix in SECONDS else suffix)
    decimals, fraction = decimals_of(unit), fraction.replace("_", "")
    wanted(len(fraction) <= decimals, "too many decimals")
    value = int(whole) * 10**decimals + int(fraction.ljust(decimals, "0") or "0")
    value *= SECONDS.get(suffix, 1)
    wanted(value <= LONG_MAX, "more than 64 bits")
    return unit, value


def text_of(token: str) -> str:
    """Return what a text in quotes says."""
    wanted(len(token) >= 2 and token[0] == '"', "no text")
    inside = token[1:-1]
    found = re.sub(r"\\(.)", r"\1", inside)
    wanted(set(re.findall(r"\\(.)", inside)) <= {'"', "\\"}, "an escape")
    wanted(len(found) <= STRING_MAX and all(32 <= ord(one) < 127 for one in found), "a text")
    return found
