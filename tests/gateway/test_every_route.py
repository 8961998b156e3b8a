"""Every route as every role, in the own tenant and in another one."""

from __future__ import annotations

import time

import pytest

from pipeline.gateway.identity.principal import Principal
from pipeline.gateway.policy.policy import Decision
from tests.gateway.whole_api import POLICY, WholeApi, api, headers, principal, requests_of_all

__all__ = ["api"]

ROLES = sorted(POLICY.roles)
ASKED_ELSEWHERE = {
    ("POST", "/v1/{tenant}/bulk"),
    ("GET", "/v1/{tenant}/sandbox"),
    ("POST", "/v1/{tenant}/sandbox/reset"),
    ("POST", "/v1/{tenant}/grants"),
    ("DELETE", "/v1/{tenant}/grants/{grant_id}"),
    ("POST", "/v1/{tenant}/sessions/end"),
}
"""Commands inside another, and what administrators do (test_administration.py)."""


def keyed(one: Principal) -> dict[str, str]:
    return {**headers(one), "Idempotency-Key": "k"}


def may(role: str, permission: str, account: str | None) -> bool:
    decision: Decision = POLICY.allows(
        principal(role), "north", permission, account, now=time.time_ns() // 1_000
    )
    return decision.allowed


def test_all_routes_are_asked_for(api: WholeApi) -> None:
    described = {
        (method.upper(), path) for path, item in api.app.openapi()["paths"].items() for method in item
    }
    client, asked = api.client(), set()
    for method, path, body, _ in requests_of_all("north"):
        answer = client.request(method, path, json=body, headers=keyed(principal("auditor")))
        assert answer.status_code not in (404, 405, 422), (path, answer.text)
        parts = path.split("/")
        asked |= {
            (method, known)
            for wanted, known in described
            if wanted == method and _fits(known.split("/"), parts)
        }
    assert described - asked == ASKED_ELSEWHERE


def _fits(known: list[str], parts: list[str]) -> bool:
    return len(known) == len(parts) and all(
        one.startswith("{") or one == part for one, part in zip(known, parts, strict=True)
    )


@pytest.mark.parametrize("role", ROLES)
def test_a_role_does_what_the_policy_says_in_its_tenant_and_nothing_in_another(
    role: str, api: WholeApi
) -> None:
    client, mine = api.client(), headers(principal(role))
    granted = refused = 0
    for tenant in ("north", "south"):
        for number, (method, path, body, permission) in enumerate(requests_of_all(tenant)):
            before = len(api.sent)
            answer = client.request(
                method, path, json=body, headers={**mine, "Idempotency-Key": f"k-{tenant}-{number}"}
            )
            told = api.told[-1]
            assert (told.subject, told.tenant, told.permission) == (role, tenant, permission), path
            if answer.status_code == 403:
                refused += 1
                assert len(api.sent) == before and "data" not in answer.json()
                assert tenant == "south" or not may(role, permission, _account(path, body)), path
                continue
            granted += 1
            assert tenant == "north", f"{role} of north may {permission} in south"
            assert may(role, permission, _account(path, body)), f"{role} may not {permission}, but {path} did"
            assert answer.status_code in (200, 202, 503 if "/live/" in path else 200), answer.text
    assert granted and refused


def _account(path: str, body: dict[str, str] | None) -> str | None:
    if body is None:
        return "alice" if "alice" in path.split("/") else None
    return "alice"


def test_nobody_gets_anything(api: WholeApi) -> None:
    client = api.client()
    for method, path, body, _ in requests_of_all("north"):
        answer = client.request(method, path, json=body, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 401, path
    assert api.sent == [] and api.told == []


def test_who_only_reads_sends_nothing(api: WholeApi) -> None:
    """Written down by hand: what the policy must never come to."""
    client = api.client()
    for role in ("analyst", "auditor", "regulator"):
        for method, path, body, _ in requests_of_all("north"):
            if method == "POST":
                answer = client.post(
                    path, json=body, headers={**headers(principal(role)), "Idempotency-Key": "k"}
                )
                assert answer.status_code == 403, (role, path)
    for role, path in (
        ("upstream", "/proposals/alice/x-1/approve"),
        ("customer", "/accounts/alice/limit"),
        ("customer", "/journals"),
        ("reconciler", "/payments"),
        ("investigator", "/breaks/alice/x-1/write-off"),
        ("operator", "/proposals/alice/x-1/approve"),
    ):
        (asked,) = [one for one in requests_of_all("north") if one[:2] == ("POST", f"/v1/north{path}")]
        answer = client.post(
            asked[1], json=asked[2], headers={**headers(principal(role)), "Idempotency-Key": "k"}
        )
        assert answer.status_code == 403, (role, path)
    assert api.sent == []


def test_an_approval_needs_a_fresh_second_factor(api: WholeApi) -> None:
    stale = principal("approver")
    stale = type(stale)(
        **{name: getattr(stale, name) for name in stale.__struct_fields__} | {"second_factor_at": 1}
    )
    (asked,) = [one for one in requests_of_all("north") if one[1].endswith("/proposals/alice/x-1/approve")]
    answer = api.client().post(asked[1], json=asked[2], headers=keyed(stale))
    assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required")
