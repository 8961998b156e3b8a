"""All that the judge of matches knows of one account."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from pipeline.verify.model.match_breaks import Breaks
from pipeline.verify.model.match_chain import Chain
from pipeline.verify.model.match_due import Waiting
from pipeline.verify.model.match_items import Account, Item
from pipeline.verify.model.match_lives import Lives


@dataclass
class Desk:
    """One account."""

    account: Account
    lives: Lives
    breaks: Breaks = field(default_factory=Breaks)
    waiting: Waiting = field(default_factory=Waiting)
    chain: Chain = field(default_factory=Chain)
    ended: deque[tuple[int, Item]] = field(default_factory=deque)
    """Matched items, by when they were."""
    is_waiting_for_its_turn: bool = False
    """Whether an earlier version has seen it last: nothing wakes it up until its next event."""
