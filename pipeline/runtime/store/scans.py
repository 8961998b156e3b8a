"""Scans of a database's rows under the rows that are not committed yet, from either end.

committed rows of a range, in order -+
                                     +-> the last word on each row, in that order
rows that are not committed ---------+
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import gt, lt

from rocksdict import Rdict, ReadOptions

from pipeline.runtime.store.database import RUNTIME_KEYS


def behind(prefix: bytes) -> bytes | None:
    """Return the first key that is behind all keys with a prefix; None if there is none."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1]) if head else None


def stored_up(db: Rdict, prefix: bytes, after: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the rows whose key starts with `prefix` and is above `after`, in key order."""
    start, end, options = max(prefix, after), behind(prefix), ReadOptions()
    if end is not None:  # without it RocksDB steps over all that was deleted behind the last row
        options.set_iterate_upper_bound(end)
    for key, value in db.items(from_key=start or None, read_opt=options):
        if not key.startswith(prefix):
            if key > prefix:
                return
            continue
        if key > after and key not in RUNTIME_KEYS:
            yield key, value


def stored_down(db: Rdict, prefix: bytes, before: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the rows whose key starts with `prefix` and is below `before`, the last one first.

    The first row is looked for first, and is where it ends: else RocksDB steps over all that was deleted in
    front of it. (The binding has `set_iterate_lower_bound`, but in 0.3.29 that sets the upper one.)
    """
    end, options = behind(prefix), ReadOptions()
    start = before if end is None else min(before, end)
    if start <= prefix:
        return
    options.set_iterate_upper_bound(start)
    first = next(iter(db.keys(from_key=prefix or None, read_opt=options)), None)
    if first is None:
        return
    for key, value in db.items(backwards=True, from_key=start, read_opt=options):
        if key not in RUNTIME_KEYS:
            yield key, value
        if key == first:
            return


def merged(
    stored: Iterator[tuple[bytes, bytes]], fresh: Mapping[bytes, bytes | None], *, down: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """Yield rows with the last word on each; both are in one order, `down` the last one first.

    `fresh`: rows that are not committed; None: deleted.
    """
    is_ahead = gt if down else lt
    upcoming = iter(fresh.items())
    ahead = next(upcoming, None)
    for key, value in stored:
        while ahead is not None and is_ahead(ahead[0], key):
            if ahead[1] is not None:
                yield ahead[0], ahead[1]
            ahead = next(upcoming, None)
        if key not in fresh:
            yield key, value
    while ahead is not None:
        if ahead[1] is not None:
            yield ahead[0], ahead[1]
        ahead = next(upcoming, None)
