"""Events of breaks as tales have them, and as the model has them; legs and journals of tales."""

from __future__ import annotations

import re
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.corrections import correction_name

LOOKED_AT = {
    "BreakOpened": ("break_id",),
    "BreakResolved": ("break_id", "resolution", "journal_id"),
    "BreakChanged": (
        *("break_id", "change", "status", "assignee", "correction_id", "journal_id", "text", "code"),
    ),
    "CorrectionProposed": ("correction_id", "journal_id", "write_off", "amount_minor"),
    "BreakActionRefused": ("action", "break_id", "code"),
}
"""The fields of each event that the model says."""


def show(event: Any, names: dict[str, str]) -> str:
    """Return an event as tales have it; `names`: short names of corrections, by their ids."""
    match event:
        case ev.BreakOpened():
            return f"opened {event.kind} {event.type} {event.materiality}"
        case ev.BreakChanged():
            who = f" by {event.assignee}" if event.assignee else ""
            why = f" {event.code}" if event.code else ""
            return f"{event.change}: {event.status}{who}{why}"
        case ev.BreakResolved():
            return f"resolved {event.resolution}"
        case ev.CorrectionProposed():
            return f"proposed {names[event.correction_id]} {event.amount_minor}"
        case ev.BreakActionRefused():
            return f"refused {event.code}"
        case ev.JournalSubmitted():
            legs = " ".join(map(show_leg, event.legs))
            return f"journal {short(event.journal_id)} {legs} for {event.actor.subject}"  # type: ignore[union-attr]
        case ev.JournalReversed():
            return f"reversal {short(event.reversal_id)} of {short(event.journal_id)}"
    raise TypeError(type(event).__name__)


def essence(event: Any) -> tuple[str, dict[str, Any]]:
    """Return an event as the model has it."""
    name = type(event).__name__
    if isinstance(event, ev.JournalSubmitted):
        legs = sorted((leg.account_id, signed(leg), leg.currency) for leg in event.legs)
        return name, {"journal_id": event.journal_id, "by": names_of(event), "legs": legs}
    if isinstance(event, ev.JournalReversed):
        ids = {"journal_id": event.journal_id, "reversal_id": event.reversal_id}
        return name, {**ids, "by": names_of(event)}
    return name, {field: getattr(event, field) for field in LOOKED_AT[name]}


def names_of(event: Any) -> tuple[str, str]:
    """Return who acts, as the model has it."""
    return event.actor.issuer, event.actor.subject


def break_id(name: str) -> str:
    """Return the id of a break of a tale: `b1`, `b2`, ..."""
    return f"{int(name[1:]):08}-0000-5000-8000-000000000000"


def leg_of(number: int, text: str) -> ev.JournalLeg:
    """Return a leg: `fees+350` credits 350 cents."""
    found = re.fullmatch(r"(.*?)([+-]\d+)([A-Z]{3})?", text)
    assert found is not None, text
    amount = int(found[2])
    return ev.JournalLeg(
        number, 1, found[1], "CREDIT" if amount > 0 else "DEBIT", abs(amount), found[3] or "EUR", None, None
    )


def signed(leg: ev.JournalLeg) -> int:
    """Return the amount of a leg, a credit is positive."""
    return leg.amount_minor if leg.side == "CREDIT" else -leg.amount_minor


def show_leg(leg: ev.JournalLeg) -> str:
    """Return a leg as tales have it."""
    return f"{leg.account_id}{'+' if leg.side == 'CREDIT' else '-'}{leg.amount_minor}"


def journal(text: str) -> str:
    """Return the id of a journal: `b1/2` is the second correction of a break."""
    name, _, number = text.partition("/")
    return correction_name(break_id(name), int(number)) if number else text


def short(journal_id: str) -> str:
    """Return a journal as tales have it."""
    _, first, *_, number = journal_id.split("-")
    return f"b{int(first)}/{number}"
