"""What the rows of fa04242 have not, and today's rows of the same log have: kind by kind, field by field.

`as_kept_earlier` takes it away, so that everything else can be compared as it stands. What is in the fields
that it blanks is compared with the log itself (`test_earlier_fields.py`). Rows of fraud and reconciliation
are not here: their rules are others since (`test_earlier_fraud.py`, `test_earlier_items.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from pipeline.domain.ledger import holds, journals, limits, retention
from pipeline.domain.ledger import rows as ledger
from pipeline.domain.positions import rows as positions

Rows = dict[bytes, bytes]

NEW_KINDS = {
    "ledger": (
        "b"  # how an account was opened: a repeat of that is compared
        "e"  # the event ids of an account's changes: one effect each
        "mzW"  # what has ended, and when: rows of fa04242 were kept for ever
        "yo"  # open holds by account: in fa04242 what is due had no order but that of time
    ),
    # Queues of what is over, and when: rows of fa04242 were kept for ever.
    "lifecycle": "ef",
    "positions": "ef",
}
"""The families of kinds of rows that fa04242 did not have, by table."""


def new_rows(table: str, rows: Rows) -> set[bytes]:
    """Return the keys of rows of kinds that fa04242 did not have."""
    return {key for key in rows if chr(key[0]) in NEW_KINDS.get(table, "")}


def as_kept_earlier(table: str, rows: Rows) -> Rows:
    """Return rows, all in their newest layouts, without what fa04242 did not keep."""
    found = {}
    new = new_rows(table, rows)
    for key, row in rows.items():
        if key in new:
            continue
        earlier = _EARLIER_KEYS.get((table, key[:1]), bytes)(key)
        assert earlier not in found, "two rows of today are one row of fa04242"
        kept = _KEPT.get((table, key[:1]), _as_it_is)(key, row)
        if kept is not None:
            found[earlier] = kept
    return found


def _as_it_is(_: bytes, row: bytes) -> bytes:
    return row


def _payment(_: bytes, row: bytes) -> bytes:
    """Without what a repeat is compared with, when it counts, and when it has ended."""
    blank = dict.fromkeys(("hold_expires_at", "effective_at", "ended_at", "reversing"))
    return ledger.PAYMENT_ROW.pack(structs.replace(ledger.unpack_payment(row), payment_type="", **blank))


def _leg(_: bytes, row: bytes) -> bytes:
    """Without when it was asked for, and by which branch."""
    return ledger.LEG_ROW.pack(structs.replace(retention.unpack_leg(row), asked_at=None, home=None))


def _part(_: bytes, row: bytes) -> bytes:
    """Without when its home has last said something of it, and which branch that is."""
    known = structs.replace(journals.unpack_branch_legs(row), asked_at=None, home=None)
    return ledger.JOURNAL_PART_ROW.pack(known)


def _hold(_: bytes, row: bytes) -> bytes:
    """Without how its captures were asked for."""
    hold = holds.unpack_hold(row)
    hold.captures = [structs.replace(part, final=None, rest=None) for part in hold.captures]
    return ledger.HOLD_ROW.pack(hold)


def _journal(_: bytes, row: bytes) -> bytes:
    """Without how a reversal was asked for, when it counts, when its original does, and when it has ended."""
    blank = dict.fromkeys(("rest", "posted_at", "not_before", "ended_at", "reversing"))
    return ledger.JOURNAL_ROW.pack(structs.replace(journals.unpack_journal(row), **blank))


def _limits(_: bytes, row: bytes) -> bytes | None:
    """Without the time of the limit in effect: where none waited, fa04242 had no row."""
    known = limits.unpack_limits(row)
    return ledger.LIMIT_ROW.pack(structs.replace(known, since=None)) if known.waiting else None


def _trade(_: bytes, row: bytes) -> bytes:
    """Without the time of the trade."""
    return positions.pack_trade(positions.UNKNOWN_TIME, positions.trade_parts(row)[1])


_EARLIER_KEYS: dict[tuple[str, bytes], Callable[[bytes], bytes]] = {
    ("ledger", b"j"): lambda key: key.rpartition(b"\0")[0] if key.count(b"\0") == 3 else key,
    ("ledger", b"d"): lambda key: b"x" + key[1:],
}
"""Keys of the same things in fa04242: that of a journal did not name its account; family `x` is `d` today."""
_KEPT: dict[tuple[str, bytes], Callable[[bytes, bytes], bytes | None]] = {
    ("ledger", b"p"): _payment,
    ("ledger", b"l"): _leg,
    ("ledger", b"g"): _part,
    ("ledger", b"h"): _hold,
    ("ledger", b"j"): _journal,
    ("ledger", b"t"): _limits,
    ("positions", b"t"): _trade,
}
