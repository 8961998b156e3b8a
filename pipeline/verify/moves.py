"""Streams that read another log now than in an earlier version: up to where their heirs have not read it.

    fraud: payments up to N, then fraud-commands      intake-payments: payments from N on

`ledgerflow migrate` has written N to operator-actions. Whoever wrote another one there is found out: what the
heir has passed on, and what the stream has said, must then follow from other records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.verify.streams import READERS, STREAMS


def moves_of(actions: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], int]:
    """Return where heirs have begun, by log and partition. `actions`: the fields of operators' actions."""
    heirs = {one.earlier: READERS[one.earlier] for one in STREAMS if one.earlier is not None}
    return {
        (fields["topic"], fields["partition"]): fields["first_offset"]
        for fields in actions
        if fields["action"] == "OFFSETS_ADOPTED" and fields["subject"] in heirs.get(fields["topic"], ())
    }
