"""What a worker says of faults around it is either explained by what struck, or a problem."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from schemas.fault_codes import FAULTS
from tests.chaos.alarms import EXPLAINED_BY, OFTEN, unexplained
from tests.chaos.schedule import BY_NAME


def alert(code: str) -> Any:
    return SimpleNamespace(
        fields={"code": code, "subject": "payments[1]", "found": "something", "worker": "w"}
    )


def test_every_code_is_judged_by_faults_that_there_are() -> None:
    assert EXPLAINED_BY.keys() | OFTEN == {fault.code for fault in FAULTS} and not EXPLAINED_BY.keys() & OFTEN
    assert frozenset().union(*EXPLAINED_BY.values()) <= BY_NAME.keys()


@pytest.mark.parametrize(
    ("code", "struck", "found"),
    [
        ("offset_mismatch", ["kill", "broker"], True),
        ("offset_mismatch", ["kill", "forge"], False),
        ("topic_settings", [], True),
        ("topic_settings", ["drift"], False),
        ("broker_silent", [], False),
        ("of_another_version", ["forge"], True),
    ],
)
def test_an_alarm_is_a_problem_unless_a_fault_explains_it(code: str, struck: list[str], found: bool) -> None:
    assert bool(unexplained([alert(code)], struck)) is found
