"""Who asks: a person or program, and what is known of it once its credential was checked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from pipeline.domain.kernel.events import Actor

NAME_CHARS_MAX = 256
"""Most characters of an issuer and of a subject."""
EVERY_TENANT = "*"
"""In the place of a tenant's id: a role in all tenants."""


class PrincipalError(ValueError):
    """A principal cannot have such a name. The text is one line."""


def check_name(what: str, name: str) -> str:
    """Return the name of an issuer or subject.

    Raises PrincipalError where it is empty, longer than NAME_CHARS_MAX, or has characters that do not print.
    """
    if not 1 <= len(name) <= NAME_CHARS_MAX:
        raise PrincipalError(f"{what} must have 1 to {NAME_CHARS_MAX} characters, not {len(name)}")
    if not name.isprintable():
        raise PrincipalError(f"{what} has characters that do not print")
    return name


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """A person or program. Times are microseconds UTC.

    Raises PrincipalError where issuer or subject are no names (`check_name`).
    """

    issuer: str
    """Who vouches for the subject: the URL of an OIDC provider, or one of Ledgerflow's own names."""
    subject: str
    """The name there; it never changes."""
    session_id: str | None = None
    """Of a person: the session. It is no secret: it is written to logs."""
    key_id: str | None = None
    """Of a program: its key or client."""
    roles: Mapping[str, frozenset[str]] = {}
    """By tenant, or EVERY_TENANT. Only roles that are in force until `expires_at`."""
    accounts: Mapping[str, frozenset[str]] = {}
    """Of a customer: the own accounts, by tenant."""
    second_factor_at: int | None = None
    """Of a person: when a second factor was shown last. None for programs."""
    expires_at: int
    """When this must be asked again: the earliest end of the credential and of the roles."""
    scopes: frozenset[str] | None = None
    """Of an API key: the permissions that it is limited to; None: all that its roles allow."""

    def __post_init__(self) -> None:
        check_name("issuer", self.issuer)
        check_name("subject", self.subject)

    def roles_in(self, tenant: str) -> frozenset[str]:
        """Return the roles in a tenant, with those in every tenant."""
        return self.roles.get(tenant, frozenset()) | self.roles.get(EVERY_TENANT, frozenset())

    def accounts_in(self, tenant: str) -> frozenset[str]:
        """Return the own accounts in a tenant."""
        return self.accounts.get(tenant, frozenset())

    def actor(self, policy_version: str) -> Actor:
        """Return the actor of an event's envelope; `policy_version` is `Policy.version`."""
        return Actor(self.issuer, self.subject, self.session_id, self.key_id, policy_version)


def text_of(at: int | None) -> str | None:
    """Return a time in microseconds UTC as ISO 8601, to the second; None for None."""
    return None if at is None else datetime.fromtimestamp(at // 1_000_000, UTC).isoformat()
