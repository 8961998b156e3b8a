"""The accounts that a run of commands may touch: numbered, and read in one call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.kernel.columns import joined, numpy_of
from pipeline.domain.kernel.layouts import fixed_rows
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.ledger.account_ids import clearing_account_id
from pipeline.domain.ledger.books import INTERNAL
from pipeline.domain.ledger.rows import ACCOUNT_COLUMNS, ACCOUNT_ROW


@dataclass(frozen=True, slots=True)
class RunAccounts:
    """The accounts that a run may touch; each has a number, its index here."""

    names: pa.Array
    """`tenant/account` of each."""
    ids: pa.Array
    keys: pa.Array
    """Their row keys; binary."""
    table: np.ndarray
    """Their rows (ACCOUNT_COLUMNS), first as they are stored; `touch` puts in the counters after the run."""
    exists: np.ndarray
    currency: np.ndarray
    """Number of the currency in this run; -1 for a currency that no command names."""


def are_customers(names: pa.Array, tenants: pa.Array, ids: pa.Array) -> np.ndarray:
    """Return which names (`tenant/account`) can be those of customers' accounts, as `can_be_opened`; bool."""
    return np.array(
        numpy_of(pc.equal(pc.count_substring(names, "/"), 1))
        & ~numpy_of(pc.match_substring(names, "\0"))
        & ~numpy_of(pc.starts_with(ids, "$"))
        & numpy_of(pc.not_equal(tenants, ""))
        & numpy_of(pc.not_equal(ids, ""))
    )


def with_clearing_accounts(
    tenants: pa.Array,
    ids: pa.Array,
    needed: np.ndarray,
    clearings: pa.Array,
    currencies: pa.Array,
    branch: int,
    rows: PrefetchingRows,
) -> RunAccounts:
    """Read accounts of a branch; its clearing accounts follow them, and exist even if they have no row yet.

    `tenants` and `ids` name the accounts, `needed` says which of them to read; `clearings` are
    `tenant/currency` of the clearing accounts; `currencies` are those of the run, in the order of their
    numbers.
    """
    clearers = [(parts[0], parts[-1]) for parts in (name.split("/") for name in clearings.to_pylist())]
    internal = pa.array([clearing_account_id(currency, branch) for _, currency in clearers], pa.string())
    accounts = _read(
        pa.concat_arrays([tenants, pa.array([tenant_id for tenant_id, _ in clearers], pa.string())]),
        pa.concat_arrays([ids, internal]),
        np.append(needed, np.ones(len(internal), bool)),
        currencies.to_pylist(),
        rows,
    )
    for place, (_, currency) in enumerate(clearers, len(ids)):
        if not accounts.exists[place]:
            accounts.table[place] = (ACCOUNT_ROW.layout, 0, INTERNAL, 1, currency.encode(), 0, *[0] * 6)
    return accounts


def _read(
    tenants: pa.Array, ids: pa.Array, needed: np.ndarray, currencies: list[str], rows: PrefetchingRows
) -> RunAccounts:
    keys = joined("\0", "a", tenants, ids).cast(pa.binary())
    wanted = np.flatnonzero(needed)
    found = rows.get_many(keys.take(wanted).to_pylist())
    exists, table = np.zeros(len(keys), bool), np.zeros(len(keys), ACCOUNT_COLUMNS)
    exists[wanted] = [row is not None for row in found]
    table[exists] = fixed_rows(ACCOUNT_ROW, [row for row in found if row is not None], ACCOUNT_COLUMNS)
    currency = np.full(len(keys), -1)
    for number, name in enumerate(currencies):
        currency[table["currency"] == name.encode()] = number
    return RunAccounts(joined("/", tenants, ids), ids, keys, table, exists, currency)
