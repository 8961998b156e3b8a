"""The chain: each statement opens with what the one before closed with, and none is missing or there twice.

    OVERLAP           it opens as another statement does that has its number or its lines; lines that another
                      statement has too make the difference; or it tells of days that were told before
    GAP               the bank's numbers or the days leave one out; or it opens with another balance, though
                      it is sound and so is the one before: money has moved that no statement tells of
    OPENING_BALANCE   it opens with another balance, and nothing says that a statement is missing

What is said of a chain follows from its statements, not from the order in which they came. A copy is left
out: the next statement follows the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from pipeline.domain.reconciliation.chain.findings import GAP, OPENING, OVERLAP
from pipeline.domain.reconciliation.chain.inputs import day_of
from pipeline.domain.reconciliation.chain.instances import BEFORE_DAYS
from pipeline.domain.reconciliation.chain.order import by_day, in_order, rank
from pipeline.domain.reconciliation.chain.rows import Link
from pipeline.domain.reconciliation.chain.settling import Wanted

NUMBERED_STEPS = 3
"""Where balances agree, a number that is left out is a gap after so many steps by one: banks number as they
like."""
LOOK_BACK = 128
"""Among so many statements before it, a statement's original is looked for."""
TOGETHER_DAYS = 7
TOGETHER_GROUPS = 4
"""Days whose statements are put in order together, where that makes fewer breaks than each day by itself."""


class Judged(NamedTuple):
    """A statement at its place in the chain."""

    link: Link
    wanted: Wanted | None
    """Its break, if it has one."""
    copies: bool
    """Whether it is a copy, and the chain goes on from the one before it."""


def judge(links: Sequence[Link], anchor: Link | None) -> list[Judged]:
    """Return the statements of a chain in its order, with their breaks. `anchor`: the one before, or None."""
    groups, place = by_day(links), 0
    judged = [] if anchor is None else [Judged(anchor, None, False)]
    begin = len(judged)
    while place < len(groups):
        so_far = judged[-LOOK_BACK:]
        taken, best = 1, _judged(groups[place], so_far, groups[place + 1] if place + 1 < len(groups) else ())
        if _breaks(best):
            taken, best = _together(groups[place : place + TOGETHER_GROUPS], so_far, best)
        judged += best
        place += taken
    return judged[begin:]


def follows(link: Link, links: Sequence[Link], anchor: Link | None) -> bool:
    """Whether a statement that is behind all others has no break, and they stay as they are.

    What may be put in order together with it, or anew because of it, has no break either.
    """
    day = day_of(link.closing.closed_at)
    near = [one for one in links if day_of(one.closing.closed_at) >= day - TOGETHER_DAYS - 1]
    moved = [*([anchor] if anchor else ()), *links][-NUMBERED_STEPS - 1 :]
    if not moved or any(one.open or one.copies for one in (*near, *moved)):
        return False
    same_day = [one for one in near if day_of(one.closing.closed_at) >= day]
    if any(day_of(one.closing.closed_at) > day for one in same_day):
        return False
    if sorted((*same_day, link), key=rank) != [*same_day, link]:
        return False
    return _verdict(link, (), moved)[0] is None


def _breaks(judged: Sequence[Judged]) -> int:
    return sum(one.wanted is not None for one in judged)


def _together(
    groups: Sequence[Sequence[Link]], so_far: Sequence[Judged], alone: list[Judged]
) -> tuple[int, list[Judged]]:
    """Return how many days to put in order together, and them judged; `alone`: the first day by itself.

    As many as make fewest breaks, each day and the one behind them counted; of equals the fewest.
    """
    apart, begin = list(alone), day_of(groups[0][0].closing.closed_at)
    for number in range(1, len(groups)):
        if day_of(groups[number][0].closing.closed_at) - begin > TOGETHER_DAYS:
            break
        behind = groups[number + 1] if number + 1 < len(groups) else ()
        apart += _judged(groups[number], [*so_far, *apart], behind)
        links = [link for group in groups[: number + 1] for link in group]
        together = _judged(sorted(links, key=rank), so_far, behind)
        if _with(behind, so_far, together) < _with(behind, so_far, apart):
            return number + 1, together
    return 1, alone


def _with(behind: Sequence[Link], so_far: Sequence[Judged], judged: list[Judged]) -> int:
    return _breaks(judged) + _breaks(_judged(behind, [*so_far, *judged], ()))


def _judged(links: Sequence[Link], so_far: Sequence[Judged], behind: Sequence[Link]) -> list[Judged]:
    passed, moved = [*so_far], list[Link]()
    for one in reversed(so_far):
        if not one.copies:
            moved.insert(0, one.link)
            if len(moved) > NUMBERED_STEPS:
                break
    balance = moved[-1].closing.closing_minor if moved else None
    for link in in_order(links, balance, behind):
        wanted, copies = _verdict(link, passed, moved) if moved else (None, False)
        passed.append(Judged(link, wanted, copies))
        if not copies:
            moved.append(link)
    return passed[len(so_far) :]


def _verdict(link: Link, passed: Sequence[Judged], moved: Sequence[Link]) -> tuple[Wanted | None, bool]:
    """Return the break of a statement, and whether it is a copy. `moved`: those before it, without copies."""
    before, one = moved[-1], link.closing
    away = one.opening_minor - before.closing.closing_minor
    opens = f"opens with {one.opening_minor}, the statement before closed with {before.closing.closing_minor}"
    if not away:
        if one.opening_minor == one.closing_minor and 0 < link.moving <= link.twins:
            return Wanted(OVERLAP, 0, "all its lines are also in another statement"), True
        if _leaves_out(before, link) and _counts_by_one(moved):
            numbers = f"{one.sequence_no}, the statement before has {before.closing.sequence_no}"
            return Wanted(GAP, 0, f"balances agree, its number is {numbers}"), False
        return None, False
    like = [other.link for other in passed if _covers_the_same(link, other.link)]
    if like:
        copies = any(other.closing.closing_minor == one.closing_minor for other in like)
        twice = one.closing_minor - one.opening_minor if copies else -away
        return Wanted(OVERLAP, twice, f"{opens}; {_named(like[-1])} covers the same"), copies
    if (before.twins or link.twins) and before.twins_minor + link.twins_minor == -away:
        return Wanted(OVERLAP, -away, f"{opens}; the lines that both have make the difference"), False
    if one.from_at is not None and day_of(one.from_at) < day_of(before.closing.closed_at):
        return Wanted(OVERLAP, -away, f"{opens}; it begins before that was closed"), False
    if _is_missing(before, link):
        return Wanted(GAP, away, f"{opens}; a statement is missing between"), False
    return Wanted(OPENING, away, opens), False


def _named(link: Link) -> str:
    number = link.closing.sequence_no
    return f"statement {link.closing.statement_id!r}" + (f" number {number}" if number else "")


def _numbers(before: Link, link: Link) -> tuple[int, int] | None:
    """Return the bank's numbers of two statements, None where one has none or they began again between."""
    a, b = before.closing.sequence_no, link.closing.sequence_no
    return (a, b) if a and b and a <= b else None


def _covers_the_same(link: Link, other: Link) -> bool:
    """Whether a statement that does not follow the one before is another one once more, changed or not."""
    one, two = link.closing, other.closing
    days = abs(day_of(one.closed_at) - day_of(two.closed_at))
    if days > BEFORE_DAYS or one.opening_minor != two.opening_minor:
        return False
    if one.sequence_no and two.sequence_no:
        return (one.sequence_no, one.page) == (two.sequence_no, two.page)
    if link.twins or other.twins:
        return True
    known = link.moving and other.moving
    return not known and days == 0 and one.closing_minor == two.closing_minor


def _leaves_out(before: Link, link: Link) -> bool:
    """Whether the bank's numbers leave one out, and do not count days."""
    numbers = _numbers(before, link)
    if numbers is None:
        return False
    step = numbers[1] - numbers[0]
    return step > 1 and step != day_of(link.closing.closed_at) - day_of(before.closing.closed_at)


def _counts_by_one(moved: Sequence[Link]) -> bool:
    last = moved[-NUMBERED_STEPS - 1 :]
    steps = [_numbers(a, b) for a, b in pairwise(last)]
    return len(steps) == NUMBERED_STEPS and all(step is not None and step[1] - step[0] == 1 for step in steps)


def _is_missing(before: Link, link: Link) -> bool:
    """Whether a statement is missing between two whose balances do not agree."""
    numbers, pages = _numbers(before, link), (before.closing.page, link.closing.page)
    if numbers is not None and numbers[0] != numbers[1]:
        return numbers[1] - numbers[0] > 1
    if numbers is not None and pages[0] and pages[1] and pages[0] < pages[1]:
        return pages[1] - pages[0] > 1
    from_at = link.closing.from_at
    if from_at is not None and day_of(from_at) > day_of(before.closing.closed_at) + 1:
        return True
    return before.sound and link.sound
