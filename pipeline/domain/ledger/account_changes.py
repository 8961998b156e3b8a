"""One effect for each event id of a change of an account: limits, frozen sides, closing, opening again.

    row `e` NUL tenant NUL account NUL event id    when the change happened, and what it was

A change has no other id than its event's. An id is known for the window of the ledger; a change that is older
than that is refused, because its id may have been forgotten. A refused change is not remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.answers import refuse
from pipeline.domain.kernel.layouts import unpacker
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.ledger.not_yet import COMMANDS
from pipeline.domain.ledger.rows import CHANGE_ROW, read_watermark

Rule = Callable[[Any, Arrival, Rows, Outbox], None]

COMPARED: dict[type, tuple[str, ...]] = {
    ev.AccountLimitSet: (
        *("overdraft_limit_minor", "minimum_balance_minor", "maximum_balance_minor", "effective_at"),
    ),
    ev.AccountFrozen: ("side", "until"),
    ev.AccountUnfrozen: ("side",),
    ev.AccountClosed: (),
    ev.AccountReopened: (),
}
"""The fields that change the effect of each change, in the order of its row; new ones come at the end."""
FORGOTTEN_MAX = 3
"""The most old ids of an account that a change of it looks at, to forget them: more than it adds."""


class Change(msgspec.Struct, array_like=True, gc=False):
    """A change of an account that has had its effect."""

    occurred_at: int
    """Microseconds UTC."""
    command: str
    content: list[int | str | None]
    """The values of the fields in COMPARED; fewer where later versions compare more."""


unpack_change = unpacker(CHANGE_ROW, Change)
"""Return the change of a row. Raises UnreadableRow."""


def change_key(event: Any) -> bytes:
    """Return the row key of a change of an account."""
    return row_key(CHANGE_ROW.family, event.tenant_id, event.account_id, event.event_id)


def once(rule: Rule, window: int) -> Rule:
    """Return a rule for changes of accounts that takes each event id once.

    `window`: how long ids are remembered, microseconds of event time.
    """

    def apply(event: Any, at: Arrival, rows: Rows, out: Outbox) -> None:
        command, since = COMMANDS[type(event)], _since(rows, window)
        if since is not None and event.occurred_at < since:
            return refuse(out, event, command, event.account_id, None, "too_old")
        key, change = change_key(event), _change_of(event, command)
        row = rows.get(key)
        known = None if row is None else unpack_change(row)
        if known is not None and (since is None or known.occurred_at >= since):
            return refuse(out, event, command, event.account_id, None, _repeat_code(known, change))
        said = len(out.items)
        rule(event, at, rows, out)
        if not any(isinstance(one, ev.CommandRefused) for _, _, one in out.items[said:]):
            rows.put(key, CHANGE_ROW.pack(change))
            if since is not None:
                _forget(rows, key, since)

    return apply


def is_refused_as_known(event: Any, window: int, rows: Rows) -> bool:
    """Whether `once` refuses a change: its event id is known, or too old to be."""
    since, row = _since(rows, window), rows.get(change_key(event))
    if since is not None and event.occurred_at < since:
        return True
    return row is not None and (since is None or unpack_change(row).occurred_at >= since)


def _since(rows: Rows, window: int) -> int | None:
    """Return since when event ids are known, microseconds of event time; None: since ever."""
    watermark = read_watermark(rows)
    return None if watermark is None else watermark - window


def _change_of(event: Any, command: str) -> Change:
    return Change(event.occurred_at, command, [getattr(event, name) for name in COMPARED[type(event)]])


def _repeat_code(known: Change, change: Change) -> str:
    kept = zip(known.content, change.content, strict=False)
    same = known.command == change.command and all(before == now for before, now in kept)
    return "exists" if same else "exists_with_different_content"


def _forget(rows: Rows, key: bytes, since: int) -> None:
    """Delete ids of an account that happened before `since`: of those that follow a key, and of the first.

    A change looks at more ids than it adds, and begins where its own stands: so all of them get their turn.
    """
    prefix = key[: key.rindex(b"\0") + 1]
    found = [*islice(rows.scan(prefix, key), FORGOTTEN_MAX)]
    found += islice(rows.scan(prefix), FORGOTTEN_MAX - len(found))
    for old, row in found:
        if unpack_change(row).occurred_at < since:
            rows.delete(old)
