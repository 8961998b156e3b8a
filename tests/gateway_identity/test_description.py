"""The API's description has the routes of identity, and a store that is down is a problem of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.gateway.identity.keys import FILE_NAME
from tests.gateway_identity import provider as providers
from tests.gateway_identity.gate import SESSION, Gate, code_of, opened, run, settings, sign_in
from tests.gateway_identity.provider import FakeProvider


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with providers.running() as made:
        yield made


@pytest.fixture
def gate(provider: FakeProvider, tmp_path: Path) -> Iterator[Gate]:
    with opened(settings(tmp_path, provider)) as (made, _):
        yield made


def test_every_route_that_is_described_has_a_name_of_its_own_and_says_its_problems(gate: Gate) -> None:
    described = gate.browser().get("/openapi.json").json()["paths"]
    routes = [route for path in described.values() for route in path.values()]
    names = [route["operationId"] for route in routes]
    assert {"get_me", "sign_out", "sign_in", "step_up", "sign_in_by_passkey"} <= set(names)
    assert len(set(names)) == len(names)
    for route in routes:
        assert list(route["responses"]["429"]["content"]) == ["application/problem+json"]
        assert route["summary"] and route["tags"]


def test_a_store_that_is_down_is_said(gate: Gate, provider: FakeProvider) -> None:
    browser = gate.browser()
    sign_in(browser, provider)
    assert SESSION in browser.cookies
    gate.entrance.store.close()
    answer = browser.get("/v1/me")
    assert (answer.status_code, code_of(answer)) == (503, "store_unavailable")


def test_keys_that_cannot_be_read_are_said(gate: Gate, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / FILE_NAME).execute("CREATE TABLE keys (x)").connection.commit()
    key = "lfk_" + "0" * 12 + "_" + "a" * 43
    answer = gate.browser().get("/v1/me", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, code_of(answer)) == (503, "store_unavailable")
    assert run(gate.entrance.grants.all()) == []
