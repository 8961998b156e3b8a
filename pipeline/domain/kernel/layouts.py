"""Layouts of rows: a kind of row keeps every layout that was ever written, and only the newest is written.

    row = one byte, the number of its layout + content in that layout

The first layout of every kind is 1. Whoever changes a row appends an upgrade: it turns the content of the
layout that was the newest until then into that of the next one. Readers compare the first byte with the
newest layout and upgrade only a row that differs, so today's rows cost nothing. A layout above the newest was
written by a later version of the product, and is an error: its meaning cannot be guessed.

An upgrade is pure and sees nothing but the content. A change that needs other rows is a new kind
of row, under its own family letter. The same holds for rows whose value nobody reads: rows that only mark
that something exists, and index rows that hold only a key.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np

from pipeline.domain.kernel.rows import Rows

Upgrade = Callable[[bytes], bytes]
"""Takes the content of one layout, without the layout byte; returns that of the next layout."""

_Content = TypeVar("_Content")
_ENCODE = msgspec.msgpack.Encoder().encode
_FIELDS = msgspec.msgpack.Decoder(list[Any]).decode


DAMAGE = (struct.error, ValueError, IndexError, msgspec.MsgspecError)
"""What reading a row raises whose content is not what its layout says."""


class UnreadableRow(RuntimeError):
    """A row cannot be decoded. The text names table and kind, and nothing of a tenant."""

    def __init__(self, text: str, row: bytes) -> None:
        super().__init__(text)
        self.row = row
        """As it was read, so that whoever has read it can tell its key."""


class UnknownLayout(UnreadableRow):
    """A row has a layout that this version cannot read."""


class RowKind:
    """One kind of row of a table."""

    def __init__(self, table: str, name: str, family: str, upgrades: Sequence[Upgrade] = ()) -> None:
        """`family` is the first letter of its keys; `upgrades` leads from each layout to the next one."""
        self.table = table
        self.name = name
        self.family = family
        self.layout = len(upgrades) + 1
        """The newest layout."""
        self.head = bytes([self.layout])
        """The first byte of every row that is written."""
        self._upgrades = tuple(upgrades)

    def pack(self, fields: Any) -> bytes:
        """Return the row of a Struct that is an array, or of its fields in their order, as MessagePack."""
        return self.head + _ENCODE(fields)

    def current(self, row: bytes) -> bytes:
        """Return a row in the newest layout. Raises UnreadableRow, of an unknown layout UnknownLayout."""
        layout = row[0] if row else 0
        if layout == self.layout:
            return row
        if not 0 < layout < self.layout:
            why = "a newer version of Ledgerflow wrote it: start that one" if layout else "it is damaged"
            raise UnknownLayout(
                f"{self.table} table, {self.name} (keys {self.family}...): a row of unknown layout {layout};"
                f" this version reads up to {self.layout}, so {why}",
                row,
            )
        content = row[1:]
        try:
            for upgrade in self._upgrades[layout - 1 :]:
                content = upgrade(content)
        except DAMAGE as error:
            raise self.unreadable(row, error) from None
        return self.head + content

    def unpacked(self, fixed: struct.Struct, row: bytes) -> tuple[Any, ...]:
        """Return the fields of a row of fixed width; `fixed`: of all of it, the layout first.

        Raises UnreadableRow.
        """
        try:
            return fixed.unpack(self.current(row))[1:]
        except DAMAGE as error:
            raise self.unreadable(row, error) from None

    def unreadable(self, row: bytes, error: BaseException) -> UnreadableRow:
        """Return the error for a row of this kind whose content cannot be decoded."""
        text = f"{self.table} table, {self.name} (keys {self.family}...): a row that cannot be decoded"
        return UnreadableRow(f"{text} ({error})", row)


def unpacker(kind: RowKind, content: type[_Content]) -> Callable[[bytes], _Content]:
    """Return the function that reads rows written by `RowKind.pack`; the function raises UnreadableRow."""
    newest, current = kind.layout, kind.current
    decode = msgspec.msgpack.Decoder(content).decode

    def unpack(row: bytes) -> _Content:
        try:
            return decode(row[1:] if row[0] == newest else current(row)[1:])
        except DAMAGE as error:
            raise kind.unreadable(row, error) from None

    return unpack


class RowClasses:
    """The rows of a table that are Structs: each class has its kind. Both are found by the class alone."""

    def __init__(self, kinds: Mapping[type, RowKind]) -> None:
        self.kinds = kinds
        self._pack = {content: kind.pack for content, kind in kinds.items()}
        self._unpack: dict[type, Callable[[bytes], Any]] = {
            content: unpacker(kind, content) for content, kind in kinds.items()
        }

    def pack(self, row: msgspec.Struct) -> bytes:
        """Return the bytes of a row, by its class."""
        return self._pack[type(row)](row)

    def decode(self, value: bytes, content: type[_Content]) -> _Content:
        """Return the row of a class. Raises UnreadableRow."""
        row: _Content = self._unpack[content](value)
        return row

    def read(self, rows: Rows, key: bytes, content: type[_Content]) -> _Content | None:
        """Return the row of a class under a key, or None. Raises UnreadableRow."""
        value = rows.get(key)
        return None if value is None else self.decode(value, content)


def append_fields(*values: Any) -> Upgrade:
    """Return the upgrade that appends fields to MessagePack rows; `values` is what older rows get in them."""
    return lambda content: _ENCODE([*_FIELDS(content), *values])


def fields_of_nothing(*values: Any) -> Upgrade:
    """Return the upgrade of a row that was only there to a MessagePack row of `values`."""
    return lambda content: _ENCODE([*values])


def append_to_items(*values: Any) -> Upgrade:
    """Return the upgrade that appends fields to each item of the list that ends a MessagePack row."""

    def upgrade(content: bytes) -> bytes:
        *fields, items = _FIELDS(content)
        return _ENCODE([*fields, [[*item, *values] for item in items]])

    return upgrade


def wrap_fields(*values: Any) -> Upgrade:
    """Return the upgrade after which a MessagePack row is the last field of a larger one, behind `values`."""
    return lambda content: _ENCODE([*values, _FIELDS(content)])


def fixed_rows(kind: RowKind, rows: Sequence[bytes], columns: np.dtype) -> np.ndarray:
    """Return the fixed part of rows as one array of `columns`, whose first one is `layout`.

    Raises UnreadableRow.
    """
    width = columns.itemsize
    packed = b"".join([row[:width] for row in rows])
    if len(packed) == width * len(rows):
        table = np.frombuffer(packed, columns)
        if (table["layout"] == kind.layout).all():
            return table
    current = [kind.current(row)[:width] for row in rows]
    for row, fixed in zip(rows, current, strict=True):
        if len(fixed) < width:
            raise kind.unreadable(row, ValueError(f"{len(row)} bytes"))
    return np.frombuffer(b"".join(current), columns)
