"""Sets of items that a person has rejected as one match: no rule matches or suggests them again.

Each item of the set remembers the digest of the set, so whoever looks at one of its items finds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from pipeline.domain.reconciliation.desk.rows import REJECTED_MAX, Entry


def digest_of(items: Iterable[bytes]) -> bytes:
    """Return the digest of a set of items, by their keys in the account, in any order."""
    return blake2b(msgspec.msgpack.encode(sorted(set(items))), digest_size=16).digest()


def is_rejected(entry: Entry, items: Iterable[bytes]) -> bool:
    """Whether a person has rejected a set of items; `entry`: one of them, whichever."""
    return bool(entry.rejected) and digest_of(items) in entry.rejected


def with_rejected(entry: Entry, digest: bytes) -> Entry:
    """Return an item that remembers a rejected set; the oldest is forgotten where there are too many."""
    kept = [one for one in entry.rejected if one != digest]
    return msgspec.structs.replace(entry, rejected=(*kept, digest)[-REJECTED_MAX:])
