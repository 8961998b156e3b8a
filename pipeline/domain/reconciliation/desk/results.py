"""What the desk says: matches, suggestions, breaks of items and of statements.

The events of breaks are those of `breaks`; here is which break an item or a statement has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import derived_id, envelope
from pipeline.domain.reconciliation.breaks import facts
from pipeline.domain.reconciliation.breaks.outputs import TOPIC, say_suggested
from pipeline.domain.reconciliation.breaks.rows import Line as NamedLine
from pipeline.domain.reconciliation.breaks.scope import Scope
from pipeline.domain.reconciliation.chain.findings import Finding, Outcome
from pipeline.domain.reconciliation.desk import figures
from pipeline.domain.reconciliation.desk.account import AccountDesk
from pipeline.domain.reconciliation.desk.rows import REFERENCE, Entry, Line, Posting
from pipeline.domain.reconciliation.groups.kinds import Named
from pipeline.domain.reconciliation.scoring.features import Evidence
from pipeline.domain.reconciliation.scoring.weights import Weights


def line_ref(line: Line) -> ev.LineRef:
    """Return how events name a line."""
    return ev.LineRef(line.statement_id, line.line_no, line.line_id or None)


def name_of(entry: Entry) -> str:
    """Return the name of an item within its account, from which the ids of its breaks follow."""
    if isinstance(entry, Posting):
        return f"posting/{entry.posting_id}"
    return f"line/{entry.line_id}" if entry.line_id else f"line/{entry.statement_id}/{entry.line_no}"


def parts_of(weights: Weights, evidence: Evidence) -> tuple[ev.ScorePart, ...]:
    """Return what the score of a pair is made of, in words."""
    return tuple(ev.ScorePart(f"{name}: {bucket}", score) for name, bucket, score in weights.parts(evidence))


def say_matched(
    scope: Scope,
    entries: Sequence[Entry],
    tier: str,
    score: int | None,
    parts: tuple[ev.ScorePart, ...] | None,
    weights_sha256: str | None,
) -> None:
    """Emit that items are one match; `entries`: lines first. Postings alone are netted."""
    lines = [one for one in entries if isinstance(one, Line)]
    postings = [one for one in entries if isinstance(one, Posting)]
    ids = tuple(one.posting_id for one in postings)
    actor = getattr(scope.cause, "actor", None)
    event: ev.ItemMatched | ev.PostingsNetted
    if tier == REFERENCE:
        event = pair_matched(scope.cause, lines[0], ids[0])
    elif not lines:
        event = ev.PostingsNetted(
            *envelope(scope.cause, f"postings_netted/{ids[0]}"),
            account_id=scope.cause.account_id,
            posting_ids=ids,
            amount_minor=abs(postings[0].amount_minor),
            currency=postings[0].currency,
            tier=tier,
            score=score,
            actor=actor,
        )
    else:
        first = lines[0]
        over = sum([one.amount_minor for one in lines]) - sum([one.amount_minor for one in postings])
        differs = over != 0 and len({one.currency for one in entries}) == 1
        event = ev.ItemMatched(
            *envelope(scope.cause, f"item_matched/{name_of(first)}"),
            statement_id=first.statement_id,
            line_no=first.line_no,
            account_id=scope.cause.account_id,
            posting_ids=ids,
            tier=tier,
            amount_minor=first.amount_minor,
            currency=first.currency,
            line_id=first.line_id or None,
            other_lines=tuple(map(line_ref, lines[1:])) or None,
            score=score,
            parts=parts,
            weights_sha256=weights_sha256,
            difference_minor=over if differs else None,
            actor=actor,
        )
    scope.out.emit(TOPIC, scope.record_key, event)


def pair_matched(cause: Any, line: Line, posting_id: str) -> ev.ItemMatched:
    """Return what is said of a clean pair, by an event that has come."""
    return ev.ItemMatched(
        *envelope(cause, f"item_matched/{name_of(line)}"),
        line.statement_id,
        line.line_no,
        cause.account_id,
        (posting_id,),
        REFERENCE,
        line.amount_minor,
        line.currency,
        line.line_id or None,
        actor=getattr(cause, "actor", None),
    )


def suggest(
    scope: Scope, entry: Entry, candidates: Sequence[ev.MatchCandidate], weights_sha256: str | None
) -> None:
    """Emit what may belong to an item."""
    item = line_ref(entry) if isinstance(entry, Line) else entry.posting_id
    say_suggested(scope, item, candidates, weights_sha256)


def break_id_of(scope: Scope, kind: str, name: str, ordinal: str) -> str:
    """Return the id of a break: it follows from what it is about, and not from what has revealed it."""
    return derived_id(f"{scope.record_key}/{name}", f"{kind}/{ordinal}")


def open_break_of(account: AccountDesk, scope: Scope, entry: Entry, named: Named) -> str:
    """Open the break of a due item, and return its id."""
    others = [account.item(key) for key in named.others]
    lines = [
        NamedLine(one.statement_id, one.line_no, one.line_id or None)
        for one in others
        if isinstance(one, Line)
    ]
    is_line = isinstance(entry, Line)
    opening = facts.Opening(
        kind=named.kind,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        since=entry.day,
        detail=named.text,
        difference_minor=named.difference_minor,
        is_line=is_line,
        statement_id=entry.statement_id if isinstance(entry, Line) else None,
        line_no=entry.line_no if isinstance(entry, Line) else None,
        line_id=entry.line_id or None if isinstance(entry, Line) else None,
        posting_id=entry.posting_id if isinstance(entry, Posting) else None,
        counterpart_lines=lines,
        counterpart_postings=[one.posting_id for one in others if isinstance(one, Posting)],
    )
    break_id = break_id_of(scope, named.kind, name_of(entry), str(entry.breaks + 1))
    facts.opened(scope, break_id, opening)
    return break_id


def say_told(account: AccountDesk, scope: Scope, told: Outcome, day: int) -> None:
    """Open and resolve the breaks of statements of an arrival; `day`: what it is about.

    The age of a break of a closed statement counts from the day on which that was closed.
    """
    for resolved in told.resolved:
        break_id = break_id_of(scope, resolved.kind, resolved.name, resolved.ordinal)
        before = scope.life(break_id)
        facts.matched(scope, break_id, resolved.why)
        figures.follow(account, scope, break_id, before)
    for finding in told.opened:
        break_id = break_id_of(scope, finding.kind, finding.name, finding.ordinal)
        is_new = scope.life(break_id) is None
        life = facts.opened(scope, break_id, _opening_of(finding, day))
        if is_new and finding.day is not None:
            figures.unsound(account, scope, life)
    for key in told.ended:
        account.end(scope.watermark, key)


def _opening_of(finding: Finding, day: int) -> facts.Opening:
    return facts.Opening(
        kind=finding.kind,
        amount_minor=finding.amount_minor,
        currency=finding.currency,
        since=day if finding.day is None else finding.day,
        detail=finding.detail,
        statement_id=finding.statement_id,
        line_no=finding.line_no,
    )
