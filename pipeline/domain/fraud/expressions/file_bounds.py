"""What a file of rules may not say, though a set of rules could hold it: no event can carry it."""

from __future__ import annotations

from datetime import datetime, timedelta

from pipeline.domain.fraud.expressions.canonical import head_bytes
from pipeline.domain.fraud.expressions.rule_sets import RuleSet, RuleSetError
from pipeline.domain.kernel.times import EPOCH

TIME_END_US = 253_402_300_800_000_000
"""The year 10000, which has no date: events, and lists of what is published, need one."""
NO_TENANT = "*"
"""What events of all tenants have in the place of a tenant: nobody pays by that name."""


def us_of(time: datetime) -> int:
    """Return a time of a file, microseconds UTC. Raises ValueError for one without a date in UTC."""
    found = (time - EPOCH) // timedelta(microseconds=1)
    if found >= TIME_END_US:
        raise ValueError(f"{time.isoformat()}: in UTC that is after the year 9999")
    return found


def tenant_flaw(tenant_id: str | None) -> str | None:
    """Return why a set cannot be a tenant's, None: it can."""
    if tenant_id != NO_TENANT:
        return None
    return f"no tenant is called {NO_TENANT}: leave `tenant` out for all of them"


def size_flaw(rules: RuleSet) -> str | None:
    """Return why a set without errors is too large, None: it is not."""
    try:
        head_bytes(rules)
    except RuleSetError as error:  # of many rules or snoozes; each of them may be in order
        return f"{error}; lists hold more, since they travel in parts"
    return None
