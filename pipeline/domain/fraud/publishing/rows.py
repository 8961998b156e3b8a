"""The rows of what was published: content by its hash, and what is said of it, the same on every partition.

b               the index: contents with the numbers of their parts; sets and roles, in order of the log
i sha256        the head of a set of rules
l sha256 number a part of a list            m sha256 number   a part of a model
"""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.layouts import RowKind, unpacker
from pipeline.domain.kernel.rows import Rows, row_key

INDEX_ROW = RowKind("fraud", "published", "b")
HEAD_ROW = RowKind("fraud", "head of rules", "i")
LIST_PART_ROW = RowKind("fraud", "part of a list", "l")
MODEL_PART_ROW = RowKind("fraud", "part of a model", "m")
INDEX_KEY = row_key(INDEX_ROW.family)


class Content(msgspec.Struct, array_like=True, gc=False):
    """A list or a model of which parts have come."""

    family: str
    """That of its parts' rows."""
    sha256: str
    numbers: list[int]
    """Of the parts that are there, ascending."""


class PublishedSet(msgspec.Struct, array_like=True, gc=False):
    """A version of a set of rules."""

    tenant_id: str | None
    set_id: str
    version: int
    sha256: str
    lists: list[str]
    """The hashes of its lists that have entries, each once."""


class Role(msgspec.Struct, array_like=True, gc=False):
    """Which model has a role, from an event time on."""

    role: str
    tenant_id: str | None
    from_us: int
    sha256: str | None


class Index(msgspec.Struct, array_like=True, gc=False):
    """All that is known."""

    contents: list[Content] = []
    sets: list[PublishedSet] = []
    roles: list[Role] = []

    def content(self, family: str, sha256: str) -> Content | None:
        """Return a list or a model of which parts have come."""
        return next((one for one in self.contents if (one.family, one.sha256) == (family, sha256)), None)

    def in_use(self) -> set[tuple[str, str]]:
        """Return the contents that sets and roles name: family and hash."""
        lists = {(LIST_PART_ROW.family, sha256) for one in self.sets for sha256 in one.lists}
        return lists | {(MODEL_PART_ROW.family, one.sha256) for one in self.roles if one.sha256 is not None}


unpack_index = unpacker(INDEX_ROW, Index)
"""Return the index in a row. Raises UnreadableRow."""


def read_index(row: bytes | None) -> Index:
    """Return the index, an empty one where there is no row. Raises UnreadableRow."""
    return Index() if row is None else unpack_index(row)


def part_key(family: str, sha256: str, number: int) -> bytes:
    """Return the key of a part."""
    return row_key(family, sha256, f"{number:04}")


def head_key(sha256: str) -> bytes:
    """Return the key of the head of a set."""
    return row_key(HEAD_ROW.family, sha256)


def pack_bytes(kind: RowKind, content: bytes) -> bytes:
    """Return the row of a head or a part."""
    return kind.head + content


def read_bytes(kind: RowKind, row: bytes) -> bytes:
    """Return what a row of `pack_bytes` holds. Raises UnreadableRow."""
    return kind.current(row)[1:]


def read_parts(rows: Rows, kind: RowKind, content: Content) -> list[bytes]:
    """Return the parts of a list or a model, in order. Raises UnreadableRow."""
    found = []
    for number in content.numbers:
        row = rows.get(part_key(kind.family, content.sha256, number))
        if row is None:
            raise kind.unreadable(b"", LookupError("a part that the index names is not there"))
        found.append(read_bytes(kind, row))
    return found
