"""Why an event of reconciliation-items is a dead letter: the contract's codes, in their order."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from pipeline.verify.model.match_defaults import TABLES
from pipeline.verify.model.match_weights import FalseWeights, read_weights
from pipeline.verify.model.wire import (
    BREAK_DECISIONS,
    ID_CHARS_MAX,
    MATCH_DECISIONS,
    STATEMENT_EVENTS,
    WEIGHTS,
    false_text,
    has_impossible_id,
)

AMOUNT_MAX = 2**61
ITEM_EVENTS = ("PostingRecorded", *STATEMENT_EVENTS)
OF_TIME = ("BranchTicked", "ReconciliationContinued", "RateQuoted", "JournalAnswered")
"""Events that other streams have checked."""
KNOWN = (*ITEM_EVENTS, *BREAK_DECISIONS, *MATCH_DECISIONS, *OF_TIME, WEIGHTS)
NAMES = ("tenant_id", "account_id", "currency")
AMOUNTS = ("amount_minor", "opening_balance_minor", "closing_balance_minor")
TEXTS = {"text": 2_000, "reason": 2_000, "assignee": 256}
"""Texts of people that must say something, and how long they may be."""
REFERENCE_MAX = 2_000
ITEMS_MAX = 100
WEIGHT_MAX = 60_000
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def flaw_of(name: str, event: dict[str, Any]) -> str | None:
    """Return the code that an event has by itself, whatever came before it."""
    if name not in KNOWN:
        return "unexpected_event"
    if name == WEIGHTS:
        return flaw_of_weights(event)
    if name in BREAK_DECISIONS or name in MATCH_DECISIONS:
        return flaw_of_action(event) or (flaw_of_match(event) if name in MATCH_DECISIONS else None)
    if name not in ITEM_EVENTS:
        return None
    texts = [event[one] for one in (*NAMES, "posting_id") if one in event]
    if not all(texts) or any("\0" in text for text in (*texts, event.get("statement_id", ""))):
        return "malformed_id"
    if any(abs(event[one]) > AMOUNT_MAX for one in AMOUNTS if one in event):
        return "overflow"
    return None


def flaw_of_number(event: dict[str, Any]) -> str | None:
    """Return the code of a number that is negative: of a line, or of lines."""
    for name in ("line_no", "line_count"):
        if event.get(name, 0) < 0:
            return f"{name}_must_not_be_negative"
    return None


def flaw_of_action(event: dict[str, Any]) -> str | None:
    """Return why what a person says is no decision."""
    if has_impossible_id(event):
        return "invalid_id"
    text = false_text(event)
    if text is not None:
        return text
    ids = [event.get(name) for name in ("break_id", "correction_id", "reverses")]
    if any(one is not None and not is_id(one) for one in ids):
        return "invalid_id"
    for name, most in TEXTS.items():
        given = event.get(name)
        if given is not None and (not given.strip() or len(given) > most or CONTROL.search(given)):
            return "invalid_text"
    reference = event.get("reference") or ""
    return "invalid_text" if len(reference) > REFERENCE_MAX or CONTROL.search(reference) else None


def flaw_of_match(event: dict[str, Any]) -> str | None:
    """Return why lines and postings are no match."""
    lines, postings = event["lines"], event["posting_ids"]
    if len(lines) > ITEMS_MAX or len(postings) > ITEMS_MAX or len(lines) + len(postings) < 2:
        return "invalid_match"
    if any(line["line_no"] < 0 for line in lines):
        return "line_no_must_not_be_negative"
    ids = [*postings, *(line["statement_id"] for line in lines)]
    ids += [line["line_id"] for line in lines if line["line_id"] is not None]
    if not all(map(is_id, ids)):
        return "invalid_id"
    named = {(line["statement_id"], line["line_no"], line["line_id"]) for line in lines}
    return "invalid_match" if len(named) < len(lines) or len(set(postings)) < len(postings) else None


def is_id(text: str) -> bool:
    """Whether a text names something."""
    return 0 < len(text) <= ID_CHARS_MAX and "\0" not in text


def flaw_of_weights(event: dict[str, Any]) -> str | None:
    """Return why published weights are none, but for features that another release may know."""
    text, sha256 = event["weights"], event["sha256"]
    if event["tenant_id"] != (event["of_tenant"] or "*"):
        return "wrong_tenant"
    if text is None:
        return None if sha256 is None else "wrong_hash"
    if hashlib.sha256(text.encode()).hexdigest() != sha256:
        return "wrong_hash"
    try:
        read_weights(text)
    except FalseWeights:
        return "invalid_weights"
    return None


def is_of_this_release(event: dict[str, Any]) -> bool:
    """Whether published weights have the features and buckets of the model's own release, within bounds."""
    if event["weights"] is None:
        return True
    weights = read_weights(event["weights"])
    shape = {name: len(table) for name, table in weights.tables.items()}
    if shape != {name: len(table) for name, table in TABLES.items()}:
        return False
    numbers = [one for table in weights.tables.values() for one in table]
    return all(abs(one) <= WEIGHT_MAX for one in [*numbers, *weights.thresholds])
