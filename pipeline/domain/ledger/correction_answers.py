"""What reconciliation is told of the corrections that it has asked for, where they are not posted.

    journal_updated REFUSED, command_refused (but `exists`), proposal_decided REJECTED or EXPIRED -> REFUSED
    command_proposed                                                                   -> AWAITS_APPROVAL

What is posted comes back as a posting. The name of a journal says which ones are corrections: upstreams may
not use such names (`domain/intake`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.corrections import parse_correction
from pipeline.domain.kernel.outbox import Outbox, derived_id

TOPIC = "reconciliation-items"
COMMANDS = ("journal_submitted", "journal_reversed")
"""What reconciliation asks for."""
REFUSED, AWAITS_APPROVAL = "REFUSED", "AWAITS_APPROVAL"
WAITS = "awaits_approval"
"""The result code of a command that is proposed already."""


def answer_corrections(said: Iterable[tuple[str, str, Any]], out: Outbox) -> None:
    """Tell reconciliation what the ledger says of corrections; `said`: outputs of one command."""
    for _, _, told in said:
        answer = _answer(told)
        if answer is not None:
            _tell(told, *answer, out)


def answer_decided(decided: ev.ProposalDecided, content: Mapping[str, Any], out: Outbox) -> None:
    """Tell reconciliation of a correction that nobody has approved; `content`: of the proposed command."""
    name = content.get("reversal_id") or content.get("journal_id")
    if name is not None and parse_correction(name) is not None:
        code = "proposal_expired" if decided.outcome == "EXPIRED" else "already_decided"
        _tell(decided, name, REFUSED, code, out)


def _tell(told: Any, journal_id: str, outcome: str, code: str, out: Outbox) -> None:
    """Tell reconciliation of one correction; `told`: what the ledger says of it, of the correction's home."""
    event = ev.JournalAnswered(
        derived_id(told.event_id, "journal_answered"),
        told.tenant_id,
        told.occurred_at,
        told.correlation_id,
        told.causation_id,
        told.account_id,
        journal_id,
        outcome,
        code,
        told.actor,
    )
    out.emit(TOPIC, f"{told.tenant_id}/{told.account_id}", event)


def _answer(told: Any) -> tuple[str, str, str] | None:
    """Return name, outcome and code of a correction that is not posted, or None of anything else."""
    kind = type(told)
    if kind is ev.JournalUpdated:
        name, outcome, code = told.journal_id, told.state, told.code
    elif kind is ev.CommandRefused and told.command in COMMANDS and told.code != "exists":
        name, code = told.reversal_id or told.journal_id, told.code
        outcome = AWAITS_APPROVAL if code == WAITS else REFUSED
    elif kind is ev.CommandProposed and told.command in COMMANDS:
        name, outcome, code = told.reversal_id or told.journal_id, AWAITS_APPROVAL, WAITS
    else:
        return None
    is_one = outcome in (REFUSED, AWAITS_APPROVAL) and parse_correction(name) is not None
    return (name, outcome, code) if is_one else None
