"""Why an operator decides something: an option of each command that writes to operator-actions."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.problems import BadInput

REASON_MAX = 1_000
"""Characters."""

_OPTION = typer.Option("--reason", metavar="TEXT", help="Why; it is kept with the decision.")
Reason = Annotated[str, _OPTION]
OptionalReason = Annotated[str | None, _OPTION]


def reason_of(text: str) -> str:
    """Return a reason on one line. Raises BadInput where there is none, or too much of it."""
    reason = " ".join(text.split())
    if not reason or len(reason) > REASON_MAX or not reason.isprintable():
        raise BadInput(f"--reason needs from 1 to {REASON_MAX:,} printable characters")
    return reason
