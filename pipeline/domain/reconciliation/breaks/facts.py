"""What happens to breaks without a person: opened, matched, and what the ledger makes of their corrections.

    items do not match         -> opened        items match after all  -> matched
    a person rejects a match   -> unmatched     a posting has come     -> corrected
    the ledger does not post   -> answered

`corrected` and `matched` say what the stream has to claim together. What it must not do: match an item of a
break whose correction is with the ledger (`is_reserved`), since the posting that is to come explains it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.corrections import correction_name, parse_correction
from pipeline.domain.reconciliation.breaks import states
from pipeline.domain.reconciliation.breaks.ageing import materiality_of
from pipeline.domain.reconciliation.breaks.bounds import COUNTERPARTS_MAX, POSTINGS_MAX
from pipeline.domain.reconciliation.breaks.outputs import say_changed, say_opened, say_resolved
from pipeline.domain.reconciliation.breaks.rows import Correction, Life, Line
from pipeline.domain.reconciliation.breaks.scope import Scope


class Opening(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is wrong with an item or a statement."""

    kind: str
    """One of `kinds.KINDS`."""
    amount_minor: int
    currency: str
    since: int
    """From which day on its age counts: a line's value date, a posting's date; days since 1970-01-01."""
    detail: str
    difference_minor: int = 0
    """What the bank has and the books have not, a credit is positive: of a line without a posting its
    amount, of a posting without a line the opposite of its amount, of a pair line less posting. 0: what no
    journal can explain."""
    is_line: bool = True
    statement_id: str | None = None
    line_no: int | None = None
    line_id: str | None = None
    posting_id: str | None = None
    counterpart_lines: Sequence[Line] = ()
    counterpart_postings: Sequence[str] = ()


class Corrected(msgspec.Struct, frozen=True, gc=False):
    """A posting of a correction has come, or of the reversal of one: it belongs to the break."""

    break_id: str
    life: Life
    """The break as it is now. Where it has ended, its items and `life.postings` are one match; else they wait
    for each other, and nothing else takes them."""
    netted: tuple[str, ...] = ()
    """Postings that cancel each other now: all has been taken back."""


def opened(scope: Scope, break_id: str, opening: Opening) -> Life:
    """Open a break and return it; one that is there already stays as it is. `break_id`: a UUID."""
    known = scope.life(break_id)
    if known is not None:
        return known
    size = opening.difference_minor or opening.amount_minor
    life = Life(
        kind=opening.kind,
        amount_minor=opening.amount_minor,
        difference_minor=opening.difference_minor,
        currency=opening.currency,
        is_line=opening.is_line,
        statement_id=opening.statement_id,
        line_no=opening.line_no,
        line_id=opening.line_id,
        posting_id=opening.posting_id,
        counterpart_lines=tuple(opening.counterpart_lines[:COUNTERPARTS_MAX]),
        counterpart_postings=tuple(opening.counterpart_postings[:COUNTERPARTS_MAX]),
        detail=opening.detail,
        since=opening.since,
        opened_at=scope.cause.occurred_at,
        materiality=materiality_of(opening.kind, size, opening.currency, scope.rules),
        changed_at=scope.cause.occurred_at,
    )
    scope.write(break_id, life)
    say_opened(scope, break_id, life)
    return life


def is_reserved(life: Life) -> bool:
    """Whether the items of a break wait for a posting that the ledger was asked for."""
    return life.status == states.APPROVED


def matched(scope: Scope, break_id: str, resolution: str = "matched") -> Life | None:
    """Resolve a break whose items have found a counterpart; a correction that waits for a person is over.

    Return it, or None where a match cannot resolve it: it is over, or the ledger is posting its correction.
    """
    life = scope.life(break_id)
    if life is None or states.next_of(life.status, states.MATCHED) is None or life.explained_minor:
        return None
    withdrawn = life.correction
    life = _set(scope, life, states.RESOLVED, correction=None, resolution=resolution)
    life = scope.write(break_id, life)
    say_changed(scope, break_id, life, "MATCHED", correction=withdrawn)
    say_resolved(scope, break_id, life)
    return life


def unmatched(scope: Scope, break_id: str) -> Life | None:
    """Reopen a break whose match a person has rejected; return it, or None where no match has resolved it."""
    life = scope.life(break_id)
    if life is None or states.next_of(life.status, states.UNMATCHED) is None or life.explained_minor:
        return None
    life = scope.write(break_id, _set(scope, life, states.REOPENED, resolution=None))
    say_changed(scope, break_id, life, "UNMATCHED")
    return life


def corrected(scope: Scope, posting: ev.PostingRecorded) -> Corrected | None:
    """Count a posting of a correction, or of the reversal of one, by whomever; None: it is another posting.

    A leg comes in as many postings as it has counterparts. A posting counts only as far as it can be a part
    of what was asked for: everyone may give a journal any id.
    """
    amount = posting.amount_minor if posting.side == "CREDIT" else -posting.amount_minor
    reversed_ = parse_correction(posting.reverses)
    found = parse_correction(posting.journal_id) if reversed_ is None else reversed_
    life = None if found is None else scope.life(found[0])
    if found is None or life is None or posting.currency != life.currency:
        return None
    if len(life.postings) >= POSTINGS_MAX or found[1] > life.corrections:
        return None
    counted = msgspec.structs.replace(
        life, explained_minor=life.explained_minor + amount, postings=(*life.postings, posting.posting_id)
    )
    if reversed_ is not None:
        return _taken_back(scope, found[0], counted) if _is_part(-amount, life.explained_minor) else None
    correction = life.correction
    if correction is None or life.status != states.APPROVED or correction.number != found[1]:
        return None
    if (
        not _is_part(amount, correction.amount_minor - correction.came_minor)
        or correction.reverses is not None
    ):
        return None
    came = msgspec.structs.replace(correction, came_minor=correction.came_minor + amount)
    return _posted(scope, found[0], msgspec.structs.replace(counted, correction=came), came)


def _is_part(amount_minor: int, whole_minor: int) -> bool:
    """Whether an amount can be a part of another one, or all of it; either sign, minor units."""
    return amount_minor * whole_minor > 0 and abs(amount_minor) <= abs(whole_minor)


def _posted(scope: Scope, break_id: str, life: Life, correction: Correction) -> Corrected:
    """Resolve a break whose correction is posted; until all of it has come, it waits."""
    if correction.came_minor != correction.amount_minor:
        return Corrected(break_id, scope.write(break_id, life))
    happened = states.WRITTEN if correction.is_write_off else states.POSTED
    if life.left_minor:
        happened = states.SHORT
    status = states.next_of(life.status, happened)
    assert status is not None, "it waits for the ledger"
    life = _set(scope, life, status, correction=None)
    if not life.left_minor:
        how = "written_off" if correction.is_write_off else "corrected"
        explains = {"posted": correction.number, "posted_minor": correction.amount_minor, "resolution": how}
        life = msgspec.structs.replace(life, **explains)
    life = scope.write(break_id, life)
    written = status == states.WRITTEN_OFF
    say_changed(
        scope, break_id, life, "WRITTEN_OFF" if written else "CORRECTION_POSTED", correction=correction
    )
    if not life.left_minor:
        say_resolved(scope, break_id, life, correction_name(break_id, correction.number))
    return Corrected(break_id, life)


def _taken_back(scope: Scope, break_id: str, life: Life) -> Corrected:
    """Reopen a break of whose posted corrections something was taken back."""
    correction = life.correction
    under_way = life.status == states.APPROVED and correction is not None and correction.reverses is None
    reopened = None if under_way else states.next_of(life.status, states.TAKEN_BACK)
    netted = () if life.explained_minor else life.postings
    life = msgspec.structs.replace(
        life, postings=() if netted else life.postings, posted=None, posted_minor=0
    )
    if reopened is not None:
        life = _set(scope, life, reopened, correction=None, resolution=None)
    life = scope.write(break_id, life)
    if reopened is not None:
        say_changed(scope, break_id, life, "CORRECTION_TAKEN_BACK", correction=correction)
    return Corrected(break_id, life, netted)


def answered(scope: Scope, answer: ev.JournalAnswered) -> Life | None:
    """Note what the ledger says of a correction that is not posted; return its break, or None of another.

    The break is again what it was before, and says why; what was posted comes as a posting.
    """
    found = parse_correction(answer.journal_id)
    if found is None or answer.code == "exists":
        return None
    break_id, number = found
    life = scope.life(break_id)
    correction = None if life is None else life.correction
    if life is None or correction is None or life.status != states.APPROVED or correction.number != number:
        return None
    if answer.outcome == "AWAITS_APPROVAL":
        say_changed(scope, break_id, life, "AWAITS_APPROVAL", correction=correction, code=answer.code)
        return life
    if answer.outcome != "REFUSED":
        return None
    before = states.returned(correction.before, life.assignee)
    life = scope.write(break_id, _set(scope, life, before, correction=None, refused=answer.code))
    say_changed(scope, break_id, life, "CORRECTION_REFUSED", correction=correction, code=answer.code)
    return life


def journal_of(break_id: str, life: Life) -> str | None:
    """Return the journal that explains a break, or None."""
    return None if life.posted is None else correction_name(break_id, life.posted)


def _set(scope: Scope, life: Life, status: str, **more: object) -> Life:
    return msgspec.structs.replace(life, status=status, changed_at=scope.cause.occurred_at, **more)
