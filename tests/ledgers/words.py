"""The words of a tale's line: names of accounts, amounts, days, and options such as `on=5`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import count
from typing import TypeVar

from pipeline.domain.kernel.partitions import partition_of
from tests.ledger.branches import DAY, TENANT

BRANCHES = 3
T = TypeVar("T")
CURRENCY = re.compile(r"[A-Z]{3}")
_AMOUNT = re.compile(r"-?\d+\.\d\d")
_RATE = re.compile(r"-?\d+(\.\d{1,8})?")
_DAY = re.compile(r"(\d+(?:\.\d+)?)([+-]?)")
_NAME = re.compile(r"[A-Z][A-Za-z0-9]*(\.[0-2])?|[$?].*")


@cache
def account_id(name: str, tenant_id: str = TENANT) -> str:
    """Return the id of the account that a tale calls `name`: one that lives on the branch of its suffix.

    `$...` is an id of the ledger's own, as it is; `?...` any other id, as it is (`\\0` is a NUL).
    Raises: ValueError for a word that is no name; three capital letters are a currency.
    """
    if not _NAME.fullmatch(name) or CURRENCY.fullmatch(name):
        raise ValueError(f"`{name}` is no account")
    if name.startswith(("$", "?")):
        return name.removeprefix("?").replace("\\0", "\0")
    stem, _, branch = name.partition(".")
    wanted = int(branch or 0)
    ids = (f"{stem}{number}" for number in count())
    return next(found for found in ids if partition_of(f"{tenant_id}/{found}", BRANCHES) == wanted)


def minor(text: str) -> int:
    """Return an amount with two decimals in minor units.

    Raises: ValueError.
    """
    if not is_amount(text):
        raise ValueError(f"`{text}` is no amount with two decimals")
    return int(text.replace(".", ""))


def rate(text: str) -> int:
    """Return a rate, a number of up to eight decimals, in units of 1e-8.

    Raises: ValueError.
    """
    if not _RATE.fullmatch(text):
        raise ValueError(f"`{text}` is no rate")
    whole, _, part = text.partition(".")
    return int(whole + part.ljust(8, "0"))


def is_amount(text: str) -> bool:
    """Whether a word is an amount."""
    return _AMOUNT.fullmatch(text) is not None


def when(text: str) -> int:
    """Return a day as microseconds; `5+` is the microsecond after day 5 begins, `5-` the one before.

    Raises: ValueError.
    """
    found = _DAY.fullmatch(text)
    if found is None:
        raise ValueError(f"`{text}` is no day")
    return round(float(found[1]) * DAY) + {"": 0, "+": 1, "-": -1}[found[2]]


MILLISECOND = 1_000
"""Microseconds: what Kafka's time counts in."""


class Words:
    """What follows the verb of a line; whatever is not taken is an error at `end`."""

    def __init__(self, words: Sequence[str]) -> None:
        self.rest = [word for word in words if "=" not in word]
        self.options = dict(word.split("=", 1) for word in words if "=" in word)
        self.tenant_id = self.options.pop("tenant", TENANT).replace("\\0", "\0")

    def next(self, what: str) -> str:
        """Return the next word.

        Raises: ValueError if there is none.
        """
        if not self.rest:
            raise ValueError(f"{what} is missing")
        return self.rest.pop(0)

    def next_if(self, test: Callable[[str], object]) -> str | None:
        """Return the next word if it passes a test."""
        return self.rest.pop(0) if self.rest and test(self.rest[0]) else None

    def account(self, what: str = "an account") -> str:
        """Return the id of the account that is named next.

        Raises: ValueError.
        """
        return account_id(self.next(what), self.tenant_id)

    def amount(self) -> int:
        """Return the next word in minor units.

        Raises: ValueError.
        """
        return minor(self.next("an amount"))

    def option(self, name: str, read: Callable[[str], T]) -> T | None:
        """Return an option, None where the line has none.

        Raises: ValueError if its value cannot be read.
        """
        text = self.options.pop(name, None)
        return None if text is None else read(text)

    def end(self) -> None:
        """Raise ValueError if a word has not been taken."""
        left = self.rest + [f"{name}={value}" for name, value in self.options.items()]
        if left:
            raise ValueError(f"`{' '.join(left)}` is not understood")
