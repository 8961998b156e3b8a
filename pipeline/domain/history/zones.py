"""Lines and zones as questions about the past read them: which zones cover some lines, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.domain.history.rows import ZONE, Line, Zone, line_key, unpack_line, unpack_zone, zone_key
from pipeline.domain.kernel.rows import Rows

Part = tuple[int, int]
"""(level, number) of a zone; level 0: a line."""


def parts(start: int, stop: int, level: int) -> Iterator[Part]:
    """Yield the largest zones, of `level` at most, that cover the lines from `start` up to `stop`.

    `start` must be the first line of a zone of `level`.
    """
    for below in range(level, -1, -1):
        size = ZONE**below
        yield from ((below, number) for number in range(start // size, stop // size))
        start = stop // size * size


def read_line(rows: Rows, tenant_id: str, account_id: str, number: int) -> Line:
    """Return a line that is known to exist."""
    row = rows.get(line_key(tenant_id, account_id, number))
    assert row is not None, f"line {number} of {tenant_id}/{account_id} is missing"
    return unpack_line(row)


def read_zone(rows: Rows, tenant_id: str, account_id: str, level: int, number: int) -> Zone:
    """Return a zone that is known to exist; that of a line for level 0."""
    if level == 0:
        return read_line(rows, tenant_id, account_id, number).zone
    row = rows.get(zone_key(tenant_id, account_id, level, number))
    assert row is not None, f"zone {level}/{number} of {tenant_id}/{account_id} is missing"
    return unpack_zone(row)
