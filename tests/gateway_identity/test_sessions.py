"""Sessions: idle and longest time, one secret at a time, revoked, roles as they are granted now."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from pipeline.gateway.identity import grants as grants_module
from pipeline.gateway.identity import sessions as module
from pipeline.gateway.identity import store as store_module
from pipeline.gateway.identity.grants import Grants
from pipeline.gateway.identity.sessions import IDLE_US, LONGEST_US, OF_ONE_MAX, SEEN_EVERY_US, Sessions
from pipeline.gateway.identity.store import SqliteStore
from pipeline.gateway.policy.reading import default_policy
from tests.gateway_identity.people import DAY, HOUR, ISSUER, MINUTE, NOW


class Clock:
    """Stands for `time` in the modules: the tests move it."""

    now = NOW

    def time_ns(self) -> int:
        return self.now * 1_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    for one in (module, store_module, grants_module):
        monkeypatch.setattr(one, "time", found)
    return found


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "s.sqlite")


@pytest.fixture
def grants(store: SqliteStore, clock: Clock) -> Grants:
    return Grants(store, default_policy())


@pytest.fixture
def sessions(store: SqliteStore, grants: Grants) -> Sessions:
    return Sessions(store, grants)


async def test_a_session_ends_fifteen_minutes_after_the_last_request(
    sessions: Sessions, clock: Clock
) -> None:
    cookie = (await sessions.start(ISSUER, "ann", None)).cookie
    for _ in range(3):
        clock.now += IDLE_US - 1
        assert await sessions.find(cookie) is not None
    clock.now += IDLE_US
    assert await sessions.find(cookie) is None


async def test_a_session_ends_twelve_hours_after_it_began(sessions: Sessions, clock: Clock) -> None:
    cookie = (await sessions.start(ISSUER, "ann", None)).cookie
    ends_at = clock.now + LONGEST_US
    while clock.now + 14 * MINUTE < ends_at:
        clock.now += 14 * MINUTE
        assert await sessions.find(cookie) is not None
    clock.now = ends_at - 1
    assert await sessions.find(cookie) is not None
    clock.now = ends_at
    assert await sessions.find(cookie) is None


async def test_a_request_is_a_sign_of_life_and_a_look_is_none(sessions: Sessions, clock: Clock) -> None:
    cookie, made = await sessions.start(ISSUER, "ann", None)
    clock.now += SEEN_EVERY_US - 1
    assert (await sessions.find(cookie) or made).seen_at == NOW
    clock.now += 1
    assert (await sessions.find(cookie) or made).seen_at == clock.now
    seen_at = clock.now
    clock.now = seen_at + IDLE_US - 1
    assert (await sessions.again(made.session_id)) is not None
    clock.now += 1
    assert await sessions.again(made.session_id) is None


async def test_a_step_up_changes_the_secret_and_keeps_the_name(sessions: Sessions, clock: Clock) -> None:
    cookie, made = await sessions.start(ISSUER, "ann", None)
    clock.now += MINUTE
    stepped = await sessions.step_up(made.session_id, clock.now)
    assert stepped is not None and stepped.session.session_id == made.session_id
    assert await sessions.find(cookie) is None
    found = await sessions.find(stepped.cookie)
    assert found is not None and found.second_factor_at == clock.now
    assert found.ends_at <= made.made_at + LONGEST_US
    await sessions.end(made.session_id)
    assert await sessions.step_up(made.session_id, clock.now) is None


async def test_a_session_that_was_ended_is_over_at_once(sessions: Sessions) -> None:
    cookie, made = await sessions.start(ISSUER, "ann", None)
    assert await sessions.end(made.session_id) and not await sessions.end(made.session_id)
    assert await sessions.find(cookie) is None and await sessions.again(made.session_id) is None


async def test_a_session_that_was_ended_does_not_come_back_by_a_request_under_way(
    sessions: Sessions, store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie, made = await sessions.start(ISSUER, "ann", None)
    clock.now += MINUTE
    get = store.get

    async def get_and_then_it_ends(kind: str, name: str) -> object:
        found = await get(kind, name)
        await sessions.end(name)
        return found

    monkeypatch.setattr(store, "get", get_and_then_it_ends)
    await sessions.find(cookie)
    monkeypatch.undo()
    assert await store.get("session", made.session_id) is None


@pytest.mark.parametrize(
    "spoil", [lambda one: one[:-1] + ("a" if one[-1] != "a" else "b"), lambda one: one[17:]]
)
async def test_another_cookie_is_none(sessions: Sessions, spoil: object) -> None:
    cookie = (await sessions.start(ISSUER, "ann", None)).cookie
    assert callable(spoil)
    assert await sessions.find(spoil(cookie)) is None and await sessions.find("") is None


def test_the_secret_is_not_kept(sessions: Sessions, tmp_path: Path) -> None:
    cookie = asyncio.run(sessions.start(ISSUER, "ann", None)).cookie
    name, _, secret = cookie.partition(".")
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("s.sqlite*"))
    assert name.encode() in kept and secret.encode() not in kept


async def test_a_person_has_so_many_sessions_at_most(sessions: Sessions, clock: Clock) -> None:
    cookies = []
    for _ in range(OF_ONE_MAX + 1):
        clock.now += MINUTE // 10
        cookies.append((await sessions.start(ISSUER, "ann", None)).cookie)
    other = (await sessions.start(ISSUER, "bob", None)).cookie
    alive = [await sessions.find(cookie) is not None for cookie in cookies]
    assert alive == [False] + [True] * OF_ONE_MAX
    assert await sessions.find(other) is not None


async def test_roles_are_those_granted_now_and_the_first_end_counts(
    sessions: Sessions, grants: Grants, clock: Clock
) -> None:
    made = (await sessions.start(ISSUER, "ann", clock.now)).session
    analyst = await grants.add(ISSUER, "ann", "person", "north", "analyst", made_by="x")
    await grants.add(ISSUER, "ann", "program", "north", "upstream", made_by="x")
    await grants.add(ISSUER, "bob", "person", "north", "operator", made_by="x")
    found = await sessions.principal(made)
    assert found.roles == {"north": frozenset({"analyst"})} and found.expires_at == made.ends_at
    assert re.fullmatch("[0-9a-f]{16}", found.session_id or "") and found.key_id is None
    await grants.add(ISSUER, "ann", "person", "north", "auditor", days=1, made_by="x")
    clock.now += DAY - HOUR // 60
    late = await sessions.start(ISSUER, "ann", clock.now)
    found = await sessions.principal(late.session)
    assert found.expires_at == NOW + DAY < late.session.ends_at
    clock.now = NOW + DAY
    assert (await sessions.principal(late.session)).roles == {"north": frozenset({"analyst"})}
    assert await grants.remove(analyst.grant_id)
    assert (await sessions.principal(late.session)).roles == {}
