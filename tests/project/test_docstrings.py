"""Public functions of the runtime and the domain say what they do, and where they raise."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import domain, runtime
from pipeline.domain.kernel import events

ROOT = Path(runtime.__path__[0]).parent
GENERATED = Path(events.__file__)
SOURCES = sorted(
    path
    for package in (runtime, domain)
    for path in Path(package.__path__[0]).rglob("*.py")
    if path.stat().st_size
)
NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


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


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_a_public_function_is_described_with_what_it_raises(path: Path) -> None:
    module = ast.parse(path.read_text())
    assert ast.get_docstring(module), "the module"
    for function in functions(module):
        if not function.name.startswith("_"):
            about = ast.get_docstring(function) or ""
            assert about, f"{function.name} has no docstring"
            assert not raises(function) or "Raises" in about, f"{function.name} does not say that it raises"


def test_every_file_has_fewer_than_300_lines() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in SOURCES if path != GENERATED}
    assert [path.name for path, count in lines.items() if count >= 300] == []
