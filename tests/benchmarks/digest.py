"""One line for a whole table, so that two processes can compare theirs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def digest_of(sums: Iterable[tuple[str, int]]) -> str:
    """Return a hash of (account, sum) pairs; their order does not matter."""
    lines = sorted(f"{account}={total}" for account, total in sums)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
