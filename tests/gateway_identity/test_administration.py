"""Administrators give and take roles of their tenants, with a fresh second factor, and end sessions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from pipeline.gateway import administration, problems
from pipeline.gateway.door import Door
from pipeline.gateway.identity.cookies import csrf_token
from pipeline.gateway.identity.entrance import make_entrance
from pipeline.gateway.identity.keys import FILE_NAME, Keys
from pipeline.gateway.policy.reading import default_policy
from tests.gateway_identity.gate import ORIGIN, SESSION, code_of, run, settings
from tests.gateway_identity.people import ISSUER

ANALYST = {"issuer": ISSUER, "subject": "bob", "role": "analyst"}


class Log:
    """Stands for the access log."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str, int]] = []

    async def record(self, _: Any, actor: Any, tenant: str, permission: str, status: int, *more: Any) -> None:
        self.lines.append((actor.subject, tenant, permission, status))


class Office:
    """The routes of administrators, without Kafka."""

    def __init__(self, folder: Path) -> None:
        self.entrance, self.log = make_entrance(settings(folder), default_policy()), Log()
        self.keys = Keys(folder / FILE_NAME)
        log: Any = self.log
        none: Any = None
        self.app = FastAPI()
        problems.install(self.app)
        policy = default_policy()
        door = Door("0" * 8, *self.entrance.door, policy, none, none, none, none, log, self.app, ())
        sessions = self.entrance.identity.sessions
        self.app.include_router(administration.router(door, self.entrance.grants, sessions))

    def person(self, subject: str, *roles: str, minutes_ago: int = 0) -> TestClient:
        """Return the browser of somebody with roles, who showed a second factor some minutes ago."""
        for one in roles:
            tenant, _, role = one.partition(":")
            run(self.entrance.grants.add(ISSUER, subject, "person", tenant, role, made_by="test"))
        shown_at = time.time_ns() // 1_000 - minutes_ago * 60_000_000
        cookie = run(self.entrance.identity.sessions.start(ISSUER, subject, shown_at)).cookie
        headers = {"Origin": ORIGIN, "Ledgerflow-CSRF": csrf_token(cookie), "Cookie": f"{SESSION}={cookie}"}
        return TestClient(self.app, base_url=ORIGIN, headers=headers)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_an_administrator_gives_lists_and_takes_roles_of_the_tenant(office: Office) -> None:
    ann = office.person("ann", "north:administrator")
    answer = ann.post("/v1/north/grants", json=ANALYST | {"days": 7})
    assert answer.status_code == 201 and answer.json()["made_by"] == f"ann of {ISSUER}"
    where = answer.headers["location"]
    held = run(office.entrance.grants.held(ISSUER, "bob", "person"))
    assert held.roles == {"north": frozenset({"analyst"})}
    rows = ann.get("/v1/north/grants").json()["data"]
    assert {(row["subject"], row["role"]) for row in rows} == {("ann", "administrator"), ("bob", "analyst")}
    assert ann.delete(where).status_code == 204
    assert code_of(ann.delete(where)) == "not_found"
    assert run(office.entrance.grants.held(ISSUER, "bob", "person")).roles == {}
    assert [line[:3] for line in office.log.lines] == [("ann", "north", "manage:roles")] * 4
    assert [line[3] for line in office.log.lines] == [201, 200, 204, 404]


def test_nobody_gives_a_role_to_oneself(office: Office) -> None:
    ann = office.person("ann", "*:administrator")
    answer = ann.post("/v1/north/grants", json=ANALYST | {"subject": "ann"})
    assert (answer.status_code, code_of(answer)) == (403, "own_grant")


@pytest.mark.parametrize("tenant", ["south", "*"])
def test_an_administrator_of_one_tenant_is_none_elsewhere(office: Office, tenant: str) -> None:
    ann = office.person("ann", "north:administrator")
    assert code_of(ann.post(f"/v1/{tenant}/grants", json=ANALYST)) == "not_permitted"
    assert code_of(ann.get(f"/v1/{tenant}/grants")) == "not_permitted"
    foreign = run(office.entrance.grants.add(ISSUER, "bob", "person", tenant, "analyst", made_by="x"))
    assert code_of(ann.delete(f"/v1/north/grants/{foreign.grant_id}")) == "not_found"


def test_an_administrator_of_all_tenants_sees_and_gives_roles_in_all(office: Office) -> None:
    ann = office.person("ann", "*:administrator")
    assert ann.post("/v1/*/grants", json=ANALYST).json()["tenant"] == "*"
    assert ann.post("/v1/south/grants", json=ANALYST).json()["tenant"] == "south"
    assert {row["tenant"] for row in ann.get("/v1/*/grants").json()["data"]} == {"*", "south"}


def test_roles_are_given_with_a_fresh_second_factor_alone(office: Office) -> None:
    stale = office.person("ann", "*:administrator", minutes_ago=6)
    assert code_of(stale.post("/v1/north/grants", json=ANALYST)) == "step_up_required"
    key, _ = office.keys.create("robot", {"north": ["administrator"]}, 1)
    robot = TestClient(office.app, base_url=ORIGIN, headers={"Authorization": f"Bearer {key}"})
    assert code_of(robot.post("/v1/north/grants", json=ANALYST)) == "step_up_required"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"role": "anlyst"}, "grant_refused"),
        ({"role": "auditor"}, "grant_refused"),
        ({"subject": ""}, "invalid_request"),
        ({"tenant": "south"}, "invalid_request"),
        ({"accounts": ["a"] * 201}, "invalid_request"),
    ],
    ids=str,
)
def test_a_grant_that_cannot_be_is_refused(office: Office, given: dict[str, Any], code: str) -> None:
    ann = office.person("ann", "*:administrator")
    answer = ann.post("/v1/north/grants", json=ANALYST | given)
    assert (answer.status_code, code_of(answer)) == (422, code)


def test_an_administrator_ends_the_sessions_of_somebody_of_the_tenant(office: Office) -> None:
    ann, bob = office.person("ann", "north:administrator"), office.person("bob", "north:operator")
    office.person("eve", "south:operator")
    ended = ann.post("/v1/north/sessions/end", json={"issuer": ISSUER, "subject": "bob"})
    assert len(ended.json()["ended"]) == 1
    assert code_of(bob.get("/v1/north/grants")) == "session_over"
    answer = ann.post("/v1/north/sessions/end", json={"issuer": ISSUER, "subject": "eve"})
    assert code_of(answer) == "not_found"
    assert run(office.entrance.identity.sessions.of(ISSUER, "eve"))
