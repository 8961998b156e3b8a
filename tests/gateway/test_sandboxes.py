"""Sandboxes: a reset leads every route to a tenant in which nothing has happened; earlier ones are gone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi.testclient import TestClient

from pipeline.domain.tenants.settings import TenantsError, parse_tenants
from pipeline.gateway.identity.store import SqliteStore
from pipeline.gateway.problems import Problem
from pipeline.gateway.sandboxes import RESETS_PER_DAY, Generation, Sandboxes
from pipeline.verify.model.tenants import Tenants as Model
from tests.gateway.whole_api import WHO, WholeApi, api, principal

__all__ = ["api"]

ACCOUNT = {
    "account_id": "alice",
    "customer_id": "c-1",
    "account_type": "checking",
    "currency": "EUR",
    "initial_balance_minor": 5,
}
SAND = "[tenants.try]\nsandbox = true\npayments_per_second = 5"


class Upstream:
    """A program with a role in a tenant."""

    def __init__(self, api: WholeApi, role: str = "upstream", tenant: str = "try") -> None:
        self._client: TestClient = api.client()
        self._who = {WHO: msgspec.json.encode(principal(role, tenant)).decode()}

    def get(self, path: str) -> Any:
        return self._client.get(path, headers=self._who)

    def post(self, path: str, body: Any, key: str = "k") -> Any:
        return self._client.post(path, json=body, headers=self._who | {"Idempotency-Key": key})

    def generation(self) -> str:
        found: str = self.get("/v1/try/sandbox").json()["generation"]
        return found


def test_the_same_key_and_ids_are_new_after_a_reset(api: WholeApi) -> None:
    upstream = Upstream(api)
    first = upstream.generation()
    before = upstream.post("/v1/try/accounts", ACCOUNT)
    answer = upstream.post("/v1/try/sandbox/reset", {"generation": first})
    assert answer.status_code == 200, answer.text
    second = answer.json()["generation"]
    after = upstream.post("/v1/try/accounts", ACCOUNT)
    assert (before.status_code, after.status_code) == (202, 202)
    assert before.json()["request_id"] != after.json()["request_id"]
    assert [event.tenant_id for event in api.sent] == [f"try~{first}", f"try~{second}"]
    assert first != second == upstream.generation()


def test_a_link_of_an_earlier_generation_is_gone_and_one_of_the_present_leads_there(api: WholeApi) -> None:
    upstream = Upstream(api)
    told = upstream.post("/v1/try/accounts", ACCOUNT).json()["status_url"]
    assert upstream.get(told).status_code == 200
    upstream.post("/v1/try/sandbox/reset", {"generation": upstream.generation()})
    gone = upstream.get(told)
    assert (gone.status_code, gone.json()["code"]) == (410, "sandbox_was_reset")
    assert gone.json()["generation"] == upstream.generation()


def test_a_reset_that_is_sent_twice_wipes_once(api: WholeApi) -> None:
    upstream = Upstream(api)
    first = upstream.generation()
    done = upstream.post("/v1/try/sandbox/reset", {"generation": first})
    again = upstream.post("/v1/try/sandbox/reset", {"generation": first})
    assert (again.status_code, again.json()["code"]) == (409, "sandbox_was_reset")
    assert again.json()["generation"] == done.json()["generation"] == upstream.generation()


@pytest.mark.parametrize(
    ("role", "tenant", "status"),
    [("analyst", "try", 403), ("auditor", "try", 403), ("upstream", "north", 403), ("operator", "try", 200)],
)
def test_who_may_not_open_accounts_there_may_not_wipe_it(
    api: WholeApi, role: str, tenant: str, status: int
) -> None:
    present = Upstream(api).generation()
    answer = Upstream(api, role, tenant).post("/v1/try/sandbox/reset", {"generation": present})
    assert answer.status_code == status
    assert (Upstream(api).generation() == present) == (status == 403)
    assert api.told[-2].tenant == f"try~{present}" and api.told[-2].status == status


def test_no_other_tenant_can_be_wiped_or_is_led_elsewhere(api: WholeApi) -> None:
    upstream = Upstream(api, tenant="north")
    for answer in (
        upstream.get("/v1/north/sandbox"),
        upstream.post("/v1/north/sandbox/reset", {"generation": "1"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "no_sandbox")
    assert upstream.post("/v1/north/accounts", ACCOUNT).status_code == 202
    assert upstream.post("/v1/north~1/accounts", ACCOUNT).status_code == 403, (
        "north~1 is a tenant like any other"
    )
    assert [event.tenant_id for event in api.sent] == ["north"]


def test_a_sandbox_is_wiped_so_often_a_day_and_every_gateway_knows_it_at_once(tmp_path: Path) -> None:
    one, other = (Sandboxes(SqliteStore(tmp_path / "s"), frozenset({"try"})) for _ in range(2))

    async def wiped() -> list[Generation]:
        found = [await one.generation("try")]
        for number in range(RESETS_PER_DAY):
            assert await other.generation("try") == found[-1]
            found.append(await (one, other)[number % 2].reset("try", found[-1].name))
        with pytest.raises(Problem) as told:
            await one.reset("try", found[-1].name)
        assert (told.value.status, told.value.code) == (429, "too_many_resets")
        return found

    assert len({one.name for one in asyncio.run(wiped())}) == RESETS_PER_DAY + 1


def test_a_generation_has_the_settings_of_its_sandbox_in_product_and_model() -> None:
    text = f'{SAND}\npersonal = ["payment_initiated.reference"]\n[default]\nclosed = true\n[tenants.north]\n'
    tenants, model = parse_tenants(text), Model(text)
    expected = {"try~1": (5, False), "try": (5, False), "north~1": (None, True), "x": (None, True)}
    for name, (rate, closed) in expected.items():
        assert (tenants.of(name).payments_per_second, tenants.of(name).closed) == (rate, closed)
        assert (model.setting(name, "payments_per_second"), bool(model.setting(name, "closed"))) == (
            rate,
            closed,
        )
    assert tenants.base_of("try~1") == "try" and tenants.base_of("north~1") == "north~1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tenants.try]\nsandbox = true", "needs payments_per_second"),
        ("[default]\nsandbox = true\npayments_per_second = 1", "by its name"),
        (SAND.replace("try", "'a~b'"), "cannot be a sandbox"),
        (SAND.replace("try", "a" * 250), "cannot be a sandbox"),
    ],
)
def test_what_cannot_be_a_sandbox_is_said(text: str, said: str) -> None:
    with pytest.raises(TenantsError, match=said):
        parse_tenants(text)


def test_a_file_without_a_sandbox_keeps_its_version() -> None:
    assert (
        parse_tenants("[tenants.north]\nburst = 5\npayments_per_second = 5").version
        == parse_tenants("[tenants.north]\nburst = 5\npayments_per_second = 5\nsandbox = false").version
    )
    assert parse_tenants(SAND).version != parse_tenants(SAND.replace("true", "false")).version
