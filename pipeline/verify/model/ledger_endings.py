"""How long what has ended is known: payments and journals by the branch's time, legs by their home's.

    ended -> its key waits in the past of the branch, or of a home -> over -> it is forgotten

What never changes: what is over is unknown to every command, whether it was forgotten yet or not; what is
open is known however old it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pipeline.verify.model.retention import Ended
from pipeline.verify.model.wire import DAY_US, LAYOUT, LONG_MAX, home_of, msgpack, row_key

if TYPE_CHECKING:
    from pipeline.verify.model.ledger_books import Books

ENDS = ("SETTLED", "REJECTED", "FAILED", "CANCELLED", "EXPIRED", "POSTED", "REFUSED", "VOIDED")
"""The last states of payments, of links and of journals."""


def has_ended(
    branch: Books, key: bytes, state: str, reversing: int | None, ended_at: int | None
) -> int | None:
    """Return since when a payment, a link or a journal is over and done with, None while it is not."""
    if state not in ENDS or reversing:
        return None
    if ended_at is None and branch.watermark is not None:
        ended_at = branch.watermark
        note(branch, branch.past, ended_at, key)
    return ended_at


def ended_for(branch: Books, home: int, key: bytes) -> None:
    """Remember that what another branch has sent has ended, by the time that this branch tells."""
    event, recorded_at = branch.cause.fields, branch.cause.timestamp_ms * 1000
    past = branch.told.setdefault(home, Ended("mz", (str(home),)))
    note(branch, past, min(event["occurred_at"], recorded_at), key)


def note(branch: Books, past: Ended, at: int, key: bytes) -> None:
    for change in (*past.put(at, key), past.row()):
        branch.row(*change)


def sender(branch: Books) -> int:
    """Return the branch that has sent the present leg, or legs of a journal."""
    event = branch.cause.fields
    name = "debtor_account_id" if branch.cause.event == "LegRequested" else "home_account_id"
    return home_of(f"{event['tenant_id']}/{event[name]}", branch.partitions)


def comes_late(branch: Books) -> bool:
    """Whether what is asked for is so old, by its home's time, that it could have been forgotten."""
    past, asked_at = branch.told.get(sender(branch)), branch.cause.fields["occurred_at"]
    return past is not None and past.newest - asked_at > branch.keep_days * DAY_US


# --- what is over


def is_over(branch: Books, key: bytes) -> bool | None:
    """Whether something may be forgotten; None: it is not known, or has not ended."""
    family, tenant, *names = key.decode().split("\0")
    clock, at = branch.watermark, None
    if family == "p" and (tenant, names[0]) in branch.payments:
        at = branch.payments[tenant, names[0]].ended_at
    elif family == "j" and (tenant, names[1], names[0]) in branch.journals:
        at = branch.journals[tenant, names[1], names[0]].ended_at
    elif family == "k" and (tenant, *names) in branch.links:
        at = branch.links[tenant, names[0], names[1]].ended_at
    elif family == "l" and (tenant, names[0]) in branch.legs:
        at, home = branch.legs[tenant, names[0]]
        clock = branch.told[home].newest
    elif family == "g" and (tenant, names[0], names[1]) in branch.groups:
        group = branch.groups[tenant, names[0], names[1]]
        if group.home is not None and group.state != "HELD":
            at, clock = group.asked_at, branch.told[group.home].newest
    if at is None or clock is None:
        return None
    return clock - at > branch.keep_days * DAY_US


def drop(branch: Books, key: bytes) -> None:
    """Forget something, and what belongs to it."""
    family, tenant, *names = key.decode().split("\0")
    branch.row(key, None)
    if family == "p":
        payment = branch.payments.pop((tenant, names[0]))
        if branch.holds.pop((tenant, names[0]), None) is not None:
            branch.row(row_key("h", tenant, names[0]), None)
        if branch.taken_back.pop((tenant, names[0]), None) is not None:
            branch.row(row_key("r", tenant, names[0]), None)
        if branch.given_back.pop((tenant, names[0]), None) is not None and payment.exchange is not None:
            branch.row(row_key("r", tenant, names[0], payment.exchange.currency), None)
    elif family == "j":
        del branch.journals[tenant, names[1], names[0]]
        if branch.groups.pop((tenant, names[1], names[0]), None) is not None:
            branch.row(row_key("g", tenant, names[1], names[0]), None)
    elif family == "k":
        del branch.links[tenant, names[0], names[1]]
    elif family == "l":
        del branch.legs[tenant, names[0]]
    else:
        del branch.groups[tenant, names[0], names[1]]


def forget_named(branch: Books) -> None:
    """Forget what the present command names, where it is over."""
    event, kind = branch.cause.fields, branch.cause.event
    tenant = event["tenant_id"]
    if kind in ("LegRequested", "JournalLegsRequested"):
        key, at = row_key("l", tenant, event.get("leg_id", "")), None
        if kind == "LegRequested" and (tenant, event["leg_id"]) in branch.legs:
            at = branch.legs[tenant, event["leg_id"]][0]
        elif kind == "JournalLegsRequested":
            key = row_key("g", tenant, event["home_account_id"], event["journal_id"])
            group = branch.groups.get((tenant, event["home_account_id"], event["journal_id"]))
            at = None if group is None or group.state == "HELD" else group.asked_at
        # Later than the first one of that id: its home has forgotten that one, and this is another.
        if at is not None and (is_over(branch, key) or event["occurred_at"] > at):
            drop(branch, key)
        return
    for key in named(kind or "", event):
        if is_over(branch, key):
            drop(branch, key)


def named(kind: str, event: dict[str, Any]) -> Iterator[bytes]:
    """Yield the row keys of the payments, the link and the journals that a command names."""
    tenant = event["tenant_id"]
    if kind == "PaymentsLinkDecided":
        yield row_key("k", tenant, event["debtor_account_id"], event["link_id"])
        yield from (row_key("p", tenant, one["payment_id"]) for one in event["payments"][:100])
    elif kind.startswith("Payment"):
        yield row_key("p", tenant, event["payment_id"])
        if kind == "PaymentReversed":
            yield row_key("j", tenant, event["reversal_id"], event["debtor_account_id"])
    elif kind in ("JournalSubmitted", "JournalConfirmed", "JournalVoided", "JournalReversed"):
        yield row_key("j", tenant, event["journal_id"], event["account_id"])
        if kind == "JournalReversed":
            yield row_key("j", tenant, event["reversal_id"], event["account_id"])


def end_of_command(branch: Books) -> None:
    """Forget some of what is over, if enough has ended. A new table has nothing of earlier versions."""
    for past in (branch.past, *branch.told.values()):
        keys, changes = past.over(branch.keep_days * DAY_US)
        for key in dict.fromkeys(keys):
            over = is_over(branch, key)
            if over:
                drop(branch, key)
            elif over is not None:
                past.open.append(key)
        if changes:
            for change in (*changes, past.row()):
                branch.row(*change)
    if not branch.walked:
        branch.walked = True
        branch.row(row_key("W"), bytes([LAYOUT]) + msgpack([LONG_MAX, b""]))
