"""How many requests a minute: by key or session, by tenant, and by address of who shows no good credential.

    RateLimit-Policy: "key";q=1000;w=60, "tenant";q=10000;w=60
    RateLimit: "key";r=999;t=60, "tenant";r=9998;t=60

A window moves with time: at no moment have more than so many been answered in the last 60 s. What is refused
(429, Retry-After) does not count. Each gateway counts for itself. Addresses of IPv6 count by their /64.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from fastapi import Request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.gateway.identity.principal import Principal
from pipeline.gateway.problems import Problem

REFUSALS_PER_MINUTE = 60
"""Bad credentials from one address; then its credentials are not looked up."""
VISITS_PER_MINUTE = 300
"""Requests from one address that need no credential: those of a sign-in."""
WINDOW_S = 60
TIMES_MAX = 1_000_000
"""Times of requests that are kept, about 32 bytes each; beyond, who asked least recently is forgotten."""
NAMES_MAX = 50_000
"""Keys, tenants and addresses that are kept."""


class BoundedMemory(MemoryStorage):
    """Windows in memory, at most NAMES_MAX with TIMES_MAX times in all: the least recently used go first."""

    STORAGE_SCHEME = ["async+bounded-memory"]  # noqa: RUF012

    def __init__(self, names_max: int = NAMES_MAX, times_max: int = TIMES_MAX) -> None:
        super().__init__()
        self._names_max, self._times_max = names_max, times_max
        self._windows: OrderedDict[str, deque[float]] = OrderedDict()
        self._times = 0

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` requests of a key if no more than `limit` are in the last `expiry` seconds."""
        window = self._moved(key, expiry)
        if len(window) + amount > limit:
            return False
        window.extend([time.time()] * amount)
        self._times += amount
        while self._times > self._times_max or len(self._windows) > self._names_max:
            self._times -= len(self._windows.popitem(last=False)[1])
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return when the oldest request of a window was, and how many are in it."""
        if key not in self._windows:
            return time.time(), 0
        window = self._moved(key, expiry)
        return (window[0] if window else time.time()), len(window)

    def _moved(self, key: str, expiry: int) -> deque[float]:
        window = self._windows.setdefault(key, deque())
        self._windows.move_to_end(key)
        begins = time.time() - expiry
        while window and window[0] <= begins:
            window.popleft()
            self._times -= 1
        return window


Who = Callable[[Request], Awaitable[Principal]]
"""Returns who asks. Raises Problem 400 and 401."""


class _State(NamedTuple):
    """How much of a limit is left."""

    name: str
    quota: int
    remaining: int
    reset_s: int


class Limits:
    """The limits of one gateway."""

    def __init__(self, per_key: int, per_tenant: int, storage: Storage | None = None) -> None:
        self._limiter = MovingWindowRateLimiter(storage or BoundedMemory())
        self._per_key = RateLimitItemPerMinute(per_key, namespace="key")
        self._per_tenant = RateLimitItemPerMinute(per_tenant, namespace="tenant")
        self._per_address = RateLimitItemPerMinute(REFUSALS_PER_MINUTE, namespace="address")
        self._per_visitor = RateLimitItemPerMinute(VISITS_PER_MINUTE, namespace="visitor")

    async def identified(self, request: Request, who: Who) -> Principal:
        """Return who asks; bad credentials are counted by address. Raises Problem."""
        await self.require_address(request)
        try:
            return await who(request)
        except Problem as problem:
            if problem.status == 401:
                await self._limiter.hit(self._per_address, _network(request))
            raise

    async def require_address(self, request: Request) -> None:
        """Check an address before its credential is looked up. Raises Problem 429."""
        address = _network(request)
        if not await self._limiter.test(self._per_address, address):
            await self._say(request, "address", self._per_address, address)
            raise _too_many(request, "too many bad credentials from your address")

    async def take_address(self, request: Request) -> None:
        """Count a request that needs no credential by its address. Raises Problem 429."""
        await self._take(request, "visitor", self._per_visitor, _network(request))

    async def take(self, request: Request, principal: Principal, tenant: str | None) -> None:
        """Count a request of a principal, and in a tenant where it has a role. Raises Problem 429.

        Whoever has no role in a tenant takes nothing of what the others there have.
        """
        who = principal.key_id or principal.session_id or principal.subject
        await self._take(request, "key", self._per_key, principal.issuer, who)
        if tenant is not None and principal.roles_in(tenant):
            await self._take(request, "tenant", self._per_tenant, tenant)

    async def _take(self, request: Request, name: str, item: RateLimitItem, *of: str) -> None:
        taken = await self._limiter.hit(item, *of)
        await self._say(request, name, item, *of)
        if not taken:
            raise _too_many(request, f"more than {item.amount} requests a minute by {name}")

    async def _say(self, request: Request, name: str, item: RateLimitItem, *of: str) -> None:
        stats = await self._limiter.get_window_stats(item, *of)
        reset_s = max(1, math.ceil(stats.reset_time - time.time()))
        said = _State(name, item.amount, max(0, stats.remaining), min(reset_s, WINDOW_S))
        _states(request.scope).append(said)


class RateLimitHeaders:
    """Says in every answer what is left of the limits that its request was counted for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        states = _states(scope)

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start" and states:
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = ", ".join(
                    f'"{one.name}";q={one.quota};w={WINDOW_S}' for one in states
                )
                headers["RateLimit"] = ", ".join(
                    f'"{one.name}";r={one.remaining};t={one.reset_s}' for one in states
                )
            await send(message)

        await self._app(scope, receive, say)


def _states(scope: Scope) -> list[_State]:
    found: list[_State] = scope.setdefault("ledgerflow.limits", [])
    return found


def _too_many(request: Request, detail: str) -> Problem:
    wait_s = _states(request.scope)[-1].reset_s
    return Problem(429, "too_many_requests", detail, {"Retry-After": str(wait_s)})


def _network(request: Request) -> str:
    """Return the address of a client, of IPv6 its network: who has one address there has all of it."""
    host = "" if request.client is None else request.client.host
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)
