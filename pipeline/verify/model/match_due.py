"""Whether every item ends in time: matched, or in a break; a suggestion is one more wait.

    arrive -> wait(until) -> pass_time at each event of the account -> end of the log

How long an item waits is learned from the account; here the longest that it can be counts: the 99th
percentile of lags is at most the longest of them, and 31 days while it is not known. An item is decided a day
after it has met others, which it does a day after it came: so one whose account had no event in between meets
them when it is due, and is decided later.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import count

from pipeline.verify.model.match_items import Account, Item, Say
from pipeline.verify.model.wire import DAY_US

WAIT_DAYS = 31
"""How long an item waits where no lags are known."""
MORE_DAYS = 2
"""A day after the percentile, and one for what is only done daily."""
DONE_AN_EVENT = 4
"""How many items one event decides at the least, where more are due: 64 units, 8 a decision, in any order."""
QUIET_DAYS = 2
"""How much later than that an account without events may be woken up."""


@dataclass
class Waiting:
    """The items of one account that must end."""

    heap: list[tuple[int, int, Item]] = field(default_factory=list)
    until: dict[Item, int] = field(default_factory=dict)
    """By when each item must have ended, or be suggested."""
    since: dict[Item, int] = field(default_factory=dict)
    """From when on each of them waits."""
    late: OrderedDict[Item, int] = field(default_factory=OrderedDict)
    """Late items, which others were ahead of: at which event of the account their turn is over."""
    numbers: count[int] = field(default_factory=count)

    def wait(self, account: Account, item: Item, begins: int) -> None:
        """Let an item wait from a time on."""
        days = max(WAIT_DAYS, account.longest_lag) + MORE_DAYS
        self.since[item] = account.time
        self.late.pop(item, None)
        self.put(item, begins + days * DAY_US)

    def put(self, item: Item, until: int) -> None:
        """Let an item wait until a time."""
        self.until[item] = until
        heapq.heappush(self.heap, (until, next(self.numbers), item))

    def ended(self, item: Item) -> None:
        """An item was matched, or is in a break."""
        self.until.pop(item, None)
        self.since.pop(item, None)
        self.late.pop(item, None)

    def pass_time(self, account: Account, say: Say) -> None:
        """Look after an event at what must have ended by now."""
        last = account.events + 2 + len(self.until) // DONE_AN_EVENT
        for item in self.overdue(account.time):
            if account.before < self.since[item] + DAY_US:  # it meets others only now
                self.put(item, account.time + MORE_DAYS * DAY_US)
            else:
                self.late[item] = last
        while self.late and self.late[item := next(iter(self.late))] < account.events:
            self.lose(item, say)

    def overdue(self, now: int) -> list[Item]:
        """Take out the items whose time is over."""
        found = []
        while self.heap and self.heap[0][0] < now:
            until, _, item = heapq.heappop(self.heap)
            if self.until.get(item) == until and item not in self.late:
                found.append(item)
        return found

    def end(self, account: Account, clock: int, say: Say) -> None:
        """Look at the end of the log, where nothing is under way, at what has not ended."""
        quiet = account.time + max(0, clock - account.clock) - QUIET_DAYS * DAY_US
        for item in [*self.late, *self.overdue(max(account.time, quiet))]:
            self.lose(item, say)

    def lose(self, item: Item, say: Say) -> None:
        """Say that an item was forgotten, once."""
        self.ended(item)
        say("lost due item", f"{item.name} is neither matched nor suggested, and in no break")
