"""A command imports what it needs; the list of commands says what each of them says itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

from pipeline.cli.commands import COMMANDS
from pipeline.cli.on_demand import Listed, OnDemand, on_demand

HEAVY = (
    *("aiokafka", "authlib", "confluent_kafka", "cryptography", "fastapi", "fastavro", "faust", "msgspec"),
    *("numpy", "pandas", "pyarrow", "pyruhvro", "rocksdict", "webauthn", "xgboost"),
)
IMPORTED = f"""
import json, sys
from pipeline.cli.entry import main
code = main(sys.argv[1:])
print(json.dumps([code, [name for name in {HEAVY} if name in sys.modules]]))
"""


def listed(commands: Sequence[Listed]) -> Iterator[OnDemand]:
    """Yield every listed command, those of groups too."""
    for command in on_demand(commands).values():
        yield command
        yield from listed(command.listed.more)


def imported_by(*arguments: str) -> list[str]:
    """Return which of HEAVY a process has that runs a command, which succeeds."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments], capture_output=True, text=True, check=True
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    return modules


def test_the_list_says_of_each_command_what_its_own_help_begins_with() -> None:
    own = {one.listed: " ".join(one.command.help.partition("\n\n")[0].split()) for one in listed(COMMANDS)}
    assert own == {about: about.about for about in own}


@pytest.mark.parametrize("arguments", [["version"], ["--help"]])
def test_a_command_that_needs_nothing_heavy_imports_nothing_heavy(arguments: list[str]) -> None:
    assert imported_by(*arguments) == []


def test_a_check_of_rules_imports_no_client_of_kafka() -> None:
    rules = "pipeline/domain/fraud/expressions/default_rules.toml"
    assert set(imported_by("rules", "lint", rules)) <= {"msgspec", "numpy"}
