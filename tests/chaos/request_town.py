"""Requests as two gateways claim them: new ones, the same again, other content under a known id.

One id in three is new. What is claimed asks for commands that are nowhere: only the requests stream looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from pipeline.domain.kernel import events as ev

IDS = 12
"""Known ids that may come again."""


class RequestTown:
    """Makes claims of requests; the same seed gives the same ones."""

    def __init__(self, seed: int, tenant: str) -> None:
        self._random = Random(f"requests {seed}")
        self._seed, self._tenant = seed, tenant
        self._claimed: list[tuple[str, str]] = []
        self._count = 0

    def step(self, at: int) -> Iterator[Any]:
        """Yield a claim, and for some that their commands were sent; times in microseconds UTC."""
        chance = self._random
        if self._claimed and chance.random() < 2 / 3:
            request_id, content = chance.choice(self._claimed[-IDS:])
            content = "c" if chance.random() < 0.25 else content
        else:
            request_id, content = f"request{self._seed}-{self._count}", chance.choice("ab")
            self._claimed.append((request_id, content))
        actor = ev.Actor("idp", "eve", None, "key-1", "v1")
        key = f"{self._tenant}/ann"
        asked = ev.RequestedCommand("payments", "ledgerflow.PaymentInitiated", request_id, key)
        said = request_id, content * 64
        yield ev.RequestClaimed(*self._envelope(at), *said, (asked,) * chance.randint(1, 3), actor)
        if chance.random() < 0.5:
            yield ev.RequestSent(*self._envelope(at), *said, actor)

    def _envelope(self, at: int) -> tuple[str, str, int, str, None]:
        self._count += 1
        name = f"gateway{self._seed}-{self._count}"
        return name, self._tenant, at, name, None
