"""Records of the log of a tale: postings, lines, closings, weights, and what people do."""

from __future__ import annotations

from typing import Any

from pipeline.verify.model.record import Record
from tests.reconciliation_judge.words import (
    DAY,
    asked_ref,
    break_id,
    journal,
    legs_of,
    named,
    options,
    person,
    record,
    weights_text,
)

ACTIONS = {
    "confirm": "MatchConfirmed",
    "reject": "MatchRejected",
    "approve": "CorrectionApproved",
    "suggest": "CorrectionSuggested",
    "write-off": "BreakWrittenOff",
}


def event_of(number: int, day: int, words: list[str]) -> Record:
    """Return a record of the log, at noon of its day."""
    kind, (plain, told) = words[0], options(words[1:])
    at = day * DAY + DAY // 2
    fields: dict[str, Any] = {
        "event_id": f"e{number}",
        "tenant_id": "acme",
        "occurred_at": at,
        "correlation_id": "c",
        "causation_id": None,
        "account_id": "nostro",
    }
    if kind == "posting":
        event, about = "PostingRecorded", posting_fields(plain, told)
    elif kind == "line":
        event, about = "StatementLine", line_fields(day, plain, told)
    elif kind == "close":
        event, about = "StatementClosed", closing_fields(at, plain, told)
    elif kind == "weights":
        event, about = "MatchingWeightsPublished", weights_fields(plain, told)
    elif kind == "answered":
        event, about = (
            "JournalAnswered",
            {"journal_id": journal(plain[0]), "outcome": plain[1], "code": plain[2]},
        )
    elif kind in ("tick", "continued", "rate"):
        names = {"tick": "BranchTicked", "continued": "ReconciliationContinued", "rate": "RateQuoted"}
        event, about = names[kind], {}
    else:
        event, about = action_fields(kind, plain, told)
        fields["event_id"] = about.pop("event_id", fields["event_id"])
    return record("reconciliation-items", number, at, event, {**fields, **about})


def posting_fields(plain: list[str], told: dict[str, str]) -> dict[str, Any]:
    amount = int(plain[1])
    return {
        "posting_id": plain[0],
        "entry_id": f"entry-of-{plain[0]}",
        "payment_id": told.get("id"),
        "account_type": "nostro",
        "side": "CREDIT" if amount > 0 else "DEBIT",
        "amount_minor": abs(amount),
        "currency": plain[2] if len(plain) > 2 else "EUR",
        "reference": told.get("ref"),
        "journal_id": journal(told["journal"]) if "journal" in told else None,
        "reverses": journal(told["reverses"]) if "reverses" in told else None,
        "metadata": {"text": told["text"]} if "text" in told else None,
    }


def line_fields(day: int, plain: list[str], told: dict[str, str]) -> dict[str, Any]:
    place = asked_ref(plain[0])
    booked = int(told.get("booked", day))
    return {
        "statement_id": place["statement_id"],
        "line_no": place["line_no"],
        "external_reference": told.get("ref"),
        "amount_minor": int(plain[1]),
        "currency": plain[2] if len(plain) > 2 else "EUR",
        "booked_at": booked * DAY + DAY // 2,
        "value_date": int(told.get("value", booked)),
        "description": told.get("text", ""),
        "entry_kind": told.get("kind"),
        "original_currency": told.get("original"),
    }


def closing_fields(at: int, plain: list[str], told: dict[str, str]) -> dict[str, Any]:
    opening, closing = plain[1].split("->")
    return {
        "statement_id": plain[0],
        "currency": "EUR",
        "opening_balance_minor": int(opening),
        "closing_balance_minor": int(closing),
        "line_count": int(plain[2]),
        "closed_at": int(told["at"]) * DAY if "at" in told else at,
        "page": int(told["page"]) if "page" in told else None,
    }


def weights_fields(plain: list[str], told: dict[str, str]) -> dict[str, Any]:
    text = weights_text(int(told["confirm"]), int(told["suggest"]))
    return {
        "role": "LIVE",
        "of_tenant": plain[0] if plain else None,
        "weights": text,
        "sha256": told.get("named") or named(text),
        "effective_from": int(told["from"]) * DAY,
    }


def action_fields(name: str, plain: list[str], told: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """Return what a person does: confirm, reject, approve, suggest, write-off."""
    what, about = plain[0], plain[1:]
    fields: dict[str, Any] = {"actor": person(name)}
    if what in ("confirm", "reject"):
        fields["lines"] = [asked_ref(one) for one in about if "/" in one]
        fields["posting_ids"] = [one for one in about if "/" not in one]
        return ACTIONS[what], fields
    fields["break_id"] = break_id(about[0])
    if what == "approve":
        return ACTIONS[what], {**fields, "correction_id": about[1]}
    fields |= {"event_id": about[1], "reason": "why"}
    if what == "suggest":
        reverses = journal(told["reverses"]) if "reverses" in told else None
        fields |= {"legs": legs_of(about[2:]), "reference": "INV7", "reverses": reverses}
    return ACTIONS[what], fields
