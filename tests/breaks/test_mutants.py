"""The model finds rules that are broken on purpose: each mutant says something else than it, in a tale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pipeline.domain.reconciliation.breaks import actions, corrections, facts, scope, states
from tests.breaks.teller import Bank, read_tales

Patch = Callable[[pytest.MonkeyPatch], None]
TALES = read_tales()


def maker_is_checker(patch: pytest.MonkeyPatch) -> None:
    def approved(within: Any, event: Any, life: Any, *more: Any) -> Any:
        maker = (*life.correction.maker[:1], "", *life.correction.maker[2:]) if life.correction else ()
        nobody = msgspec.structs.replace(life.correction, maker=maker) if life.correction else None
        return approve(within, event, msgspec.structs.replace(life, correction=nobody), *more)

    approve = actions._approve
    patch.setitem(actions._DO, type_of("CorrectionApproved"), approved)


def programs_approve(patch: pytest.MonkeyPatch) -> None:
    def approved(within: Any, event: Any, *more: Any) -> Any:
        person = msgspec.structs.replace(event.actor, session_id="s", key_id=None)
        return approve(within, msgspec.structs.replace(event, actor=person), *more)

    approve = actions._approve
    patch.setitem(actions._DO, type_of("CorrectionApproved"), approved)


def any_legs_explain(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(actions, "flaw_of", lambda legs, account, life: None)


def any_amount_explains(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(facts, "_is_part", lambda amount, whole: True)


def a_repeat_counts_again(patch: pytest.MonkeyPatch) -> None:
    def unfit(within: Any, event: Any, at: Any, life: Any, digest: bytes) -> Any:
        return real(within, event, at, life, b"")

    real = actions._unfit
    patch.setattr(actions, "_unfit", unfit)


def what_is_posted_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    table = {**states.TABLE[states.RESOLVED], states.REOPEN: states.REOPENED}
    patch.setitem(states.TABLE, states.RESOLVED, table)


def approved_twice(patch: pytest.MonkeyPatch) -> None:
    for way in (states.APPROVE, states.ACCEPT):
        patch.setitem(states.TABLE[states.APPROVED], way, states.APPROVED)


def matched_under_way(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(states.TABLE[states.APPROVED], states.MATCHED, states.RESOLVED)


def a_refusal_is_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(facts, "answered", lambda within, answer: None)


def nothing_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(scope.Scope, "is_over", lambda self, ended_at: False)


def write_offs_take_the_other_side(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(corrections, "_SIDES", ("CREDIT", "DEBIT"))


def a_reversal_is_overlooked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(facts, "_taken_back", lambda within, break_id, life: None)


def type_of(name: str) -> type:
    return next(kind for kind in actions.NAMES if kind.__name__ == name)


MUTANTS: tuple[Patch, ...] = (
    *(maker_is_checker, programs_approve, any_legs_explain, any_amount_explains, a_repeat_counts_again),
    *(what_is_posted_is_forgotten, approved_twice, matched_under_way, a_refusal_is_lost),
    *(nothing_is_forgotten, write_offs_take_the_other_side, a_reversal_is_overlooked),
)


def is_found() -> bool:
    """Whether a tale ends with the model in disagreement, or the rules in an error."""
    for tale in TALES:
        bank = Bank()
        for happens, _ in tale.lines:
            try:
                bank.tell(happens)
            except AssertionError:
                return True
    return False


def test_without_a_mutant_nothing_is_found() -> None:
    assert not is_found()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_mutant_is_found(mutant: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)
    assert is_found()
