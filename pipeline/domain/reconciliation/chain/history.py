"""The chain of an account's statements in a currency: closed statements take their places in it.

The whole chain that is remembered is judged anew, so that a late statement between two others, or before all
of them, gives what it would have given in time.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.domain.reconciliation.chain.findings import (
    GAP,
    STALE,
    STATEMENT_ARRIVED,
    ChainRows,
    Finding,
    Moment,
    Outcome,
    Resolved,
    Work,
    day_of,
)
from pipeline.domain.reconciliation.chain.instances import SOUND, is_complete, name_of, standing
from pipeline.domain.reconciliation.chain.judging import judge
from pipeline.domain.reconciliation.chain.rhythm import stale_at
from pipeline.domain.reconciliation.chain.rows import LINKS_MAX, History, Instance, Link, history_key
from pipeline.domain.reconciliation.chain.settling import Subject, Wanted, settle


def _link(instance: Instance) -> Link:
    closing = instance.closing
    assert closing is not None
    if not is_complete(instance):  # what its lines say would depend on which have come
        return Link(closing, instance.number, instance.begun_day)
    return Link(
        closing,
        instance.number,
        instance.begun_day,
        standing(instance) == SOUND,
        instance.moving,
        instance.twins,
        instance.twins_minor,
    )


def _subject(link: Link) -> Subject:
    one = link.closing
    name = name_of(one.statement_id, one.currency, link.begun_day, link.number)
    return Subject(name, one.currency, one.statement_id)


def add_link(work: Work, instance: Instance) -> None:
    """Give a statement that has just been closed its place; open and resolve the breaks of the chain."""
    link = _link(instance)
    key = history_key(work.account, link.closing.currency)
    history = work.rows.get(key, History) or History()
    anchor = history.anchor
    if anchor is not None and day_of(link.closing.closed_at) < day_of(anchor.closing.closed_at):
        text = "it is older than what is remembered of the chain: nobody knows whether it has a place there"
        settle(work, _subject(link), (), 0, [Wanted(GAP, 0, text)], STATEMENT_ARRIVED)
        work.outcome.stale_at = stale_at(history.links)
        return
    history = _judged(work, history, (*history.links, link), STATEMENT_ARRIVED)
    history = _revived(work, history, link.closing.currency)
    work.rows.put(key, history)


def refresh_link(work: Work, statement_id: str, currency: str, instance: Instance, why: str) -> None:
    """Tell the chain that a closed statement has other lines now."""
    key = history_key(work.account, currency)
    history = work.rows.get(key, History)
    fresh = _link(instance)
    for place, link in enumerate(() if history is None else history.links):
        if (link.number, link.begun_day, link.closing) == (fresh.number, fresh.begun_day, fresh.closing):
            assert history is not None
            fresh = msgspec.structs.replace(fresh, open=link.open, breaks=link.breaks)
            if fresh == link:
                return
            links = (*history.links[:place], fresh, *history.links[place + 1 :])
            work.rows.put(key, _judged(work, history, links, why))
            return


def _judged(work: Work, history: History, links: Sequence[Link], why: str) -> History:
    """Return the chain in its order, with its breaks as they are now, no longer than `LINKS_MAX`."""
    ordered, anchor = list[tuple[Link, bool]](), history.anchor
    for link, wanted, copies in judge(links, anchor):
        wants = [] if wanted is None else [wanted]
        open_, breaks = settle(work, _subject(link), link.open, link.breaks, wants, why)
        ordered.append((msgspec.structs.replace(link, open=open_, breaks=breaks), copies))
    while len(ordered) > LINKS_MAX:
        gone, copies = ordered.pop(0)
        anchor = gone if anchor is None or not copies else anchor
    return msgspec.structs.replace(history, links=tuple(link for link, _ in ordered), anchor=anchor)


def _revived(work: Work, history: History, currency: str) -> History:
    """Resolve the STALE break if the newest statement is in time again, and tell when it would be no more."""
    due = work.outcome.stale_at = stale_at(history.links)
    if history.stale and (due is None or due > work.at.watermark):
        resolved = Resolved(STALE, f"chain/{currency}", str(history.stale), STATEMENT_ARRIVED)
        work.outcome.resolved.append(resolved)
        return msgspec.structs.replace(history, stale=0)
    return history


def fall_stale(rows: ChainRows, at: Moment, currency: str) -> Outcome:
    """Open a STALE break if an account's statements have stopped. Due at `stale_at` of its last closing."""
    work = Work(rows, at)
    key = history_key(work.account, currency)
    history = rows.get(key, History)
    due = None if history is None else stale_at(history.links)
    if history is None or due is None or history.stale or due > at.watermark:
        work.outcome.stale_at = due
        return work.outcome
    ordinal, last = history.breaks + 1, max(history.links, key=lambda link: link.closing.closed_at)
    text = f"no statement since {last.closing.statement_id!r}, which is longer than usual"
    finding = Finding(STALE, f"chain/{currency}", str(ordinal), currency, 0, text, last.closing.statement_id)
    work.outcome.opened.append(finding)
    rows.put(key, msgspec.structs.replace(history, stale=ordinal, breaks=ordinal))
    return work.outcome
