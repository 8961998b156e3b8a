"""Principals for tests."""

from __future__ import annotations

import time
from typing import Any

from pipeline.gateway.identity.principal import Principal

ISSUER = "https://id.example"
SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
NOW = 1_800_000_000 * SECOND
"""January 2027, microseconds UTC."""


class FromNow(int):
    """Seconds from now on, in claims that tests are given before they run."""


def as_of_now(claims: dict[str, Any]) -> dict[str, Any]:
    """Return claims with times, seconds since 1970, in the place of seconds from now on."""
    now = int(time.time())
    return {name: now + value if isinstance(value, FromNow) else value for name, value in claims.items()}


def person(*roles: str, tenant: str = "north", **given: object) -> Principal:
    """Return a person with roles in a tenant and a fresh second factor; `given` changes it."""
    values: dict[str, object] = {
        "issuer": ISSUER,
        "subject": "ann",
        "session_id": "s1",
        "roles": {tenant: frozenset(roles)},
        "second_factor_at": NOW - SECOND,
        "expires_at": NOW + HOUR,
    }
    return Principal(**(values | given))


def program(*roles: str, tenant: str = "north", **given: object) -> Principal:
    """Return a program with roles in a tenant; `given` changes it."""
    return person(
        *roles,
        tenant=tenant,
        **{"subject": "erp", "session_id": None, "key_id": "k1", "second_factor_at": None, **given},
    )
