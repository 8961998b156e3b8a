"""Backups of the key store: one file, encrypted under the key-encryption key, of no use after its time.

    line 1   JSON: format, made_at, expires_at (microseconds UTC), kek_id, wrapped (base64)
    then     frames: 4 bytes of length, AES-256-GCM of up to ROWS_AT_ONCE rows as JSON; the last is empty

The key of a backup is its own, wrapped with the first line as context; a frame is bound to its number, and to
whether it is the last. A backup never brings back a person whose keys were destroyed: it is restored into a
store that knows them, or they are named.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipeline.personal import key_tables
from pipeline.personal.envelope import KEY_BYTES
from pipeline.personal.errors import PersonalDataError
from pipeline.personal.key_tables import KeyRow, TokenRow
from pipeline.personal.keystore import KeyStore

DAYS_MAX = 35
"""No backup is of use for longer, so that a destroyed key is gone everywhere after so many days."""
ROWS_AT_ONCE = 500
_DAY = 86_400_000_000
_FORMAT = 1
_HEADER_BYTES_MAX = 4_096
_FRAME_BYTES_MAX = 16 * 2**20
_TABLES: dict[str, Any] = {"data_keys": KeyRow, "token_keys": TokenRow, "destroyed": None}


class Backup(NamedTuple):
    """What a backup says of itself."""

    made_at: int
    """Microseconds UTC."""
    expires_at: int
    kek_id: str


class Restored(NamedTuple):
    """What came back."""

    keys: int
    left_out: int
    """Keys that were there already, or whose persons' keys were destroyed."""


def backed_up(store: KeyStore, path: Path, days: int = DAYS_MAX) -> Backup:
    """Write a backup of a store into a new file, and return what it says of itself.

    Raises ValueError for days that are not 1 to DAYS_MAX, FileExistsError, OSError, KeysUnavailable.
    """
    if not 1 <= days <= DAYS_MAX:
        raise ValueError(f"a backup is of use for 1 to {DAYS_MAX} days, not {days}")
    made_at = store.now()
    about = Backup(made_at, made_at + days * _DAY, store.wrapping.key_id)
    secret = os.urandom(KEY_BYTES)
    wrapped = store.wrapping.wrap(secret, _context(about))
    header = {"format": _FORMAT, **about._asdict(), "wrapped": base64.b64encode(wrapped).decode()}
    cipher = AESGCM(secret)
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o600)) as file:
        file.write(json.dumps(header).encode() + b"\n")
        number = 0
        for number, rows in enumerate(_blocks(store), 1):
            _write_frame(file, cipher, number, json.dumps(rows).encode(), last=False)
        _write_frame(file, cipher, number + 1, b"", last=True)
        file.flush()
        os.fsync(file.fileno())
    return about


def restored(store: KeyStore, path: Path, destroyed: Iterable[tuple[str, str]] = ()) -> Restored:
    """Bring the keys of a backup back into a store, all of them or none.

    `destroyed`: tenants and persons that were erased since, where the store that knew them is lost.
    Raises PersonalDataError for a backup that is expired, damaged or cut, KeysUnavailable, OSError.
    """
    with open(path, "rb") as file, store.tables.changed() as database:
        cipher = _cipher_of(store, file)
        for tenant, person in destroyed:
            key_tables.bury(database, tenant, person, store.now())
        found = added = 0
        for table, rows in _frames(file, cipher):
            match table:
                case "destroyed":
                    for tenant, person, at in rows:
                        key_tables.bury(database, tenant, person, at)
                case "token_keys":
                    key_tables.add_token_keys(database, [TokenRow(*row) for row in rows])
                case _:
                    found += len(rows)
                    added += key_tables.add_keys(database, [KeyRow(*row) for row in rows])
    store.tables.emptied_log()
    return Restored(added, found - added)


def _cipher_of(store: KeyStore, file: BinaryIO) -> AESGCM:
    try:
        header = json.loads(file.readline(_HEADER_BYTES_MAX))
        about = Backup(*(header[name] for name in Backup._fields))
        wrapped = base64.b64decode(header["wrapped"], validate=True)
        known = header["format"] == _FORMAT
    except (ValueError, KeyError, TypeError):
        raise PersonalDataError("not a backup of a key store") from None
    if not known:
        raise PersonalDataError("a backup of another version than this one")
    cipher = AESGCM(store.wrapping_of(about.kek_id).unwrap(wrapped, _context(about)))
    if store.now() >= about.expires_at:
        raise PersonalDataError("the backup is expired: keys that were destroyed since could come back")
    return cipher


def _context(about: Backup) -> bytes:
    return f"ledgerflow key store backup {_FORMAT} {about.made_at} {about.expires_at} {about.kek_id}".encode()


def _blocks(store: KeyStore) -> Iterator[tuple[str, list[Any]]]:
    """Yield tables and rows, destroyed persons first; all as they are at one moment."""
    with store.tables.seen() as database:
        for table in reversed(_TABLES):
            rows = database.execute(f"SELECT * FROM {table}")
            while block := rows.fetchmany(ROWS_AT_ONCE):
                yield table, [[_as_json(value) for value in row] for row in block]


def _as_json(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _write_frame(file: BinaryIO, cipher: AESGCM, number: int, content: bytes, *, last: bool) -> None:
    frame = cipher.encrypt(_nonce(number), content, _place(number, last))
    file.write(len(frame).to_bytes(4, "big") + frame)


def _frames(file: BinaryIO, cipher: AESGCM) -> Iterator[tuple[str, list[Any]]]:
    number = 0
    while True:
        number += 1
        length = int.from_bytes(file.read(4), "big")
        frame = file.read(min(length, _FRAME_BYTES_MAX))
        try:
            content = cipher.decrypt(_nonce(number), frame, _place(number, len(frame) == 16))
        except (InvalidTag, ValueError):
            raise PersonalDataError("the backup is damaged or cut") from None
        if not content:
            return
        table, rows = json.loads(content)
        kind = _TABLES[table]
        at = None if kind is None else kind._fields.index("wrapped")
        yield table, [_with_bytes(row, at) for row in rows]


def _with_bytes(row: list[Any], at: int | None) -> list[Any]:
    return row if at is None else [*row[:at], base64.b64decode(row[at]), *row[at + 1 :]]


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _place(number: int, last: bool) -> bytes:
    return f"{number} {'last' if last else 'more'}".encode()
