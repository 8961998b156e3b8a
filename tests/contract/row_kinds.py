"""What a sample of a kind of row is, and the golden files that keep the bytes of each layout.

A golden file is never rewritten: bytes that differ from it are rows that a later version could not read, and
not a stale file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pipeline.domain
from pipeline.domain.kernel.layouts import RowKind

GOLDEN = Path(__file__).parent / "golden_rows"
LOW, HIGH = -(2**63), 2**63 - 1
AT = 1_774_749_599_999_999
"""2026-03-29 01:59:59.999999 UTC."""


class Sample(NamedTuple):
    """Values of one kind of row, and what writes and reads them."""

    kind: RowKind
    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any]
    values: tuple[Any, ...]


def kinds() -> list[RowKind]:
    """Return every kind of row that a module of the domain declares."""
    found: dict[int, RowKind] = {}
    for module in pkgutil.walk_packages(pipeline.domain.__path__, "pipeline.domain."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, RowKind):
                found[id(value)] = value
    return sorted(found.values(), key=lambda kind: (kind.table, kind.name))


def golden_file(table: str, name: str, layout: int) -> Path:
    """Return where the golden rows of a layout are: one line of hex for each value of the sample."""
    return GOLDEN / f"{table}.{name.replace(' ', '_')}.{layout}.hex"


def golden_rows(table: str, name: str, layout: int) -> list[bytes]:
    """Return the golden rows of a layout."""
    return [bytes.fromhex(line) for line in golden_file(table, name, layout).read_text("ascii").splitlines()]


def only_there(kind: RowKind) -> Sample:
    """Return the sample of a row whose value nobody reads."""
    return Sample(kind, lambda _: kind.head, kind.current, (b"\x01",))
