"""Limits by key, tenant and address: what is refused, what the headers say, what is kept."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from pipeline.gateway import limits as module
from pipeline.gateway import problems
from pipeline.gateway.identity.principal import Principal
from pipeline.gateway.identity.who import unauthorised
from pipeline.gateway.limits import REFUSALS_PER_MINUTE, BoundedMemory, Limits, RateLimitHeaders
from tests.gateway_identity.people import program

ERP, CRM = program("upstream"), program("upstream", key_id="k2", subject="crm")
STRANGER = program("upstream", tenant="south", key_id="k3", subject="other")
PEOPLE = {"erp": ERP, "crm": CRM, "stranger": STRANGER}


class Clock:
    """Stands for `time` in the module: the tests move it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module, "time", found)
    return found


class App:
    """One route in the tenant `north`; the header `Who` is the credential."""

    def __init__(self, per_key: int, per_tenant: int) -> None:
        self.looked_up = 0
        made = FastAPI()
        problems.install(made)
        made.add_middleware(RateLimitHeaders)
        limits = Limits(per_key, per_tenant)

        async def who(request: Request) -> Principal:
            self.looked_up += 1
            if request.headers.get("who") not in PEOPLE:
                raise unauthorised("unknown_key", "it is none")
            return PEOPLE[request.headers["who"]]

        @made.get("/")
        async def route(request: Request) -> dict[str, Any]:
            principal = await limits.identified(request, who)
            await limits.take(request, principal, "north")
            return {}

        self._app = made

    def ask(self, who: str, address: str = "192.0.2.1") -> Any:
        return TestClient(self._app, client=(address, 1)).get("/", headers={"Who": who})


def test_a_key_has_so_many_requests_in_the_last_minute(clock: Clock) -> None:
    app = App(per_key=3, per_tenant=100)
    assert [app.ask("erp").status_code for _ in range(4)] == [200, 200, 200, 429]
    clock.now += 59.9
    refused = app.ask("erp")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["code"] == "too_many_requests"
    clock.now += 0.2  # refusals do not count
    assert app.ask("erp").status_code == 200


def test_one_key_takes_nothing_from_another(clock: Clock) -> None:
    app = App(per_key=1, per_tenant=100)
    assert [app.ask(who).status_code for who in ("erp", "erp", "crm")] == [200, 429, 200]


def test_a_tenant_has_a_limit_that_strangers_do_not_take_from(clock: Clock) -> None:
    app = App(per_key=10, per_tenant=2)
    assert [app.ask("stranger").status_code for _ in range(5)] == [200] * 5
    assert [app.ask(who).status_code for who in ("erp", "crm", "crm")] == [200, 200, 429]


def test_the_headers_say_what_is_left(clock: Clock) -> None:
    app = App(per_key=3, per_tenant=5)
    app.ask("erp")
    clock.now += 20
    headers = app.ask("erp").headers
    assert headers["ratelimit-policy"] == '"key";q=3;w=60, "tenant";q=5;w=60'
    assert headers["ratelimit"] == '"key";r=1;t=40, "tenant";r=3;t=40'


def test_who_shows_bad_credentials_is_not_looked_up_any_more(clock: Clock) -> None:
    app = App(per_key=10, per_tenant=10)
    assert {app.ask("nobody").status_code for _ in range(REFUSALS_PER_MINUTE)} == {401}
    before = app.looked_up
    refused = app.ask("nobody")
    assert (refused.status_code, app.looked_up) == (429, before)
    assert refused.headers["ratelimit"] == '"address";r=0;t=60'
    assert app.ask("erp", "192.0.2.2").status_code == 200


def test_an_address_of_ipv6_is_its_network(clock: Clock) -> None:
    app = App(per_key=10, per_tenant=10)
    for number in range(REFUSALS_PER_MINUTE):
        app.ask("nobody", f"2001:db8::{number:x}")
    assert app.ask("erp", "2001:db8::ffff").status_code == 429
    assert app.ask("erp", "2001:db8:0:1::1").status_code == 200


async def test_what_is_kept_is_bounded_by_names_and_by_times(clock: Clock) -> None:
    memory = BoundedMemory(names_max=3, times_max=5)
    for name in "abcd":
        assert await memory.acquire_entry(name, 10, 60)
    assert await memory.get_moving_window("a", 10, 60) == (clock.now, 0)
    assert (await memory.get_moving_window("d", 10, 60))[1] == 1
    for _ in range(5):
        await memory.acquire_entry("d", 10, 60)
    kept = {name: (await memory.get_moving_window(name, 10, 60))[1] for name in "bcd"}
    assert sum(kept.values()) <= 5
