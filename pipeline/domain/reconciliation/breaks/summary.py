"""Figures of a day: how complete the statements are, how much is matched, cleared, explained.

Each item counts on its own day, under one standing at a time, and moves when that changes. So a day is the
sum of its items whenever it is looked at, and no figure is worked out from the items again.

    WAITING      no decision is due yet                SUGGESTED    it may be a match: a person decides
    EXPLAINED    an open break whose kind says why     UNEXPLAINED  one that only says what is missing
    matched      by its tier                           WRITTEN_OFF  accepted by two people
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pipeline.domain.kernel.times import MICROSECONDS_PER_DAY, NO_END
from pipeline.domain.reconciliation.breaks import states
from pipeline.domain.reconciliation.breaks.kinds import kind_of
from pipeline.domain.reconciliation.breaks.rows import DAY_ROW, Day, Life, Tally, day_key, unpack_day
from pipeline.domain.reconciliation.breaks.scope import Scope

WAITING, SUGGESTED, EXPLAINED, UNEXPLAINED = "WAITING", "SUGGESTED", "EXPLAINED", "UNEXPLAINED"
WRITTEN_OFF = "WRITTEN_OFF"
TIERS = ("REFERENCE", "AMOUNT_DATE", "SCORED", "GROUP", "REVERSAL", "CORRECTION", "PERSON")
"""By what an item was matched; symbols of MatchTier."""
STANDINGS = (WAITING, SUGGESTED, EXPLAINED, UNEXPLAINED, WRITTEN_OFF, *TIERS)
CLEARED = frozenset({WRITTEN_OFF, *TIERS})
"""Standings of what nobody has to look at any more."""
MILLION = 1_000_000
_NONE = Tally()


def standing_of(life: Life) -> str | None:
    """Return how an item stands by its break, or None where a match says it."""
    if life.status == states.WRITTEN_OFF:
        return WRITTEN_OFF
    if life.status == states.RESOLVED:
        return None
    return EXPLAINED if kind_of(life.kind).names_cause else UNEXPLAINED


def arrived(day: Day, is_line: bool, amount_minor: int, standing: str = WAITING) -> Day:
    """Count an item that has come; it waits, unless it was matched at once."""
    return counted(day, is_line, {standing: (1, abs(amount_minor))})


def moved(day: Day, is_line: bool, amount_minor: int, before: str, after: str) -> Day:
    """Count an item under another standing. Raises ValueError where none was counted under `before`."""
    if before == after:
        return day
    size = abs(amount_minor)
    return counted(day, is_line, {before: (-1, -size), after: (1, size)})


def closed(day: Day, lines_announced: int, is_sound: bool) -> Day:
    """Count a statement of the day; `is_sound`: it has no open break."""
    return msgspec.structs.replace(
        day,
        statements=day.statements + 1,
        unsound=day.unsound + (not is_sound),
        announced=day.announced + lines_announced,
    )


def proved(day: Day, is_sound: bool) -> Day:
    """Count that a closed statement has become sound, or is so no longer. Raises ValueError for too many."""
    unsound = day.unsound + (-1 if is_sound else 1)
    if not 0 <= unsound <= day.statements:
        raise ValueError("more statements have changed than were closed")
    return msgspec.structs.replace(day, unsound=unsound)


def counted(day: Day, is_line: bool, changes: Mapping[str, tuple[int, int]]) -> Day:
    """Return a day with items more or less of a side, by standing: (how many, how much, minor units).

    Raises ValueError where fewer were counted than go, and for what is no standing.
    """
    tallies, is_new = dict(day.lines if is_line else day.postings), False
    for standing, (count, minor) in changes.items():
        if standing not in STANDINGS:
            raise ValueError(f"{standing} is no standing")
        is_new = is_new or standing not in tallies
        before = tallies.get(standing, _NONE)
        counted, sum_minor = before.count + count, int(before.minor) + minor
        if counted < 0 or sum_minor < 0:
            raise ValueError(f"none was counted as {standing}")
        tallies[standing] = Tally(counted, str(sum_minor))
        if not counted:
            del tallies[standing]
    if is_new:
        tallies = {standing: tallies[standing] for standing in STANDINGS if standing in tallies}
    return msgspec.structs.replace(day, **{"lines" if is_line else "postings": tallies})


def note(
    scope: Scope, currency: str, day: int, change: Callable[[Day], Day], *, begins: bool = False
) -> None:
    """Write the figures of a day as `change` makes them. `day`, `begins`: as of `noted`."""
    cause = scope.cause
    key = day_key(cause.tenant_id, cause.account_id, currency, day)
    row = scope.rows.get(key)
    changed = noted(scope, None if row is None else unpack_day(row), key, day, change, begins)
    if changed is not None:
        scope.rows.put(key, DAY_ROW.pack(changed))


def noted(
    scope: Scope, known: Day | None, key: bytes, day: int, change: Callable[[Day], Day], begins: bool
) -> Day | None:
    """Return the figures of a day as `change` makes them; None: they are counted no more.

    `known`, `key`: its row; `day`: days since 1970-01-01. `begins`: something has come, so a row is begun
    where there is none; but not once the windows of the day are over. So no row is begun twice, and what
    moves in a row was counted in it.
    """
    if known is None or scope.is_over(known.ended_at):
        began_at = day * MICROSECONDS_PER_DAY
        if not begins or scope.is_over(began_at):
            return None
        known = Day(ended_at=min(max(began_at, scope.watermark), NO_END))
        scope.ended(scope.watermark, key)
    return change(known)


def sweep_day(known: Day | None, scope: Scope) -> bool:
    """Whether the figures of a day stay, where their key has come up: a day may lie ahead."""
    return known is not None and not scope.is_over(known.ended_at)


def figures(day: Day) -> dict[str, Any]:
    """Return the figures of a day as people see them; the README of this folder defines each.

    Shares are parts of a million, rounded down; None where there is nothing to have a share of.
    """
    counts, minors = dict.fromkeys(STANDINGS, 0), dict.fromkeys(STANDINGS, 0)
    for tallies in (day.lines, day.postings):
        for standing, tally in tallies.items():
            counts[standing] += tally.count
            minors[standing] += int(tally.minor)
    items, value = sum(counts.values()), sum(minors.values())
    lines = sum(tally.count for tally in day.lines.values())
    matched = sum(counts[tier] for tier in TIERS)
    cleared = sum(minors[standing] for standing in CLEARED)
    return {
        "lines": lines,
        "postings": items - lines,
        "statements": day.statements,
        "unsound_statements": day.unsound,
        "announced_lines": day.announced,
        "completeness_ppm": _share(min(lines, day.announced), day.announced),
        "match_rate_ppm": _share(matched, items),
        "match_rate_by_tier_ppm": {tier: _share(counts[tier], items) for tier in TIERS if counts[tier]},
        "value_minor": value,
        "cleared_minor": cleared,
        "clearing_ppm": _share(cleared, value),
        "explained_minor": cleared + minors[EXPLAINED],
        "explainability_ppm": _share(cleared + minors[EXPLAINED], value),
        "open": {
            standing.lower(): {"items": counts[standing], "minor": minors[standing]}
            for standing in (WAITING, SUGGESTED, EXPLAINED, UNEXPLAINED)
            if counts[standing]
        },
    }


def _share(part: int, whole: int) -> int | None:
    return part * MILLION // whole if whole else None
