"""The ACLs of a cluster against the table of roles (access.py): what is missing, what is too much.

    table -> wanted      cluster -> held      compare -> apply

Only ACLs of the table's principals are ever made or deleted. ACLs of others are looked at, because one of
them may let its principal write what is the streams' alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from pipeline.runtime.kafka.access import (
    EVERY,
    GROUP,
    LITERAL,
    PREFIXED,
    ROLES,
    TOPIC,
    TRANSACTIONAL_ID,
    Right,
    rights,
    topics_of_streams,
)
from pipeline.runtime.kafka.answered import answered
from pipeline.runtime.kafka.topics import REQUEST_TIMEOUT_S

EVERYONE = "User:*"
_KINDS = {
    TOPIC: ResourceType.TOPIC,
    GROUP: ResourceType.GROUP,
    TRANSACTIONAL_ID: ResourceType.TRANSACTIONAL_ID,
}
_PATTERNS = {LITERAL: ResourcePatternType.LITERAL, PREFIXED: ResourcePatternType.PREFIXED}
_OPERATIONS = {
    name.title().replace("_", ""): operation for name, operation in AclOperation.__members__.items()
}
_KIND_OF = {value: name for name, value in _KINDS.items()}
_PATTERN_OF = {value: name for name, value in _PATTERNS.items()}
_OPERATION_OF = {value: name for name, value in _OPERATIONS.items()}


class Acl(NamedTuple):
    """One ACL."""

    principal: str
    kind: str
    name: str
    pattern: str
    operation: str
    host: str = EVERY
    permission: str = "allow"

    def __str__(self) -> str:
        which = f"{self.kind} {self.name}" + (EVERY if self.pattern == PREFIXED else "")
        where = "" if self.host == EVERY else f" from {self.host}"
        return f"{self.principal} {self.permission} {self.operation} on {which}{where}"


class Comparison(NamedTuple):
    """What an application's table and a cluster do not agree on."""

    missing: tuple[Acl, ...]
    surplus: tuple[Acl, ...]
    """Of the table's principals, and not in the table."""
    strangers: tuple[Acl, ...]
    """Of others, who may write what only workers may."""


def principals_of(app_id: str, roles: Iterable[str] = ROLES) -> dict[str, str]:
    """Return the principal of each role where nothing else is said."""
    return {role: f"User:{user_name(app_id, role)}" for role in roles}


def user_name(app_id: str, role: str) -> str:
    """Return the name that a role logs in with where nothing else is said."""
    return f"{app_id}-{role}"


def wanted(principals: Mapping[str, str], app_id: str) -> tuple[Acl, ...]:
    """Return the ACLs of the table, in its order; `principals`: by role."""
    found = [
        Acl(principal, right.kind, right.name, right.pattern, operation)
        for role, principal in principals.items()
        for right in rights(role, app_id)
        for operation in right.operations
    ]
    return tuple(dict.fromkeys(found))


def held(admin: AdminClient) -> tuple[Acl, ...]:
    """Return all ACLs of a cluster. Raises KafkaException, also where it has no authorizer."""
    everything = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
    )
    asked = admin.describe_acls(everything, request_timeout=REQUEST_TIMEOUT_S)
    return tuple(sorted(map(_acl, answered(asked, REQUEST_TIMEOUT_S))))


def compare(admin: AdminClient, principals: Mapping[str, str], app_id: str) -> Comparison:
    """Hold a cluster's ACLs against the table. Raises KafkaException."""
    table, there = wanted(principals, app_id), held(admin)
    ours = set(principals.values())
    others = [acl for acl in there if acl.principal not in ours]
    return Comparison(
        tuple(acl for acl in table if acl not in set(there)),
        tuple(acl for acl in there if acl.principal in ours and acl not in set(table)),
        tuple(_writing(others, app_id)),
    )


def apply(admin: AdminClient, comparison: Comparison, prune: bool) -> None:
    """Make what is missing; with `prune` delete what is too much. Raises KafkaException."""
    if comparison.missing:
        made = admin.create_acls(list(map(_binding, comparison.missing)), request_timeout=REQUEST_TIMEOUT_S)
        for future in made.values():
            answered(future, REQUEST_TIMEOUT_S)
    if prune and comparison.surplus:
        gone = admin.delete_acls(list(map(_filter, comparison.surplus)), request_timeout=REQUEST_TIMEOUT_S)
        for deleted in gone.values():
            answered(deleted, REQUEST_TIMEOUT_S)


def as_commands(acls: Iterable[Acl]) -> Iterator[str]:
    """Yield the commands of Kafka's own tool that make the ACLs, one for each thing and principal."""
    grouped: dict[tuple[str, str, str, str], list[str]] = {}
    for acl in acls:
        grouped.setdefault((acl.principal, acl.kind, acl.name, acl.pattern), []).append(acl.operation)
    for (principal, kind, name, pattern), operations in grouped.items():
        said = " ".join(f"--operation {operation}" for operation in operations)
        yield (
            'kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config admin.properties --add'
            f" --allow-principal '{principal}' {said} --{kind} '{name}' --resource-pattern-type {pattern}"
        )


def _writing(others: Iterable[Acl], app_id: str) -> Iterator[Acl]:
    """Yield the ACLs of others that let them write as a worker does."""
    guarded = (*topics_of_streams(app_id), Right(TRANSACTIONAL_ID, f"{app_id}-", PREFIXED, ("Write",)))
    for acl in others:
        writes = acl.permission == "allow" and acl.operation in ("Write", "All")
        if writes and any(_touches(acl, right) for right in guarded):
            yield acl


def _touches(acl: Acl, right: Right) -> bool:
    """Return whether an ACL is about something that a right is about."""
    if acl.kind != right.kind:
        return False
    if acl.name == EVERY and acl.pattern == LITERAL:
        return True
    if acl.pattern == LITERAL:
        return acl.name.startswith(right.name) if right.pattern == PREFIXED else acl.name == right.name
    return right.name.startswith(acl.name) or (right.pattern == PREFIXED and acl.name.startswith(right.name))


def _acl(found: AclBinding) -> Acl:
    kind, pattern = found.restype, found.resource_pattern_type
    return Acl(
        found.principal,
        _KIND_OF.get(kind, kind.name.lower()),
        found.name,
        _PATTERN_OF.get(pattern, pattern.name.lower()),
        _OPERATION_OF[found.operation],
        found.host,
        found.permission_type.name.lower(),
    )


def _binding(acl: Acl) -> AclBinding:
    return AclBinding(*_parts(acl))


def _filter(acl: Acl) -> AclBindingFilter:
    return AclBindingFilter(*_parts(acl))


def _parts(
    acl: Acl,
) -> tuple[ResourceType, str, ResourcePatternType, str, str, AclOperation, AclPermissionType]:
    return (
        _KINDS[acl.kind] if acl.kind in _KINDS else ResourceType[acl.kind.upper()],
        acl.name,
        _PATTERNS[acl.pattern],
        acl.principal,
        acl.host,
        _OPERATIONS[acl.operation],
        AclPermissionType[acl.permission.upper()],
    )
