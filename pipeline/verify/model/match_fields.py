"""Whether what a result says besides is what its subject says: fields that follow from others.

Not judged: words (`detail`), what a tenant finds large (`materiality`), from when on a break of a statement
counts.
"""

from __future__ import annotations

from typing import Any

from pipeline.verify.model.match_items import Item, Say

TYPES = (
    *("MISSING_INTERNAL", "MISSING_EXTERNAL", "AMOUNT", "DUPLICATE"),
    *("OPENING_BALANCE", "CLOSING_BALANCE", "SEQUENCE_GAP"),
)
"""Kinds that are types, too: those that readers of version 1 know."""
OF_STATEMENTS = ("line_id", "counterpart_lines", "counterpart_postings", "difference_minor")
"""What a break of a statement does not have."""
UNSCORED = ("REFERENCE", "PERSON", "CORRECTION")
MATCH_CODES = (
    *("item_not_found", "already_matched", "match_not_found", "correction_pending"),
    *("actor_required", "too_old"),
)
"""Why a decision on a match is refused."""


def check_opened(said: dict[str, Any], is_of_item: bool, say: Say) -> None:
    """Check a break that was opened."""
    kind = said.get("kind") or said["type"]
    if kind in TYPES and said["type"] != kind:
        say("kind", f"{kind} has the type {said['type']}")
    has = [name for name in OF_STATEMENTS if said.get(name)]
    if not is_of_item and has and said["line_no"] is None:
        say("kind", f"{kind} of a statement has {has[0]}")


def check_resolved(said: dict[str, Any], opened: dict[str, Any], say: Say) -> None:
    """Check that a break ends as it was opened."""
    for name in ("type", "kind", "statement_id", "posting_id", "line_no"):
        if name in said and name in opened and said[name] != opened[name]:
            say("resolution", f"its {name} is {said[name]!r}, it was opened with {opened[name]!r}")
    if said.get("journal_id") is not None and said["resolution"] not in ("corrected", "written_off"):
        say("resolution", f"{said['resolution']} by a journal")


def check_matched(said: dict[str, Any], items: tuple[Item, ...], say: Say) -> None:
    """Check what a match says of its items."""
    lines = [item for item in items if item.is_line] or list(items)
    if lines and said["currency"] != lines[0].currency:
        say("currencies", f"{lines[0].name} is of {lines[0].currency}, the match says {said['currency']}")
    if said["tier"] in UNSCORED and said.get("parts"):
        say("score", f"{said['tier']} has parts of a score")
    if said["tier"] == "REFERENCE" and (said.get("difference_minor") or said.get("kind")):
        say("difference", "a clean reference differs in nothing")
    if said.get("kind") not in (None, "FEE"):
        say("difference", f"{said['kind']} is no difference of a match")


def check_refused(name: str, event: dict[str, Any], said: dict[str, Any], say: Say) -> None:
    """Check what the refusal of a decision names."""
    for field in ("break_id", "correction_id"):
        if said.get(field) != event.get(field):
            say("refusal", f"its {field} is {said.get(field)!r}, refused is {event.get(field)!r}")
    if name in ("MatchConfirmed", "MatchRejected") and said["code"] not in MATCH_CODES:
        say("refusal", f"{said['code']} is no reason to refuse {name}")


def check_proposed(event: dict[str, Any], said: dict[str, Any], currency: str, say: Say) -> None:
    """Check that a correction waits as it was suggested."""
    wanted = {"reason": event["reason"], "currency": currency, "actor": event["actor"]}
    wanted["reverses"] = event.get("reverses")
    if "legs" in event:
        wanted["legs"] = event["legs"]
    for name, value in wanted.items():
        if listed(said.get(name)) != listed(value):
            say("correction", f"its {name} is not what was suggested")


def listed(value: Any) -> Any:
    """Return a value with lists in the place of tuples."""
    return list(value) if isinstance(value, tuple) else value
