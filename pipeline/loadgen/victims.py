"""Accounts that are opened long before they are used, and used for one story."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.plan import Produce
from pipeline.loadgen.world import Community, World

VICTIM_BALANCE_MINOR = 200_000_00


class Victims:
    """Funded accounts for one use each, in order of opening. An endless run replaces used ones."""

    def __init__(self, world: World, emitter: Emitter, ahead: int, endless: bool) -> None:
        """`ahead`: how many accounts to open before the run."""
        self._world = world
        self._emitter = emitter
        self._ahead = ahead
        self._endless = endless
        self._ready: deque[tuple[Community, str]] = deque()
        self._opened = 0

    def open_reserve(self) -> Iterator[Produce]:
        """Yield the openings of the first victims."""
        for _ in range(self._ahead):
            yield self._open()

    def take(self) -> tuple[Community, str, list[Produce]]:
        """Return a victim's community and account, and the opening of its replacement, if any."""
        community, account = self._ready.popleft()
        return community, account, [] if self._ready and not self._endless else [self._open()]

    def _open(self) -> Produce:
        community = self._world.communities[self._opened % len(self._world.communities)]
        self._opened += 1
        account = self._emitter.name("v")
        self._ready.append((community, account))
        return self._world.open(community, account, "checking", VICTIM_BALANCE_MINOR)
