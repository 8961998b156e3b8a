"""Kinds of breaks: what each is called, the type that its events have, and what it says.

`type` of the events is an enum that readers of earlier versions know. `kind` beside it is text and may grow.
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """What is true of every break of a kind."""

    type: str
    """A symbol of BreakType."""
    text: str
    """For people."""
    names_cause: bool = True
    """Whether it says why the item does not match; a missing counterpart alone does not."""
    is_structural: bool = False
    """Whether it is about statements and not about an amount: it is material, since it can hide anything."""


KINDS: dict[str, Kind] = {
    "MISSING_INTERNAL": Kind("MISSING_INTERNAL", "the bank has a line that the books do not have", False),
    "MISSING_EXTERNAL": Kind(
        "MISSING_EXTERNAL", "the books have a posting that the bank does not have", False
    ),
    "AMOUNT": Kind("AMOUNT", "line and posting belong together, and their amounts differ"),
    "FEE": Kind("AMOUNT", "the amounts differ by a fee"),
    "FX": Kind("AMOUNT", "the amounts differ by an exchange rate"),
    "SIGN": Kind("AMOUNT", "the amounts are the same with the other sign"),
    "PARTIAL": Kind("AMOUNT", "only a part of the amount has come"),
    "CURRENCY": Kind("AMOUNT", "the amounts are the same in another currency"),
    "DATE": Kind("MISSING_EXTERNAL", "line and posting lie too far apart in time"),
    "REFERENCE": Kind("MISSING_INTERNAL", "amount and date fit, and the references contradict each other"),
    "DUPLICATE": Kind("DUPLICATE", "it has come twice"),
    "OPENING_BALANCE": Kind("OPENING_BALANCE", "a statement opens with another balance", True, True),
    "CLOSING_BALANCE": Kind(
        "CLOSING_BALANCE", "opening balance and lines do not give the closing", True, True
    ),
    "SEQUENCE_GAP": Kind("SEQUENCE_GAP", "a line of a statement is missing", True, True),
    "GAP": Kind("SEQUENCE_GAP", "a statement is missing", True, True),
    "OVERLAP": Kind("SEQUENCE_GAP", "two statements cover the same", True, True),
    "STALE": Kind("SEQUENCE_GAP", "statements have stopped coming", True, True),
}


def kind_of(name: str) -> Kind:
    """Return what is true of a kind. Raises KeyError for one that there is not."""
    return KINDS[name]


def type_of(name: str, is_line: bool) -> str:
    """Return the symbol of BreakType of a kind; `is_line`: the item that is open is a line.

    Of a kind that has no symbol of its own and is about one open item, the missing side is said. Raises
    KeyError for a kind that there is not.
    """
    if name in ("DATE", "REFERENCE"):
        return "MISSING_INTERNAL" if is_line else "MISSING_EXTERNAL"
    return KINDS[name].type
