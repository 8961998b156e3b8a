"""Payments with a time to be executed at: they wait in front of the decision, until their partition has it.

    initiated -> waits, and is known from then on -> its time has come -> screened and decided as of that time
              -> refused: it could not be known again, is too far away, its hold is over before it begins
    cancelled while it waits -> it never happens; its id stays known as long as any

What never changes: a payment that is due is executed before anything that concerns its debtor. Of the others
an event executes so many. From the contract: schemas/README.md, scheduled payments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.verify.model.ledger_repeats import answer
from pipeline.verify.model.wire import (
    DAY_US,
    LAYOUT,
    LONG_MAX,
    LONG_MIN,
    PAYMENT_EVENTS,
    all_said,
    end_of_hold,
    msgpack,
    row_key,
)

if TYPE_CHECKING:
    from pipeline.verify.model.fraud_log import FraudBranch

OTHERS_AT_ONCE = 100
"""What an event takes of what is due and none of its business."""
WAITING_MOST = 1_000
"""Payments of one debtor."""
AWAY_MOST_US = 400 * DAY_US
AHEAD_US = 300_000_000
"""The default of how far clocks may differ."""
FIELDS = (
    *("event_id", "tenant_id", "occurred_at", "correlation_id", "causation_id"),
    *("payment_id", "debtor_account_id", "creditor_account_id", "amount_minor", "currency", "payment_type"),
    *("reference", "channel", "device_id", "counterparty_country", "merchant_category"),
    *("creditor_reference", "remittance_text", "hold_expires_at", "actor", "metadata", "compliance_score"),
    *("fees_charged_minor", "exchange_rate_e8", "settlement_date", "regulatory_reporting_required"),
    *("expected_sequence", "hold", "balancing", "creditor_currency", "rate_e8"),
    *("capture_tolerance_bp", "execute_at"),
)
"""A payment as it is kept: all that is said of it, in this order."""
SAID_BY_SETTINGS = ("not_yet", "too_old")
Names = tuple[str, str]
"""Tenant and payment."""


@dataclass
class Waits:
    """A payment that waits, or waited until it was cancelled."""

    event: dict[str, Any]
    cancelled_us: int | None = None

    @property
    def compared(self) -> dict[str, Any]:
        return compared(self.event)

    def row(self) -> bytes:
        kept = {name: self.event.get(name) for name in FIELDS}
        return bytes([LAYOUT]) + msgpack([all_said(kept, ("causation_id",)), self.cancelled_us])


@dataclass
class Calendar:
    """What is to come on a partition."""

    now: int = LONG_MIN
    look_at: int = LONG_MAX
    """Nothing is due before."""
    known: dict[Names, Waits] = field(default_factory=dict)
    entries: dict[bytes, tuple[int, str, str, str]] = field(default_factory=dict)
    """By the key of their rows: time, tenant, debtor, payment."""
    of_debtor: dict[Names, set[tuple[int, str]]] = field(default_factory=dict)
    """By tenant and debtor: time and payment."""

    def row(self) -> bytes:
        numbers = (self.now, self.look_at)
        return bytes([LAYOUT]) + b"".join(number.to_bytes(8, "big", signed=True) for number in numbers)


def compared(event: dict[str, Any]) -> dict[str, Any]:
    """Return what a payment that comes again has to have in common with the first one."""
    end, other = end_of_hold(event), event.get("creditor_currency")
    return {
        "hold": (end is not None, event.get("capture_tolerance_bp") or None),
        "expiry": end,
        "debtor": event["debtor_account_id"],
        "creditor": event["creditor_account_id"],
        "amount": (event["amount_minor"], bool(event.get("balancing"))),
        "reference": event["reference"],
        "currency": (event["currency"], None if other == event["currency"] else other),
        "rate": event.get("rate_e8"),
        "type": event["payment_type"],
        "execution_time": event.get("execute_at"),
        "metadata": event.get("metadata"),
    }


def entry_key(time: int, *names: str) -> bytes:
    return row_key("x", f"{time + 2**63:020d}", *names)


def enter(branch: FraudBranch, time: int, tenant: str, debtor: str, payment: str, waits: bool) -> None:
    calendar = branch.calendar
    calendar.entries[entry_key(time, tenant, debtor, payment)] = time, tenant, debtor, payment
    branch.row(entry_key(time, tenant, debtor, payment), bytes([LAYOUT]))
    calendar.look_at = min(calendar.look_at, time)
    if waits:
        calendar.of_debtor.setdefault((tenant, debtor), set()).add((time, payment))
        branch.row(row_key("y", tenant, debtor, f"{time + 2**63:020d}", payment), bytes([LAYOUT]))
        count(branch, tenant, debtor)


def strike(branch: FraudBranch, time: int, tenant: str, debtor: str, payment: str, waits: bool) -> None:
    calendar = branch.calendar
    del calendar.entries[entry_key(time, tenant, debtor, payment)]
    branch.row(entry_key(time, tenant, debtor, payment), None)
    if waits:
        calendar.of_debtor[tenant, debtor].remove((time, payment))
        branch.row(row_key("y", tenant, debtor, f"{time + 2**63:020d}", payment), None)
        count(branch, tenant, debtor)


def count(branch: FraudBranch, tenant: str, debtor: str) -> None:
    waiting = len(branch.calendar.of_debtor[tenant, debtor])
    row = bytes([LAYOUT]) + waiting.to_bytes(8, "big") if waiting else None
    branch.row(row_key("o", tenant, debtor), row)


def reach(branch: FraudBranch, event: dict[str, Any]) -> None:
    """Move time to an event, and let happen what is due before it."""
    calendar, tenant = branch.calendar, event["tenant_id"]
    calendar.now = max(calendar.now, min(event["occurred_at"], branch.cause.timestamp_ms * 1000))
    if not calendar.look_at <= calendar.now or calendar.look_at == LONG_MAX:
        return
    concerned = [event["debtor_account_id"]] if "debtor_account_id" in event else []  # none of a tick
    for payment in event.get("payments", [event] if concerned else []):
        namesake = calendar.known.get((tenant, payment["payment_id"]))
        if namesake is not None and namesake.cancelled_us is None:
            concerned.append(namesake.event["debtor_account_id"])
    for debtor in dict.fromkeys(concerned):
        for time, payment in sorted(calendar.of_debtor.get((tenant, debtor), ())):
            if time <= calendar.now:
                happen(branch, time, tenant, debtor, payment)
    for key in sorted(calendar.entries)[:OTHERS_AT_ONCE]:
        if calendar.entries[key][0] <= calendar.now:
            happen(branch, *calendar.entries[key])
    calendar.look_at = calendar.entries[min(calendar.entries)][0] if calendar.entries else LONG_MAX


def happen(branch: FraudBranch, time: int, tenant: str, debtor: str, payment: str) -> None:
    """Execute a payment, or forget one that was cancelled."""
    known = branch.calendar.known.get((tenant, payment))
    waits = (time, payment) in branch.calendar.of_debtor.get((tenant, debtor), ())
    strike(branch, time, tenant, debtor, payment, waits)
    if known is not None and (waits or is_over(branch, known)):
        del branch.calendar.known[tenant, payment]
        branch.row(row_key("s", tenant, payment), None)
    if known is not None and waits:
        with branch.caused_by(known.event | {"occurred_at": time}) as command:
            branch.decide_now(command, time)


def is_over(branch: FraudBranch, known: Waits) -> bool:
    window_us = branch.window_days * DAY_US
    return known.cancelled_us is not None and branch.calendar.now - known.cancelled_us > window_us


def known_here(branch: FraudBranch, event: dict[str, Any]) -> Waits | None:
    """Return the payment of an event's id, if it waits or may still be asked about."""
    if branch.calendar.look_at == LONG_MAX:
        return None
    known = branch.calendar.known.get((event["tenant_id"], event["payment_id"]))
    return None if known is None or is_over(branch, known) else known


def waits_or_is_refused(branch: FraudBranch, event: dict[str, Any]) -> bool:
    """Let a payment wait, or refuse it; False: it is to be decided now."""
    known, time, now = known_here(branch, event), event.get("execute_at"), branch.calendar.now
    if known is not None:
        code = answer(known.compared, compared(event))
        branch.refuse(code, known.event["execute_at"])
        return True
    if time is None or time <= now or time <= event["occurred_at"] or branch.was_decided(event):
        return False
    refused = why_not(branch, event)
    if refused is not None:
        branch.refuse(refused, time)
        return True
    tenant, debtor, payment = (event[name] for name in ("tenant_id", "debtor_account_id", "payment_id"))
    branch.calendar.known[tenant, payment] = waits = Waits(event)
    branch.row(row_key("s", tenant, payment), waits.row())
    enter(branch, time, tenant, debtor, payment, waits=True)
    names = ("payment_id", "debtor_account_id", "creditor_account_id", "amount_minor", "currency")
    said = {name: event[name] for name in names} | {"execute_at": time}
    said |= {name: event.get(name) for name in ("hold_expires_at", "hold")}
    branch.say(PAYMENT_EVENTS, debtor, "PaymentScheduled", branch.id_of("payment_scheduled"), **said)
    return True


def why_not(branch: FraudBranch, event: dict[str, Any]) -> str | None:
    """Return the first reason for which a payment may not wait."""
    now, time, occurred = branch.calendar.now, event["execute_at"], event["occurred_at"]
    if branch.witness is not None:
        about = {"payment_id": event["payment_id"], "command": "payment_initiated"}
        by_settings = branch.said_code(SAID_BY_SETTINGS, PAYMENT_EVENTS, "CommandRefused", **about)
        if by_settings is not None:
            return by_settings
    elif occurred - branch.cause.timestamp_ms * 1000 > AHEAD_US:
        return "not_yet"
    elif now - occurred > branch.window_days * DAY_US:
        return "too_old"
    if time == LONG_MAX or time - now > AWAY_MOST_US:
        return "too_far_ahead"
    if event.get("hold_expires_at") is not None and event["hold_expires_at"] <= time:
        return "expired"
    waiting = branch.calendar.of_debtor.get((event["tenant_id"], event["debtor_account_id"]), ())
    return "too_many_scheduled" if len(waiting) >= WAITING_MOST else None


def answered_here(branch: FraudBranch, event: dict[str, Any]) -> bool:
    """Apply a command about a payment that waits, or did; False: it is none of this debtor."""
    known, tenant, debtor = known_here(branch, event), event["tenant_id"], event["debtor_account_id"]
    if known is None or known.event["debtor_account_id"] != debtor:
        return False
    payment, name = event["payment_id"], branch.cause.event or ""
    command = "payment_" + name.removeprefix("Payment").lower()
    time = known.event["execute_at"]
    if known.cancelled_us is None and name == "PaymentCancelled":
        strike(branch, time, tenant, debtor, payment, waits=True)
        known.cancelled_us = branch.calendar.now
        branch.row(row_key("s", tenant, payment), known.row())
        until = min(branch.calendar.now + branch.window_days * DAY_US + 1, LONG_MAX - 1)
        enter(branch, until, tenant, debtor, payment, waits=False)
        names = ("payment_id", "debtor_account_id", "creditor_account_id", "amount_minor", "currency")
        said = {one: known.event[one] for one in names} | {"code": "cancelled", "execute_at": time}
        said_id = branch.id_of("payment_cancelled")
        branch.say(PAYMENT_EVENTS, debtor, "outcomes.PaymentCancelled", said_id, **said)
        return True
    code = "payment_scheduled"
    if known.cancelled_us is not None:
        code = "not_settled" if name == "PaymentReversed" else "already_failed"
    about: dict[str, Any] = {"command": command, "account_id": debtor, "payment_id": payment, "code": code}
    about |= {one: event[one] for one in ("capture_id", "reversal_id") if one in event}
    said_id = branch.id_of(f"refused:{command}")
    branch.say(PAYMENT_EVENTS, debtor, "CommandRefused", said_id, **about, execute_at=time)
    return True
