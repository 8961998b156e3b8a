"""Principals: names, roles by tenant, the actor of an event."""

from __future__ import annotations

import pytest

from pipeline.domain.kernel.events import Actor
from pipeline.gateway.identity.principal import EVERY_TENANT, NAME_CHARS_MAX, Principal, PrincipalError


def principal(**given: object) -> Principal:
    """Return a person of one tenant; `given` changes it."""
    return Principal(**{"issuer": "https://id.example", "subject": "ann", "expires_at": 1, **given})


@pytest.mark.parametrize("name", ["", "x" * (NAME_CHARS_MAX + 1), "a\nb", "a\0", "\u202e"])
@pytest.mark.parametrize("field", ["issuer", "subject"])
def test_a_name_is_short_and_printable(field: str, name: str) -> None:
    with pytest.raises(PrincipalError, match=field):
        principal(**{field: name})


def test_roles_in_every_tenant_count_in_each() -> None:
    ann = principal(roles={"north": frozenset({"analyst"}), EVERY_TENANT: frozenset({"auditor"})})
    assert ann.roles_in("north") == {"analyst", "auditor"}
    assert ann.roles_in("south") == {"auditor"}


def test_the_actor_has_the_version_of_the_policy() -> None:
    ann = principal(session_id="s1")
    assert ann.actor("0123456789abcdef") == Actor("https://id.example", "ann", "s1", None, "0123456789abcdef")
