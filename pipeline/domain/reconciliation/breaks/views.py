"""What is shown of breaks and days: rows as people see them, and a table of open breaks by age."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.domain.kernel.corrections import correction_name
from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY
from pipeline.domain.kernel.views import Row, time_text
from pipeline.domain.reconciliation.breaks import states
from pipeline.domain.reconciliation.breaks.ageing import BUCKETS, age_days, bucket_of, priority_of
from pipeline.domain.reconciliation.breaks.facts import journal_of
from pipeline.domain.reconciliation.breaks.kinds import kind_of, type_of
from pipeline.domain.reconciliation.breaks.rows import Correction, Life, unpack_day
from pipeline.domain.reconciliation.breaks.summary import figures
from pipeline.domain.reconciliation.sortable import number_at

OPEN, ENDED = "OPEN", "ENDED"
"""Of a break: whether anybody has to look after it."""
BREAKS_MAX = 50_000
"""Breaks of an account, ended ones too, that are counted by age."""


def day_text(day: int) -> str:
    """Return a day (days since 1970-01-01) as ISO 8601; the number itself where it is beyond the calendar."""
    text = time_text(day * MICROSECONDS_PER_DAY)
    assert text is not None, "a day has a time"
    return text.partition("T")[0] if "T" in text else str(day)


def show_break(key: tuple[str, ...], life: Life, reached_at: int) -> Row:
    """Return a break; `key`: tenant, account, break; `reached_at`: event time of the account."""
    is_open = life.status not in states.ENDED
    days = age_days(life.since, reached_at)
    waiting = life.correction
    return {
        "tenant_id": key[0],
        "account_id": key[1],
        "break_id": key[2],
        "type": type_of(life.kind, life.is_line),
        "kind": life.kind,
        "meaning": kind_of(life.kind).text,
        "state": OPEN if is_open else ENDED,
        "status": life.status,
        "assignee": life.assignee,
        "priority": priority_of(life.materiality, days) if is_open else None,
        "materiality": life.materiality,
        "age_days": days if is_open else None,
        "age": bucket_of(days) if is_open else None,
        "amount_minor": life.amount_minor,
        "difference_minor": life.difference_minor,
        "explained_minor": life.explained_minor,
        "currency": life.currency,
        "statement_id": life.statement_id,
        "line_no": life.line_no,
        "line_id": life.line_id,
        "posting_id": life.posting_id,
        "counterparts": [
            *([line.statement_id, line.line_no, line.line_id] for line in life.counterpart_lines),
            *life.counterpart_postings,
        ],
        "detail": life.detail,
        "opened_at": time_text(life.opened_at),
        "changed_at": time_text(life.changed_at),
        "actions": len(life.acted),
        "correction": None if waiting is None else _correction(key[2], waiting),
        "refused": life.refused,
        "resolution": life.resolution,
        "journal_id": journal_of(key[2], life),
    }


def _correction(break_id: str, waiting: Correction) -> Row:
    reverses = waiting.reverses
    return {
        "correction_id": waiting.correction_id,
        "journal_id": correction_name(break_id, waiting.number),
        "write_off": waiting.is_write_off,
        "maker": {"issuer": waiting.actor.issuer, "subject": waiting.actor.subject},
        "reason": waiting.reason,
        "reverses": None if reverses is None else correction_name(break_id, reverses),
        "legs": [msgspec.structs.asdict(leg) for leg in waiting.legs],
    }


def show_day(key: tuple[str, ...], value: bytes) -> Row:
    """Return the figures of a day; `key`: tenant, account, currency, sortable day. Raises UnreadableRow."""
    day = number_at(key[3].encode(), 0)
    about = {"tenant_id": key[0], "account_id": key[1], "currency": key[2], "day": day_text(day)}
    return {**about, **figures(unpack_day(value))}


def show_open(lives: Iterable[Life], reached_at: int) -> list[dict[str, Any]]:
    """Return the open breaks of an account by currency, age and kind: how many, and what is at stake."""
    found: dict[tuple[str, int, str], list[int]] = {}
    for life in lives:
        if life.status not in states.ENDED:
            bucket = BUCKETS.index(bucket_of(age_days(life.since, reached_at)))
            counted = found.setdefault((life.currency, bucket, life.kind), [0, 0])
            counted[0] += 1
            counted[1] += abs(life.size_minor)
    return [
        {"currency": currency, "age": BUCKETS[bucket], "kind": kind, "breaks": count, "at_stake_minor": minor}
        for (currency, bucket, kind), (count, minor) in sorted(found.items())
    ]
