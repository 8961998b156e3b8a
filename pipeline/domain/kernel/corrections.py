"""Names of journals that correct a break of reconciliation.

    correction-<break id>-<number>

The ledger tells by the name which journals it has to answer to reconciliation; reconciliation tells by it
which break and which of its corrections a posting or an answer is about.
"""

from __future__ import annotations

import re

CORRECTION_PREFIX = "correction-"
_NAME = re.compile(CORRECTION_PREFIX + r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-([1-9][0-9]{0,3})")


def correction_name(break_id: str, number: int) -> str:
    """Return the journal_id of a correction; `number`: 1, 2, ... of its break."""
    return f"{CORRECTION_PREFIX}{break_id}-{number}"


def parse_correction(journal_id: str | None) -> tuple[str, int] | None:
    """Return break and number of a correction by its journal_id, or None of another journal."""
    found = None if journal_id is None else _NAME.fullmatch(journal_id)
    return None if found is None else (found[1], int(found[2]))
