"""The corpus of ledger tales: each is told to the rules, to their batch path and to the independent model."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import schemas
from pipeline.domain import ledger
from pipeline.domain.kernel import tolerance
from tests.ledgers.engines import ENGINES, first_difference_of, problems_of
from tests.ledgers.player import Player
from tests.ledgers.tale import Tale, codes_in, read_tales

TALES = read_tales()
NAMES = [f"{tale.place}: {tale.name}" for tale in TALES]


@pytest.mark.parametrize("tale", TALES, ids=NAMES)
@pytest.mark.parametrize("engine", sorted(ENGINES.keys() - {"rules"}))
def test_a_tale_ends_as_it_says(engine: str, tale: Tale) -> None:
    Player(tale, engine).play()


@pytest.mark.parametrize("tale", TALES, ids=NAMES)
def test_the_rules_end_a_tale_as_it_says_and_as_the_model_and_verify_do(tale: Tale) -> None:
    """What a tale does not look at is compared field by field and row by row."""
    ledger = Player(tale, "rules").play()
    assert first_difference_of(ledger, tale.settings) is None
    assert problems_of(ledger) == []


def test_forty_tales_and_more_are_worked_out_by_hand() -> None:
    assert sum(tale.by_hand for tale in TALES) >= 40


def test_every_code_of_the_ledger_is_in_a_tale_and_every_code_of_a_tale_is_the_ledgers() -> None:
    told = codes_in(TALES)
    known = result_codes() | dead_letter_codes()
    assert sorted(known - told) == [] and sorted(told - known) == []


def result_codes() -> set[str]:
    """Return the codes with which the ledger refuses or rejects."""
    fields = json.loads(schemas.newest("ledgerflow.CommandRefused").text)["fields"]
    (code,) = (field["type"] for field in fields if field["name"] == "code")
    # Said by the fraud stream: the ledger counts no quota, and payments wait before it.
    before = {"quota_exceeded", "payment_scheduled", "too_many_scheduled"}
    return set(code["symbols"]) - {"ok", "unspecified"} - before


def dead_letter_codes() -> set[str]:
    """Return the codes of the ledger's dead letters: every `Reject("...")` of its sources and the kernel's
    check of a tolerance."""
    calls = [
        node
        for source in (*Path(ledger.__file__).parent.rglob("*.py"), Path(tolerance.__file__))
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Reject"
    ]
    codes = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    assert len(codes) >= 9
    return {str(code) for code in codes} - {"unexpected_event"}  # no command of a tale is another log's


def test_the_batch_path_applies_what_is_regular() -> None:
    for tale in TALES:
        if tale.place.startswith("batches.txt"):
            player = Player(tale, "batch")
            player.play()
            assert player.engine.in_columns > 0, tale.name
