"""Events of fraud-rules for these tests."""

from __future__ import annotations

import hashlib
from itertools import count
from typing import Any

from pipeline.domain.fraud.expressions import canonical
from pipeline.domain.fraud.expressions.rule_sets import Entry, Rule, RuleList, RuleSet
from pipeline.domain.fraud.features.catalogue import CATALOGUE
from pipeline.domain.fraud.model.encoding import name_of
from pipeline.domain.fraud.publishing.checks import ALL_TENANTS, base64_of
from pipeline.domain.kernel import events as ev

FROM_US = 1_790_000_000_000_000
_numbers = count()


def envelope(tenant: str | None) -> tuple[str, str, int, str, None]:
    """Return the first fields of an event."""
    return f"e{next(_numbers)}", tenant or ALL_TENANTS, FROM_US, "c", None


def watch_list(name: str, values: int, prefix: str = "acc") -> RuleList:
    """Return a list of accounts."""
    entries = tuple(Entry(f"{prefix}-{number:06}") for number in range(values))
    return RuleList(name=name, kind="watch", of="payee", entries=entries)


def rule_set(version: int = 1, *lists: RuleList, tenant: str | None = None, set_id: str = "mine") -> RuleSet:
    """Return a set of one rule, and of one more for each list."""
    rules = [
        Rule(rule_id="large", version=version, expression="amount > 500 EUR", score=60, reason="{amount}")
    ]
    for one in lists:
        text = f'payee in list("{one.name}")'
        rules.append(
            Rule(rule_id=f"on_{one.name}", version=1, expression=text, outcome="REVIEW", reason="listed")
        )
    return RuleSet(
        set_id=set_id, version=version, tenant_id=tenant, effective_from_us=FROM_US, rules=tuple(rules),
        lists=lists,
    )  # fmt: skip


def list_parts(rules: RuleSet) -> list[ev.FraudListPartPublished]:
    """Return the events of the parts of a set's lists."""
    events = []
    for part in canonical.parts_of(rules):
        read = canonical.checked_part(part)
        head = envelope(rules.tenant_id)
        events.append(ev.FraudListPartPublished(*head, read.sha256, read.number, part.decode()))
    return events


def published(rules: RuleSet, **changes: Any) -> ev.FraudRulesPublished:
    """Return the event of a set."""
    head = canonical.head_bytes(rules)
    said = {
        "set_id": rules.set_id,
        "version": rules.version,
        "of_tenant": rules.tenant_id,
        "effective_from": rules.effective_from_us,
        "sha256": hashlib.sha256(head).hexdigest(),
        "catalogue_version": CATALOGUE.version,
        "head": head.decode(),
        "parts": len(canonical.parts_of(rules)),
    }
    return ev.FraudRulesPublished(*envelope(rules.tenant_id), **{**said, **changes})


def model_parts(data: bytes, size: int, tenant: str | None = None) -> list[ev.FraudModelPartPublished]:
    """Return the events of the parts of a model, of some size."""
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    name = name_of(data)
    return [
        ev.FraudModelPartPublished(*envelope(tenant), name, number, base64_of(part))
        for number, part in enumerate(parts)
    ]


def in_role(
    data: bytes | None, parts: int, role: str = "LIVE", tenant: str | None = None, from_us: int = FROM_US
) -> ev.FraudModelPublished:
    """Return the event that gives a model a role; None: takes it away."""
    name = None if data is None else name_of(data)
    return ev.FraudModelPublished(*envelope(tenant), role, name, parts, tenant, from_us, CATALOGUE.version)
