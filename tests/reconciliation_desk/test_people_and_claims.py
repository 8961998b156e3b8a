"""What people say of matches, with the desk's own claims."""

from __future__ import annotations

from functools import partial
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Arrival, Outbox
from pipeline.domain.kernel.rows import MemoryRows
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.desk import claims
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.people import decide_by_person
from pipeline.domain.reconciliation.desk.rejections import is_rejected
from pipeline.domain.reconciliation.desk.rows import CLAIMED, OPEN, Posting
from pipeline.domain.tenants.break_rules import BreakRules

DAY = 86_400_000_000
NOW = 50 * DAY


def apply(rows: MemoryRows, event: Any) -> list[Any]:
    """Apply a decision to an account, and return what is said."""
    account, out = AccountDesk(rows, "t", "a", 100 * DAY), Outbox()
    scope = Scope(event, NOW, rows, out, BreakRules(), 100 * DAY, account.end)
    claim, undo = partial(claims.claim, account, scope), partial(claims.undo, account, scope)
    decide_by_person(account, scope, event, Arrival(10**6 * DAY, 0, 1), claim, undo)
    account.close()
    return [said for _, _, said in out.items]


def test_a_match_is_confirmed_and_rejected_again() -> None:
    rows = MemoryRows()
    account = AccountDesk(rows, "t", "a", 100 * DAY)
    for name, amount in (("P1", 5), ("P2", -5)):
        account.write(Posting("t", "a", name, "EUR", amount, 3, 1, 9 * DAY, (), (name,)))
    account.close()
    about: dict[str, Any] = {
        "tenant_id": "t",
        "occurred_at": NOW,
        "correlation_id": "c",
        "causation_id": None,
        "account_id": "a",
        "lines": (),
        "posting_ids": ("P2", "P1"),
        "actor": ev.Actor("idp", "anna"),
    }
    (netted,) = apply(rows, ev.MatchConfirmed("e1", **about))
    assert (netted.posting_ids, netted.tier, netted.actor) == (("P1", "P2"), "PERSON", about["actor"])
    items = [AccountDesk(rows, "t", "a", DAY).item(b"o\0" + one) for one in (b"P1", b"P2")]
    assert [one.status for one in items if one is not None] == [CLAIMED, CLAIMED]
    (refused,) = apply(rows, ev.MatchConfirmed("e2", **about))
    assert refused.code == "already_matched"
    apply(rows, ev.MatchRejected("e3", **about))
    for one in (b"P1", b"P2"):
        item = AccountDesk(rows, "t", "a", DAY).item(b"o\0" + one)
        assert item is not None and (item.status, item.due_at) == (OPEN, NOW + DAY)
        assert is_rejected(item, [b"o\0P1", b"o\0P2"])
