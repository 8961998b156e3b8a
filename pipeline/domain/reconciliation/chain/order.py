"""The order of closed statements: by day, and of a day's each opens with what the one before closed with.

Statements are edges from their opening to their closing balance. As many as possible are put one behind the
other (a trail), ties by the bank's number, the page, and the time of closing. So several statements of one
moment are in order, and of those of a day it does not matter which time each has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.domain.reconciliation.chain.inputs import day_of
from pipeline.domain.reconciliation.chain.rows import Link

_NO_NUMBER = 2**63
"""What has no number is behind what has one."""


def rank(link: Link) -> tuple[int | str, ...]:
    """Return what decides between statements where their balances do not."""
    one = link.closing
    return (
        one.sequence_no or _NO_NUMBER,
        one.page or 0,
        one.closed_at,
        one.opening_minor,
        one.closing_minor,
        link.twins,  # of copies, the one that came later is behind the other
        one.statement_id,
        link.begun_day,
        link.number,
    )


def by_day(links: Sequence[Link]) -> list[list[Link]]:
    """Return the statements of each day, the days in their order, each day's by rank."""
    days: dict[int, list[Link]] = {}
    for link in links:
        days.setdefault(day_of(link.closing.closed_at), []).append(link)
    return [sorted(days[day], key=rank) for day in sorted(days)]


def in_order(links: Sequence[Link], balance_minor: int | None, behind: Sequence[Link] = ()) -> list[Link]:
    """Return statements in trails that are as long as possible; the first opens with a balance if one does.

    `links`: by rank. The balance is None where nothing is known of what was before. If none opens with it,
    the one with the bank's first number is the first. If another trail than the first leads to one of the
    statements `behind` them, it is the last.
    """
    if all(link.closing.opening_minor == before for link, before in _beside(links, balance_minor)):
        return [*links]
    left: dict[int, list[Link]] = {}
    for link in reversed(links):  # the first by rank is popped first
        left.setdefault(link.closing.opening_minor, []).append(link)
    trails = list[list[Link]]()
    goes_on = balance_minor in left
    start = balance_minor if goes_on else _start(left)
    while start is not None:
        trail = _trail(left, start)
        if not _spliced(trails, trail):
            trails.append(trail)
        start = _start(left)
    # Where nothing goes on from before, the bank's numbers say which trail is the first.
    is_first = goes_on or not all(trail[0].closing.sequence_no for trail in trails)
    head, rest = trails[:is_first], trails[is_first:]
    leads_to = {link.closing.opening_minor for link in behind}
    rest.sort(key=lambda trail: (trail[-1].closing.closing_minor in leads_to, rank(trail[0])))
    return [link for trail in (*head, *rest) for link in trail]


def _beside(links: Sequence[Link], balance_minor: int | None) -> Iterator[tuple[Link, int]]:
    for link in links:
        yield link, link.closing.opening_minor if balance_minor is None else balance_minor
        balance_minor = link.closing.closing_minor


def _start(left: dict[int, list[Link]]) -> int | None:
    """Return the balance at which the next trail begins: one that more statements open with than close with.

    Where there is none, all that is left are rounds, and the first one by rank begins.
    """
    if not left:
        return None
    into = Counter(link.closing.closing_minor for links in left.values() for link in links)
    begins = [balance for balance, links in left.items() if len(links) > into[balance]]
    return min(begins or left, key=lambda balance: rank(left[balance][-1]))


def _trail(left: dict[int, list[Link]], balance_minor: int) -> list[Link]:
    """Take a trail out of what is left, from a balance as far as it leads."""
    trail = list[Link]()
    while links := left.get(balance_minor):
        trail.append(links.pop())
        if not links:
            del left[balance_minor]
        balance_minor = trail[-1].closing.closing_minor
    return trail


def _spliced(trails: list[list[Link]], ring: list[Link]) -> bool:
    """Put a round into a trail that passes one of its balances; return whether there was one."""
    if ring[0].closing.opening_minor != ring[-1].closing.closing_minor:
        return False
    begins = {link.closing.opening_minor: place for place, link in reversed([*enumerate(ring)])}
    for trail in trails:
        passed = [*(link.closing.opening_minor for link in trail), trail[-1].closing.closing_minor]
        for place, balance in enumerate(passed):
            if balance in begins:
                turn = begins[balance]
                trail[place:place] = ring[turn:] + ring[:turn]
                return True
    return False
