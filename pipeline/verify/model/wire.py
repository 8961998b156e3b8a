"""The wire contract, as the models know it: topics, event names, keys, ids, partitions, MessagePack.

What a model says must come out is an `Expected`; where a record may stand is `misplaced`'s to say.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from typing import Any, NamedTuple

from pipeline.verify.model.record import Record

DERIVED = bytes.fromhex("6f2a1f0e3d0b5a869a3c2f9b4c1d7e55")
"""The namespace of ids."""
LONG_MAX, LONG_MIN = 2**63 - 1, -(2**63)
DAY_US = 86_400_000_000

COMMANDS, POSTINGS, BALANCES, PAYMENT_EVENTS = "ledger-commands", "postings", "balances", "payment-events"
JOURNAL_EVENTS = "journal-events"
FRAUD_COMMANDS = "fraud-commands"
ITEMS, RESULTS = "reconciliation-items", "reconciliation-results"
POSITION_COMMANDS, POSITIONS = "position-commands", "positions"
ALERTS, DEAD_LETTERS = "fraud-alerts", "dead-letters"
PAYMENT_ALERTS = "payment-alerts"
HISTORY_ALERTS = "history-alerts"
INVARIANT_ALERTS, CLEARING_TOTALS = "invariant-alerts", "clearing-totals"
REQUESTS, REQUEST_RESULTS = "requests", "request-results"
PARTIES = "parties"

TABLE = "table"
"""Stands for the stream's table where a topic is asked for: its rows, as the changelog has them."""

UPSTREAM = (
    *("accounts", "payments", "journals", "approvals", "statements", "trades", "prices", "rates"),
    *("fraud-labels", "fraud-rules", "break-actions", "matching-rules", "requests"),
)
EVENT_BYTES_MAX = 2**18
"""Of an upstream's event."""
RULES_BYTES_MAX = 768 * 1024
"""Of an event of fraud-rules: a part of a model is longer than any other event."""
ID_CHARS_MAX = 256
NAMES = (
    *("tenant_id", "account_id", "debtor_account_id", "creditor_account_id", "payment_id"),
    *("capture_id", "journal_id", "confirmation_id", "reversal_id", "period_id", "link_id", "request_id"),
)
"""Ids that stand before another part of a key."""
IDS = (*NAMES, "event_id", "instrument_id", "trade_id", "statement_id", "proposal_id")

LAYOUT = 1
"""The first byte of rows of the first layout."""
SOURCE_OFFSET = b"\0source-offset"
"""The key of what is no row in a changelog: up to where its stream has applied its log, in digits."""
SOURCE_LOG = b"\0source-log"
"""As SOURCE_OFFSET: the log that it is of, where the stream read another one in an earlier version."""

ACCOUNT_EVENTS = (
    *("AccountOpened", "AccountLimitSet", "AccountClosed"),
    *("AccountReopened", "AccountFrozen", "AccountUnfrozen"),
)
PAYMENT_COMMANDS = (
    *("PaymentReviewed", "PaymentCancelled"),
    *("PaymentCaptured", "PaymentExtended", "PaymentReversed"),
)
"""What is said of a payment that was asked for."""
JOURNAL_COMMANDS = ("JournalSubmitted", "JournalConfirmed", "JournalVoided", "JournalReversed")
ASKS_FOR_JOURNALS = ("JournalSubmitted", "JournalReversed", "PaymentReversed")
CORRECTION = re.compile(r"correction-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-[1-9][0-9]{0,3}")
APPROVALS = ("ProposalApproved", "ProposalRejected")
"""What people decide about a command that needs two of them."""
JOURNAL_LEGS = ("JournalLegsRequested", "JournalLegsAnswered", "JournalLegsEnded")
"""What branches say to each other of a journal."""
LEGS = ("LegRequested", "LegPosted", "LegRefused", *JOURNAL_LEGS)
STATEMENT_EVENTS = ("StatementLine", "StatementClosed")
TRADE_EVENTS = ("TradeExecuted", "TradeSettled")
MATCH_DECISIONS = ("MatchConfirmed", "MatchRejected")
"""What people decide about items of reconciliation."""
BREAK_DECISIONS = (
    *("BreakAssigned", "BreakCommented", "BreakDisputed", "BreakReopened", "BreakWrittenOff"),
    *("CorrectionSuggested", "CorrectionApproved", "CorrectionRejected"),
)
"""What they decide about its breaks."""
BREAK_ACTIONS = (*BREAK_DECISIONS, *MATCH_DECISIONS)
WEIGHTS = "MatchingWeightsPublished"
OUTCOMES = (
    *("PaymentReserved", "PaymentSettled", "PaymentRejected", "PaymentFailed", "outcomes.PaymentCancelled"),
    *("PaymentExpired", "outcomes.PaymentCaptured", "outcomes.PaymentExtended"),
)
"""What the ledger says of a payment."""
PUBLICATIONS = {
    "FraudRulesPublished": "set_id",
    "FraudListPartPublished": "list_sha256",
    "FraudModelPublished": "role",
    "FraudModelPartPublished": "model_sha256",
}
"""What is published of fraud decisions, and what it is called as a cause."""
BROADCAST_ON = {
    "PriceQuoted": "prices",
    "PeriodClosed": "accounts",
    "RateQuoted": "rates",
    WEIGHTS: "matching-rules",
    **dict.fromkeys(PUBLICATIONS, "fraud-rules"),
}
"""The inputs of events that come to every partition of a log."""
MESSAGES = {
    "FundsReceived": ("payer_account_id", ["account_id", "payment_id"]),
    "PayeeFraudConfirmed": ("debtor_account_id", ["creditor_account_id", "payment_id"]),
    "PayeeRiskChanged": ("payee_account_id", ["payee_account_id"]),
}
"""What partitions of the fraud stream say to each other: whose says it, and what it is called as a cause."""
TO_ALL = ("PayeeRiskChanged",)
"""What one of them says to all."""
BROADCAST = (*BROADCAST_ON, *TO_ALL)
"""Events that come to every partition of a log; their key says nothing about the partition."""
BRANCH_EVENTS = ("PostingRecorded", "HoldRecorded", "BranchTicked")
"""Events that stand on the partition of their branch where they are about one of its own accounts."""
KEY_FIELD = {
    **dict.fromkeys((*ACCOUNT_EVENTS, *STATEMENT_EVENTS, *TRADE_EVENTS), "account_id"),
    **dict.fromkeys(("LegRequested", "PostingRecorded", "HoldRecorded"), "account_id"),
    **dict.fromkeys((*JOURNAL_COMMANDS, "JournalLegsRequested", "JournalLegsEnded"), "account_id"),
    **dict.fromkeys((*APPROVALS, "CommandProposed", "ProposalDecided"), "account_id"),
    "JournalLegsAnswered": "home_account_id",
    **dict.fromkeys(("PaymentInitiated", "PaymentsLinked", *PAYMENT_COMMANDS), "debtor_account_id"),
    **dict.fromkeys(
        ("PaymentDecided", "PaymentsLinkDecided", "LegPosted", "LegRefused"), "debtor_account_id"
    ),
    **dict.fromkeys(("PaymentScheduled", "PaymentScreened", *OUTCOMES), "debtor_account_id"),
    "CommandRefused": "account_id",
    "PriceQuoted": "instrument_id",
    "PeriodClosed": "period_id",
    **dict.fromkeys(("BranchTicked", "ReconciliationContinued", "JournalAnswered"), "account_id"),
    **dict.fromkeys(BREAK_ACTIONS, "account_id"),
    WEIGHTS: "tenant_id",
    "RateQuoted": "base_currency",
    "PaymentLabelled": "debtor_account_id",
    **dict.fromkeys(PUBLICATIONS, "tenant_id"),
    "FundsReceived": "account_id",
    "PayeeFraudConfirmed": "creditor_account_id",
    "PayeeRiskChanged": "payee_account_id",
    **dict.fromkeys(("RequestClaimed", "RequestSent"), "request_id"),
}
"""The second half of each event's record key; the first is the tenant."""

UNSAID: dict[str, dict[str, Any]] = {
    "PaymentScreened": {"hold_expires_at": None, "hold": None, "link_id": None},
    "JournalLegsRequested": {"payments": [], "room_for": None},
    "PostingRecorded": dict.fromkeys(
        (
            *("effective_at", "journal_id", "reverses", "reason", "purpose", "rate_e8", "asked_at"),
            *("lowest_balance_minor", "exchange"),
        )
    ),
    "CommandRefused": dict.fromkeys(
        (
            *("payment_id", "capture_id", "journal_id", "reversal_id", "account_sequence"),
            *("confirmation_id", "execute_at", "link_id"),
        )
    ),
    "outcomes.PaymentCancelled": {"execute_at": None},
    "PaymentRejected": {"account_sequence": None},
    "JournalUpdated": {"account_sequence": None, "confirmation_id": None, "execute_at": None},
    "JournalLegsEnded": {"legs": None, "final": None},
    "PaymentDecided": dict.fromkeys(
        (
            *("expected_sequence", "hold", "balancing", "creditor_currency", "rate_e8"),
            *("capture_tolerance_bp", "execute_at"),
        )
    ),
    "PaymentReserved": {"exchange": None},
    "PaymentSettled": {"exchange": None},
    "outcomes.PaymentCaptured": {"exchange": None},
    "LegRequested": {"exchange": None},
    "CommandProposed": dict.fromkeys(("payment_id", "journal_id", "reversal_id")),
    "ProposalDecided": dict.fromkeys(("reason", "payment_id")),
}
"""What an event holds where there is nothing to say, by its name."""


WITH_ACTOR = frozenset(
    {
        *("PostingRecorded", "HoldRecorded", "CommandRefused", "JournalUpdated"),
        *("CommandProposed", "ProposalDecided", "JournalAnswered"),
        *("PaymentDecided", "PaymentsLinkDecided", "PaymentScheduled", "PaymentScreened", *OUTCOMES, *LEGS),
    }
)
"""Events that name the actor of their cause."""
WITH_APPROVER = frozenset(
    {
        *("PostingRecorded", "CommandRefused", "JournalUpdated", "PaymentSettled", "PaymentFailed"),
        *LEGS,
    }
)
"""Events that name who has approved the command behind them."""
METADATA_EVENTS = (
    *("PaymentDecided", "PaymentsLinkDecided", "LegRequested", "JournalLegsEnded", "PostingRecorded"),
)


class Expected(NamedTuple):
    """A record that must come out. `fields` are those that are known; `value`, if given, is the bytes."""

    topic: str
    key: bytes
    event: str
    fields: dict[str, Any]
    source: int
    """Offset of the record that causes it."""
    value: bytes | None = None


@cache
def home_of(key: str, partitions: int) -> int:
    """Return the partition of a key: Kafka's murmur2 (32 bit, seed 0x9747b28c), the sign bit off, modulo."""
    data, mask, factor = key.encode(), 0xFFFFFFFF, 0x5BD1E995
    state = (0x9747B28C ^ len(data)) & mask
    for start in range(0, len(data), 4):
        chunk = data[start : start + 4]
        word = int.from_bytes(chunk, "little")
        if len(chunk) == 4:
            word = word * factor & mask
            word = (word ^ (word >> 24)) * factor & mask
            state = (state * factor & mask) ^ word
        else:
            state = (state ^ word) * factor & mask
    state = (state ^ (state >> 13)) * factor & mask
    return ((state ^ (state >> 15)) & 0x7FFFFFFF) % partitions


def misplaced(record: Record, partitions: int) -> str | None:
    """Return why no stream may apply a record: it is no event, or it stands where it does not belong."""
    bytes_max = RULES_BYTES_MAX if record.topic == "fraud-rules" else EVENT_BYTES_MAX
    if record.topic in UPSTREAM and len(record.value or b"") > bytes_max:
        return "too_large"
    if record.event is None:
        return record.fault
    if record.key is None:
        return "no_key"
    if record.event not in KEY_FIELD:
        return "unexpected_event"
    key = f"{record.fields['tenant_id']}/{record.fields[KEY_FIELD[record.event]]}"
    if record.key != key.encode():
        return "wrong_key"
    home = home_of(key, partitions)
    if record.event in BRANCH_EVENTS and record.fields["account_id"].startswith("$"):
        home = record.fields["branch"]
    if record.event not in BROADCAST and home != record.partition:
        return "wrong_partition"
    return None


def is_correction(journal_id: str | None) -> bool:
    """Whether a journal has the name of a correction of a break, which reconciliation alone gives."""
    return CORRECTION.fullmatch(journal_id or "") is not None


def corrects(name: str | None, event: dict[str, Any]) -> bool:
    """Whether an event asks for a journal, or for a reversal, that has the name of a correction."""
    asked = event.get("journal_id") if name == "JournalSubmitted" else event.get("reversal_id")
    return name in ASKS_FOR_JOURNALS and is_correction(asked)


def has_impossible_id(event: dict[str, Any]) -> bool:
    """Whether an upstream's event has an id that is empty, too long, or could be read as another one."""
    ids = [(name, event[name]) for name in IDS if event.get(name) is not None]
    if any(has_impossible_id(payment) for payment in event.get("payments") or ()):
        return True
    return any(
        not value or len(value) > ID_CHARS_MAX or "\0" in value or (name in NAMES and "/" in value)
        for name, value in ids
    )


def false_text(event: dict[str, Any]) -> str | None:
    """Return the code of an upstream's event whose actor or metadata is beyond the bounds."""
    actor, metadata = event.get("actor") or {}, event.get("metadata") or {}
    if any(text is not None and not _is_text(text, 1, 256) for text in actor.values()):
        return "invalid_actor"
    fits = all(_is_text(key, 1, 64) and _is_text(value, 0, 256) for key, value in metadata.items())
    return None if fits and len(metadata) <= 16 else "invalid_metadata"


def _is_text(text: str, least: int, most: int) -> bool:
    return least <= len(text) <= most and not any(ord(one) < 32 or ord(one) == 127 for one in text)


def end_of_hold(event: dict[str, Any]) -> int | None:
    """Return when the hold ends that an event asks for: the last moment of all if it has no end."""
    end: int | None = event.get("hold_expires_at")  # the first versions of events know no holds
    return LONG_MAX if end is None and event.get("hold") else end


def all_said(value: Any, always: tuple[str, ...] = ()) -> Any:
    """Return what a command that waits says; what is null is left out, unless it is said `always`."""
    if isinstance(value, list | tuple):
        return [all_said(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: all_said(one) for name, one in value.items() if one is not None or name in always}


def has_false_reference(event: dict[str, Any]) -> bool:
    """Whether a payment names a creditor reference that is none: ISO 11649, without spaces or small letters.

    RF, two check digits, up to 21 characters. The check digits are 98 less the remainder, by 97, of the
    characters and "RF00" as one number, a letter being two digits (A is 10).
    """
    text = event.get("creditor_reference")
    if text is None:
        return False
    digits, body = text[2:4], text[4:]
    allowed = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    if text[:2] != "RF" or not 1 <= len(body) <= 21 or not set(body) <= set(allowed):
        return True
    remainder = 0
    for character in body + "RF00":
        value = allowed.index(character)
        remainder = (remainder * (10 if value < 10 else 100) + value) % 97
    return bool(digits != f"{98 - remainder:02}")


def cause_of(cause: Record) -> str:
    """Return what an event is called as a cause; an event id alone may come for two things."""
    event, kind = cause.fields, cause.event or ""
    parts = {"PaymentCaptured": ["capture_id"], "PaymentReversed": ["reversal_id"]}
    if kind in MESSAGES:
        names = MESSAGES[kind][1]
    elif kind in PUBLICATIONS:
        names = [PUBLICATIONS[kind]]
    elif "debtor_account_id" in event:
        subject = "payment_id" if "payment_id" in event else "link_id"
        names = ["debtor_account_id", subject, *parts.get(kind, [])]
    else:
        subjects = ["trade_id", "statement_id"]
        if kind in (*JOURNAL_COMMANDS, *JOURNAL_LEGS, "JournalAnswered"):
            subjects = ["journal_id"]
        elif kind in BREAK_DECISIONS:
            subjects = ["break_id"]
        names = [KEY_FIELD[kind], *[name for name in subjects if name in event]]
        names += ["reversal_id"] if kind == "JournalReversed" else []
        names += ["proposal_id"] if kind in APPROVALS else []
        confirms = kind == "JournalConfirmed" and event.get("confirmation_id") is not None
        names += ["confirmation_id"] if confirms else []
    return "\0".join(event[name] for name in ("tenant_id", *names, "event_id"))


def derived(cause: str, name: str) -> str:
    """Return the id of an event that a cause gives rise to: a UUID of version 5 (RFC 9562)."""
    made = bytearray(hashlib.sha1(DERIVED + f"{cause}\0{name}".encode()).digest()[:16])
    made[6] = made[6] & 0x0F | 0x50
    made[8] = made[8] & 0x3F | 0x80
    text = made.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def row_key(family: str, *parts: str) -> bytes:
    """Return the key of a table row."""
    return "\0".join((family, *parts)).encode()


def has_false_tolerance(event: dict[str, Any]) -> bool:
    """Whether a payment may be captured beyond its amount where that cannot be: no hold, or out of bounds."""
    beyond = event.get("capture_tolerance_bp")
    if beyond is None:
        return False
    between = event.get("creditor_currency") not in (None, event["currency"])
    return beyond < 0 or beyond > 10_000 or end_of_hold(event) is None or between


def msgpack(value: Any) -> bytes:
    """Return None, a truth, a 64-bit integer, text, bytes, a list or dict as MessagePack, each shortest."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return msgpack_integer(value)
    if isinstance(value, dict):
        head = bytes([0x80 | len(value)]) if len(value) < 16 else b"\xde" + len(value).to_bytes(2, "big")
        return head + b"".join(msgpack(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        size = len(value)
        head = bytes([0x90 | size]) if size < 16 else b"\xdc" + size.to_bytes(2, "big")
        return head + b"".join(map(msgpack, value))
    raw: bytes = value.encode() if isinstance(value, str) else value
    if isinstance(value, str) and len(raw) < 32:
        return bytes([0xA0 | len(raw)]) + raw
    power = 0 if len(raw) < 1 << 8 else 1 if len(raw) < 1 << 16 else 2
    kind = (0xD9 if isinstance(value, str) else 0xC4) + power
    return bytes([kind]) + len(raw).to_bytes(1 << power, "big") + raw


def msgpack_integer(value: int) -> bytes:
    """Return an integer as MessagePack, unsigned where it can be; raise ValueError beyond 64 bits."""
    if -32 <= value < 128:
        return (value & 0xFF).to_bytes(1, "big")
    for power in range(4):
        bits = 8 << power
        if -(1 << (bits - 1)) <= value < 0:
            return bytes([0xD0 + power]) + value.to_bytes(bits // 8, "big", signed=True)
        if 0 <= value < 1 << bits:
            return bytes([0xCC + power]) + value.to_bytes(bits // 8, "big")
    raise ValueError("more than 64 bits")


class Dead(Exception):
    """The record is a dead letter; the argument is its code. Nothing has changed."""
