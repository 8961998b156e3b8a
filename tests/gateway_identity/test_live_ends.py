"""A live connection ends within 5 s when its key, session or role is gone, under traffic, too."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from pipeline.gateway import live, problems
from pipeline.gateway.door import Door
from pipeline.gateway.identity.entrance import make_entrance
from pipeline.gateway.identity.keys import FILE_NAME, Keys
from pipeline.gateway.log.hearing import Ring
from pipeline.gateway.policy.reading import default_policy
from tests.gateway_identity.gate import ORIGIN, SESSION, run, settings
from tests.gateway_identity.people import ISSUER

ENDS_WITHIN_S = 5.0


class SilentHearing:
    """Hears records of which none is for the listener to see."""

    def __init__(self) -> None:
        self.ring = Ring()

    def decoded(self, _: object) -> None:
        return None


class NoLog:
    """Stands for the access log."""

    async def record(self, *_: object) -> None:
        return


class Bank:
    """A gateway's live route, without Kafka."""

    def __init__(self, folder: Path) -> None:
        policy = default_policy()
        self.entrance = make_entrance(settings(folder), policy)
        hearing: Any = SilentHearing()
        self.busy = False
        self._keys = Keys(folder / FILE_NAME)

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> Any:
            traffic = asyncio.create_task(self._traffic(hearing.ring))
            async with self.entrance.open():
                yield
            traffic.cancel()

        app = FastAPI(lifespan=lifespan)
        problems.install(app)
        none: Any = None
        log: Any = NoLog()
        app.include_router(
            live.router(Door("0" * 8, *self.entrance.door, policy, none, none, none, hearing, log, app, ()))
        )
        self.client = TestClient(app, base_url=ORIGIN)

    async def _traffic(self, ring: Ring) -> None:
        while True:
            if self.busy:
                ring.add([("balances", 0, 0, "north/alice", b"x")])
            await asyncio.sleep(0.005)

    def key(self) -> tuple[dict[str, str], Callable[[], Any]]:
        """Return headers of a new key, and what ends it."""
        text, made = self._keys.create("feed", {"north": ["analyst"]}, 1)
        return {"Authorization": f"Bearer {text}"}, lambda: self._keys.revoke(made.key_id)

    def session(self) -> tuple[dict[str, str], Callable[[], Any]]:
        """Return headers of a new session, and what ends it."""
        headers, started, _ = self._session()
        return headers, lambda: run(self.entrance.identity.sessions.end(started.session.session_id))

    def role(self) -> tuple[dict[str, str], Callable[[], Any]]:
        """Return headers of a new session, and what takes its role away."""
        headers, _, grant = self._session()
        return headers, lambda: run(self.entrance.grants.remove(grant.grant_id))

    def _session(self) -> tuple[dict[str, str], Any, Any]:
        sessions = self.entrance.identity.sessions
        grant = run(self.entrance.grants.add(ISSUER, "ann", "person", "north", "analyst", made_by="x"))
        started = run(sessions.start(ISSUER, "ann", time.time_ns() // 1_000))
        return {"Cookie": f"{SESSION}={started.cookie}"}, started, grant


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    made = Bank(tmp_path)
    with made.client:
        yield made


@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "busy"])
@pytest.mark.parametrize("way", ["key", "session", "role"])
def test_a_connection_ends_when_what_it_came_with_is_gone(
    bank: Bank, way: str, busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert live.CHECKED_EVERY_S < ENDS_WITHIN_S
    monkeypatch.setattr(live, "CHECKED_EVERY_S", 0.2)
    bank.busy = busy
    headers, end = getattr(bank, way)()
    ended: list[Any] = []

    def follow() -> None:
        ended.append(bank.client.get("/v1/north/live/balances", headers=headers))

    following = threading.Thread(target=follow)
    following.start()
    time.sleep(1.0)
    assert not ended  # while it is in force it goes on
    end()
    following.join(ENDS_WITHIN_S)
    assert [answer.status_code for answer in ended] == [200]
