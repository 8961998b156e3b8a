"""The answer to a command that has no effect: `command_refused` on payment-events."""

from __future__ import annotations

from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Outbox, envelope


def refuse(
    out: Outbox,
    cause: Any,
    command: str,
    account_id: str,
    payment_id: str | None,
    code: str,
    *,
    capture_id: str | None = None,
    journal_id: str | None = None,
    reversal_id: str | None = None,
    confirmation_id: str | None = None,
    account_sequence: int | None = None,
    execute_at: int | None = None,
    link_id: str | None = None,
    part: int | None = None,
) -> None:
    """Emit command_refused for `cause`; `command` is its name, `code` the result code.

    `execute_at`: of a payment that waits, or may not, its time, microseconds UTC.
    `part`: the place of what is refused in a command that has several such answers.
    """
    out.emit(
        "payment-events",
        f"{cause.tenant_id}/{account_id}",
        ev.CommandRefused(
            *envelope(cause, f"refused:{command}" if part is None else f"refused:{command}:{part}"),
            command,
            account_id,
            payment_id,
            code,
            capture_id=capture_id,
            journal_id=journal_id,
            reversal_id=reversal_id,
            actor=cause.actor,
            account_sequence=account_sequence,
            confirmation_id=confirmation_id,
            execute_at=execute_at,
            link_id=link_id,
        ),
    )
