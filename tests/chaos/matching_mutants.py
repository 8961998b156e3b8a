"""Ways to break reconciliation on purpose: each is a patch of its rules, which `mutants` registers.

Rules are patched where rows and columns both find them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.corrections import parse_correction
from pipeline.domain.reconciliation.assigning.outcomes import Outcome
from pipeline.domain.reconciliation.breaks import actions, facts, outputs, states
from pipeline.domain.reconciliation.desk import claims, deciding, time
from pipeline.domain.reconciliation.texts import references

Set = Callable[[Any, str, Any], None]
"""Sets an attribute of a module or a class."""
NEVER = 2**61


# --- what is matched


def greedy_assignment(patch: Set) -> None:
    """The best pair of an item is taken when it comes, whatever else could be."""
    decide = deciding.decide

    def taken(edges: Any, weights: Any, early: bool, key: bytes) -> Any:
        first, *rest = decide(edges, weights, early, key) or [None]
        if first is None or not early or first.edge.score < weights.confirm_from:
            return [one for one in (first, *rest) if one is not None]
        return [first._replace(outcome=Outcome.CONFIRMED), *rest]

    patch(deciding, "decide", taken)


def claimed_twice(patch: Set) -> None:
    """What is matched is said to be matched twice."""

    def said(scope: Any, entries: Any, *about: Any) -> None:
        say(scope, entries, *about)
        say(scope, entries, *about)

    say = claims.say_matched
    patch(claims, "say_matched", said)


def placeholder_as_reference(patch: Set) -> None:
    """NOTPROVIDED is a reference as any other."""
    patch(references, "is_placeholder", lambda form, *others: False)


def due_item_forgotten(patch: Set) -> None:
    """A third of the items that nothing fits never end."""
    opened = deciding._open_break
    seen: list[None] = []

    def forgotten(account: Any, scope: Any, entry: Any, beside: Any) -> None:
        seen.append(None)
        if len(seen) % 3:
            return opened(account, scope, entry, beside)
        account.write(msgspec.structs.replace(entry, stage=deciding.ASKED, due_at=NEVER))
        return None

    patch(deciding, "_open_break", forgotten)


def suggestion_as_confirmation(patch: Set) -> None:
    """What is for people to decide is confirmed."""
    decide = deciding.decide

    def confirmed(*about: Any) -> Any:
        return [one._replace(outcome=Outcome.CONFIRMED) for one in decide(*about)]

    patch(deciding, "decide", confirmed)


def lost_continuation(patch: Set) -> None:
    """No account is woken up, and what is left of the work of an event is never done."""
    patch(time, "_emit", lambda out, event: None)


# --- breaks


def break_never_ended(patch: Set) -> None:
    """A match leaves the breaks of its items open."""
    patch(facts, "matched", lambda *about: None)


def wrong_kind(patch: Set) -> None:
    """What is missing in the books is said to be a turned sign."""
    kind_of = deciding.kind_of_due

    def other(*about: Any) -> Any:
        named = kind_of(*about)
        return None if named is None else msgspec.structs.replace(named, kind="SIGN")

    patch(deciding, "kind_of_due", other)


def maker_is_checker(patch: Set) -> None:
    """Who has suggested a correction may approve it."""
    approve = actions._DO[ev.CorrectionApproved]

    def approved(scope: Any, event: Any, *about: Any) -> Any:
        somebody = msgspec.structs.replace(event.actor, subject="somebody else")
        return approve(scope, msgspec.structs.replace(event, actor=somebody), *about)

    patch(actions, "_DO", {**actions._DO, ev.CorrectionApproved: approved})


# --- corrections


def journal_asked_twice(patch: Set) -> None:
    """The ledger is asked for a correction twice."""

    def twice(*about: Any) -> None:
        outputs.ask_ledger(*about)
        outputs.ask_ledger(*about)

    patch(actions, "ask_ledger", twice)


def journal_of_another_amount(patch: Set) -> None:
    """The ledger is asked for one more than was approved."""

    def more(scope: Any, break_id: str, correction: Any) -> None:
        legs = [msgspec.structs.replace(leg, amount_minor=leg.amount_minor + 1) for leg in correction.legs]
        outputs.ask_ledger(scope, break_id, msgspec.structs.replace(correction, legs=tuple(legs)))

    patch(actions, "ask_ledger", more)


def journal_of_one_person(patch: Set) -> None:
    """A correction goes to the ledger when it is suggested."""
    proposed = actions.say_proposed

    def asked(scope: Any, break_id: str, life: Any, correction: Any) -> None:
        proposed(scope, break_id, life, correction)
        if correction.reverses is None and correction.legs:
            outputs.ask_ledger(scope, break_id, correction)

    patch(actions, "say_proposed", asked)


def refused_but_posted(patch: Set) -> None:
    """A correction that the ledger refuses explains its break all the same."""

    def posted(scope: Any, answer: Any) -> None:
        found = parse_correction(answer.journal_id)
        life = None if found is None else scope.life(found[0])
        if found is None or life is None or life.correction is None or answer.outcome != "REFUSED":
            return
        ended = {"correction": None, "resolution": "corrected", "status": states.RESOLVED}
        over = scope.write(found[0], msgspec.structs.replace(life, **ended))
        outputs.say_changed(scope, found[0], over, "CORRECTION_POSTED", correction=life.correction)
        outputs.say_resolved(scope, found[0], over, answer.journal_id)

    patch(facts, "answered", posted)


def answer_ignored(patch: Set) -> None:
    """Reconciliation does not hear what the ledger answers."""
    patch(facts, "answered", lambda *about: None)


def taken_back_without_reversal(patch: Set) -> None:
    """A correction is taken back, and the ledger is not asked to reverse it."""

    def asked(scope: Any, break_id: str, correction: Any) -> None:
        if correction.reverses is None:
            outputs.ask_ledger(scope, break_id, correction)

    patch(actions, "ask_ledger", asked)


MATCHING = (
    *(greedy_assignment, claimed_twice, placeholder_as_reference, due_item_forgotten),
    *(suggestion_as_confirmation, lost_continuation, break_never_ended, wrong_kind, maker_is_checker),
)
CORRECTIONS = (
    *(journal_asked_twice, journal_of_another_amount, journal_of_one_person),
    *(refused_but_posted, answer_ignored, taken_back_without_reversal),
)
