"""Results of the stream of an earlier version: they are taken as they were said.

That stream matched by reference, or by amount and date, and knew no kinds, no keys of lines and no lives of
breaks. Its items are open for the stream that has come after it, which takes them over at the next event of
their account: so they wait from their last event before that.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.verify.model.match_breaks import Break
from pipeline.verify.model.match_desk import Desk
from pipeline.verify.model.match_items import Item, Match
from pipeline.verify.model.record import Record

TIER = "EARLIER"


def is_earlier(desk: Desk, said: Record) -> bool:
    """Whether the stream of an earlier version has said a result."""
    fields = said.fields
    if said.event == "ItemMatched":
        is_bare = fields.get("line_id") is None and not fields.get("other_lines")
        return is_bare and fields["tier"] in ("AMOUNT_DATE", "REFERENCE")
    if said.event == "BreakResolved" and fields["break_id"] not in desk.lives.unknown:
        return False
    return said.event in ("BreakOpened", "BreakResolved") and fields.get("kind") is None


def take_earlier(desk: Desk, results: Sequence[Record]) -> None:
    """Take results of one event as they were said."""
    account = desk.account
    desk.is_waiting_for_its_turn = True
    desk.chain.is_judged = False
    for said in results:
        fields = said.fields
        if said.event == "ItemMatched":
            items = [account.line(fields), *map(account.postings.get, fields["posting_ids"])]
            known = tuple(item for item in items if item is not None)
            account.claim(Match(known, TIER))
            for item in known:
                item.ended_at = account.time
                desk.waiting.ended(item)
                desk.ended.append((account.time, item))
        elif said.event == "BreakOpened":
            open_earlier(desk, said)
        elif (found := desk.breaks.known.get(fields["break_id"])) is not None:
            found.is_open, found.ended_at = False, account.time
            if found.item is not None and found.item.break_id == fields["break_id"]:
                found.item.break_id = None
    for item in list(desk.waiting.until):
        desk.waiting.wait(account, item, account.time)


def open_earlier(desk: Desk, said: Record) -> None:
    """Take a break as it was said. What people do about it is not judged: what it is of, it does not say."""
    fields, account = said.fields, desk.account
    item: Item | None = None
    if fields["posting_id"] is not None:
        item = account.postings.get(fields["posting_id"])
    elif fields["line_no"] is not None:
        item = account.line(fields)
    name = fields["break_id"]
    found = Break(fields["type"], fields["statement_id"], fields["amount_minor"], 0, item, item is not None)
    shown = ("type", "amount_minor", "currency", "statement_id", "line_no", "posting_id", "detail")
    found.shown = {one: fields[one] for one in shown} | {"opened_at": fields["occurred_at"]}
    desk.breaks.known[name] = found
    desk.lives.unknown.add(name)
    if item is not None:
        item.break_id, item.has_ended = name, True
        desk.waiting.ended(item)
