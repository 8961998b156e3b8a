"""Records made by hand, for the tests of the models and of the checker."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterable
from typing import Any

from pipeline.verify.model.ledger_proposals import ENVELOPE, bencode, said_of, snake
from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import DAY_US, KEY_FIELD

NOW_US = 1_790_000_000_000_000
Event = tuple[str, dict[str, Any]]
"""Short Avro name and fields."""


def envelope(event_id: str, **fields: Any) -> dict[str, Any]:
    """Return the fields of an event of `north`, now, that nothing has caused."""
    about = {"tenant_id": "north", "occurred_at": NOW_US, "correlation_id": "c", "causation_id": None}
    return {"event_id": event_id, **about, **fields}


def record(
    event: str,
    fields: dict[str, Any],
    offset: int = 0,
    partition: int = 0,
    topic: str = "",
    at_us: int = NOW_US,
) -> Record:
    """Return a record of an event; its key is what the wire contract says, its value stands for the bytes."""
    owner = fields.get(KEY_FIELD.get(event, ""), fields.get("account_id"))
    key = f"{fields['tenant_id']}/{owner}".encode()
    value = repr((event, sorted(fields.items()))).encode()
    return Record(topic, partition, offset, at_us // 1000, key, value, {}, event, fields, None)


def in_order(log: Iterable[Event], partition: int = 0, times_us: Iterable[int] = ()) -> list[Record]:
    """Return events as the records of one partition, with the times of Kafka that are given (else now)."""
    times = itertools.chain(times_us, itertools.repeat(NOW_US))
    return [
        record(event, fields, offset, partition, at_us=at_us)
        for offset, ((event, fields), at_us) in enumerate(zip(log, times, strict=False))
    ]


def chance(seed: int) -> random.Random:
    """Return a source of chance that is the same in every run."""
    return random.Random(f"chaos-{seed}")


# --- the ledger


def opened(account: str, balance: int = 0, limit: int | None = 0, **other: Any) -> Event:
    fields = {"account_type": "checking", "currency": "EUR", "initial_balance_minor": balance, **other}
    about = {"account_id": account, "overdraft_limit_minor": limit}
    return "AccountOpened", envelope(f"open {account}", **about, **fields)


def decided(
    payment: str, debtor: str, creditor: str, amount: int, outcome: str = "APPROVE", **other: Any
) -> Event:
    parties = {"debtor_account_id": debtor, "creditor_account_id": creditor, "reference": "r"}
    shared = {"payment_type": "transfer", **parties, **other}
    fields = {"amount_minor": amount, "currency": "EUR", "outcome": outcome, **shared}
    return "PaymentDecided", envelope(
        fields.pop("event_id", f"decide {payment}"), payment_id=payment, **fields
    )


def about(kind: str, payment: str, debtor: str = "alice", **other: Any) -> Event:
    event_id = other.pop("event_id", f"{kind} {payment}")
    return kind, envelope(event_id, payment_id=payment, debtor_account_id=debtor, **other)


# --- journals of many legs

Leg = tuple[str, str, int]
"""An account, a side (D or C) and an amount; in euros, of entry 0, where nothing else is said."""


def legs_of(*legs: Leg, **other: Any) -> list[dict[str, Any]]:
    """Return legs as events have them, numbered from 1."""
    blank = {"entry_no": 0, "currency": "EUR", "purpose": None, "rate_e8": None, **other}
    return [
        {
            "leg_no": number,
            "account_id": account,
            "side": {"D": "DEBIT", "C": "CREDIT"}[side],
            "amount_minor": amount,
        }
        | blank
        for number, (account, side, amount) in enumerate(legs, 1)
    ]


def submitted(journal: str, legs: list[dict[str, Any]], **other: Any) -> Event:
    """Return a journal of the first leg's account, to be posted at once."""
    fields = {
        "account_id": legs[0]["account_id"],
        "legs": legs,
        "reference": "r",
        "reason": None,
        "effective_at": None,
        "late": "REFUSE",
        "hold_expires_at": None,
        **other,
    }
    event_id = fields.pop("event_id", f"submit {journal}")
    return "JournalSubmitted", envelope(event_id, journal_id=journal, **fields)


def on_journal(kind: str, journal: str, account: str = "alice", **other: Any) -> Event:
    """Return a confirmation (JournalConfirmed) or a void (JournalVoided) of a held journal."""
    reason = {"reason": "why"} if kind == "JournalVoided" else {}
    event_id = other.pop("event_id", f"{kind} {journal}")
    return kind, envelope(event_id, journal_id=journal, account_id=account, **reason, **other)


def taken_back(journal: str, reversal: str, account: str = "alice", **other: Any) -> Event:
    fields = {"legs": [], "reason": "why", "effective_at": None, "late": "REFUSE", **other}
    event_id = fields.pop("event_id", f"take back {reversal}")
    about = {"journal_id": journal, "account_id": account, "reversal_id": reversal}
    return "JournalReversed", envelope(event_id, **about, **fields)


# --- commands of two people


def person(subject: str) -> dict[str, Any]:
    """Return an actor who has signed in."""
    signed_in = {"session_id": f"session of {subject}", "key_id": None, "roles_version": None}
    return {"issuer": "https://id.example", "subject": subject, **signed_in}


def approved(command: Event, actor: dict[str, Any]) -> Event:
    """Return the approval of a command that waits for a second person, as its content stands."""
    event, fields = command
    said = said_of({name: value for name, value in fields.items() if name not in ENVELOPE})
    whole = bencode({**said, "command": snake(event), "tenant_id": fields["tenant_id"]})
    about = {"account_id": fields[KEY_FIELD[event]], "proposal_id": fields["event_id"], "actor": actor}
    content_hash = hashlib.sha256(whole).hexdigest()
    event_id = f"approve {fields['event_id']}"
    return "ProposalApproved", envelope(event_id, content_hash=content_hash, **about)


# --- rates


def rated(base: str, quote: str, rate: float, **other: Any) -> Event:
    """Return a rate: so many units of `quote` for one of `base`, from its own time on."""
    fields = {"base_currency": base, "quote_currency": quote, "rate_e8": round(rate * 1e8)}
    fields |= {"effective_from": NOW_US, **other}
    return "RateQuoted", envelope(f"rate {base} {quote}", **fields)


# --- positions


def traded(trade_id: str, quantity: float, price: float, **other: Any) -> Event:
    """Return a trade of alice in whole units; a sale has a negative quantity."""
    fields = {
        "account_id": "alice",
        "instrument_id": "ACME",
        "side": "BUY" if quantity >= 0 else "SELL",
        "quantity_e8": abs(round(quantity * 1e8)),
        "price_e8": round(price * 1e8),
        "fee_minor": 1,
        "currency": "EUR",
    }
    return "TradeExecuted", envelope(
        other.pop("event_id", trade_id), trade_id=trade_id, **{**fields, **other}
    )


def quoted(event_id: str, price: float, **other: Any) -> Event:
    """Return a price in whole units."""
    fields = {"instrument_id": "ACME", "price_e8": round(price * 1e8), "currency": "EUR", **other}
    return "PriceQuoted", envelope(event_id, **fields)


def settled(trade_id: str, at: int = NOW_US, **other: Any) -> Event:
    fields = {"trade_id": trade_id, "account_id": "alice", "settled_at": at, **other}
    return "TradeSettled", envelope(f"settle {trade_id}", **fields)


# --- reconciliation


def posted(posting_id: str, amount: int, reference: str | None = None, **other: Any) -> Event:
    """Return a posting of `nostro`; a debit has a negative amount. Its entry is `entry <id>`."""
    fields = {
        "entry_id": f"entry {posting_id}",
        "payment_id": None,
        "account_id": "nostro",
        "account_type": "nostro",
        "side": "CREDIT" if amount >= 0 else "DEBIT",
        "amount_minor": abs(amount),
        "currency": "EUR",
        "account_sequence": 1,
        "balance_minor_after": 0,
        "booked_at": None,
        "held_minor_after": 0,
        "branch": 0,
        "reference": reference,
    }
    event_id = other.pop("event_id", posting_id)
    return "PostingRecorded", envelope(event_id, posting_id=posting_id, **{**fields, **other})


def stated(place: str, amount: int, reference: str | None = None, **other: Any) -> Event:
    """Return a line of `nostro`; `place` is its statement and its number, such as S/1."""
    statement_id, _, line_no = place.rpartition("/")
    at = other.get("occurred_at", NOW_US)
    fields = {
        "statement_id": statement_id,
        "account_id": "nostro",
        "line_no": int(line_no),
        "external_reference": reference,
        "amount_minor": amount,
        "currency": "EUR",
        "booked_at": at,
        "value_date": at // DAY_US,
        "description": "text",
    }
    return "StatementLine", envelope(other.pop("event_id", place), **{**fields, **other})


def closed(statement_id: str, opening: int, closing: int, lines: int, **other: Any) -> Event:
    fields = {
        "statement_id": statement_id,
        "account_id": "nostro",
        "currency": "EUR",
        "opening_balance_minor": opening,
        "closing_balance_minor": closing,
        "line_count": lines,
        "closed_at": other.get("occurred_at", NOW_US),
    }
    event_id = other.pop("event_id", f"close {statement_id}")
    return "StatementClosed", envelope(event_id, **{**fields, **other})
