"""Every route of the gateway on one application without Kafka: who asks is said by a header.

Commands are claimed and sent into lists, views answer with nothing, and nobody can follow live events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

import schemas
from pipeline.domain.tenants.settings import parse_tenants
from pipeline.gateway import administration, live, problem_pages, problems, sandboxes
from pipeline.gateway.commands import asking, bodies, routes
from pipeline.gateway.commands.catalogue import COMMANDS, Command
from pipeline.gateway.commands.decisions import Decisions
from pipeline.gateway.commands.naming import content_hash
from pipeline.gateway.door import Door
from pipeline.gateway.identity.grants import Grants
from pipeline.gateway.identity.principal import Principal
from pipeline.gateway.identity.sessions import Sessions
from pipeline.gateway.identity.store import SqliteStore
from pipeline.gateway.log.past import Page, Wanted
from pipeline.gateway.policy.reading import default_policy
from pipeline.gateway.problems import Problem
from pipeline.gateway.queries import routes as queries
from pipeline.gateway.queries import streams
from pipeline.gateway.sandboxes import Sandboxes, SandboxPaths
from pipeline.input_event import InputEvent
from tests.contract.samples import records
from tests.gateway.test_statements import STATEMENT
from topologies.app import VIEWS

WHO = "Test-Principal"
POLICY = default_policy()
SANDBOXES = parse_tenants("[tenants.try]\nsandbox = true\npayments_per_second = 5")


class Access(msgspec.Struct):
    """What the access log was told."""

    subject: str
    tenant: str
    permission: str
    status: int


class WholeApi:
    """The application, and what came out of it."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.sent: list[InputEvent] = []
        self.told: list[Access] = []
        self.app = FastAPI(title="Ledgerflow", version="1", redoc_url=None)
        problems.install(self.app)
        nobody: Any = SimpleNamespace(require=self._nothing)
        limits: Any = SimpleNamespace(identified=self._identified, take=self._nothing)
        claims: Any = SimpleNamespace(claim=self._claim, send=self._send)
        protection: Any = SimpleNamespace(hashed=self._hashed, protected=self._as_it_is)
        log: Any = SimpleNamespace(record=self._record)
        door = Door(
            "01234567", cast(Any, self._who), limits, nobody, POLICY, claims, Decisions(lambda _: None),
            protection, cast(Any, None), log, self.app, (), SANDBOXES.base_of,
        )  # fmt: skip
        store = SqliteStore(folder / "gateway.sqlite")
        grants = Grants(store, POLICY)
        patch.setattr(live, "CONNECTIONS_MAX", 0)
        patch.setattr(queries, "fetch", self._fetch)
        patch.setattr(asking, "recalled", self._nothing)
        self.app.include_router(routes.router(door))
        self.app.include_router(administration.router(door, grants, Sessions(store, grants)))
        wiped = Sandboxes(store, SANDBOXES.sandboxes)
        self.app.add_middleware(SandboxPaths, sandboxes=wiped)
        self.app.include_router(sandboxes.router(door, wiped))
        self.app.include_router(live.router(door))
        self.app.include_router(queries.router(door, VIEWS))
        past: Any = SimpleNamespace(partitions=4, page=self._page)
        self.app.include_router(streams.router(door, past))
        self.app.include_router(problem_pages.router())

    async def _who(self, request: Request) -> Principal:
        said = request.headers.get(WHO)
        if said is None:
            raise Problem(401, "not_signed_in", "sign in")
        return msgspec.json.decode(said, type=Principal)

    async def _identified(self, request: Request, who: Any) -> Principal:
        return cast(Principal, await who(request))

    async def _nothing(self, *_: Any) -> None:
        return None

    async def _claim(self, events: Any, named: str, content: str) -> Any:
        return SimpleNamespace(answer="ACCEPTED", sent=False, content_hash=content)

    async def _send(self, events: Any, named: str, content: str) -> None:
        self.sent += events

    async def _page(self, wanted: Wanted, position: Mapping[int, int], limit: int) -> Page:
        return Page([], "0:1", True)

    async def _hashed(self, events: Any, command: str, fields: dict[str, Any]) -> str:
        return content_hash(command, fields)

    async def _as_it_is(self, event: InputEvent) -> InputEvent:
        return event

    async def _record(
        self, request: Request, actor: Any, tenant: str, permission: str, status: int, *_: Any
    ) -> None:
        self.told.append(Access(actor.subject, tenant, permission, status))

    async def _fetch(self, door: Door, path: str, asked: Mapping[str, str]) -> Any:
        is_request = path.startswith("requests/")
        return {"data": {"commands": [{"key": "north/somebody"}]} if is_request else [], "meta": {}}, {}

    def client(self) -> TestClient:
        """Return a client of it."""
        return TestClient(self.app, raise_server_exceptions=False)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WholeApi:
    """An application with every route."""
    return WholeApi(monkeypatch, tmp_path)


def principal(role: str, tenant: str = "north", **more: Any) -> Principal:
    """Return somebody with a role in a tenant who has just shown a second factor."""
    return Principal(
        issuer="tests",
        subject=role,
        roles={tenant: frozenset({role})},
        accounts={tenant: frozenset({"alice"})},
        second_factor_at=2**61,
        expires_at=2**62,
        **more,
    )


def headers(one: Principal | None) -> dict[str, str]:
    """Return the headers of somebody's request."""
    return {} if one is None else {WHO: msgspec.json.encode(one).decode()}


def sample(command: Command) -> tuple[dict[str, str], dict[str, Any]]:
    """Return parts of the path and a body of a command, from the samples of its event's schema."""
    filled = records(schemas.newest(command.event.RECORD_NAME))[0]
    event = command.event.from_avro(filled)
    said = event.model_dump(mode="json", exclude_none=True)
    model = bodies.body_of(command)
    body = {name: said[name] for name in model.model_fields if name in said}
    return {name: "alice" if name == "account_id" else "x-1" for name in command.in_path}, body


def requests_of_all(tenant: str) -> Iterator[tuple[str, str, Any, str]]:
    """Yield a request of every route of a tenant: method, path, body, and the permission that it needs."""
    for command in COMMANDS:
        parts, body = sample(command)
        if command.event.KEY_FIELD in body and command.event.KEY_FIELD.endswith("account_id"):
            body[command.event.KEY_FIELD] = "alice"
        yield "POST", f"/v1/{tenant}" + command.path.format(**parts), body, f"command:{command.name}"
    yield "POST", f"/v1/{tenant}/statements", STATEMENT, "command:statement_closed"
    for path, views in queries._pages(VIEWS).items():
        named = path.replace("{account}", "alice").format(
            **{part[1:-1]: tenant if part == "{tenant}" else "x-1" for part in path.split("/") if "{" in part}
        )
        yield "GET", named, None, f"query:{views[0].name}"
    yield "GET", f"/v1/{tenant}/requests/r-1", None, "query:requests"
    for topic in sorted(live.HEARD):
        yield "GET", f"/v1/{tenant}/live/{topic}", None, f"live:{topic}"
        yield "GET", f"/v1/{tenant}/streams/{topic}", None, f"live:{topic}"
    yield "GET", f"/v1/{tenant}/grants", None, administration.ROLES
