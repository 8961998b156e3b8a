"""Rules of proposals, broken on purpose: the model finds each by the logs of their tales."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from pipeline.domain.ledger import approvals as ledger_approvals
from pipeline.domain.ledger import proposals as ledger_proposals
from pipeline.domain.ledger import stream as ledger_stream
from tests.chaos.mutants import any_content, nobody_asked
from tests.ledgers.engines import first_difference_of
from tests.ledgers.player import Player
from tests.ledgers.tale import read_tales

Set = Callable[[Any, str, Any], None]


def _lets_through(code: str) -> Callable[[Set], None]:
    """Return a mutant that does not know one reason against a decision about a proposal."""

    def mutant(patch: Set) -> None:
        refusal = ledger_approvals._refusal
        patch(
            ledger_approvals, "_refusal", lambda *about: None if (said := refusal(*about)) == code else said
        )

    mutant.__name__ = f"lets_through_what_is_{code}"
    return mutant


def lets_the_checker_slip_in_a_change(patch: Set) -> None:
    propose = ledger_proposals.Proposal

    def kept_maker(state: str, command: str, named: str, changes: int, maker: Any, *rest: Any) -> Any:
        return propose(
            state, command, named, changes, ["tale", "anna", "s", None, None] if changes else maker, *rest
        )

    patch(ledger_proposals, "Proposal", kept_maker)


def applies_what_was_proposed_at_its_own_time(patch: Set) -> None:
    command_of = ledger_approvals.command_of

    def earlier(
        kind: type, content: Any, event_id: str, correlation_id: str, approval: Any, actor: Any
    ) -> Any:
        made = command_of(kind, content, event_id, correlation_id, approval, actor)
        return structs.replace(made, occurred_at=0)

    patch(ledger_approvals, "command_of", earlier)


def does_not_say_who_has_approved(patch: Set) -> None:
    patch(ledger_stream, "ApprovedOutbox", lambda out, approved_by: out)


def lets_programs_propose(patch: Set) -> None:
    patch(ledger_proposals, "is_person", lambda actor: True)


@pytest.mark.parametrize(
    "mutant",
    [
        _lets_through("maker_cannot_approve"),
        any_content,
        _lets_through("programs_cannot_approve"),
        _lets_through("proposal_expired"),
        lets_the_checker_slip_in_a_change,
        applies_what_was_proposed_at_its_own_time,
        does_not_say_who_has_approved,
        lets_programs_propose,
        nobody_asked,
    ],
)
def test_a_ledger_is_found_that(mutant: Callable[[Set], None], monkeypatch: pytest.MonkeyPatch) -> None:
    tales = [tale for tale in read_tales() if tale.place.startswith("four_eyes.txt")]
    logs = [(Player(tale, "model").play(), tale.settings) for tale in tales]
    mutant(monkeypatch.setattr)
    assert any(first_difference_of(ledger, settings) is not None for ledger, settings in logs)
