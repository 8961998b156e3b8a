"""The policy: which role may do what, which fields it sees, what needs a fresh second factor.

    policy.allows(principal, "north", "query:balances", account="a1", now=...) -> Decision
    policy.mask(principal, "north", "payments", row) -> row

Pure: the time is an argument. What no role allows is refused; a refusal of one role (`never`) wins over
what the other roles of the same principal allow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

import msgspec

from pipeline.gateway.identity.principal import Principal
from pipeline.gateway.policy.permissions import QUERY, covers, permission

Mask = Literal["hidden", "last_four"]
_MILDNESS: tuple[Mask, ...] = ("hidden", "last_four")
SHOWN_CHARS = 4
"""Characters at the end of a text that `last_four` shows; of a text that is not longer, none."""
DEPTH_MAX = 16
"""Of nested values in a row; what lies deeper is hidden."""
VERSION_CHARS = 16


class Decision(msgspec.Struct, frozen=True):
    """Whether something is allowed."""

    allowed: bool
    why: str
    """The role that allows it; else a code: expired, second_factor_required, out_of_scope, forbidden_to_role,
    account_required, account_not_own, not_permitted, step_up_required."""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What one role may do."""

    about: str
    permissions: frozenset[str] = frozenset()
    """Patterns of `permissions`."""
    never: frozenset[str] = frozenset()
    """Patterns that are refused to whoever has this role, whatever the other roles allow."""
    own_accounts: bool = False
    """Only for the principal's own accounts."""
    grant_days_max: int | None = None
    """The role is given for so many days at most; None: it need not end."""
    masks: Mapping[str, Mask] = {}
    """By `view.field`, or `*.field` for every view."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """All roles."""

    roles: Mapping[str, Role]
    step_up: frozenset[str] = frozenset()
    """Patterns that need a second factor which is not older than `step_up_within_us`."""
    step_up_within_us: int = 300_000_000

    @cached_property
    def version(self) -> str:
        """The first VERSION_CHARS hex digits of a SHA-256 of all values, not of comments or order."""
        text = msgspec.json.encode(self, order="deterministic")
        return hashlib.sha256(text).hexdigest()[:VERSION_CHARS]

    def needs_step_up(self, asked: str) -> bool:
        """Return whether a permission needs a fresh second factor."""
        return any(covers(pattern, asked) for pattern in self.step_up)

    def allows(
        self, principal: Principal, tenant: str, asked: str, account: str | None = None, *, now: int
    ) -> Decision:
        """Return whether a principal may do something in a tenant now (microseconds UTC).

        `asked` is a permission such as `command:payment_initiated`. `account`: the one it is about,
        if it is about one; who is limited to own accounts may ask for nothing else.
        """
        if now >= principal.expires_at:
            return Decision(False, "expired")
        if principal.session_id is not None and principal.second_factor_at is None:
            return Decision(False, "second_factor_required")
        if principal.scopes is not None and not any(covers(one, asked) for one in principal.scopes):
            return Decision(False, "out_of_scope")
        roles = dict(self._roles_of(principal, tenant))
        if any(covers(pattern, asked) for role in roles.values() for pattern in role.never):
            return Decision(False, "forbidden_to_role")
        found = self._allowed_by(roles, principal.accounts_in(tenant), asked, account)
        if found.allowed and self.needs_step_up(asked) and not self._is_fresh(principal, now):
            return Decision(False, "step_up_required")
        return found

    def _allowed_by(
        self, roles: Mapping[str, Role], own: frozenset[str], asked: str, account: str | None
    ) -> Decision:
        allowing = [
            name
            for name, role in sorted(roles.items())
            if any(covers(pattern, asked) for pattern in role.permissions)
        ]
        for name in allowing:
            if not roles[name].own_accounts or account in own:
                return Decision(True, name)
        if not allowing:
            return Decision(False, "not_permitted")
        return Decision(False, "account_required" if account is None else "account_not_own")

    def _is_fresh(self, principal: Principal, now: int) -> bool:
        shown_at = principal.second_factor_at
        return shown_at is not None and now - shown_at <= self.step_up_within_us

    def _roles_of(self, principal: Principal, tenant: str) -> Iterator[tuple[str, Role]]:
        for name in principal.roles_in(tenant):
            if name in self.roles:
                yield name, self.roles[name]

    def masks_for(self, principal: Principal, tenant: str, view: str) -> dict[str, Mask] | None:
        """Return the masks of a view's fields for a principal; None for who may not read the view.

        A field is masked where every role that may read the view masks it, and then by the mildest mask. Who
        must not see a field must not filter or sort by it either: it could be guessed.
        """
        asked = permission(QUERY, view)
        of_roles = [
            _masks_of(role, view)
            for _, role in self._roles_of(principal, tenant)
            if any(covers(pattern, asked) for pattern in role.permissions)
        ]
        if not of_roles:
            return None
        shared = set.intersection(*map(set, of_roles))
        return {field: max((masks[field] for masks in of_roles), key=_MILDNESS.index) for field in shared}

    def mask(self, principal: Principal, tenant: str, view: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row of a view as a principal may see it, also what is nested in it (`masks_for`).

        Whether the view may be read is the question of `allows`; for who may not, every field is hidden.
        """
        masks = self.masks_for(principal, tenant, view)
        return dict.fromkeys(row) if masks is None else _masked(row, masks, DEPTH_MAX)


def _masks_of(role: Role, view: str) -> dict[str, Mask]:
    """Return the masks of a role for a view, by field; what names the view wins over `*`."""
    found: dict[str, Mask] = {}
    for prefix in ("*", view):
        for place, mask in role.masks.items():
            of_view, _, field = place.rpartition(".")
            if of_view == prefix:
                found[field] = mask
    return found


def _masked(row: Mapping[str, Any], masks: Mapping[str, Mask], depth: int) -> dict[str, Any]:
    return {
        field: _covered(value, masks[field]) if field in masks else _within(value, masks, depth - 1)
        for field, value in row.items()
    }


def _within(value: Any, masks: Mapping[str, Mask], depth: int) -> Any:
    """Return a nested value with its own fields masked."""
    if not isinstance(value, Mapping | list | tuple):
        return value
    if depth <= 0:
        return None
    if isinstance(value, Mapping):
        return _masked(value, masks, depth)
    return [_within(one, masks, depth - 1) for one in value]


def _covered(value: Any, mask: Mask) -> Any:
    if mask == "last_four" and isinstance(value, str):
        return "…" + (value[-SHOWN_CHARS:] if len(value) > SHOWN_CHARS else "")
    return None
