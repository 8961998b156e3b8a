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
)
from pipeline.domain.reconciliation.chain.inputs import day_of
from pipeline.domain.reconciliation.chain.instances import SOUND, is_complete, name_of, standing
from pipeline.domain.reconciliation.chain.judging import follows, judge
from pipeline.domain.reconciliation.chain.pages import read_all, with_all, with_newest
from pipeline.domain.reconciliation.chain.rhythm import stale_at, with_day
from pipeline.domain.reconciliation.chain.rows import History, Instance, Link, history_key
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
    return Subject(name, one.currency, one.statement_id, day_of(one.closed_at))


def add_link(work: Work, instance: Instance) -> None:
    """Give a statement that has just been closed its place; open and resolve the breaks of the chain."""
    link, day = _link(instance), day_of(instance.closing.closed_at if instance.closing else 0)
    currency = link.closing.currency
    key = history_key(work.account, currency)
    history = work.rows.get(key, History) or History()
    if day < history.known_from_day:
        text = "it is older than what is remembered of the chain: nobody knows whether it has a place there"
        settle(work, _subject(link), (), 0, [Wanted(GAP, 0, text)], STATEMENT_ARRIVED)
        work.outcome.stale_at = stale_at(history.days)
        return
    if day >= history.newest_from_day and follows(link, history.links, history.anchor):
        history = with_newest(work, currency, history, (*history.links, link))
    elif day >= history.newest_from_day:
        links = _judged(work, (*history.links, link), history.anchor, STATEMENT_ARRIVED)
        history = with_newest(work, currency, history, links)
    else:
        links = (*read_all(work, currency, history), link)
        links = _judged(work, links, history.forgotten, STATEMENT_ARRIVED)
        history = with_all(work, currency, history, links)
    history = msgspec.structs.replace(history, days=with_day(history.days, day))
    work.rows.put(key, _revived(work, history, currency))


def refresh_link(work: Work, statement_id: str, currency: str, instance: Instance, why: str) -> None:
    """Tell the chain that a closed statement has other lines now."""
    key, fresh = history_key(work.account, currency), _link(instance)
    history = work.rows.get(key, History)
    if history is None:
        return
    in_newest = day_of(fresh.closing.closed_at) >= history.newest_from_day
    links = [*history.links] if in_newest else read_all(work, currency, history)
    for place, link in enumerate(links):
        if (link.number, link.begun_day, link.closing) != (fresh.number, fresh.begun_day, fresh.closing):
            continue
        fresh = msgspec.structs.replace(fresh, copies=link.copies, open=link.open, breaks=link.breaks)
        if fresh == link:
            return
        links[place] = fresh
        if in_newest:
            history = with_newest(work, currency, history, _judged(work, links, history.anchor, why))
        else:
            history = with_all(work, currency, history, _judged(work, links, history.forgotten, why))
        work.rows.put(key, history)
        return


def _judged(work: Work, links: Sequence[Link], anchor: Link | None, why: str) -> tuple[Link, ...]:
    """Return links in the order of the chain, with their breaks as they are now."""
    ordered = list[Link]()
    for link, wanted, copies in judge(links, anchor):
        wants = [] if wanted is None else [wanted]
        open_, breaks = settle(work, _subject(link), link.open, link.breaks, wants, why)
        ordered.append(msgspec.structs.replace(link, copies=copies, open=open_, breaks=breaks))
    return tuple(ordered)


def _revived(work: Work, history: History, currency: str) -> History:
    """Resolve the STALE break if the newest statement is in time again, and tell when it would be no more."""
    due = work.outcome.stale_at = stale_at(history.days)
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
    due = None if history is None else stale_at(history.days)
    if history is None or due is None or history.stale or due > at.watermark:
        work.outcome.stale_at = due
        return work.outcome
    ordinal, last = history.breaks + 1, max(history.links, key=lambda link: link.closing.closed_at)
    text = f"no statement since {last.closing.statement_id!r}, which is longer than usual"
    finding = Finding(STALE, f"chain/{currency}", str(ordinal), currency, 0, text, last.closing.statement_id)
    work.outcome.opened.append(finding)
    rows.put(key, msgspec.structs.replace(history, stale=ordinal, breaks=ordinal))
    return work.outcome
