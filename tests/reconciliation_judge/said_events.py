"""Results of a tale: matches, suggestions, breaks, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.verify.model.record import Record
from tests.reconciliation_judge.words import (
    DEFAULT,
    break_id,
    journal,
    legs_of,
    line_ref,
    named,
    options,
    person,
    record,
    weights_text,
)

NONE: Mapping[str, int] = {}


def result_of(cause: Record, words: list[str], amounts: Mapping[str, int] = NONE) -> Record:
    """Return a result of a record; `amounts`: of items by their names, which breaks of theirs are of."""
    kind, (plain, told) = words[0], options(words[1:])
    if kind == "break":
        told.setdefault("amount", str(amounts.get(plain[2].partition("#")[0], 0)))
    event, about = {
        "match": match_fields,
        "netted": netted_fields,
        "suggest": suggestion_fields,
        "break": break_fields,
        "resolved": resolved_fields,
        "changed": changed_fields,
        "proposed": proposed_fields,
        "journal": journal_fields,
        "reversal": reversal_fields,
        "refused": refused_fields,
    }[kind](plain, told)
    common = {name: cause.fields[name] for name in ("tenant_id", "account_id", "correlation_id")}
    common["causation_id"] = cause.fields["event_id"]
    about["occurred_at"] = cause.fields["occurred_at"]
    if kind == "proposed":
        about |= {name: cause.fields[name] for name in ("legs", "reason") if name in cause.fields}
    elif kind == "refused":
        about["correction_id"] = cause.fields.get("correction_id")
    topic = "ledger-commands" if kind in ("journal", "reversal") else "reconciliation-results"
    return record(topic, cause.offset, about["occurred_at"], event, {**common, **about})


def parts_of(text: str) -> list[dict[str, Any]]:
    pairs = [part.split(":") for part in text.split("+") if part]
    return [{"name": name, "score": int(score)} for name, score in pairs]


def match_fields(plain: list[str], told: dict[str, str]) -> tuple[str, dict[str, Any]]:
    tier = plain[0]
    lines = [line_ref(one) for one in plain[1:] if "/" in one]
    is_scored = tier == "SCORED"
    parts = told.get("parts", "amount:5000+days:1000" if is_scored else "")
    score = told.get("score", "6000" if is_scored else None)
    return "ItemMatched", {
        **lines[0],
        "posting_ids": [one for one in plain[1:] if "/" not in one],
        "tier": tier,
        "amount_minor": int(told["amount"]),
        "currency": "EUR",
        "other_lines": lines[1:] or None,
        "score": None if score is None else int(score),
        "parts": parts_of(parts) or None,
        "weights_sha256": named(weights_of(told)) if is_scored else None,
        "difference_minor": int(told["diff"]) if "diff" in told else None,
        "kind": told.get("kind"),
        "actor": None,
    }


def weights_of(told: dict[str, str]) -> str:
    """Return the text of the weights that are named: `weights=CONFIRM/SUGGEST`, or the default ones."""
    if "weights" not in told:
        return DEFAULT
    confirm, suggest = told["weights"].split("/")
    return weights_text(int(confirm), int(suggest))


def netted_fields(plain: list[str], told: dict[str, str]) -> tuple[str, dict[str, Any]]:
    about = {"amount_minor": int(told.get("amount", 0)), "currency": "EUR", "score": None, "actor": None}
    return "PostingsNetted", {"tier": plain[0], "posting_ids": plain[1:], **about}


def suggestion_fields(plain: list[str], told: dict[str, str]) -> tuple[str, dict[str, Any]]:
    about: dict[str, Any] = {"statement_id": None, "line_no": None, "line_id": None, "posting_id": None}
    about |= line_ref(plain[0]) if "/" in plain[0] else {"posting_id": plain[0]}
    candidates = []
    for one in plain[1:]:
        name, _, score = one.partition(":")
        is_line = "/" in name
        candidates.append(
            {
                "lines": [line_ref(name)] if is_line else [],
                "posting_ids": [] if is_line else [name],
                "score": int(score),
                "parts": [{"name": "amount", "score": int(score)}],
            }
        )
    return "MatchSuggested", {**about, "candidates": candidates, "weights_sha256": named(weights_of(told))}


def break_fields(plain: list[str], told: dict[str, str]) -> tuple[str, dict[str, Any]]:
    kind, name, about = plain[0], plain[1], plain[2]
    place: dict[str, Any] = {"statement_id": None, "line_no": None, "line_id": None, "posting_id": None}
    if "/" in about:
        place |= line_ref(about)
        if told.get("key") == "none":
            place["line_id"] = None
    elif told.get("of") == "statement":
        place["statement_id"] = about
    else:
        place["posting_id"] = about
    others = told["with"].split(",") if "with" in told else []
    return "BreakOpened", {
        **place,
        "break_id": break_id(name),
        "type": kind,
        "kind": kind,
        "amount_minor": int(told.get("amount", 0)),
        "currency": "EUR",
        "detail": "",
        "materiality": "NORMAL",
        "difference_minor": int(told["diff"]) if "diff" in told else None,
        "since": int(told["since"]) if "since" in told else None,
        "counterpart_lines": [line_ref(one) for one in others if "/" in one] or None,
        "counterpart_postings": [one for one in others if "/" not in one] or None,
    }


def resolved_fields(plain: list[str], told: dict[str, str]) -> tuple[str, dict[str, Any]]:
    journal_id = journal(told["journal"]) if "journal" in told else None
    return "BreakResolved", {"break_id": break_id(plain[0]), "resolution": plain[1], "journal_id": journal_id}


def changed_fields(plain: list[str], told: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """Return a change; `k1 of=b1/2`: of which correction, `code=`, `text=`: what is said of it."""
    return "BreakChanged", {
        "break_id": break_id(plain[0]),
        "change": plain[1],
        "status": plain[2],
        "correction_id": plain[3] if len(plain) > 3 else None,
        "journal_id": journal(told["of"]) if "of" in told else None,
        "text": told.get("text"),
        "code": told.get("code"),
        "assignee": None,
        "actor": None,
    }


def proposed_fields(plain: list[str], told: dict[str, str]) -> tuple[str, dict[str, Any]]:
    return "CorrectionProposed", {
        "break_id": break_id(plain[0]),
        "correction_id": plain[1],
        "journal_id": journal(told.get("of", f"{plain[0]}/1")),
        "amount_minor": int(plain[2]),
        "actor": person(plain[3]),
        "legs": legs_of([f"nostro:{plain[2]}", f"other:{-int(plain[2])}"]),
        "reverses": journal(told["reverses"]) if "reverses" in told else None,
        "write_off": "write_off" in told,
        "currency": "EUR",
    }


def journal_fields(plain: list[str], told: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """Return a journal that the ledger is asked for: `journal b1/1 nostro:-650 fees:650 by=anna`."""
    about = {"journal_id": journal(plain[0]), "legs": legs_of(plain[1:]), "actor": person(told["by"])}
    return "JournalSubmitted", about


def reversal_fields(plain: list[str], told: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """Return the reversal of one: `reversal b1/1 b1/2 by=anna`."""
    about = {"journal_id": journal(plain[0]), "reversal_id": journal(plain[1]), "legs": []}
    return "JournalReversed", {**about, "actor": person(told["by"])}


def refused_fields(plain: list[str], told: dict[str, str]) -> tuple[str, dict[str, Any]]:
    about = break_id(told["break"]) if "break" in told else None
    return "BreakActionRefused", {"action": plain[0], "code": plain[1], "break_id": about}
