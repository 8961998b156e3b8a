"""The default policy: what each role may do, by tenant, account, scope and time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gateway.identity.principal import EVERY_TENANT
from pipeline.gateway.policy.permissions import MANAGED, commands, covers, live_topics, permission
from pipeline.gateway.policy.reading import default_policy
from tests.gateway_identity.people import HOUR, MINUTE, NOW, person, program
from topologies.app import VIEWS

POLICY = default_policy()
VIEW_NAMES = sorted({view.name for view in VIEWS})
PERMISSIONS = sorted(
    {permission("command", name) for name in commands()}
    | {permission("query", name) for name in VIEW_NAMES}
    | {permission("live", name) for name in live_topics()}
    | {permission("manage", name) for name in MANAGED}
)
ROLES = sorted(POLICY.roles)
DECIDING = [one for one in PERMISSIONS if covers("command:approvals.*", one)] + [
    "command:correction_approved"
]


@given(st.sets(st.sampled_from(ROLES)), st.sampled_from(PERMISSIONS))
def test_what_no_role_names_is_refused(roles: set[str], asked: str) -> None:
    named = any(covers(one, asked) for role in roles for one in POLICY.roles[role].permissions)
    own = frozenset({"a1"})
    asker = person(*roles, accounts={"north": own})
    decision = POLICY.allows(asker, "north", asked, "a1", now=NOW)
    never = any(covers(one, asked) for role in roles for one in POLICY.roles[role].never)
    assert decision.allowed == (named and not never)


@given(st.sets(st.sampled_from(ROLES), min_size=1), st.sampled_from(PERMISSIONS))
def test_a_role_of_one_tenant_is_nothing_in_another(roles: set[str], asked: str) -> None:
    asker = person(*roles, accounts={"north": frozenset({"a1"})})
    assert not POLICY.allows(asker, "south", asked, "a1", now=NOW).allowed


@given(st.sampled_from(PERMISSIONS), st.sampled_from([None, "a1", "a2", "A1", ""]))
def test_a_customer_sees_own_accounts_only(asked: str, account: str | None) -> None:
    asker = person("customer", accounts={"north": frozenset({"a1"}), "south": frozenset({"a2"})})
    if POLICY.allows(asker, "north", asked, account, now=NOW).allowed:
        assert account == "a1"


def test_refusals_of_a_customer_say_why() -> None:
    asker = person("customer", accounts={"north": frozenset({"a1"})})
    whys = {
        account: POLICY.allows(asker, "north", "query:balances", account, now=NOW).why
        for account in (None, "a1", "a2")
    }
    assert whys == {None: "account_required", "a1": "customer", "a2": "account_not_own"}


@pytest.mark.parametrize("asked", DECIDING)
def test_an_upstream_may_not_approve_even_as_an_approver(asked: str) -> None:
    assert POLICY.allows(person("approver"), "north", asked, now=NOW).allowed
    assert POLICY.allows(person("approver", "upstream"), "north", asked, now=NOW).why == "forbidden_to_role"


@pytest.mark.parametrize("role", ["auditor", "regulator"])
def test_who_audits_reads_all_and_changes_nothing(role: str) -> None:
    asker = person(role, "administrator", "operator", tenant=EVERY_TENANT)
    decisions = {one: POLICY.allows(asker, "north", one, now=NOW).allowed for one in PERMISSIONS}
    assert all(decisions[permission("query", name)] for name in VIEW_NAMES)
    assert not any(allowed for one, allowed in decisions.items() if one.startswith(("command:", "manage:")))


def test_approvals_need_a_second_factor_of_the_last_five_minutes() -> None:
    stale = person("approver", second_factor_at=NOW - 5 * MINUTE - 1)
    fresh = person("approver", second_factor_at=NOW - 5 * MINUTE)
    assert POLICY.allows(stale, "north", "command:proposal_approved", now=NOW).why == "step_up_required"
    assert POLICY.allows(fresh, "north", "command:proposal_approved", now=NOW).allowed
    assert POLICY.allows(stale, "north", "query:proposals", now=NOW).allowed
    assert POLICY.allows(program("approver"), "north", DECIDING[0], now=NOW).why == "step_up_required"
    assert POLICY.needs_step_up("manage:roles")
    assert not POLICY.needs_step_up("query:balances")


def test_a_person_without_a_second_factor_may_do_nothing() -> None:
    asker = person(*ROLES, second_factor_at=None)
    assert {POLICY.allows(asker, "north", one, now=NOW).why for one in PERMISSIONS} == {
        "second_factor_required"
    }


def test_a_principal_ends_at_its_time() -> None:
    asker = person("analyst", expires_at=NOW + HOUR)
    assert POLICY.allows(asker, "north", "query:balances", now=NOW + HOUR - 1).allowed
    assert POLICY.allows(asker, "north", "query:balances", now=NOW + HOUR).why == "expired"


def test_scopes_take_away_and_never_give() -> None:
    key = program("upstream", scopes=frozenset({"command:trades.*", "query:breaks"}))
    assert POLICY.allows(key, "north", "command:trade_executed", now=NOW).allowed
    assert POLICY.allows(key, "north", "command:payment_initiated", now=NOW).why == "out_of_scope"
    assert POLICY.allows(key, "north", "query:breaks", now=NOW).why == "not_permitted"


@pytest.mark.parametrize(
    "asked", ["", ":", "command:", "command:*", "query:*", "command:payments.*", "*", "x:y"]
)
def test_a_pattern_is_no_permission(asked: str) -> None:
    assert not POLICY.allows(person(*set(ROLES) - {"auditor"}), "north", asked, now=NOW).allowed


def test_an_unknown_command_is_covered_by_no_pattern() -> None:
    assert not covers("command:*", "command:payment_invented")
    assert not covers("command:payments.*", "command:trade_executed")
