"""Which check a problem belongs to that the judge of matching has found.

reconciliation-items, what it has caused -> model/match_branch.py -> (name, text) -> a check of the report
"""

from __future__ import annotations

CLAIMS = ("claimed twice", "unknown item", "continued twice")
BREAKS = (
    *("break opened twice", "break ended twice", "break of nothing", "break of a match", "break too early"),
    *("kind", "since", "resolution", "lost due item", "lost statement break", "false statement break"),
    *("false stale", "amount"),
)
CORRECTIONS = ("maker is checker", "program approves", "correction", "journal", "life of a break")

COUNTED = {
    **dict.fromkeys(("BreakOpened", "BreakResolved"), "breaks"),
    **dict.fromkeys(("BreakChanged", "CorrectionProposed", "BreakActionRefused"), "corrections"),
}
"""Results that are looked at by a check of their own, besides `matches`."""


def check_of_wrong(name: str) -> str:
    """Return the check of a problem by its name."""
    if name in CLAIMS:
        return "claims"
    if name in BREAKS:
        return "breaks"
    return "corrections" if name in CORRECTIONS else "matches"
