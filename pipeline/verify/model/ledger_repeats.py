"""What a known id is answered with: the first of `ORDER` in which a command differs from the first one.

From the contract: schemas/README.md, repeats.
"""

from __future__ import annotations

from typing import Any

ORDER = (
    *("link", "opening", "payments"),
    *("hold", "final", "target", "expiry", "debtor", "creditor", "legs", "amount", "reference", "reason"),
    *("currency", "rate", "type", "effective_time", "late_rule", "execution_time", "metadata"),
)


def answer(first: dict[str, Any], again: dict[str, Any]) -> str:
    """Return the code of a repeat; both say the same things of a command, by their names in `ORDER`."""
    assert first.keys() == again.keys() <= set(ORDER)
    differs = [name for name in ORDER if name in first and first[name] != again[name]]
    return f"exists_with_different_{differs[0]}" if differs else "exists"


def taken(said: Any, found: Any, wanted: Any) -> tuple[Any, Any]:
    """Return what two commands took of what was left, as far as it can be compared.

    `said`: what the first one said, `found`: what that came to, `wanted`: what the second one says. One that
    says nothing takes all that is left.
    """
    return (said, None) if wanted in (None, []) else (found, wanted)
