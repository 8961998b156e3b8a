"""Whether a result says whom it is about, what has caused it and when: what every event has.

Ids follow from the cause and from what a result is about (UUID of version 5), so a replay says the same.
"""

from __future__ import annotations

from typing import Any

from pipeline.verify.model.match_items import Say
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import cause_of, derived

BY_THE_MAKER = ("CorrectionProposed", "JournalSubmitted", "JournalReversed")
"""What is said in the name of who has suggested a correction."""
OWNER = ("tenant_id", "account_id")


def is_caused(cause: Record, said: Record) -> bool:
    """Whether an event names another one as its cause, and is of the same account and time."""
    event, fields = cause.fields, said.fields
    same = all(fields.get(name) == event[name] for name in (*OWNER, "occurred_at"))
    return same and fields.get("causation_id") == event["event_id"] and has_its_id(cause, said)


def has_its_id(cause: Record, said: Record) -> bool:
    """Whether the id of a result is the one that follows from its cause."""
    name = name_of(said.event or "", said.fields)
    return name is None or said.fields["event_id"] == derived(cause_of(cause), name)


def name_of(event: str, said: dict[str, Any]) -> str | None:
    """Return the name from which a result's id is derived; None: it is no result of reconciliation."""
    if event == "ItemMatched":
        place = f"{said['statement_id']}/{said['line_no']}"
        return f"item_matched/line/{said.get('line_id') or place}"
    if event == "PostingsNetted":
        return f"postings_netted/{said['posting_ids'][0]}"
    if event == "MatchSuggested":
        if said["posting_id"] is not None:
            return f"match_suggested/posting/{said['posting_id']}"
        return f"match_suggested/line/{said['statement_id']}/{said['line_no']}/{said['line_id'] or ''}"
    if event == "BreakActionRefused":
        return f"refused:{said['action']}"
    if event == "BreakChanged":
        return f"break_changed/{said['break_id']}/{said['change']}"
    named = {
        "BreakOpened": "break_opened",
        "BreakResolved": "break_resolved",
        "CorrectionProposed": "correction_proposed",
    }
    return f"{named[event]}/{said['break_id']}" if event in named else None


def check_envelope(cause: Record, said: Record, say: Say) -> None:
    """Check what a result has of its cause."""
    event, fields = cause.fields, said.fields
    if said.key != f"{event['tenant_id']}/{event['account_id']}".encode():
        say("envelope", f"{said.event} has the key {said.key!r}")
    if fields["correlation_id"] != event["correlation_id"]:
        say("envelope", f"{said.event} belongs to another transaction than its cause")
    is_by_cause = "actor" in fields and said.event not in BY_THE_MAKER
    if is_by_cause and fields["actor"] != event.get("actor"):
        say("envelope", f"{said.event} is by another one than its cause")
