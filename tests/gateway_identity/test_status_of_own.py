"""Whoever may send a command may ask what has become of it."""

from __future__ import annotations

import pytest

from pipeline.gateway.policy.permissions import COMMAND, QUERY, covers
from pipeline.gateway.policy.reading import default_policy

ROLES = default_policy().roles


@pytest.mark.parametrize("name", ROLES)
def test_a_role_with_commands_may_ask_for_the_status_of_a_request(name: str) -> None:
    patterns = ROLES[name].permissions
    sends = any(pattern.startswith(f"{COMMAND}:") for pattern in patterns)
    assert any(covers(pattern, f"{QUERY}:requests") for pattern in patterns) or not sends
