"""Whether another item could have had a confirmed pair's place: then nobody knew, and it was only taken.

A pair is confirmed by its margin: every assignment without it is clearly worse. Two cases need no score:

    an open twin of one of its items           exchanged, the total is the same: the margin is 0
    an open item that is nearer by its days,
    and has no other counterpart               in the pair's place, the total is no less
"""

from __future__ import annotations

from pipeline.verify.model.match_items import Account, Item, Say
from pipeline.verify.model.wire import DAY_US

USUAL_FROM = 20
"""From so many pairs on an account has a usual lag: until then the same day is the best one."""
EARLY_DAYS = 3
LOOKED_AT_MAX = 8
"""More equal items than that may be beyond what the stream has looked at."""
MET_AFTER_US = 2 * DAY_US
"""By then an item has met what is there: it waits a day for its reference."""


def check_rivals(account: Account, posting: Item, line: Item, nearest_first: bool, say: Say) -> None:
    """Look for items that fit as well as the ones of a scored pair, which are still open themselves.

    `nearest_first`: whether by the weights more days never say more.
    """
    alike = account.alike.get((posting.currency, posting.amount), set())
    if posting.amount != line.amount or posting.currency != line.currency or len(alike) > LOOKED_AT_MAX + 1:
        return
    alike = alike - {posting, line}
    if any(item.rejected or not item.is_plain for item in (posting, line, *alike)):
        return
    if any(one in end.text for item in (posting, *alike) for one in item.ids for end in (line, *alike)):
        return
    rivals = [
        one
        for one in sorted(alike, key=lambda item: item.name)
        if (one.is_line and have_met(account, posting, one))
        or (not one.is_line and have_met(account, one, line))
    ]
    twins = [one for one in rivals if one.is_twin_of(line if one.is_line else posting)]
    if twins:
        text = f"{twins[0].name} fits as well: {posting.name} and {line.name} are a guess"
        return say("taken, not found", text)
    if account.pairs >= USUAL_FROM or not nearest_first:
        return None
    nearer = [one for one in rivals if is_nearer(one, posting, line) and not other_end(one, alike)]
    if nearer:
        say("taken, not found", f"{nearer[0].name} is nearer than {posting.name} and {line.name} are")
    return None


def have_met(account: Account, posting: Item, line: Item) -> bool:
    """Whether the two know each other for sure: a line without a reference meets what is there at once."""
    return posting.number < line.number or account.time >= max(posting.came_at, line.came_at) + MET_AFTER_US


def is_nearer(other: Item, posting: Item, line: Item) -> bool:
    """Whether an item would make a pair of fewer days, in the place of the one of its side."""
    mine = line if other.is_line else posting
    if not other.says_as_much_as(mine) or other.day != other.booked_day or mine.day != mine.booked_day:
        return False
    if other.is_line:
        return posting.day <= other.booked_day < line.booked_day
    return posting.day < other.day <= line.booked_day


def other_end(item: Item, alike: set[Item]) -> bool:
    """Whether an item could have another counterpart of its amount."""
    for one in alike:
        line, posting = (item, one) if item.is_line else (one, item)
        if item.is_line != one.is_line and line.booked_day >= posting.day - EARLY_DAYS:
            return True
    return False
