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
from pipeline.domain.reconciliation.breaks.bounds import COUNTERPARTS_MAX
from pipeline.domain.reconciliation.breaks.outputs import say_changed, say_opened, say_resolved
from pipeline.domain.reconciliation.breaks.rows import Life, Line
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
    """A posting of a correction has come."""

    break_id: str
    life: Life
    """The break as it is now; it names the items that belong to the posting."""
    is_taken_back: bool
    """False: its items and the posting are one match; True: that match is over, and the posting takes back
    the one of the correction."""


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
    if life is None or states.next_of(life.status, states.MATCHED) is None or life.posted is not None:
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
    if life is None or states.next_of(life.status, states.UNMATCHED) is None or life.posted is not None:
        return None
    life = scope.write(break_id, _set(scope, life, states.REOPENED, resolution=None))
    say_changed(scope, break_id, life, "UNMATCHED")
    return life


def corrected(scope: Scope, posting: ev.PostingRecorded) -> Corrected | None:
    """Note that the ledger has posted a correction, or has taken one back; None: it is another posting.

    It counts only if it is of the amount that the break needs: everyone may give a journal any id.
    """
    taken_back = _taken_back(scope, posting)
    if taken_back is not None:
        return taken_back
    found = parse_correction(posting.journal_id)
    if found is None:
        return None
    break_id, number = found
    life = scope.life(break_id)
    correction = None if life is None else life.correction
    if life is None or correction is None or life.status != states.APPROVED or correction.number != number:
        return None
    if correction.reverses is not None or not _is_of(posting, life, life.difference_minor):
        return None
    happened = states.WRITTEN if correction.is_write_off else states.POSTED
    status = states.next_of(life.status, happened)
    assert status is not None, "it waits for the ledger"
    resolution = "written_off" if correction.is_write_off else "corrected"
    life = _set(scope, life, status, correction=None, posted=number, resolution=resolution)
    life = scope.write(break_id, life)
    change = "WRITTEN_OFF" if correction.is_write_off else "CORRECTION_POSTED"
    say_changed(scope, break_id, life, change, correction=correction)
    say_resolved(scope, break_id, life, posting.journal_id)
    return Corrected(break_id, life, False)


def _taken_back(scope: Scope, posting: ev.PostingRecorded) -> Corrected | None:
    """Reopen a break whose posted correction is reversed as a whole, by whomever."""
    found = parse_correction(posting.reverses)
    if found is None:
        return None
    break_id, number = found
    life = scope.life(break_id)
    if life is None or life.posted != number or not _is_of(posting, life, -life.difference_minor):
        return None
    assert states.next_of(life.status, states.TAKEN_BACK) is not None, "it was posted"
    correction = life.correction
    life = _set(scope, life, states.REOPENED, correction=None, posted=None, resolution=None)
    life = scope.write(break_id, life)
    say_changed(scope, break_id, life, "CORRECTION_TAKEN_BACK", correction=correction)
    return Corrected(break_id, life, True)


def _is_of(posting: ev.PostingRecorded, life: Life, amount_minor: int) -> bool:
    """Whether a posting is of an amount, in the currency of a break."""
    signed = posting.amount_minor if posting.side == "CREDIT" else -posting.amount_minor
    return (posting.currency, signed) == (life.currency, amount_minor)


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
