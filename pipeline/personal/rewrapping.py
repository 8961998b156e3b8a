"""Changing the key-encryption key: every key of the store is wrapped with the new one.

    store = KeyStore(path, new, earlier=[old])
    rewrapped(store)          # afterwards the old one is needed for earlier backups only

No data key changes, so no event does.
"""

from __future__ import annotations

from pipeline.personal.key_tables import KeyRow, TokenRow
from pipeline.personal.keystore import KeyStore

AT_ONCE = 100
"""Keys of a transaction: after a kill the work goes on with those that are left."""
_TABLES: tuple[tuple[str, type[KeyRow] | type[TokenRow]], ...] = (
    ("data_keys", KeyRow),
    ("token_keys", TokenRow),
)


def rewrapped(store: KeyStore) -> int:
    """Wrap all keys with the store's `wrapping`; return how many were wrapped with another one.

    Run it when no process writes with the old one any more. Raises KeysUnavailable, and PersonalDataError for
    a damaged key.
    """
    count = 0
    for table, kind in _TABLES:
        while changed := _some(store, table, kind):
            count += changed
    if count:
        store.tables.emptied_log()
    return count


def _some(store: KeyStore, table: str, kind: type[KeyRow] | type[TokenRow]) -> int:
    new = store.wrapping
    asked = f"SELECT {', '.join(kind._fields)} FROM {table} WHERE kek_id != ? LIMIT {AT_ONCE}"
    with store.tables.reached() as database:
        rows = [kind._make(row) for row in database.execute(asked, (new.key_id,))]
    changes = []
    for row in rows:
        secret = store.wrapping_of(row.kek_id).unwrap(row.wrapped, row.context())
        changes.append((new.key_id, new.wrap(secret, row.context()), row.kek_id, row.wrapped))
    with store.tables.changed() as database:
        # A key that was destroyed meanwhile has no row any more, and gets none.
        told = f"UPDATE {table} SET kek_id = ?, wrapped = ? WHERE kek_id = ? AND wrapped = ?"
        database.executemany(told, changes)
    return len(rows)
