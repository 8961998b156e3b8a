"""Ids of accounts: which ones customers may use, and those of a branch's internal accounts."""

from __future__ import annotations

from pipeline.domain.kernel.outbox import Arrival
from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.routing import INTERNAL_PREFIX


def clearing_account_id(currency: str, branch: int) -> str:
    """Return the id of a branch's clearing account: the counterpart of entries with other branches."""
    return f"$clearing:{currency}:{branch}"


def opening_account_id(currency: str, branch: int) -> str:
    """Return the id of the account that initial balances are posted against."""
    return f"$opening:{currency}:{branch}"


def position_account_id(currency: str, branch: int) -> str:
    """Return the id of a branch's position in a currency: what payments between currencies buy and sell."""
    return f"$position:{currency}:{branch}"


def can_be_opened(account_id: str) -> bool:
    """Whether a customer's account may have an id: it fits into a key, and is not an internal account's."""
    return bool(account_id) and account_id[0] != INTERNAL_PREFIX and not {"/", "\0"} & {*account_id}


def is_local(tenant_id: str, account_id: str, at: Arrival) -> bool:
    """Whether an account lives on the branch of a record."""
    return partition_of(f"{tenant_id}/{account_id}", at.partitions) == at.partition
