"""Random chains of statements, and statements that are removed, doubled or changed in them."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec

from pipeline.domain.reconciliation.chain.inputs import Closing, Line, digest
from tests.reconciliation_chain.stories import DAY, Bank


class Said(msgspec.Struct, frozen=True):
    """A statement as a bank sends it."""

    closing: Closing
    lines: tuple[Line, ...]


def chain(rng: random.Random, count: int, *, numbered: bool, constant_id: bool = False) -> list[Said]:
    """Return statements that are in order: several a day, some days without any."""
    said, balance, day = list[Said](), rng.randrange(10**9), 100
    for number in range(1, count + 1):
        statement_id = "STMT" if constant_id else f"S{number + 7}"
        moves = [rng.choice((-1, 1)) * rng.randrange(1, 10**9) for _ in range(rng.randrange(1, 5))]
        lines = tuple(
            Line(statement_id, place, "EUR", moved, day, digest(number, place, moved))
            for place, moved in enumerate(moves, 1)
        )
        closed_at = day * DAY + DAY // 2 + (0 if numbered else number)
        after = balance + sum(moves)
        no = number if numbered else None
        said.append(Said(Closing(statement_id, "EUR", balance, after, len(lines), closed_at, no), lines))
        balance, day = after, day + rng.choice((0, 0, 1, 1, 3))
    return said


def copy_of(statement: Said, statement_id: str) -> Said:
    """Return a statement once more under another id, with the same lines."""
    closing = msgspec.structs.replace(statement.closing, statement_id=statement_id, sequence_no=None)
    lines = [msgspec.structs.replace(line, statement_id=statement_id) for line in statement.lines]
    return Said(closing, tuple(lines))


def with_figures(statement: Said, **figures: int) -> Said:
    """Return a statement with other figures in its closing."""
    return Said(msgspec.structs.replace(statement.closing, **figures), statement.lines)


def with_lines(statement: Said, lines: Iterable[Line]) -> Said:
    """Return a statement with other lines, and the closing that it had."""
    return Said(statement.closing, tuple(lines))


def arrivals(statements: Iterable[Said]) -> list[Line | Closing]:
    """Return the events of statements in the order in which banks send them."""
    return [event for said in statements for event in (*said.lines, said.closing)]


def told(events: Iterable[Line | Closing]) -> Bank:
    """Return a bank that was told events."""
    bank = Bank()
    for event in events:
        tell(bank, event)
    return bank


def tell(bank: Bank, event: Line | Closing) -> str:
    """Apply an event; return what it is."""
    day = event.booked_day if isinstance(event, Line) else event.closed_at // DAY
    bank.watermark = max(bank.watermark, day * DAY)
    return (bank.tell_line(event) if isinstance(event, Line) else bank.tell_closing(event)).what
