"""Accounts that are limited, frozen or closed as soon as they are opened, for the stories of limits."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from pipeline.loadgen.emitter import Emitter
from pipeline.loadgen.plan import SECOND_US, Produce
from pipeline.loadgen.world import Community, World

ORDERED = {"reason": "court order"}


class PreparedAccounts:
    """Accounts that are limited, frozen or closed as soon as they are opened, for one use each."""

    def __init__(self, world: World, emitter: Emitter, each: int, endless: bool) -> None:
        """`each`: how many accounts of each purpose to open before the run; `endless`: replace used ones."""
        self._world = world
        self._emitter = emitter
        self._each = each
        self._endless = endless
        self._ready: dict[str, deque[tuple[Community, str]]] = {}
        self._opened = 0
        self._purposes: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
            "capped": (_limit(maximum_balance_minor=20_00),),
            "floored": (_limit(minimum_balance_minor=90_00),),
            "floored_later": (_limit(minimum_balance_minor=90_00, effective_at=world.opened_at + SECOND_US),),
            "frozen_debit": (("AccountFrozen", {"side": "DEBIT", **ORDERED}),),
            "frozen_credit": (("AccountFrozen", {"side": "CREDIT", **ORDERED}),),
            "thawed": (
                ("AccountFrozen", {"side": "BOTH", **ORDERED}),
                ("AccountUnfrozen", {"side": "DEBIT", **ORDERED}),
            ),
            "frozen_until": (
                ("AccountFrozen", {"side": "DEBIT", "until": world.opened_at + SECOND_US, **ORDERED}),
            ),
            "reopened": (
                ("AccountClosed", {"reason": "customer_request", "regulatory_notification_sent": False}),
                ("AccountReopened", {"reason": "closed in error"}),
            ),
        }

    def open_reserve(self) -> Iterator[Produce]:
        """Yield the records that open and prepare the first accounts of each purpose."""
        for purpose in self._purposes:
            for _ in range(self._each):
                yield from self._open(purpose)

    def take(self, purpose: str) -> tuple[Community, str, list[Produce]]:
        """Return an account, and the records that prepare the next one if the run is endless."""
        community, account = self._ready[purpose].popleft()
        return community, account, list(self._open(purpose)) if self._endless else []

    def _open(self, purpose: str) -> Iterator[Produce]:
        community = self._world.communities[self._opened % len(self._world.communities)]
        self._opened += 1
        account = self._emitter.name("q")
        self._ready.setdefault(purpose, deque()).append((community, account))
        balance = 0 if purpose in ("capped", "reopened") else 100_00
        yield self._world.open(community, account, "checking", balance)
        made = []
        for name, fields in self._purposes[purpose]:
            version = 2 if name in ("AccountLimitSet", "AccountClosed") or "until" in fields else 1
            record, at, tenant = f"ledgerflow.{name}", self._world.opened_at, community.tenant
            about = {"account_id": account, **fields}
            made.append(self._emitter.event("accounts", record, version, tenant, account, at, about))
        yield from made
        if purpose == "thawed":
            yield made[0]  # what froze it is delivered again, and must not freeze it again


def _limit(**limits: int) -> tuple[str, dict[str, Any]]:
    names = ("minimum_balance_minor", "maximum_balance_minor", "effective_at")
    return "AccountLimitSet", {"overdraft_limit_minor": 0, **dict.fromkeys(names), **limits}
