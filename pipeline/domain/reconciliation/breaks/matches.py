"""What people say about matches: these lines and postings are one thing, or they are not.

The stream claims the items, or remembers that they are not to be suggested; it answers by item_matched (tier
PERSON), match_suggested, break_changed, or refuses with `refuse_match`:

    item_not_found     a line or posting is not known, or not open any more for another reason
    already_matched    one of them is matched
    match_not_found    match_rejected of what is neither suggested nor matched
    correction_pending the ledger is posting a correction for one of them
    actor_required, too_old
"""

from __future__ import annotations

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.ids import ID_CHARS_MAX
from pipeline.domain.kernel.outbox import Reject
from pipeline.domain.reconciliation.breaks.actions import check_action
from pipeline.domain.reconciliation.breaks.bounds import ITEMS_MAX
from pipeline.domain.reconciliation.breaks.outputs import refuse
from pipeline.domain.reconciliation.breaks.scope import Scope

Decision = ev.MatchConfirmed | ev.MatchRejected
NAMES: dict[type, str] = {ev.MatchConfirmed: "match_confirmed", ev.MatchRejected: "match_rejected"}
CODES = (
    *("item_not_found", "already_matched", "match_not_found", "correction_pending"),
    *("actor_required", "too_old"),
)
"""Why a stream refuses one."""


def check_match(event: Decision) -> None:
    """Check that an event names a match: two items or more, each once, within the bounds.

    Raises Reject: invalid_id, invalid_actor, invalid_text, invalid_match, line_no_must_not_be_negative.
    """
    check_action(event)
    lines, postings = event.lines, event.posting_ids
    if len(lines) > ITEMS_MAX or len(postings) > ITEMS_MAX or len(lines) + len(postings) < 2:
        raise Reject("invalid_match", f"{len(lines)} lines, {len(postings)} postings")
    for line in lines:
        if line.line_no < 0:
            raise Reject("line_no_must_not_be_negative")
    texts = [*postings, *(line.statement_id for line in lines)]
    texts += [line.line_id for line in lines if line.line_id is not None]
    if not all(text and len(text) <= ID_CHARS_MAX and "\0" not in text for text in texts):
        raise Reject("invalid_id", "lines or posting_ids")
    named = {(line.statement_id, line.line_no, line.line_id) for line in lines}
    if len(named) < len(lines) or len(set(postings)) < len(postings):
        raise Reject("invalid_match", "an item twice")


def refuse_match(scope: Scope, code: str) -> None:
    """Emit that a decision about a match had no effect; `code`: one of CODES."""
    refuse(scope, NAMES[type(scope.cause)], code)
