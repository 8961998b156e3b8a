"""Changes of accounts have one effect each: what is remembered of them is their event ids, for the window.

What never changes: an id that is known has no effect; a change that is refused leaves no id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pipeline.verify.model.ledger_books import Books
from pipeline.verify.model.wire import DAY_US, PAYMENT_EVENTS, row_key

SAYS = {
    "AccountLimitSet": (
        *("overdraft_limit_minor", "minimum_balance_minor", "maximum_balance_minor", "effective_at"),
    ),
    "AccountFrozen": ("side", "until"),
    "AccountUnfrozen": ("side",),
    "AccountClosed": (),
    "AccountReopened": (),
}
"""The fields of each change that have an effect."""
COMMANDS = {
    "AccountLimitSet": "account_limit_set",
    "AccountFrozen": "account_frozen",
    "AccountUnfrozen": "account_unfrozen",
    "AccountClosed": "account_closed",
    "AccountReopened": "account_reopened",
}
LOOKED_AT = 3
"""Ids of the account that a change looks at, to forget the old ones: what follows its own, then the first."""


class Change(NamedTuple):
    """A change that had its effect."""

    occurred_at: int
    command: str
    content: list[Any]


def one_effect(rule: Callable[[Any, dict[str, Any]], None]) -> Callable[[Any, dict[str, Any]], None]:
    """Return a rule for changes of accounts that has one effect for each event id."""

    def changed(branch: Books, event: dict[str, Any]) -> None:
        kind, account_id, event_id = branch.cause.event or "", event["account_id"], event["event_id"]
        # Version 1 of a limit knows an overdraft only.
        change = Change(event["occurred_at"], COMMANDS[kind], [event.get(name) for name in SAYS[kind]])
        about = {"command": change.command, "account_id": account_id}
        if (branch.witness is not None or branch.watermark is not None) and branch.too_old(
            change.occurred_at, PAYMENT_EVENTS, "CommandRefused", **about
        ):
            return branch.refuse(code="too_old", **about)
        ids = branch.changes.setdefault(branch.key("account_id"), {})
        known = ids.get(event_id)
        if known is not None and not forgotten(branch, known):
            same = known[1:] == change[1:]
            return branch.refuse(code="exists" if same else "exists_with_different_content", **about)
        before = len(branch.out)
        rule(branch, event)
        if any(one.event == "CommandRefused" for one in branch.out[before:]):
            return
        ids[event_id] = change
        branch.structure(row_key("e", *branch.key("account_id"), event_id), list(change))
        forget_some(branch, ids, event_id)

    return changed


def forgotten(branch: Books, change: Change) -> bool:
    """Whether a change is older than the ledger remembers."""
    return (
        branch.watermark is not None and branch.watermark - change.occurred_at > branch.window_days * DAY_US
    )


def forget_some(branch: Books, ids: dict[str, Change], event_id: str) -> None:
    """Forget old ids among the next ones of the account; after the last one comes the first."""
    if branch.watermark is None:
        return
    order = sorted(ids, key=str.encode)
    place = order.index(event_id) + 1
    looked_at = order[place : place + LOOKED_AT]
    looked_at += order[: LOOKED_AT - len(looked_at)]
    for name in dict.fromkeys(looked_at):
        if forgotten(branch, ids[name]):
            del ids[name]
            branch.row(row_key("e", *branch.key("account_id"), name), None)
