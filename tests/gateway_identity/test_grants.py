"""Grants: what the policy allows, for persons or for programs, until they end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.gateway.identity import grants as module
from pipeline.gateway.identity.grants import DAY_US, OF_ONE_MAX, GrantRefused, Grants
from pipeline.gateway.identity.store import SqliteStore
from pipeline.gateway.policy.reading import default_policy
from tests.gateway_identity.people import ISSUER

POLICY = default_policy()


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "s.sqlite")


@pytest.fixture
def grants(store: SqliteStore) -> Grants:
    return Grants(store, POLICY)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"role": "anlyst"}, "did you mean `analyst`"),
        ({"role": "auditor"}, "366 days at most: say for how many"),
        ({"role": "auditor", "days": 367}, "1 to 366 days, not 367"),
        ({"days": 0}, "1 to 3660 days, not 0"),
        ({"subject": ""}, "subject must have"),
        ({"issuer": "a\nb"}, "do not print"),
        ({"tenant": "nor*"}, "is no tenant's id"),
        ({"tenant": ""}, "is no tenant's id"),
        ({"role": "customer"}, "needs the own accounts"),
        ({"accounts": ["a1"]}, "has no own accounts"),
        ({"role": "customer", "accounts": ["a"] * 201}, "200 accounts at most"),
    ],
)
async def test_what_the_policy_does_not_allow_is_refused(
    grants: Grants, given: dict[str, Any], said: str
) -> None:
    values = {"issuer": ISSUER, "subject": "ann", "of": "person", "tenant": "north", "role": "analyst"}
    with pytest.raises(GrantRefused, match=said):
        await grants.add(**values | given, made_by="x")
    assert await grants.all() == []


async def test_somebody_has_so_many_at_most(grants: Grants) -> None:
    for number in range(OF_ONE_MAX):
        await grants.add(ISSUER, "ann", "person", f"t{number}", "analyst", made_by="x")
    with pytest.raises(GrantRefused, match="remove some"):
        await grants.add(ISSUER, "ann", "person", "more", "analyst", made_by="x")


async def test_own_accounts_are_of_one_tenant(grants: Grants) -> None:
    for tenant, account in (("north", "a1"), ("south", "a2")):
        await grants.add(ISSUER, "ann", "person", tenant, "customer", accounts=[account], made_by="x")
    held = await grants.held(ISSUER, "ann", "person")
    assert held.accounts == {"north": frozenset({"a1"}), "south": frozenset({"a2"})}


async def test_a_policy_that_became_stricter_holds_for_what_was_given_before(
    store: SqliteStore, grants: Grants, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await grants.add(ISSUER, "ann", "person", "north", "analyst", made_by="x")
    shorter = msgspec.structs.replace(POLICY.roles["analyst"], grant_days_max=7)
    strict = Grants(store, msgspec.structs.replace(POLICY, roles={**POLICY.roles, "analyst": shorter}))
    assert (await strict.held(ISSUER, "ann", "person")).ends_at == made.made_at + 7 * DAY_US
    monkeypatch.setattr(module.time, "time_ns", lambda: (made.made_at + 7 * DAY_US) * 1_000)
    assert (await strict.held(ISSUER, "ann", "person")).roles == {}
    assert (await grants.held(ISSUER, "ann", "person")).roles == {"north": frozenset({"analyst"})}


@pytest.mark.parametrize(
    ("given", "there"),
    [({}, True), ({"tenant": "north"}, False), ({"of": "program"}, False), ({"role": "analyst"}, False)],
)
async def test_an_administrator_is_a_person_of_every_tenant(
    grants: Grants, given: dict[str, Any], there: bool
) -> None:
    values = {"issuer": ISSUER, "subject": "ann", "of": "person", "tenant": "*", "role": "administrator"}
    assert not await grants.has_administrator()
    await grants.add(**values | given, made_by="x")
    assert await grants.has_administrator() == there
