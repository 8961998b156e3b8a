"""The reason that people read: a text with the values of features (`{payments_1h} payments in an hour`).

A value is written for people (`9,500.00 EUR`, `70 d 3 h`, `35 %`), a text as it is, an unknown one as
`unknown`. `{{` and `}}` stand for the brackets themselves.
"""

from __future__ import annotations

import re

from pipeline.domain.fraud.expressions.by_row import Row
from pipeline.domain.fraud.expressions.catalogue import Catalogue
from pipeline.domain.fraud.expressions.problems import Problem, did_you_mean
from pipeline.domain.fraud.expressions.units import BOOLEAN_KIND, TEXT_KIND, told

PLACES_MAX = 8
VALUE_CHARS_MAX = 64
"""Longer texts are cut: a reason is read by people, and its size is bounded."""
_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def problems_of(reason: str, catalogue: Catalogue) -> list[Problem]:
    """Return what is wrong with a reason: brackets that do not match, unknown features."""
    found: list[Problem] = []
    places = 0
    for part in _PART.finditer(reason):
        name = part.group(1)
        if part.group() in ("{{", "}}"):
            continue
        if name is None:
            message = f"a single `{part.group()}`: write {{{{ and }}}} for brackets"
            found.append(Problem(message, part.start(), part.end()))
        elif catalogue.get(name) is None:
            message = f"unknown feature `{name[:64]}`{did_you_mean(name, catalogue.names())}"
            found.append(Problem(message, part.start(), part.end()))
        places += name is not None
        if places == PLACES_MAX + 1:
            found.append(Problem(f"more than {PLACES_MAX} features", part.start(), part.end()))
    return found


def filled(reason: str, row: Row, catalogue: Catalogue) -> str:
    """Return a reason that has no problems, with the values of a payment's features."""

    def value_of(part: re.Match[str]) -> str:
        name = part.group(1)
        return part.group()[0] if name is None else _shown(name, row, catalogue)

    return _PART.sub(value_of, reason)


def _shown(name: str, row: Row, catalogue: Catalogue) -> str:
    feature, value = catalogue.get(name), row.get(name)
    if feature is None or value is None:
        return "unknown"
    if feature.unit.kind == BOOLEAN_KIND:
        return "yes" if value else "no"
    if feature.unit.kind == TEXT_KIND:
        return str(value)[:VALUE_CHARS_MAX]
    return told(int(value), feature.unit)
