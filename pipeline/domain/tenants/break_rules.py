"""What a tenant says about the breaks of its reconciliation, by currency; minor units.

[tenants.north.breaks]
immaterial_below = { EUR = 500 }
material_from = { EUR = 100000 }
write_off_accounts = { EUR = "write-offs-eur" }
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from pipeline.domain.kernel.ids import ID_CHARS_MAX
from pipeline.domain.kernel.routing import INTERNAL_PREFIX

AMOUNT_MAX = 2**63 - 1


class BreakRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which breaks matter, and where accepted ones are booked."""

    immaterial_below: dict[str, int] = {}
    """By currency: a break of less hardly matters."""
    material_from: dict[str, int] = {}
    """By currency: a break of this amount or more matters most."""
    write_off_accounts: dict[str, str] = {}
    """By currency: the account that takes what is written off; without one, no amount is."""

    def __post_init__(self) -> None:
        for name in ("immaterial_below", "material_from", "write_off_accounts"):
            for code in getattr(self, name):
                if not re.fullmatch("[A-Z]{3}", code):
                    raise ValueError(f"breaks: {name}: {code!r} is no ISO 4217 code, such as EUR")
        for name in ("immaterial_below", "material_from"):
            for code, amount in getattr(self, name).items():
                if not 0 <= amount <= AMOUNT_MAX:
                    raise ValueError(f"breaks: {name}: {code} must be from 0 to {AMOUNT_MAX}, not {amount}")
        for code, least in self.material_from.items():
            if least < self.immaterial_below.get(code, 0):
                raise ValueError(f"breaks: {code}: material_from is less than immaterial_below")
        for code, account in self.write_off_accounts.items():
            if not is_account_id(account):
                raise ValueError(f"breaks: write_off_accounts: {code}: {account!r} cannot be an account")


NO_RULES = BreakRules()
RulesOf = Callable[[str], BreakRules]
"""What a tenant says, by its id."""


def no_rules(tenant_id: str) -> BreakRules:
    """Return what a tenant says that says nothing."""
    return NO_RULES


def is_account_id(text: str) -> bool:
    """Whether a text can be the id of an account that a tenant has opened."""
    return (
        0 < len(text) <= ID_CHARS_MAX
        and "\0" not in text
        and "/" not in text
        and not text.startswith(INTERNAL_PREFIX)
    )
