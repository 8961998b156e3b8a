"""What the ledger tells reconciliation of corrections that it has asked for, where they are not posted.

    JournalUpdated REFUSED, CommandRefused (but exists)  -> REFUSED
    ProposalDecided REJECTED or EXPIRED                  -> REFUSED
    CommandProposed, CommandRefused awaits_approval      -> AWAITS_APPROVAL

From the contract: breaks/README.md, journal_answered. What is posted comes back as a posting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.verify.model.wire import ITEMS, Expected, derived, is_correction

COMMANDS = ("journal_submitted", "journal_reversed")
WAITS = "awaits_approval"
DECIDED = {"EXPIRED": "proposal_expired", "REJECTED": "already_decided"}
"""How a proposal has ended that was not approved, and the code that says so."""


def answers(said: Iterable[Expected]) -> Iterator[Expected]:
    """Yield what reconciliation is told, behind all that a command has come to."""
    for one in said:
        told = one.fields
        if one.event == "JournalUpdated" and told["state"] == "REFUSED":
            yield from answer(one, told["journal_id"], "REFUSED", told["code"])
        elif told.get("command") not in COMMANDS:
            continue
        elif one.event == "CommandRefused" and told["code"] != "exists":
            outcome = "AWAITS_APPROVAL" if told["code"] == WAITS else "REFUSED"
            yield from answer(one, told["reversal_id"] or told["journal_id"], outcome, told["code"])
        elif one.event == "CommandProposed":
            yield from answer(one, told["reversal_id"] or told["journal_id"], "AWAITS_APPROVAL", WAITS)


def answer_decided(decided: Expected, command: dict[str, Any]) -> Iterator[Expected]:
    """Yield what reconciliation is told of a command that nobody has approved."""
    outcome = decided.fields["outcome"]
    if outcome in DECIDED:
        name = command.get("reversal_id") or command.get("journal_id")
        yield from answer(decided, name, "REFUSED", DECIDED[outcome])


def answer(told: Expected, journal_id: str | None, outcome: str, code: str) -> Iterator[Expected]:
    """Yield the answer to a correction; nothing where a journal has another name."""
    if not is_correction(journal_id):
        return
    names = ("tenant_id", "occurred_at", "correlation_id", "causation_id", "account_id", "actor")
    fields = {
        **{name: told.fields[name] for name in names},
        "event_id": derived(told.fields["event_id"], "journal_answered"),
        "journal_id": journal_id,
        "outcome": outcome,
        "code": code,
    }
    yield Expected(ITEMS, told.key, "JournalAnswered", fields, told.source)
