"""Which account of ours a bank's account is: one for all, or a TOML file.

[accounts]
"DE89 3704 0044 0532 0130 00" = "north/nostro-eur"
"123456789 USD" = "north/nostro-usd"          # of an account with several currencies
"""

from __future__ import annotations

import re
import tomllib
from typing import NamedTuple

from pipeline.statement_files.form import Statement, refused

ACCOUNTS_BYTES_MAX = 4 * 2**20
_NAME = re.compile(r"[^/\x00$][^/\x00]{0,255}/[^/\x00$][^/\x00]{0,255}")


class Account(NamedTuple):
    """An account of ours."""

    tenant_id: str
    account_id: str

    def __str__(self) -> str:
        return f"{self.tenant_id}/{self.account_id}"


class Accounts:
    """Finds our account of a statement."""

    def __init__(self, one: Account | None = None, by_name: dict[str, Account] | None = None) -> None:
        self._one, self._by_name = one, by_name or {}

    def of(self, statement: Statement) -> Account:
        """Return the account of a statement. Raises FileRefused."""
        if self._one is not None:
            return self._one
        name = plain(statement.account)
        found = self._by_name.get(f"{name}{statement.currency}") or self._by_name.get(name)
        found = found or self._by_name.get(name.removesuffix(statement.currency))
        if found is None:
            shown = f"the bank's account {statement.account[:64]!r} ({statement.currency})"
            said = shown if name else "the account of a file that names none"
            raise refused(
                statement.place,
                f"nothing says which account {said} is: add it to --accounts, or use --account",
            )
        return found

    def check_one(self, statements: list[Statement]) -> None:
        """Raises FileRefused where statements of several accounts are to go to one of ours."""
        names = sorted({(plain(one.account), one.currency) for one in statements})
        if self._one is not None and len(names) > 1:
            shown = ", ".join(f"{name or '?'} {currency}" for name, currency in names[:5])
            raise refused(
                "",
                f"it has statements of several accounts ({shown}), and --account names one: use --accounts",
            )


def plain(name: str) -> str:
    """Return the name of a bank's account as it is compared: in capitals, without blanks."""
    return "".join(name.split()).upper()


def account_of(text: str) -> Account:
    """Return the account that TENANT/ACCOUNT names. Raises FileRefused."""
    if _NAME.fullmatch(text) is None:
        raise refused("", f"{text[:80]!r} is no account: write TENANT/ACCOUNT, such as north/nostro-eur")
    tenant, _, account = text.partition("/")
    return Account(tenant, account)


def accounts_of(data: bytes) -> Accounts:
    """Return the accounts that a TOML file has. Raises FileRefused."""
    if len(data) > ACCOUNTS_BYTES_MAX:
        raise refused("", f"a file of accounts has at most {ACCOUNTS_BYTES_MAX:,} bytes")
    try:
        given = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise refused("", f"it is no TOML: {error}") from None
    table = given.get("accounts")
    if set(given) != {"accounts"} or not isinstance(table, dict):
        raise refused(
            "", 'it has one table [accounts], with lines such as "DE89370400440532013000" = "north/nostro"'
        )
    found: dict[str, Account] = {}
    for name, value in table.items():
        if not isinstance(value, str) or not plain(name):
            raise refused(f"[accounts] {name[:64]!r}", "TENANT/ACCOUNT is expected")
        if plain(name) in found:
            raise refused(f"[accounts] {name[:64]!r}", "it is there twice")
        found[plain(name)] = account_of(value)
    return Accounts(None, found)
