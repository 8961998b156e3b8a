"""The catalogue of codes and the streams: each code that is said is in it, and each that is in it is said."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pipeline
import schemas
from pipeline.domain.kernel.events import EVENTS
from pipeline.runtime.kafka.batches import TOO_LARGE, UNREADABLE
from pipeline.runtime.kafka.dead_letters import CLASS_OF_BATCHES
from pipeline.runtime.kafka.quarantine import CODE as QUARANTINED
from schemas.break_action_codes import ACTION_CODES
from schemas.dead_letter_codes import DEAD_LETTERS
from schemas.result_codes import RESULTS
from tests.ledgers.player import Player
from tests.ledgers.tale import read_tales

ROOT = Path(pipeline.__file__).parent
GENERATED = ROOT / "domain" / "kernel" / "events.py"
JUDGE = ROOT / "verify"
"""Says which dead letters the streams must have made, and makes none."""
SAID_BY = {
    "Reject": ("Rejected", 0),
    "Dead": ("Decoding", 0),
    "Unreadable": ("Decoding", 0),
    "UnreadableSchema": ("Decoding", 0),
    "Reason": ("", 1),
}
"""What makes a dead letter: its class, empty where the first argument has it; which argument is the code."""

ANSWERS = ("payment-events", "journal-events")
SAID_BEFORE_THE_LEDGER = {
    *(("command_refused", code) for code in ("quota_exceeded", "payment_scheduled", "too_many_scheduled")),
    ("payment_failed", "too_old"),
}
"""What no tale tells: tests/tenants, tests/fraud/test_scheduled;
tests/ledger/test_scheduled_journals and test_retention."""


def symbols(event: str = "CommandRefused") -> set[str]:
    """Return the symbols of the codes that an event can say, of ResultCode by default."""
    (enum,) = [
        field["type"]
        for field in json.loads(schemas.newest(f"ledgerflow.{event}").text)["fields"]
        if field["name"] == "code"
    ]
    return set(enum["symbols"]) - {"unspecified"}


def sources() -> Iterator[ast.Module]:
    """Yield the source of everything in the pipeline that is written by hand and may make dead letters."""
    for path in sorted(ROOT.rglob("*.py")):
        if path != GENERATED and JUDGE not in path.parents:
            yield ast.parse(path.read_text("utf-8"))


CONSTANTS = {
    target.id: str(node.value.value)
    for module in sources()
    for node in module.body
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    for target in node.targets
    if isinstance(target, ast.Name) and target.id in ("RECURSIVE", "TOO_LARGE", "NO_EVENT", "FOREIGN")
}
"""Codes that several modules name."""


def imports(module: ast.Module, name: str) -> bool:
    """Whether a module has a name from dead_letters: another package may have a class of that name."""
    return any(
        isinstance(node, ast.ImportFrom)
        and (node.module or "").endswith("dead_letters")
        and name in [one.name for one in node.names]
        for node in module.body
    )


def dead_letters_said() -> set[tuple[str, str]]:
    """Return (class, code) of every dead letter that the sources make."""
    found: set[tuple[str, str]] = set()
    for module in sources():
        said_by = SAID_BY if imports(module, "Reason") else {**SAID_BY, "Reason": None}
        for function in ast.walk(module):
            if not isinstance(function, ast.FunctionDef):
                continue
            for call in ast.walk(function):
                name = call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""
                makes = said_by.get(name)
                if makes is not None and isinstance(call, ast.Call):
                    kind, position = makes
                    kind = kind or ast.literal_eval(call.args[0])
                    found.update((kind, code) for code in texts(call.args[position], function))
    return found


OF_BATCHES = {(CLASS_OF_BATCHES, code) for code in (TOO_LARGE, UNREADABLE, QUARANTINED)}
"""What is said of batches that are not read, by what fetches them."""


def texts(value: ast.expr, function: ast.FunctionDef) -> Iterator[str]:
    """Yield what an expression may be; raise `ValueError` where that cannot be read off the source."""
    match value:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=first, orelse=second):
            yield from texts(first, function)
            yield from texts(second, function)
        case ast.Name(id=name):
            given = [
                node.value for node in ast.walk(function) if isinstance(node, ast.Assign) and sets(node, name)
            ]
            if not given and name in CONSTANTS:
                yield CONSTANTS[name]
            elif not given:
                raise ValueError(f"nobody can see which code {ast.unparse(value)} is")
            for one in given:
                yield from texts(one, function)
        case ast.Attribute(attr="code"):
            pass  # the runtime hands on what a decoder or a rule has said
        case _:
            raise ValueError(f"nobody can see which code {ast.unparse(value)} is")


def sets(node: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)


def test_the_catalogue_has_every_dead_letter_that_is_made_and_no_other() -> None:
    listed = [(one.error_class, one.code) for one in DEAD_LETTERS]
    assert len(set(listed)) == len(listed)
    assert set(listed) == dead_letters_said() | OF_BATCHES


def test_the_catalogue_has_every_result_code_of_the_schemas_and_no_other() -> None:
    listed = [one.code for one in RESULTS]
    assert len(set(listed)) == len(listed)
    assert set(listed) == symbols()


def test_every_result_code_is_said_somewhere_in_the_rules() -> None:
    assert symbols() - said_in(ROOT / "domain") == set()


def test_the_catalogue_has_every_code_of_refused_actions_on_breaks_and_the_rules_say_each() -> None:
    listed = [one.code for one in ACTION_CODES]
    assert len(set(listed)) == len(listed)
    assert set(listed) == symbols("BreakActionRefused")
    assert set(listed) - said_in(ROOT / "domain" / "reconciliation" / "breaks") == set()


def said_in(folder: Path) -> set[str]:
    """Return every text that the sources of a folder have."""
    return {
        node.value
        for path in sorted(folder.rglob("*.py"))
        if path != GENERATED
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_event_that_a_code_is_said_in_has_codes() -> None:
    events = {
        schemas.newest(name).event
        for name in schemas.record_names()
        if schemas.newest(name).topic in ANSWERS
        and any(field["name"] == "code" for field in json.loads(schemas.newest(name).text)["fields"])
    }
    assert {event for one in RESULTS for event in one.said_in} == events


def test_the_tales_of_the_ledger_say_each_code_where_the_catalogue_has_it_and_nowhere_else() -> None:
    said = {
        (event_name(event), event.code)
        for tale in read_tales()
        for branch in Player(tale).play().branches
        for topic, _, event in branch.said
        if topic in ANSWERS and hasattr(event, "code")
    }
    listed = {(event, one.code) for one in RESULTS for event in one.said_in}
    assert said == listed - SAID_BEFORE_THE_LEDGER


def event_name(event: Any) -> str:
    """Return the snake_case name of an event."""
    (name,) = [name for name, kind in EVENTS.items() if kind is type(event)]
    return schemas.newest(name).event


@pytest.mark.parametrize("entry", [*DEAD_LETTERS, *RESULTS, *ACTION_CODES], ids=lambda entry: entry.code)
def test_every_code_has_a_meaning_and_a_remedy(entry: Any) -> None:
    for text in (entry.meaning, entry.remedy):
        assert text.endswith(".") and text[0] != " " and "  " not in text
