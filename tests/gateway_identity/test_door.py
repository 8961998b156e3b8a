"""The door: who comes too often or unsigned is refused there, and what was refused is written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from pipeline.gateway import problems
from pipeline.gateway.door import Door
from pipeline.gateway.identity.entrance import make_entrance
from pipeline.gateway.identity.keys import FILE_NAME, Keys
from pipeline.gateway.limits import RateLimitHeaders
from pipeline.gateway.policy.reading import default_policy
from tests.gateway_identity.gate import ORIGIN, code_of, settings

COMMAND = "/v1/north/payments"


class Log:
    """Stands for the access log."""

    def __init__(self) -> None:
        self.codes: list[tuple[int, str]] = []

    async def record(self, _: Any, actor: Any, tenant: str, permission: str, *said: Any) -> None:
        self.codes.append(said[:2])


class Bank:
    """A gateway with one command that does nothing."""

    def __init__(self, folder: Path, **given: Any) -> None:
        policy, log, none = default_policy(), Log(), None
        entrance = make_entrance(settings(folder, **given), policy)
        app = FastAPI()
        problems.install(app)
        app.add_middleware(RateLimitHeaders)
        door = Door("0" * 8, *entrance.door, policy, none, none, none, none, log, app, ())

        @app.post("/v1/{tenant}/payments")
        async def command(request: Request, tenant: str) -> Any:
            async with door.entered(request, tenant, "command:payment_initiated") as entry:
                return entry.json({})

        self.log = log
        key, _ = Keys(folder / FILE_NAME).create("erp", {"north": ["upstream"]}, 1)
        self._client = TestClient(app, base_url=ORIGIN, headers={"Authorization": f"Bearer {key}"})

    def post(self, path: str = COMMAND) -> Any:
        return self._client.post(path)


def test_who_comes_too_often_is_refused_without_a_line_in_the_log(tmp_path: Path) -> None:
    bank = Bank(tmp_path, gateway_requests=2)
    answers = [bank.post() for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[0].headers["ratelimit-policy"] == '"key";q=2;w=60, "tenant";q=10000;w=60'
    assert bank.log.codes == [(200, "ok")] * 2  # else whoever is refused could fill the log


def test_a_tenants_own_limit_counts_too(tmp_path: Path) -> None:
    bank = Bank(tmp_path, gateway_tenant_requests=1)
    assert [bank.post().status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize(("tenant", "said"), [("north", "signature_required"), ("south", "not_permitted")])
def test_what_is_refused_is_written_down(tmp_path: Path, tenant: str, said: str) -> None:
    bank = Bank(tmp_path, gateway_signed_tenants="north")
    answer = bank.post(COMMAND.replace("north", tenant))
    assert code_of(answer) == said and bank.log.codes == [(answer.status_code, said)]
