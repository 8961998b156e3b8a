"""The pages of a chain: its older parts, put aside, and read where a statement comes late.

Pages are cut between days, so that all statements of a day, and those that were put in order together, are in
the same part; and behind a week without breaks, so that no later statement would put them in another order.
If there is no such place, what is said of a statement beside the cut may depend on when it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import msgspec

from pipeline.domain.reconciliation.chain.findings import Work
from pipeline.domain.reconciliation.chain.inputs import day_of
from pipeline.domain.reconciliation.chain.judging import TOGETHER_DAYS
from pipeline.domain.reconciliation.chain.rows import (
    NEWEST_LINKS,
    PAGE_LINKS,
    PAGES_MAX,
    History,
    Link,
    Page,
    page_key,
)


def read_all(work: Work, currency: str, history: History) -> list[Link]:
    """Return all links of a chain, those of its pages too."""
    links = list[Link]()
    for number in range(history.first_page, history.first_page + history.pages):
        page = work.rows.get(page_key(work.account, currency, number), Page)
        assert page is not None  # a page is there until it is forgotten
        links += page.links
    return [*links, *history.links]


def with_newest(work: Work, currency: str, history: History, links: Sequence[Link]) -> History:
    """Return a chain with another newest part; what is too long for it becomes pages."""
    rest = [*links]
    while len(rest) > NEWEST_LINKS and (cut := _cut(rest)):
        page, rest = rest[:cut], rest[cut:]
        number = history.first_page + history.pages
        work.rows.put(page_key(work.account, currency, number), Page(tuple(page)))
        history = msgspec.structs.replace(
            history,
            anchor=_last(page, history.anchor),
            newest_from_day=_newest_day(page) + 1,
            pages=history.pages + 1,
        )
    history = msgspec.structs.replace(history, links=tuple(rest))
    while history.pages > PAGES_MAX:
        history = _without_first(work, currency, history)
    return history


def with_all(work: Work, currency: str, history: History, links: Sequence[Link]) -> History:
    """Return a chain with all its links given anew."""
    for number in range(history.first_page, history.first_page + history.pages):
        work.rows.put(page_key(work.account, currency, number), None)
    bare = msgspec.structs.replace(
        history, anchor=history.forgotten, newest_from_day=history.known_from_day, pages=0
    )
    return with_newest(work, currency, bare, links)


def _without_first(work: Work, currency: str, history: History) -> History:
    """Return a chain whose oldest page is forgotten."""
    key = page_key(work.account, currency, history.first_page)
    page = work.rows.get(key, Page)
    assert page is not None  # it was counted
    work.rows.put(key, None)
    return msgspec.structs.replace(
        history,
        forgotten=_last(page.links, history.forgotten),
        known_from_day=_newest_day(page.links) + 1,
        first_page=history.first_page + 1,
        pages=history.pages - 1,
    )


def _cut(links: Sequence[Link]) -> int:
    """Return where to cut a page off; 0: nowhere yet, a day has very many statements."""
    days = [day_of(link.closing.closed_at) for link in links]
    newest = [*accumulate(days, max)]
    oldest = [*accumulate(reversed(days), min)][::-1]
    cuts = [place for place in range(1, PAGE_LINKS + 1) if newest[place - 1] < oldest[place]]
    quiet = [place for place in cuts if not _unquiet(links[:place], days[place])]
    if cuts:
        return (quiet or cuts)[-1]
    return PAGE_LINKS if len(links) > 2 * NEWEST_LINKS else 0


def _unquiet(links: Sequence[Link], day: int) -> bool:
    """Whether a break is open in the week before a day."""
    return any(link.open and day_of(link.closing.closed_at) >= day - TOGETHER_DAYS for link in links)


def _newest_day(links: Sequence[Link]) -> int:
    return max(day_of(link.closing.closed_at) for link in links)


def _last(links: Sequence[Link], before: Link | None) -> Link | None:
    """Return the last link that is no copy: the next one follows it."""
    return next((link for link in reversed(links) if not link.copies), before)
