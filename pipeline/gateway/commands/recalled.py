"""What a command came to, by what stands in the tables: for a repeat whose decision was not heard here.

A gateway hears what is decided while it runs. A client may repeat a command for 90 days.
"""

from __future__ import annotations

from pipeline import events as ev
from pipeline.gateway.commands.decisions import Decision
from pipeline.gateway.door import Door
from pipeline.gateway.problems import Problem
from pipeline.gateway.views_client import fetch, worker_path
from pipeline.input_event import InputEvent

DECIDED = frozenset(
    {"settled", "rejected", "failed", "cancelled", "expired", "scheduled", "held"}  # payments
    | {"posted", "refused", "voided"}  # journals
)


async def recalled(door: Door, event: InputEvent) -> Decision | None:
    """Return how a payment or a journal stands, None where it is not decided or is of another kind."""
    if isinstance(event, ev.PaymentInitiated):
        path = worker_path("payments", event.tenant_id, event.payment_id)
    elif isinstance(event, ev.JournalSubmitted):
        path = worker_path("journals", event.tenant_id, event.journal_id)
    else:
        return None
    try:
        answer, _ = await fetch(door, path, {})
    except Problem:  # it is not there yet, or nobody answers: the first answer was that it is accepted
        return None
    row = answer["data"]
    state = str(row["state"]).lower()
    if state not in DECIDED:
        return None
    return Decision(state, row["code"] or "ok", event.event_id, 0, None)
