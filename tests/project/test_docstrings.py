"""Public functions say what they do, and where they raise; files and functions stay short."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import topologies
from pipeline import (
    audit,
    cli,
    domain,
    gateway,
    loadgen,
    personal,
    rebuild,
    runtime,
    statement_files,
    training,
    web,
)
from pipeline.domain.kernel import events
from tests.project import reference_of_commands

PACKAGES = (
    runtime,
    domain,
    audit,
    cli,
    gateway,
    loadgen,
    personal,
    rebuild,
    statement_files,
    training,
    web,
    topologies,
)
ROOT = Path(topologies.__path__[0]).parent
GENERATED = Path(events.__file__)
SOURCES = sorted(path for package in PACKAGES for path in Path(package.__path__[0]).rglob("*.py"))
NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


COMMANDS = {
    (command.callback.__module__, command.callback.__name__)
    for _, command in reference_of_commands.commands()
}
"""Their docstrings are the help that users read: it names exit codes in the place of exceptions."""


def functions(scope: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions of a module and of its classes, not those inside other functions."""
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        elif not isinstance(node, ast.Lambda):
            yield from functions(node)


def raises(scope: ast.AST) -> bool:
    """Return whether a function itself makes an error and raises it."""
    return any(
        (isinstance(node, ast.Raise) and node.exc is not None) or raises(node)
        for node in ast.iter_child_nodes(scope)
        if not isinstance(node, NESTED)
    )


def module_of(path: Path) -> str:
    """Return the name of the module in a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_a_public_function_is_described_with_what_it_raises(path: Path) -> None:
    module = ast.parse(path.read_text())
    assert ast.get_docstring(module), "the module"
    for function in functions(module):
        if not function.name.startswith("_"):
            about = ast.get_docstring(function) or ""
            assert about, f"{function.name} has no docstring"
            if (module_of(path), function.name) not in COMMANDS:
                assert not raises(function) or "Raises" in about, (
                    f"{function.name} does not say that it raises"
                )


def test_every_command_is_known_by_its_function() -> None:
    assert ("pipeline.cli.up", "up") in COMMANDS
    assert ("pipeline.cli.dead_letters", "redrive") in COMMANDS


def test_every_file_has_fewer_than_300_lines() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in SOURCES if path != GENERATED}
    assert [str(path) for path, count in lines.items() if count >= 300] == []
