"""The breaks that a statement has now against those that are open on it: what to open, what to resolve.

A break whose amount is another one now is resolved, and a new one is opened: so an open break is always
right, in whatever order statements came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.domain.reconciliation.chain.findings import Finding, Resolved, Work
from pipeline.domain.reconciliation.chain.rows import Open


class Wanted(NamedTuple):
    """A break that a statement has now."""

    kind: str
    amount_minor: int
    detail: str


class Subject(NamedTuple):
    """The statement that breaks are about."""

    name: str
    currency: str
    statement_id: str
    day: int
    """When it was closed, days since 1970-01-01."""


def settle(
    work: Work, subject: Subject, open_: Sequence[Open], breaks: int, wanted: Sequence[Wanted], why: str
) -> tuple[tuple[Open, ...], int]:
    """Say what is opened and resolved; return the open breaks, and how many were opened ever."""
    kept = list[Open]()
    needed = {(one.kind, one.amount_minor) for one in wanted}
    for one in open_:
        if (one.kind, one.amount_minor) in needed:
            kept.append(one)
        else:
            work.outcome.resolved.append(Resolved(one.kind, subject.name, str(one.ordinal), why))
    there = {(one.kind, one.amount_minor) for one in kept}
    for kind, amount_minor, detail in wanted:
        if (kind, amount_minor) not in there:
            breaks += 1
            kept.append(Open(kind, breaks, amount_minor))
            finding = Finding(
                *(kind, subject.name, str(breaks), subject.currency, amount_minor, detail),
                statement_id=subject.statement_id,
                day=subject.day,
            )
            work.outcome.opened.append(finding)
    return tuple(kept), breaks
